"""Fit a linear regression of solar and wind power on the weather.

In: a dataset of process_data (`data`: a run id, a URI, a file; nothing: the newest run). Out, on the MLflow run: the
model that is judged and the one to serve, hold-out metrics and figures. `mlflow run lr --env-manager local` runs it.
"""

import click
import pandas as pd
from sklearn.linear_model import LinearRegression

from dsgo.data.dataset import load_dataset
from dsgo.data.schema import TARGETS, WEATHER
from dsgo.models.training import log_candidate
from dsgo.runs import options
from dsgo.runs.step import run_step, start_run


def fit(hours: pd.DataFrame) -> LinearRegression:
    """Return a regression fitted on the hours."""
    return LinearRegression().fit(hours[WEATHER], hours[TARGETS])


@click.command
@options.trainer
def main(data: str, split: str, seed: int) -> None:
    """Load, fit, log; the fit is exact, so the seed changes nothing."""
    with start_run("lr"):
        metrics = log_candidate(fit, load_dataset(data), split)
    print(f"lr: mae {metrics['mae']:.3f} GW, r2 {metrics['r2']:.3f}, skill {metrics['mae_skill']:.3f}")


if __name__ == "__main__":
    run_step(main)
