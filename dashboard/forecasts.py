"""The forecasts that pages show: all issue times, their hours laid beside what came, and the newest one as files."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import pandas as pd
from mlflow.entities import Run

from dsgo.data.schema import TARGETS, TIME
from dsgo.forecast import record
from dsgo.models.intervals import SHARE

MOST = 400  # of the newest forecasts that are looked at
FORM = 1  # of /forecast.json: grows where a reader would have to change
ENDS = [f"{target}{end}" for target in TARGETS for end in ("", "_low", "_high")]
TEXT = "%Y-%m-%dT%H:%M:%SZ"
NOTHING_CAME = record.lay_beside(record.collect([]), pd.DataFrame(index=pd.DatetimeIndex([], tz="UTC")))


class Hours(Protocol):
    """A dataset, as far as forecasts are laid beside it."""

    @property
    def run(self) -> Run: ...  # noqa: D102

    @property
    def frame(self) -> pd.DataFrame: ...  # noqa: D102

    @property
    def country(self) -> str | None: ...  # noqa: D102

    @property
    def simulated(self) -> bool: ...  # noqa: D102


@dataclass(frozen=True, eq=False)  # itself a key of what is computed from it
class Ahead:
    """What was forecast for a country's data, and what came of it by the newest dataset."""

    key: tuple[str, ...]  # the ids of the dataset's run and of the forecasts'
    made: tuple[record.Forecast, ...]  # the newest first, at least one
    said: dict[str, pd.DataFrame]  # hours by issue time as text (see `stamp`), the oldest first; hindcasts among them
    laid: pd.DataFrame  # see record.lay_beside

    def forecast(self, issued: str) -> record.Forecast | None:
        """Return the forecast of an issue time; None: it is a hindcast."""
        return next((one for one in self.made if stamp(one.issued) == issued), None)

    def time(self, text: str) -> str | None:
        """Return the issue time that a text names, as `stamp` has it; None where nothing was issued then."""
        text = text.removesuffix("Z").removesuffix("+00:00")
        return next((at for at in self.said if text in (at, f"{at}:00", at.removesuffix("T00:00"))), None)


def look_ahead(runs: Sequence[Run], data: Hours, known: Ahead | None) -> Ahead | None:
    """Return what was forecast for a dataset's country, from an experiment's runs, newest first; None without any.

    `known` is what was found before: it is returned again where nothing is new.
    """
    made = tuple(record.among(list(reversed(runs)), data.country, data.simulated)[:MOST])
    if not made:
        return None
    key = (data.run.info.run_id, *(one.run_id for one in made))
    if known and known.key == key:
        return known
    hours = record.collect(list(made))
    said = {stamp(issued): part for issued, part in hours.groupby("issued")}
    return Ahead(key, made, said, record.lay_beside(hours, data.frame))


def stamp(time: pd.Timestamp) -> str:
    """Return an issue time as addresses have it.

    >>> stamp(pd.Timestamp("2017-01-01", tz="UTC"))
    '2017-01-01T00:00'
    """
    return f"{time:%Y-%m-%dT%H:%M}"


def as_json(made: record.Forecast) -> str:
    """Return a forecast in the form of docs/13_next_week.md."""
    hours = made.hours()
    about = {"form": FORM, "issued": f"{made.issued:{TEXT}}", "made": f"{made.made:{TEXT}}", "country": made.country}
    about |= {"simulated": made.simulated, "model_version": made.version, "weather": made.weather}
    about |= {"run_id": made.run_id, "data_run_id": made.data_run_id, "licences": list(made.licences)}
    about |= {"unit": "GW", "band": SHARE}
    table = hours[ENDS].round(4)
    rows = zip(hours.index.strftime(TEXT), hours["lead"].tolist(), table.to_dict("records"), strict=True)
    listed = [{TIME: at, "lead": lead} | values for at, lead, values in rows]
    return json.dumps(about | {"hours": listed}, allow_nan=False)


def as_csv(hours: pd.DataFrame) -> str:
    """Return the hours of a forecast in the form of docs/13_next_week.md."""
    table = hours[["issued", "lead", *ENDS]].round(4)
    table = table.assign(issued=hours["issued"].dt.strftime(TEXT)).set_axis(hours.index.strftime(TEXT))
    text: str = table.to_csv(index_label=TIME, lineterminator="\n")
    return text
