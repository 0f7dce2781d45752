"""Fit a linear regression of solar and wind power: on splines of all features, or on the four weather columns.

In: a dataset of process_data (`data`: a run id, a URI, a file; nothing: the newest run). Out, on the MLflow run: the
model that is judged and the one to serve, hold-out metrics and figures. `mlflow run lr --env-manager local` runs it.
"""

from functools import partial
from typing import Any

import click
import pandas as pd
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import SplineTransformer, StandardScaler

from dsgo.data.dataset import load_dataset
from dsgo.data.schema import TARGETS, WEATHER
from dsgo.models.features import SOLAR, WIND
from dsgo.models.recipe import fit_recipe
from dsgo.models.training import log_candidate, summary
from dsgo.runs import options
from dsgo.runs.step import run_step, start_run


def make(target: str) -> Pipeline:
    """Return an unfitted regression on splines: a smooth curve for each feature, straight beyond what it has seen."""
    splines = SplineTransformer(n_knots=5, knots="quantile", extrapolation="linear")
    return make_pipeline(StandardScaler(), splines, Ridge(10.0))


def fit(hours: pd.DataFrame, features: str, seed: int = 0) -> Any:
    """Return a model fitted on the hours; `weather` is the notebooks' way. The fit is exact: no seed changes it."""
    if features == "weather":
        return LinearRegression().fit(hours[WEATHER], hours[TARGETS])
    return fit_recipe(hours, make, {"solar_GW": SOLAR, "wind_GW": WIND})


@click.command
@options.trainer
def main(data: str, split: str, features: str, seed: int) -> None:
    """Load, fit, log."""
    with start_run("lr"):
        metrics = log_candidate(partial(fit, features=features, seed=seed), load_dataset(data), split, origins=2)
    print(summary("lr", metrics))


if __name__ == "__main__":
    run_step(main)
