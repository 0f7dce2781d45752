"""Fit a forest of solar and wind power: extra trees on all features, or a random forest on the four weather columns.

In: a dataset of process_data (`data`: a run id, a URI, a file; nothing: the newest run). Out, on the MLflow run: the
model that is judged and the one to serve, hold-out metrics and figures. `mlflow run rf --env-manager local` runs it.
"""

from functools import partial
from typing import Any

import click
import pandas as pd
from sklearn.ensemble import ExtraTreesRegressor, RandomForestRegressor

from dsgo.data.dataset import load_dataset
from dsgo.data.schema import TARGETS, WEATHER
from dsgo.models.features import SOLAR_TREES, WIND_TREES
from dsgo.models.recipe import fit_recipe
from dsgo.models.training import log_candidate, summary
from dsgo.runs import options
from dsgo.runs.step import run_step, start_run


def fit(
    hours: pd.DataFrame,
    features: str,
    seed: int,
    n_estimators: int,
    max_depth: int,
    min_samples_leaf: int,
    n_jobs: int = -1,
) -> Any:
    """Return a forest fitted on the hours; 0 stands for what suits the features."""
    more: dict[str, Any] = {"random_state": seed, "n_jobs": n_jobs}
    if features == "weather":
        forest = RandomForestRegressor(
            n_estimators or 64, max_depth=max_depth or 10, min_samples_leaf=min_samples_leaf or 1, **more
        )
        return forest.fit(hours[WEATHER], hours[TARGETS]).set_params(n_jobs=None)  # threads cost a row 20 ms

    def make(target: str) -> ExtraTreesRegressor:
        leaf = min_samples_leaf or 4
        return ExtraTreesRegressor(
            n_estimators or 32, max_depth=max_depth or None, min_samples_leaf=leaf, max_features=0.4, **more
        )

    recipe = fit_recipe(hours, make, {"solar_GW": SOLAR_TREES, "wind_GW": WIND_TREES})
    for [[_, _, forest]] in recipe.around.values():
        forest.set_params(n_jobs=None)
    return recipe


@click.command
@options.trainer
@click.option("--n-estimators", type=click.IntRange(min=0), default=0, help="0: 32; with features=weather 64.")
@click.option("--max-depth", type=click.IntRange(min=0), default=0, help="0: none; with features=weather 10.")
@click.option("--min-samples-leaf", type=click.IntRange(min=0), default=0, help="0: 4; with features=weather 1.")
def main(data: str, split: str, features: str, seed: int, **params: int) -> None:
    """Load, fit, log."""
    with start_run("rf"):
        recipe = partial(fit, features=features, seed=seed, **params)
        metrics = log_candidate(recipe, load_dataset(data), split, origins=1)
    print(summary("rf", metrics))


if __name__ == "__main__":
    run_step(main)
