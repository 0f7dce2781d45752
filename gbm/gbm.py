"""Fit gradient boosting of solar and wind power: on all features, or on the four weather columns.

In: a dataset of process_data (`data`: a run id, a URI, a file; nothing: the newest run). Out, on the MLflow run: the
model that is judged and the one to serve, hold-out metrics and figures. `mlflow run gbm --env-manager local` runs it.
"""

from functools import partial
from typing import Any

import click
import pandas as pd
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.multioutput import MultiOutputRegressor

from dsgo.data.dataset import load_dataset
from dsgo.data.schema import TARGETS, WEATHER
from dsgo.models.features import SOLAR_TREES, WIND_TREES
from dsgo.models.recipe import fit_recipe
from dsgo.models.training import log_candidate, summary
from dsgo.runs import options
from dsgo.runs.step import run_step, start_run

LOSS = {"solar_GW": "absolute_error", "wind_GW": "squared_error"}  # chosen on rolling origins inside 2013 to 2015


def make(target: str, seed: int, **params: Any) -> HistGradientBoostingRegressor:
    """Return an unfitted boosting of a target; `params` are HistGradientBoostingRegressor's."""
    return HistGradientBoostingRegressor(
        loss=LOSS[target], max_features=0.3, max_bins=128, early_stopping=False, random_state=seed, **params
    )


def fit(hours: pd.DataFrame, features: str, seed: int, **params: Any) -> Any:
    """Return a model fitted on the hours."""
    if features == "weather":
        boosting = HistGradientBoostingRegressor(early_stopping=False, random_state=seed, **params)
        return MultiOutputRegressor(boosting).fit(hours[WEATHER], hours[TARGETS])
    columns = {"solar_GW": SOLAR_TREES, "wind_GW": WIND_TREES}
    return fit_recipe(hours, partial(make, seed=seed, **params), columns)


@click.command
@options.trainer
@click.option("--max-iter", type=click.IntRange(min=1), default=100, show_default=True)
@click.option("--learning-rate", type=click.FloatRange(min=0, min_open=True), default=0.1, show_default=True)
@click.option("--max-leaf-nodes", type=click.IntRange(min=2), default=20, show_default=True)
@click.option("--min-samples-leaf", type=click.IntRange(min=1), default=50, show_default=True)
def main(data: str, split: str, features: str, seed: int, **params: float) -> None:
    """Load, fit, log."""
    with start_run("gbm"):
        metrics = log_candidate(
            partial(fit, features=features, seed=seed, **params), load_dataset(data), split, origins=1
        )
    print(summary("gbm", metrics))


if __name__ == "__main__":
    run_step(main)
