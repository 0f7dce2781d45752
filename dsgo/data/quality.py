"""Dirt in the raw data: found, counted, dated; set aside in the open, or mended where there is only one way."""

from typing import Any

import numpy as np
import pandas as pd

from dsgo.base.errors import UserError
from dsgo.data import suspects
from dsgo.data.schema import CAPACITY, COLUMNS, LIMITS, NOISE, OPTIONAL, TARGETS, TIME, WEATHER

TOLERANCE = 1.05  # power may exceed the installed capacity by 5%: capacity is known by the day or the year only
MOST_LOST = 0.05  # share of the period's hours that may be missing or set aside
MOST_LOST_NEWEST = 0.20  # of the newest four weeks: a few days may be late, a week that stands still may not pass
MENDED = ["noise", "bridged"]  # below 0 by so little that it counts as 0; capacity between two that are known
SET_ASIDE = ["not a number", "negative", "impossible", "above capacity", "stuck"]  # kinds of dirt that cost a row


def clean(
    power: pd.DataFrame, weather: pd.DataFrame, capacity: pd.DataFrame, hours: pd.DatetimeIndex
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Join the raw parts into a frame with the columns of schema.py (optional ones as given); return (dataset, dirt).

    `power` and `weather` are as `dsgo.data.opsd.read_raw` gives them, `capacity` is in GW. Of a doubled hour the first
    row is kept; an hour without power or weather stays missing; a row with an impossible value or one that stands still
    is set aside; noise around zero (schema.py) counts as 0; a gap of a capacity gets a line between its ends. The dirt
    has a row for each finding: utc_timestamp, kind ("doubled", "missing", one of MENDED or of SET_ASIDE) and column (of
    a doubled hour the part, "power" or "weather"). Raises UserError where a column is in a wrong unit (in all hours, or
    in the newest four weeks) or where more than 5% of `hours`, or 20% of the newest four weeks, are lost, that is
    missing or set aside.
    """
    optional = [name for name in OPTIONAL if name in weather]
    measured = TARGETS + WEATHER + optional
    parts = {"power": power[TARGETS], "weather": weather[WEATHER + optional]}
    found = [_findings(part.index[part.index.duplicated()], "doubled", name) for name, part in parts.items()]
    once = [part[~part.index.duplicated()].reindex(hours) for part in parts.values()]
    table = pd.concat([*once, capacity], axis="columns", sort=False)[COLUMNS + optional]

    for column in measured:
        found.append(_findings(hours[table[column].isna()], "missing", column))
        found.append(_findings(hours[np.isinf(table[column])], "not a number", column))
    table = table.replace(np.inf, np.nan)
    for column, least in NOISE.items():
        noise = (table[column] < 0) & (table[column] >= -least)
        found.append(_findings(hours[noise], "noise", column))
        table[column] = table[column].mask(noise, 0.0)
    for column in CAPACITY:
        gap = table[column].isna() & table[TARGETS + WEATHER].notna().all(axis=1)
        found.append(_findings(hours[gap], "bridged", column))
        table[column] = table[column].interpolate("time", limit_direction="both")
    for column in measured:
        (low, high), below = LIMITS[column], "negative" if LIMITS[column][0] == 0 else "impossible"
        found.append(_findings(hours[table[column] < low], below, column))
        found.append(_findings(hours[table[column] > high], "impossible", column))
    for target, installed in zip(TARGETS, CAPACITY, strict=True):
        _check_unit(table, target, installed)
        found.append(_findings(hours[table[target] > TOLERANCE * table[installed]], "above capacity", target))
    _check_units(table)

    kept = table[~_lost(hours, pd.concat(found))]
    while (still := suspects.stuck(kept)).any(axis=None):  # again: what is left may be one streak less coarse
        found += [_findings(still.index[still[column]], "stuck", column) for column in still]
        kept = kept[~still.any(axis=1)]

    dirt = pd.concat(found, ignore_index=True)
    _check_lost(hours, dirt, MOST_LOST, "")
    _check_lost(_newest(hours), dirt, MOST_LOST_NEWEST, " (the newest four weeks)")
    return kept, dirt


def report(hours: pd.DatetimeIndex, dirt: pd.DataFrame) -> dict[str, Any]:
    """Return what quality.json says of the dirt: each kind with its count of hours, its dates, and counts by column.

    Dates are ISO 8601: an hour, or "first/last" for hours in a row. The newest four weeks are counted on their own.
    """
    recent = _newest(hours)
    return _report(hours, dirt) | {"newest_four_weeks": _report(recent, dirt[dirt[TIME].isin(recent)])}


def notes(hours: pd.DatetimeIndex, dirt: pd.DataFrame) -> list[str]:
    """Return a line for each thing that a user should know at once: what stood still, newest weeks with many lost."""
    said = []
    for column, rows in dirt[dirt["kind"] == "stuck"].groupby("column", sort=False):
        said.append(f"{column} stands still in {len(rows):,} hours, set aside: {_dates(rows)}")
    recent = _newest(hours)
    if (share := _lost(recent, dirt).mean()) > MOST_LOST:
        said.append(f"{share:.1%} of the newest four weeks are lost: {_worst(recent, dirt)}")
    return said


def _report(hours: pd.DatetimeIndex, dirt: pd.DataFrame) -> dict[str, Any]:
    kinds = {}
    for kind in ["doubled", "missing", *SET_ASIDE, *MENDED]:
        rows = dirt[dirt["kind"] == kind]
        at = pd.DatetimeIndex(rows[TIME].drop_duplicates().sort_values())
        kinds[kind] = {"hours": len(at), "by_column": rows["column"].value_counts().to_dict(), "dates": _ranges(at)}
    counts = count(hours, dirt)
    return {"hours": len(hours), "rows": int(counts["rows"]), "percent_lost": counts["percent_lost"], "dirt": kinds}


def count(hours: pd.DatetimeIndex, dirt: pd.DataFrame) -> dict[str, float]:
    """Return the dirt as metrics: rows kept, hours doubled, missing and set aside, and percent of the hours lost."""

    def distinct(kinds: list[str]) -> int:
        return dirt.loc[dirt["kind"].isin(kinds), TIME].nunique()

    lost = distinct(["missing", *SET_ASIDE])
    return {
        "rows": len(hours) - lost,
        "hours_doubled": distinct(["doubled"]),
        "hours_missing": distinct(["missing"]),
        "hours_set_aside": distinct(SET_ASIDE),
        "hours_stuck": distinct(["stuck"]),
        "percent_lost": round(100 * lost / len(hours), 3),
        "percent_lost_newest": round(100 * float(_lost(_newest(hours), dirt).mean()), 3),
    }


def _findings(at: pd.Index, kind: str, column: str) -> pd.DataFrame:
    return pd.DataFrame({TIME: at.unique(), "kind": kind, "column": column})


def _newest(hours: pd.DatetimeIndex) -> pd.DatetimeIndex:
    return hours[hours > hours[-1] - suspects.NEWEST]


def _lost(hours: pd.DatetimeIndex, dirt: pd.DataFrame) -> np.ndarray:
    return hours.isin(dirt.loc[dirt["kind"].isin(["missing", *SET_ASIDE]), TIME])


def _check_lost(hours: pd.DatetimeIndex, dirt: pd.DataFrame, most: float, which: str) -> None:
    """Raise UserError where more than the share `most` of the hours is missing or set aside."""
    lost = _lost(hours, dirt)
    if lost.mean() > most:
        raise UserError(
            f"{lost.mean():.1%} of the {len(hours):,} hours from {hours[0]:%Y-%m-%d} to {hours[-1]:%Y-%m-%d}{which} "
            f"are lost, more than {most:.0%}: {_worst(hours, dirt)}; {_years(hours, lost)}, or mend the raw files"
        )


def _worst(hours: pd.DatetimeIndex, dirt: pd.DataFrame) -> str:
    """Return the three largest findings in these hours: kind, column, count, dates."""
    rows = dirt[dirt[TIME].isin(hours) & dirt["kind"].isin(["missing", *SET_ASIDE])]
    groups = sorted(rows.groupby(["kind", "column"], sort=False), key=lambda group: -len(group[1]))[:3]
    return ", ".join(f"{kind} {column} {len(part):,} ({_dates(part)})" for (kind, column), part in groups)


def _dates(rows: pd.DataFrame) -> str:
    """Return the first two stretches of hours in a row, and how many more there are."""
    ranges = _ranges(pd.DatetimeIndex(rows[TIME].drop_duplicates().sort_values()))
    more = f" and {len(ranges) - 2} more" if len(ranges) > 2 else ""
    return ", ".join(ranges[:2]) + more


def _check_units(table: pd.DataFrame) -> None:
    """Raise UserError where a column seems to be in another unit, in all hours or in the newest four weeks."""
    for part, which in ((table, ""), (suspects.newest(table), " in the newest four weeks")):
        if found := suspects.units(part):
            columns = ", ".join(f"{name} {why}" for name, why in found.items())
            raise UserError(
                f"wrong units{which}: {columns}; the raw files must have power and capacity in MW, wind speed in m/s, "
                "temperature in degrees C and radiation in W/m2"
            )


def _check_unit(table: pd.DataFrame, target: str, installed: str) -> None:
    """Raise UserError where power is typically above capacity: then its unit is wrong, not a few of its values."""
    running = table.loc[table[target] > 0, [target, installed]].median()
    if running[target] > TOLERANCE * running[installed]:
        raise UserError(
            f"{target.removesuffix('_GW')} power is typically {running[target] * 1000:,.0f} MW where "
            f"{running[installed] * 1000:,.0f} MW are installed: is it in kW? The raw files must be in MW"
        )


def _years(hours: pd.DatetimeIndex, lost: np.ndarray) -> str:
    """Return which years of the period would work, for a message."""
    share = pd.Series(lost, hours).groupby(hours.year).mean()
    years = [str(year) for year in share.index[share <= MOST_LOST]]
    if not years:
        return "no year of them has enough hours: choose a start and an end that the data covers"
    return f"years that have enough hours: {', '.join(years)}: choose start and end so"


def _ranges(at: pd.DatetimeIndex) -> list[str]:
    """Write hours as ISO 8601, those in a row as "first/last".

    >>> _ranges(pd.DatetimeIndex(["2016-01-01T00", "2016-01-01T01", "2016-01-01T05"], tz="UTC"))
    ['2016-01-01T00:00Z/2016-01-01T01:00Z', '2016-01-01T05:00Z']
    """
    group = (at.to_series().diff() != pd.Timedelta(hours=1)).cumsum()
    ends = at.to_series().groupby(group).agg(["min", "max"])
    form = "%Y-%m-%dT%H:%MZ"
    return [f"{a:{form}}" if a == b else f"{a:{form}}/{b:{form}}" for a, b in ends.itertuples(index=False)]
