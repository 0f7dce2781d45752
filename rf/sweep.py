"""Fit a random forest for every combination of the given values: one parent run, one nested run for each.

In: as rf.py, but each of its parameters is a list, "5,10,15". Out: nested runs just like rf's own, and a table of them
on the parent. Nothing is chosen here: on the hold-out, the best of many looks better than it is.
"""

import itertools
import os
import sys
from concurrent.futures import ThreadPoolExecutor, as_completed

import click
import mlflow
import pandas as pd
from rich.progress import Progress

from dsgo.dataset import load_dataset, split_dataset
from dsgo.step import run_step, start_run, trainer_options
from dsgo.training import log_dataset
from rf import log_forest


class Integers(click.ParamType):
    """A list of whole numbers from 1 on, separated by commas."""

    name = "integers"

    def convert(self, value: str, param: click.Parameter | None, context: click.Context | None) -> list[int]:
        """Return the numbers, or fail with what was given."""
        numbers = [int(part) for part in value.split(",") if part.strip().isdecimal()]
        if len(numbers) != value.count(",") + 1 or min(numbers) < 1:
            self.fail(f"{value!r} is no list of whole numbers from 1 on, such as 5,10,15", param, context)
        return numbers


@click.command
@trainer_options
@click.option("--n-estimators", type=Integers(), default="64")
@click.option("--max-depth", type=Integers(), default="5,10,15")
@click.option("--min-samples-leaf", type=Integers(), default="1,5")
def main(data: str, split: str, seed: int, **lists: list[int]) -> None:
    """Load once, fit and log each in parallel, compare."""
    with start_run("rf_sweep") as parent:
        dataset = load_dataset(data)
        train, test = split_dataset(dataset.frame, split)
        log_dataset(dataset)  # before the others do it at once: MLflow's server refuses a dataset that two enter as new
        combinations = [dict(zip(lists, values, strict=True)) for values in itertools.product(*lists.values())]

        def one(params: dict[str, int]) -> dict[str, float]:
            name = " ".join(f"{key}={value}" for key, value in params.items())
            with mlflow.start_run(run_name=name, parent_run_id=parent.info.run_id, tags={"dsgo.step": "rf"}):
                mlflow.log_params(params | {"split": split, "seed": seed})
                return params | log_forest(train, test, dataset, seed, n_jobs=1, **params)

        rows = []
        with (
            ThreadPoolExecutor(os.cpu_count()) as pool,
            Progress(disable=not sys.stdout.isatty()) as progress,
        ):
            bar = progress.add_task("forests", total=len(combinations))
            for future in as_completed([pool.submit(one, params) for params in combinations]):
                rows.append(future.result())
                progress.advance(bar)
        table = pd.DataFrame(rows).sort_values("mae").reset_index(drop=True)
        mlflow.log_table(table, "sweep.json")
    print(table[[*lists, "mae", "r2", "mae_skill"]].round(3).to_string(index=False))


if __name__ == "__main__":
    run_step(main)
