"""Installed capacity by the hour: from the raw columns where they can be believed, else from the table in schema.py."""

import numpy as np
import pandas as pd

from dsgo.base.errors import UserError
from dsgo.data.schema import CAPACITY, CAPACITY_AT_YEAR_END, MOST_GW, TARGETS
from dsgo.data.suspects import jumps

BRIDGED = 31 * 24  # hours in a row that may be missing of a quantity that changes so slowly
FALL = 0.10  # a fleet grows; what its capacity may fall below its peak, for corrections and plants taken down


def installed_capacity(power: pd.DataFrame, hours: pd.DatetimeIndex, country: str) -> tuple[pd.DataFrame, str]:
    """Return the capacities in GW for each of `hours` where they are known, and a line that says where from.

    The rule: the raw columns (in `power`, see `dsgo.data.opsd.read_raw`) are believed if in every hour that has power
    each is above 0 and below 1000 GW, or missing (no number) for at most 31 days in a row, and if neither ever falls by
    more than 10% below its peak so far or jumps by more than 20% within an hour. What is missing is NaN
    (`dsgo.data.quality.clean` bridges it). Otherwise the table serves, which covers Germany from 2013 to 2016, and the
    line says why. Raises UserError where neither serves.
    """
    doubt = _doubt(power)
    if doubt is None:
        once = power.loc[~power.index.duplicated(), CAPACITY]
        return once.replace(np.inf, np.nan).reindex(hours), "columns of the raw file"
    try:
        return capacity_from_table(hours, country), f"table of year ends in dsgo/data/schema.py, because {doubt}"
    except UserError as error:
        raise UserError(f"{doubt}, and {error.message}") from error


def capacity_from_table(hours: pd.DatetimeIndex, country: str) -> pd.DataFrame:
    """Return solar_capacity_GW and wind_capacity_GW for each hour, linear between the year ends of schema.py's table.

    Raises UserError for a country or an hour that the table does not cover.

    >>> at = pd.DatetimeIndex(["2013-01-01", "2014-01-01"], tz="UTC")
    >>> capacity_from_table(at, "DE")["solar_capacity_GW"].tolist()
    [34.08, 36.71]
    """
    if country not in CAPACITY_AT_YEAR_END:
        raise UserError(
            f"there is no table of installed capacity for {country}, only for {', '.join(CAPACITY_AT_YEAR_END)}"
        )
    table = pd.DataFrame(CAPACITY_AT_YEAR_END[country])
    year_ends = pd.to_datetime(table.index.astype(str), utc=True) + pd.DateOffset(years=1)
    if hours[0] < year_ends[0] or hours[-1] >= year_ends[-1]:
        raise UserError(f"the table of installed capacity covers {table.index[0] + 1} to {table.index[-1]} only")

    def seconds(times: pd.DatetimeIndex) -> np.ndarray:
        return times.as_unit("s").asi8

    return pd.DataFrame({name: np.interp(seconds(hours), seconds(year_ends), table[name]) for name in CAPACITY}, hours)


def _doubt(power: pd.DataFrame) -> str | None:
    """Return why the capacity columns of the raw file cannot be believed, or None."""
    if not set(CAPACITY) <= set(power.columns):
        return "the raw file has no columns of installed capacity"
    for name in CAPACITY:
        capacity = power.loc[power[TARGETS].notna().any(axis=1), name].replace(np.inf, np.nan)
        gaps = capacity.isna()
        longest = int(gaps.groupby((~gaps).cumsum()).sum().max()) if len(gaps) else 0
        unknown = ~capacity.between(0, MOST_GW, inclusive="neither")
        if gaps.all() or longest > BRIDGED or (unknown & ~gaps).any():
            return f"the raw {name.removesuffix('_GW')} is missing or impossible in {unknown.mean():.1%} of the hours"
        if (fall := (1 - capacity / capacity.cummax()).max()) > FALL:
            return f"the raw {name.removesuffix('_GW')} falls by {fall:.0%}, which no fleet does"
        for time, _, before, after in jumps(capacity.to_frame()).itertuples():
            change = f"jumps from {before * 1000:,.0f} to {after * 1000:,.0f} MW at {time:%Y-%m-%dT%H:%MZ}"
            return f"the raw {name.removesuffix('_GW')} {change}, which no fleet does"
    return None
