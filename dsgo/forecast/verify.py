"""What `dsgo verify` shows: the record of an experiment's forecasts against its newest dataset."""

from typing import NamedTuple

import pandas as pd

from dsgo.base.errors import UserError
from dsgo.data.dataset import Dataset, load_dataset, newest_run
from dsgo.forecast import record
from dsgo.runs.server import find_experiment


class Record(NamedTuple):
    """The forecasts of a dataset's country, the newest first, and each of their hours beside what came."""

    dataset: Dataset
    made: list[record.Forecast]
    laid: pd.DataFrame  # see record.lay_beside


class Verified(NamedTuple):
    """A table in words: what it is about, its header and rows, and the error in one line."""

    about: str
    header: list[str]
    rows: list[list[str]]
    line: str


def read_record(experiment_name: str) -> Record:
    """Return the record of an experiment: its forecasts for its newest dataset's country, and what came by that.

    Raises UserError where the experiment has no dataset or no forecast.
    """
    experiment = find_experiment(experiment_name)
    if experiment is None:
        raise UserError(f"there is no experiment {experiment_name}: name one with --experiment-name")
    dataset = load_dataset(newest_run(experiment.experiment_id))
    made = record.forecasts(experiment.experiment_id, dataset.country, dataset.simulated)
    if not made:
        raise UserError(f"no forecast was made in {experiment_name} yet: `mlflow run forecast --env-manager local`")
    return Record(dataset, made, record.lay_beside(record.collect(made), dataset.frame))


def verify(experiment_name: str, by: str = "lead_day") -> Verified:
    """Return the record of an experiment in words, a row for each target and one of record.BY."""
    found = read_record(experiment_name)
    table = record.figures(found.laid, by)
    hindcasts = found.laid.loc[found.laid["hindcast"], "issued"].nunique()
    forecasts = found.laid["issued"].nunique() - hindcasts
    one, other = (f"{n} {name}{'s' * (n != 1)}" for n, name in ((forecasts, "forecast"), (hindcasts, "hindcast")))
    about = (
        f"{one} and {other} (made later, as they would have been) against what came "
        f"until {found.dataset.frame.index[-1]:%Y-%m-%d %H:%M} UTC; the newest forecast is of "
        f"{found.made[0].issued:%Y-%m-%d %H:%M} UTC"
    )
    header = ["", record.BY[by], "hours", "mae GW", "of capacity", "bias GW", "coverage", "pinball GW"]
    header += ["skill: persistence", "climatology"]
    rows = [
        [
            *(row["target"].removesuffix("_GW"), f"{row[by]:.0f}", f"{row['hours']:,.0f}", f"{row['mae']:.2f}"),
            *(f"{row['nmae']:.2%}", f"{row['bias']:+.2f}", f"{row['coverage']:.0%}", f"{row['pinball']:.2f}"),
            *(f"{row['skill_persistence']:.2f}", f"{row['skill_climatology']:.2f}"),
        ]
        for row in table.to_dict("records")
    ]
    return Verified(about, header, rows, record.in_one_line(record.figures(found.laid)))
