"""Fit a kernel ridge of solar and wind power on all features: smooth where trees are steps, and fitted in seconds.

In: a dataset of process_data (`data`: a run id, a URI, a file; nothing: the newest run). Out, on the MLflow run: the
model that is judged and the one to serve, hold-out metrics and figures. Run it with
`mlflow run kernel --env-manager local`.
"""

from functools import partial

import click
import pandas as pd

from dsgo.data.dataset import load_dataset
from dsgo.models.features import SOLAR, WIND
from dsgo.models.recipe import Recipe, fit_recipe, make_kernel
from dsgo.models.training import log_candidate, summary
from dsgo.runs import options
from dsgo.runs.step import run_step, start_run

GAMMA = {"solar_GW": 0.01, "wind_GW": 0.006}  # of the RBF kernel, and the ridge's penalty: chosen on rolling origins
ALPHA = {"solar_GW": 0.03, "wind_GW": 0.1}  # inside 2013 to 2015


def fit(hours: pd.DataFrame, components: int, seed: int) -> Recipe:
    """Return a recipe fitted on the hours; `components` hours stand for the kernel of all."""
    return fit_recipe(
        hours,
        lambda target: make_kernel(GAMMA[target], ALPHA[target], components, seed),
        {"solar_GW": SOLAR, "wind_GW": WIND},
    )


@click.command
@options.data
@options.split
@options.seed
@click.option("--components", type=click.IntRange(min=1), default=600, show_default=True)
def main(data: str, split: str, seed: int, components: int) -> None:
    """Load, fit, log."""
    with start_run("kernel"):
        metrics = log_candidate(partial(fit, components=components, seed=seed), load_dataset(data), split)
    print(summary("kernel", metrics))


if __name__ == "__main__":
    run_step(main)
