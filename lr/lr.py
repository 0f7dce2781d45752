"""Fit a linear regression of solar and wind power on the weather.

In: a dataset of process_data (`data`: a run id, a URI, a file; nothing: the newest run). Out, on the MLflow run: the
model, its hold-out metrics and figures. Run it with `mlflow run lr --env-manager local`.
"""

import click
from sklearn.linear_model import LinearRegression

from dsgo.data.dataset import load_dataset, split_dataset
from dsgo.data.schema import TARGETS, WEATHER
from dsgo.models.training import log_candidate
from dsgo.runs import options
from dsgo.runs.step import run_step, start_run


@click.command
@options.trainer
def main(data: str, split: str, seed: int) -> None:
    """Load, fit, log."""
    with start_run("lr"):
        dataset = load_dataset(data)
        train, test = split_dataset(dataset.frame, split)

        model = LinearRegression().fit(train[WEATHER], train[TARGETS])  # exact: the seed changes nothing

        metrics = log_candidate(model, train, test, dataset)
    print(f"lr: mae {metrics['mae']:.3f} GW, r2 {metrics['r2']:.3f}, skill {metrics['mae_skill']:.3f}")


if __name__ == "__main__":
    run_step(main)
