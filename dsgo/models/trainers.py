"""The trainers' own fits, by name: for what fits a recipe many times (backtest, benchmarks) without logging it."""

import importlib.util
from collections.abc import Callable
from functools import partial
from typing import Any

import click
import pandas as pd

from dsgo.base.errors import UserError
from dsgo.base.places import ROOT

TRAINERS = ["kernel", "lr", "gbm", "rf"]  # quick enough to be fitted anew each month
NOT_OF_THE_FIT = ["data", "split", "help"]  # options of a trainer's command that its `fit` does not take

Fit = Callable[[pd.DataFrame], Any]


def fit_of(name: str) -> Fit:
    """Return the `fit` of a trainer's script, with the defaults of its command; UserError where it is not there."""
    path = ROOT / name / f"{name}.py"
    if not path.is_file():
        raise UserError(f"model={name}: there is no {path}: the trainers' folders lie beside dsgo in the repository")
    spec = importlib.util.spec_from_file_location(f"trainer_{name}", path)
    assert spec
    assert spec.loader
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    context = click.Context(script.main)
    options = {option.name: option.get_default(context) for option in script.main.params}
    return partial(script.fit, **{key: value for key, value in options.items() if key not in NOT_OF_THE_FIT})
