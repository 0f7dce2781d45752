"""Fit a random forest of solar and wind power on the weather.

In: a dataset of process_data (`data`: a run id, a URI, a file; nothing: the newest run). Out, on the MLflow run: the
model that is judged and the one to serve, hold-out metrics and figures. `mlflow run rf --env-manager local` runs it.
"""

from functools import partial

import click
import pandas as pd
from sklearn.ensemble import RandomForestRegressor

from dsgo.data.dataset import load_dataset
from dsgo.data.schema import TARGETS, WEATHER
from dsgo.models.training import log_candidate
from dsgo.runs import options
from dsgo.runs.step import run_step, start_run
from importances import importances


def fit_forest(hours: pd.DataFrame, seed: int, n_jobs: int, **params: int) -> RandomForestRegressor:
    """Return a fitted forest; `params` are RandomForestRegressor's."""
    return RandomForestRegressor(random_state=seed, n_jobs=n_jobs, **params).fit(hours[WEATHER], hours[TARGETS])


@click.command
@options.trainer
@click.option("--n-estimators", type=click.IntRange(min=1), default=64, show_default=True)
@click.option("--max-depth", type=click.IntRange(min=1), default=10, show_default=True)
@click.option("--min-samples-leaf", type=click.IntRange(min=1), default=1, show_default=True)
def main(data: str, split: str, seed: int, **params: int) -> None:
    """Load, fit, log."""
    with start_run("rf"):
        fit = partial(fit_forest, seed=seed, n_jobs=-1, **params)
        metrics = log_candidate(fit, load_dataset(data), split, importances=importances)
    print(f"rf: mae {metrics['mae']:.3f} GW, r2 {metrics['r2']:.3f}, skill {metrics['mae_skill']:.3f}")


if __name__ == "__main__":
    run_step(main)
