"""The numbers of the weekly report: frames in, frames out. Weeks are ISO weeks, Monday 00:00 to Sunday 23:00 UTC.

`hours` is always a dataset (dsgo.data.schema) with what the model says of it beside it, in GW: by source the prediction
(PREDICTED) and the ends of its band, as `with_predictions` makes them.
Curves over time end with the week reported, as if the report had been written then; the week after it is predicted from
weather that was recorded, not forecast.
"""

from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from dsgo.base.errors import UserError
from dsgo.data.rolling import ENOUGH
from dsgo.data.schema import CAPACITY, TARGETS
from dsgo.models.bands import COLUMNS
from dsgo.models.metrics import band_scores

PREDICTED = ["solar_predicted_GW", "wind_predicted_GW"]
SOURCES = ["solar", "wind"]
HOUR, WEEK = pd.Timedelta(hours=1), pd.Timedelta(days=7)
PARTS = ("", "_predicted", "_low", "_high")  # of a source's columns, as in solar_predicted_GW


def monday(day: str, index: pd.DatetimeIndex) -> pd.Timestamp:
    """Return the start of the week that holds `day` (YYYY-MM-DD); of the last week that the data ends after, if empty.

    Raises UserError for what is no date and for a week outside the data, whose hours are `index`.

    >>> year = pd.date_range("2016-01-01", "2016-12-31 23:00", freq="h", tz="UTC")
    >>> f"{monday('2016-08-07', year):%a %Y-%m-%d}", f"{monday('', year):%a %Y-%m-%d}"
    ('Mon 2016-08-01', 'Mon 2016-12-19')
    """
    first, end = index[0], index[-1] + HOUR
    at = end
    if day:
        try:
            at = pd.Timestamp(date.fromisoformat(day), tz="UTC")
        except ValueError:
            raise UserError(f"week={day}: no date; give a day of the week as YYYY-MM-DD, like 2016-08-01") from None
    start = at.normalize() - pd.Timedelta(days=at.weekday()) - (pd.Timedelta(0) if day else WEEK)
    if start + WEEK <= first or start >= end or (not day and start < first):
        raise UserError(
            f"week={day or '(the last whole one)'}: not in the data, which goes from {first:%Y-%m-%d} to "
            f"{index[-1]:%Y-%m-%d}; give another day with -P week=YYYY-MM-DD"
        )
    return start


def of_week(hours: pd.DataFrame, start: pd.Timestamp) -> pd.DataFrame:
    """Return the rows of the week that begins at `start`: 168 if none is missing."""
    return hours[(hours.index >= start) & (hours.index < start + WEEK)]


def summary(hours: pd.DataFrame, start: pd.Timestamp) -> pd.DataFrame:
    """Return a row for the week, for the week before and for the same ISO week of every earlier year in the data.

    Columns: week (its name), start, hours (recorded), {solar,wind,both}_GWh, {solar,wind}_cf (capacity factor: energy
    over what the installed capacity gives in the recorded hours) and {solar,wind,both}_change: the week's mean power
    over this row's, less 1. Means, so that hours missing from a week do not look like calm.
    """
    year, week, _ = start.isocalendar()
    rows = [("the week", start), ("the week before", start - WEEK)]
    for other in sorted(set(pd.DatetimeIndex(hours.index).isocalendar().year)):
        if other >= year:
            break
        if (same := _monday_of(int(other), week)) is not None and len(of_week(hours, same)):
            rows.append((f"week {week} of {other}", same))
    table = pd.DataFrame([{"week": name, "start": at} | _energy(of_week(hours, at)) for name, at in rows])
    for name in [*SOURCES, "both"]:
        mean = table[f"{name}_GWh"] / table["hours"]
        table[f"{name}_change"] = mean[0] / mean.where(mean > 0) - 1
    return table


def _energy(part: pd.DataFrame) -> dict[str, float]:
    power, most = part[TARGETS].sum(), part[CAPACITY].sum()
    numbers: dict[str, float] = {"hours": len(part), "both_GWh": float(power.sum())}
    for name, target, capacity in zip(SOURCES, TARGETS, CAPACITY, strict=True):
        numbers[f"{name}_GWh"] = float(power[target])
        numbers[f"{name}_cf"] = float(power[target] / most[capacity]) if most[capacity] else float("nan")
    return numbers


def _monday_of(year: int, week: int) -> pd.Timestamp | None:
    try:
        return pd.Timestamp(date.fromisocalendar(year, week, 1), tz="UTC")
    except ValueError:  # most years have no week 53
        return None


def extremes(hours: pd.DataFrame, start: pd.Timestamp) -> pd.DataFrame:
    """Return the week's best and worst hour of both sources together, and the best of each: what, at, GW by source.

    No rows where the week has no records.
    """
    part = of_week(hours, start)
    if part.empty:
        return pd.DataFrame(columns=["what", "at", *TARGETS, "both_GW"])
    both = part[TARGETS].sum(axis="columns")
    moments = {"best hour": both.idxmax(), "worst hour": both.idxmin()}
    moments |= {f"best hour of {name}": part[target].idxmax() for name, target in zip(SOURCES, TARGETS, strict=True)}
    table = part.loc[list(moments.values()), TARGETS].assign(both_GW=both).reset_index(names="at")
    return table.assign(what=list(moments))


def with_predictions(hours: pd.DataFrame, power: pd.DataFrame) -> pd.DataFrame:
    """Return a dataset's hours with what a model says of them beside: `power` has COLUMNS, row by row."""
    names = [f"{name}_{part}_GW" for name in SOURCES for part in ("predicted", "low", "high")]
    return hours.assign(**dict(zip(names, power[COLUMNS].to_numpy("float64").T, strict=True)))


def fortnight(hours: pd.DataFrame, start: pd.Timestamp) -> pd.DataFrame:
    """Return 336 rows, the week and the week after, by source: {name}_GW, _predicted_GW, _low_GW, _high_GW.

    The second week has no recorded power; what is not known is NaN, as the band, low to high, of a model without one.
    """
    index = pd.date_range(start, start + 2 * WEEK, freq="h", inclusive="left", name=hours.index.name)
    table = hours[[f"{name}{part}_GW" for name in SOURCES for part in PARTS]].reindex(index)
    table.loc[start + WEEK :, TARGETS] = np.nan
    return table


def learned_from(start: pd.Timestamp, trained_until: str | None) -> bool:
    """Return whether a model learned from the week that begins at `start`, or from a part of it."""
    return trained_until is not None and start <= pd.Timestamp(trained_until)


def accuracy(fortnight: pd.DataFrame, learned: bool = False) -> pd.DataFrame:
    """Return how the week was predicted, by source: mae, bias (predicted less recorded), both in GW, and coverage.

    `coverage` is the share of the recorded hours that the band held, solar by daylight alone. NaN without records, and
    without a band; in a week that the model learned from (`learned`) too, for it says nothing of other weeks.
    """
    week = fortnight.dropna(subset=TARGETS)
    rows = {}
    for name in SOURCES:
        error = week[f"{name}_predicted_GW"] - week[f"{name}_GW"]
        rows[name] = {"mae": error.abs().mean(), "bias": error.mean(), "coverage": np.nan}
    if len(week) and has_band(week) and not learned:
        names = [f"{name}_{part}_GW" for name in SOURCES for part in ("predicted", "low", "high")]
        found = band_scores(week, week[names].set_axis(COLUMNS, axis="columns"))
        for name in SOURCES:
            rows[name]["coverage"] = found[f"coverage_{name}"]
    return pd.DataFrame(rows).T


def has_band(fortnight: pd.DataFrame) -> bool:
    """Return whether there is a band in any hour."""
    return bool(fortnight["solar_low_GW"].notna().any())


def figures(summary: pd.DataFrame, accuracy: pd.DataFrame) -> dict[str, float]:
    """Return the week's figures under the names that MLflow's UI shows, without those that there are no records for."""
    week = summary.iloc[0]
    metrics = {"hours_recorded": float(week["hours"])}
    for name in SOURCES if week["hours"] else []:
        metrics |= {f"energy_{name}_GWh": week[f"{name}_GWh"], f"capacity_factor_{name}": week[f"{name}_cf"]}
        metrics |= {f"mae_{name}": accuracy.loc[name, "mae"], f"coverage_{name}": accuracy.loc[name, "coverage"]}
    return {name: float(value) for name, value in metrics.items() if pd.notna(value)}


def errors(hours: pd.DataFrame) -> pd.DataFrame:
    """Return the absolute error of each hour in GW: solar, wind."""
    return pd.DataFrame(
        np.abs(hours[PREDICTED].to_numpy() - hours[TARGETS].to_numpy()), index=hours.index, columns=SOURCES
    )


def errors_by_week(hours: pd.DataFrame, start: pd.Timestamp) -> pd.DataFrame:
    """Return the mean absolute error in GW (solar, wind) of each week up to the one reported; the index is its Monday.

    A week without ENOUGH hours is left out.
    """
    until = errors(hours[hours.index < start + WEEK])
    at = pd.DatetimeIndex(until.index)
    weeks = until.groupby(at.normalize() - pd.to_timedelta(at.day_of_week, unit="D"))
    return weeks.mean()[weeks.size() >= min(ENOUGH, weeks.size().max())].rename_axis("week")


def errors_by_period(hours: pd.DataFrame, start: pd.Timestamp, trained_until: str | None) -> pd.DataFrame:
    """Return the mean absolute error in GW by period: training, since then, last 13 weeks, last 4 weeks, the week.

    Columns: period, first, last (hour), hours, solar, wind. Periods without hours are left out, and what is before and
    after training where that is not known.
    """
    end = start + WEEK
    error = errors(hours[hours.index < end])
    parts: dict[str, pd.DataFrame] = {}
    if trained_until:
        learned = error.index <= pd.Timestamp(trained_until)
        parts |= {"training": error[learned], "since training": error[~learned]}
    parts |= {f"last {weeks} weeks": error[error.index >= end - weeks * WEEK] for weeks in (13, 4)}
    parts["the week"] = error[error.index >= start]
    return pd.DataFrame(
        [
            {"period": name, "first": part.index[0], "last": part.index[-1], "hours": len(part)} | part.mean().to_dict()
            for name, part in parts.items()
            if len(part)
        ]
    )


def year_so_far(hours: pd.DataFrame, start: pd.Timestamp) -> pd.DataFrame:
    """Return for the week's year and those before: energy from 1 January to the week's end, or as many days, in TWh.

    The year is the ISO week's; its part of a neighbouring year is not counted. Columns: year, days, hours (recorded),
    solar_TWh, wind_TWh, both_TWh; the latest year first.
    """
    year = start.isocalendar()[0]
    span = min(start + WEEK, _new_year(year + 1)) - _new_year(year)
    rows = []
    for other in range(year, hours.index[0].year - 1, -1):
        part = hours.loc[(hours.index >= _new_year(other)) & (hours.index < _new_year(other) + span), TARGETS]
        energy = part.sum() / 1000
        row = {"year": other, "days": span.days, "hours": len(part)}
        rows.append(row | {"solar_TWh": energy.iloc[0], "wind_TWh": energy.iloc[1], "both_TWh": energy.sum()})
    return pd.DataFrame(rows)


def _new_year(year: int) -> pd.Timestamp:
    return pd.Timestamp(year, 1, 1, tz="UTC")


def quality(index: pd.DatetimeIndex, start: pd.Timestamp, report: dict[str, Any] | None) -> pd.DataFrame:
    """Return what is wrong with the week's data, a row each: kind, hours, spans ((first, last) hours in a row).

    Always "not in the data", seen from the dataset's hours `index`; and, from its quality.json (`report`), if it has
    one, what processing found in the raw files in that week: doubled, missing, set aside for an impossible value.
    """
    week = pd.date_range(start, start + WEEK, freq="h", inclusive="left")
    notes = {"not in the data": _spans(week.difference(index))}
    for kind, dirt in (report or {}).get("dirt", {}).items():
        ends = [[pd.Timestamp(end) for end in text.split("/")] for text in dirt["dates"]]
        days = [(max(span[0], week[0]), min(span[-1], week[-1])) for span in ends]
        notes[kind] = [(first, last) for first, last in days if first <= last]
    rows = [
        {"kind": kind, "hours": sum(int((last - first) / HOUR) + 1 for first, last in spans), "spans": spans}
        for kind, spans in notes.items()
    ]
    return pd.DataFrame(rows)


def _spans(at: pd.DatetimeIndex) -> list[tuple[pd.Timestamp, pd.Timestamp]]:
    run = (at.to_series().diff() != HOUR).cumsum()
    return [(part.iloc[0], part.iloc[-1]) for _, part in at.to_series().groupby(run)]
