"""What serving a recipe costs, inside the model: `serving_rows` of forecast.py."""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import pandas as pd
from mlflow.pyfunc import PythonModelContext

from dsgo.models import training
from dsgo.models.blending import Blended
from dsgo.models.intervals import SHARE
from dsgo.models.power_model import PowerModel
from dsgo.models.rows import model_input


def serving_rows(models: dict[str, Blended], hours: pd.DataFrame) -> list[str]:
    """Return a line for each model: seconds and megabytes of the files that a run logs, as loaded back."""
    lines = []
    for name, each in models.items():
        with tempfile.TemporaryDirectory() as folder:
            files = training._save(each.judged, each.unseen, hours, Path(folder))
            context, model = PythonModelContext(files, {}), PowerModel()
            megabytes = sum(Path(path).stat().st_size for path in files.values()) / 1e6
            loading = seconds(lambda: model.load_context(context), 3)  # noqa: B023
            given = model_input(hours)
            one = seconds(lambda: model.predict(context, given.tail(1)), 50)  # noqa: B023
            many = [
                seconds(lambda: model.predict(context, given.tail(10_000), params), 3)  # noqa: B023
                for params in ({}, {"interval": SHARE})
            ]
            cells = [f"{1000 * one:.1f}", *(f"{took:.2f}" for took in many), f"{megabytes:.1f}", f"{loading:.2f}"]
            lines.append(f"| {name} | {' | '.join(cells)} |")
            print(lines[-1], flush=True)
    return lines


def seconds(call: Callable[[], Any], times: int) -> float:
    """Return the median time of a call."""
    took = []
    for _ in range(times):
        begun = time.perf_counter()
        call()
        took.append(time.perf_counter() - begun)
    return median(took)
