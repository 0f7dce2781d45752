"""Dirt in the raw data: found, counted, dated and set aside in the open, never mended."""

from typing import Any

import numpy as np
import pandas as pd

from dsgo.base.errors import UserError
from dsgo.data.schema import CAPACITY, COLUMNS, TARGETS, TIME, WEATHER

TOLERANCE = 1.05  # power may exceed the installed capacity by 5%: capacity is known by the day or the year only
MOST_LOST = 0.05  # share of the period's hours that may be missing or set aside
SET_ASIDE = ["not a number", "negative", "above capacity"]  # kinds of dirt that make a row impossible


def clean(
    power: pd.DataFrame, weather: pd.DataFrame, capacity: pd.DataFrame, hours: pd.DatetimeIndex
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Join the raw parts into a frame with the columns of schema.py; return (dataset, dirt).

    `power` and `weather` are as `dsgo.data.opsd.read_raw` gives them, `capacity` is in GW. Of a doubled hour the first
    row is kept; an hour without power or weather stays missing; a row with an impossible value is set aside. The dirt
    has a row for each finding: utc_timestamp, kind ("doubled", "missing" or one of SET_ASIDE) and column (of a doubled
    hour the part, "power" or "weather"). Raises UserError where power is far above capacity (a wrong unit) or where
    more than 5% of `hours` are lost, that is missing or set aside.
    """
    parts = {"power": power[TARGETS], "weather": weather[WEATHER]}
    found = [_findings(part.index[part.index.duplicated()], "doubled", name) for name, part in parts.items()]
    once = [part[~part.index.duplicated()].reindex(hours) for part in parts.values()]
    table = pd.concat([*once, capacity], axis="columns", sort=False)[COLUMNS]

    for column in TARGETS + WEATHER:
        found.append(_findings(hours[table[column].isna()], "missing", column))
        found.append(_findings(hours[np.isinf(table[column])], "not a number", column))
    table = table.replace(np.inf, np.nan)
    for column in [name for name in TARGETS + WEATHER if name != "temperature"]:
        found.append(_findings(hours[table[column] < 0], "negative", column))
    for target, installed in zip(TARGETS, CAPACITY, strict=True):
        _check_unit(table, target, installed)
        found.append(_findings(hours[table[target] > TOLERANCE * table[installed]], "above capacity", target))

    dirt = pd.concat(found, ignore_index=True)
    lost = hours.isin(dirt.loc[dirt["kind"] != "doubled", TIME])
    if lost.mean() > MOST_LOST:
        counts = (dirt["kind"] + " " + dirt["column"]).value_counts().head(3)
        worst = ", ".join(f"{what} {count:,}" for what, count in counts.items())
        raise UserError(
            f"{lost.mean():.1%} of the {len(hours):,} hours from {hours[0]:%Y-%m-%d} to {hours[-1]:%Y-%m-%d} are lost, "
            f"more than {MOST_LOST:.0%}: {worst}; choose a start and an end that the data covers, or mend the raw files"
        )
    return table[~lost], dirt


def report(hours: pd.DatetimeIndex, dirt: pd.DataFrame) -> dict[str, Any]:
    """Return what quality.json says of the dirt: each kind with its count of hours, its dates, and counts by column.

    Dates are ISO 8601: an hour, or "first/last" for hours in a row.
    """
    kinds = {}
    for kind in ["doubled", "missing", *SET_ASIDE]:
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
        "percent_lost": round(100 * lost / len(hours), 3),
    }


def _findings(at: pd.Index, kind: str, column: str) -> pd.DataFrame:
    return pd.DataFrame({TIME: at.unique(), "kind": kind, "column": column})


def _check_unit(table: pd.DataFrame, target: str, installed: str) -> None:
    """Raise UserError where power is typically above capacity: then its unit is wrong, not a few of its values."""
    running = table.loc[table[target] > 0, [target, installed]].median()
    if running[target] > TOLERANCE * running[installed]:
        raise UserError(
            f"{target.removesuffix('_GW')} power is typically {running[target] * 1000:,.0f} MW where "
            f"{running[installed] * 1000:,.0f} MW are installed: is it in kW? The raw files must be in MW"
        )


def _ranges(at: pd.DatetimeIndex) -> list[str]:
    """Write hours as ISO 8601, those in a row as "first/last".

    >>> _ranges(pd.DatetimeIndex(["2016-01-01T00", "2016-01-01T01", "2016-01-01T05"], tz="UTC"))
    ['2016-01-01T00:00Z/2016-01-01T01:00Z', '2016-01-01T05:00Z']
    """
    group = (at.to_series().diff() != pd.Timedelta(hours=1)).cumsum()
    ends = at.to_series().groupby(group).agg(["min", "max"])
    form = "%Y-%m-%dT%H:%MZ"
    return [f"{a:{form}}" if a == b else f"{a:{form}}/{b:{form}}" for a, b in ends.itertuples(index=False)]
