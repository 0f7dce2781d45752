"""Walk through the last year of a dataset as it would have been, and lay the ways to predict it side by side.

In: a dataset of process_data (`data`: a run id, a URI, a file; nothing: the newest run). A recipe (`model`) is fitted
once before the year; anew each month or week (`every`) on what was known by then, the truth `delay` hours late; and
corrected by its recent errors. Beside it: the mean of month and hour, persistence, and the week before. Out, on the
MLflow run: every score by way and month (backtest/months.csv), the predictions (backtest/hours.parquet), metrics
WAY/mae and so on, and two figures: error by month, and how a model ages. Each fit is a task of Dask, on a cluster
(`scheduler`) or inside this process. Run it with `mlflow run . -e backtest --env-manager local`.
"""

import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import click
import mlflow
import pandas as pd
from distributed import Client, as_completed
from rich.progress import Progress
from rich.table import Table
from threadpoolctl import threadpool_limits

from dsgo.base.errors import UserError
from dsgo.base.processes import interruptible
from dsgo.base.terminal import console
from dsgo.data.dataset import load_dataset
from dsgo.data.hold_out import period, split_dataset
from dsgo.models import figures, ways
from dsgo.models.trainers import TRAINERS, fit_of
from dsgo.models.training import log_dataset
from dsgo.models.walking import KnownThen, refit, steps
from dsgo.runs import options
from dsgo.runs.step import run_step, start_run
from dsgo.workflow.engine import connect

SHOWN = ["mae", "nmae", "bias", "r2", "coverage_solar", "coverage_wind", "pinball"]
Task = Callable[[Callable, pd.DataFrame], pd.DataFrame]  # of a recipe's fit and the dataset


@click.command
@options.data
@click.option("--model", type=click.Choice(TRAINERS), default="kernel", help="The trainer whose recipe is fitted.")
@click.option("--every", type=click.Choice(["month", "week"]), default="month", help="How often it is fitted anew.")
@click.option("--delay", type=click.IntRange(min=1), default=24, help="Hours until an hour's power is known.")
@click.option("--scheduler", default="", help="Address of a Dask cluster's scheduler; nothing: inside this process.")
@click.option("--timeout", type=click.FloatRange(min=1), default=3600, help="Seconds that all fits may take.")
def main(data: str, model: str, every: str, delay: int, scheduler: str, timeout: float) -> None:
    """Load, walk, judge, log."""
    with start_run("backtest"):
        dataset = load_dataset(data)
        frame, late = dataset.frame, pd.Timedelta(hours=delay)
        start = split_dataset(frame, "chronological")[1].index[0]
        tasks: dict[str, Task] = {"once": partial(ways.once, start=start, delay=late)}
        tasks["aged"] = partial(ways.first_year, delay=late)
        tasks |= walk(frame, ways.walk_in(frame, start), every, late)
        log_dataset(dataset)

        with interruptible(once=True), connect(scheduler, len(tasks), with_git=False) as client:
            done = run(client, model, frame, tasks, timeout)
        once, aged = done.pop("once"), done.pop("aged")
        said = pd.concat([done[name] for name in sorted(done)])
        found = {"once": once} | ways.walked(frame, said, start, late) | ways.naive(frame, start, late)
        calendar = ways.calendar(frame, start, late)
        table = ways.by_month(frame, found, calendar)
        refitted = ways.in_gigawatt(frame, said)
        old = {"first year": aged, "refitted": refitted[refitted.index >= aged.index[0]]}
        ages = ways.by_month(frame, old, calendar)
        log(table, found, ages, dataset.simulated)
    show(table, f"{model} on {period(frame.index)}{' (simulated data)' if dataset.simulated else ''}")
    best = table[table["month"] == "all"].set_index("way")["mae"]
    print(
        f"backtest: mae once {best['once']:.3f} GW, refitted {best['refitted']:.3f}, corrected {best['corrected']:.3f}"
    )


def walk(frame: pd.DataFrame, first: pd.Timestamp, every: str, delay: pd.Timedelta) -> dict[str, Task]:
    """Return a task for each month or week from `first` on, by its beginning: capacity factors of its hours."""
    return {f"{at:%Y-%m-%dT%H}": partial(_refit, at=at, end=end, delay=delay) for at, end in steps(frame, first, every)}


def run(client: Client, model: str, frame: pd.DataFrame, tasks: dict[str, Task], timeout: float) -> dict[str, Any]:
    """Run tasks on Dask and return what each gives; UserError where they take longer than `timeout` seconds."""
    hours = client.scatter(frame, broadcast=True)
    names = {client.submit(_task, model, hours, task, pure=False): name for name, task in tasks.items()}
    done = {}
    with Progress(disable=not sys.stdout.isatty()) as progress:
        bar = progress.add_task("fits", total=len(tasks))
        try:
            for future, result in as_completed(names, with_results=True, timeout=timeout):
                done[names[future]] = result
                progress.advance(bar)
        except TimeoutError:
            raise UserError(
                f"only {len(done)} of {len(tasks)} fits were done in {timeout:g} s: give a longer timeout"
            ) from None
    return done


def log(table: pd.DataFrame, found: dict[str, pd.DataFrame], ages: pd.DataFrame, simulated: bool) -> None:
    """Log scores, predictions and figures to the active run."""
    with tempfile.TemporaryDirectory(prefix="dsgo-") as folder:
        table.to_csv(Path(folder, "months.csv"), index=False)
        ages.to_csv(Path(folder, "ages.csv"), index=False)
        pd.concat(found, axis=1).to_parquet(Path(folder, "hours.parquet"))
        mlflow.log_artifacts(folder, "backtest")
    for _, row in table[table["month"] == "all"].iterrows():
        scores = row.drop(["way", "month", "hours"]).astype(float).dropna()
        mlflow.log_metrics({f"{row['way']}/{name}": value for name, value in scores.items()})
    for name, figure in figures.backtest(table, ages, simulated).items():
        mlflow.log_figure(figure, f"figures/{name}.png")


def show(table: pd.DataFrame, title: str) -> None:
    """Print a line for each way."""
    shown = Table("way", *(name.replace("_", " ") for name in SHOWN), title=title, box=None)
    for _, row in table[table["month"] == "all"].iterrows():
        shown.add_row(row["way"], *(f"{row[name]:.3f}" for name in SHOWN))
    console().print(shown)


def _task(model: str, frame: pd.DataFrame, task: Task) -> pd.DataFrame:
    with threadpool_limits(1):  # tasks run side by side: threads within each would wait for one another
        return task(fit_of(model), frame)


def _refit(
    fit: Callable, frame: pd.DataFrame, at: pd.Timestamp, end: pd.Timestamp, delay: pd.Timedelta
) -> pd.DataFrame:
    return refit(fit, KnownThen(frame, at, delay), end)


if __name__ == "__main__":
    run_step(main)
