"""Fit a random forest of solar and wind power on the weather.

In: a dataset of process_data (`data`: a run id, a URI, a file; nothing: the newest run). Out, on the MLflow run: the
model, its hold-out metrics and figures. Run it with `mlflow run rf --env-manager local`.
"""

import click
import numpy as np
import pandas as pd
from sklearn.ensemble import RandomForestRegressor

from dsgo.data.dataset import Dataset, load_dataset, split_dataset
from dsgo.data.schema import TARGETS, WEATHER
from dsgo.models.training import log_candidate
from dsgo.runs import options
from dsgo.runs.step import run_step, start_run
from importances import importances


def fit_forest(train: pd.DataFrame, seed: int, n_jobs: int, **params: int) -> RandomForestRegressor:
    """Return a fitted forest; `params` are RandomForestRegressor's."""
    return RandomForestRegressor(random_state=seed, n_jobs=n_jobs, **params).fit(train[WEATHER], train[TARGETS])


def log_forest(
    forest: RandomForestRegressor, train: pd.DataFrame, test: pd.DataFrame, dataset: Dataset
) -> dict[str, float]:
    """Log a fitted forest to the active run and return its hold-out metrics."""
    spread = np.std([tree.feature_importances_ for tree in forest.estimators_], axis=0)
    bars = importances(WEATHER, forest.feature_importances_, spread)
    return log_candidate(forest, train, test, dataset, importances=bars)


@click.command
@options.trainer
@click.option("--n-estimators", type=click.IntRange(min=1), default=64, show_default=True)
@click.option("--max-depth", type=click.IntRange(min=1), default=10, show_default=True)
@click.option("--min-samples-leaf", type=click.IntRange(min=1), default=1, show_default=True)
def main(data: str, split: str, seed: int, **params: int) -> None:
    """Load, fit, log."""
    with start_run("rf"):
        dataset = load_dataset(data)
        train, test = split_dataset(dataset.frame, split)
        metrics = log_forest(fit_forest(train, seed, n_jobs=-1, **params), train, test, dataset)
    print(f"rf: mae {metrics['mae']:.3f} GW, r2 {metrics['r2']:.3f}, skill {metrics['mae_skill']:.3f}")


if __name__ == "__main__":
    run_step(main)
