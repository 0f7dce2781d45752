"""Fit a random forest for every combination of the given values: one parent run, one nested run for each.

In: as rf.py, but each of its parameters is a list, "5,10,15". Out: nested runs just like rf's own, and a table of them
on the parent. Nothing is chosen here: on the hold-out, the best of many looks better than it is.
"""

import itertools
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import click
import mlflow
import pandas as pd
from rich.progress import Progress

from dsgo.base import tags
from dsgo.data.dataset import load_dataset
from dsgo.data.hold_out import split_dataset
from dsgo.models.origins import predict_unseen
from dsgo.models.training import log_dataset, log_fitted
from dsgo.runs import options
from dsgo.runs.step import run_step, start_run
from rf import fit


class Integers(click.ParamType):
    """A list of whole numbers from 1 on, separated by commas."""

    name = "integers"

    def convert(self, value: str, param: click.Parameter | None, context: click.Context | None) -> list[int]:
        """Return the numbers, or fail with what was given."""
        parts = [part.strip() for part in value.split(",")]
        numbers = [int(part) for part in parts if part.isdecimal() and len(part) < 10]  # Python refuses 4,300 digits
        if len(numbers) != len(parts) or min(numbers) < 1:
            self.fail(f"{value!r} is no list of whole numbers from 1 on, such as 5,10,15", param, context)
        return numbers


@click.command
@options.trainer
@click.option("--n-estimators", type=Integers(), default="64")
@click.option("--max-depth", type=Integers(), default="5,10,15")
@click.option("--min-samples-leaf", type=Integers(), default="1,5")
def main(data: str, split: str, features: str, seed: int, **lists: list[int]) -> None:
    """Load once, fit in parallel, log each, compare."""
    with start_run("rf_sweep"):
        dataset = load_dataset(data)
        train, _ = split_dataset(dataset.frame, split)
        log_dataset(dataset)
        combinations = [dict(zip(lists, values, strict=True)) for values in itertools.product(*lists.values())]

        rows = []
        with (
            ThreadPoolExecutor(os.cpu_count()) as pool,
            Progress(disable=not sys.stdout.isatty()) as progress,
        ):
            bar = progress.add_task("forests", total=len(combinations))
            try:
                fits = []
                for params in combinations:
                    recipe = partial(fit, features=features, seed=seed, n_jobs=1, **params)
                    both = [pool.submit(recipe, hours) for hours in (train, dataset.frame)]
                    fits.append([*both, pool.submit(predict_unseen, recipe, train, 1)])
                # Logged one after another: what it parses of Python must not be parsed in two threads at once, or
                # Python before 3.11.8 and 3.12.2 may end in a SystemError (CPython issue 106905).
                for params in combinations:
                    judged, serving, seen = (done.result() for done in fits.pop(0))
                    name = " ".join(f"{key}={value}" for key, value in params.items())
                    with mlflow.start_run(run_name=name, nested=True, tags={tags.STEP: "rf"}):
                        mlflow.log_params(params | {"split": split, "features": features, "seed": seed})
                        rows.append(params | log_fitted(judged, serving, seen, dataset, split))
                    progress.advance(bar)
            finally:
                pool.shutdown(wait=False, cancel_futures=True)  # Ctrl-C waits for no fit that has not begun
        table = pd.DataFrame(rows).sort_values("mae").reset_index(drop=True)
        mlflow.log_table(table, "sweep.json")
    print(table[[*lists, "mae", "r2", "mae_skill"]].round(3).to_string(index=False))


if __name__ == "__main__":
    run_step(main)
