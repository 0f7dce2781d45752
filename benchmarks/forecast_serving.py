"""What serving costs inside the model: `python benchmarks/forecast_serving.py ../shared/data`.

Fits kernel, gbm and rf on 2013 to 2015 of the real data, and measures the kernel and a blend of all three as loaded
back from the files that a run logs, by CPU time, for other work on the machine does not count. Nothing is judged.
Writes the table into README.md beside this file (`--print`: shows it only).
"""

import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

import click
import pandas as pd
from mlflow.pyfunc import PythonModelContext
from sections import write_section

from dsgo.data.schema import TARGETS
from dsgo.models import training
from dsgo.models.blending import mean_of
from dsgo.models.intervals import SHARE
from dsgo.models.origins import predict_unseen
from dsgo.models.power_model import PowerModel
from dsgo.models.recipe import Recipe
from dsgo.models.rows import model_input
from dsgo.models.trainers import fit_of
from forecast import BLENDED, read


def measure(name: str, recipe: Recipe, unseen: pd.DataFrame, hours: pd.DataFrame) -> str:
    """Return a line: CPU seconds and megabytes of the files that a run logs, as loaded back."""
    with tempfile.TemporaryDirectory() as folder:
        files = training._save(recipe, unseen, hours, Path(folder))
        context, model, given = PythonModelContext(files, {}), PowerModel(), model_input(hours)
        megabytes = sum(Path(path).stat().st_size for path in files.values()) / 1e6
        loading = seconds(lambda: model.load_context(context), 3)
        one = seconds(lambda: model.predict(context, given.tail(1)), 50)
        many = seconds(lambda: model.predict(context, given.tail(10_000)), 3)
        band = seconds(lambda: model.predict(context, given.tail(10_000), {"interval": SHARE}), 3)
    return f"| {name} | {1000 * one:.1f} | {many:.2f} | {band:.2f} | {megabytes:.1f} | {loading:.2f} |"


def seconds(call: Callable[[], Any], times: int) -> float:
    """Return the median CPU time of a call."""
    took = []
    for _ in range(times):
        begun = time.process_time()
        call()
        took.append(time.process_time() - begun)
    return median(took)


@click.command
@click.argument("shared", type=click.Path(path_type=Path, exists=True))
@click.option("--print", "only_print", is_flag=True, help="Leave README.md as it is.")
def main(shared: Path, only_print: bool) -> None:
    """Fit, save, load, measure, write."""
    dataset = read(shared)
    hours = dataset[dataset.index.year < 2016]
    hours.attrs = dataset.attrs
    recipes = [fit_of(name)(hours) for name in BLENDED]
    unseen = predict_unseen(fit_of("kernel"), hours, 1)  # the band's size does not depend on whose it is
    third = mean_of(recipes, [dict.fromkeys(TARGETS, 1 / len(recipes)) for _ in recipes])
    rows = [measure("kernel", recipes[0], unseen, hours), measure("kernel, gbm and rf blended", third, unseen, hours)]
    text = "\n".join(
        [
            f"{datetime.now(UTC):%Y-%m-%d}, `python benchmarks/forecast_serving.py ../shared/data`, CPU time.\n",
            "| inside the model | one row, ms | 10,000 rows, s | the same with the band, s | files, MB | loading, s |",
            "| --- " * 6 + "|",
            *rows,
        ]
    )
    click.echo(text) if only_print else write_section("forecast serving", text)


if __name__ == "__main__":
    main()
