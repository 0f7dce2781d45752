"""Columns of any type to ours: times to UTC, everything else to float64; what cannot be told is found, not guessed."""

import numpy as np
import pandas as pd
import pyarrow as pa
from pandas.api import types

from dsgo.data.findings import Findings, Rows
from dsgo.data.schema import NOISE, TIME

# A zone at the end of date and time: Z, UTC, GMT or an offset, as +01:00, +0100 or +01; Java adds [Europe/Berlin].
ZONE = r"(?i)^(.*\d[T ]\d.*?)\s*(?:(Z|UTC|GMT)|([+-]\d\d:?\d\d|[+-]\d\d))\s*(?:\[[\w/+-]+\])?\s*$"


def typed(raw: pd.DataFrame, names: list[str], found: Findings, numbers: np.ndarray) -> pd.DataFrame:
    """Return the columns `names` of a raw table as float64, indexed by utc_timestamp (UTC, NaT where it is none).

    `numbers` are its rows' numbers in the file. Noise around zero (see schema.py) counts as 0, an empty field is
    NaN, one that is no finite number is inf. What is no time with a zone and what is no number goes to `found`; a
    column that is not there is left out.
    """
    times = to_times(raw[TIME], found, numbers)
    rows = Rows(numbers, times)
    there = [name for name in names if name in raw]
    return pd.DataFrame({name: _quiet(name, to_numbers(raw[name], name, found, rows)) for name in there}, index=times)


def to_times(values: pd.Series, found: Findings, numbers: np.ndarray) -> pd.DatetimeIndex:
    """Return times in UTC; NaT where a field is empty, is no time, or has no zone, which goes to `found`.

    Numbers are refused: 1451606400 (seconds, of 2016) and 2016010100 look alike.
    """
    rows, empty = Rows(numbers), values.isna().to_numpy()
    zoneless = np.zeros(len(values), bool)
    if isinstance(values.dtype, pd.DatetimeTZDtype):
        times = pd.DatetimeIndex(values)
    elif types.is_datetime64_dtype(values.dtype):
        zoneless, times = ~empty, _no_times(len(values))
    elif types.is_numeric_dtype(values.dtype):
        found.add(TIME, "is a number, no timestamp (write 2016-01-01T00:00:00Z)", ~empty, values, rows)
        empty, times = np.zeros(len(values), bool), _no_times(len(values))
    else:
        texts = values.astype("str").str.strip()
        parts = texts.str.extract(ZONE)
        has_zone = parts[0].notna()
        offset = parts[2].fillna("Z")
        written = (parts[0] + offset).where(has_zone, texts).str.upper()
        times = pd.DatetimeIndex(pd.to_datetime(written, utc=True, format="ISO8601", errors="coerce"))
        none = times.isna() & ~empty
        found.add(TIME, "is no timestamp (write 2016-01-01T00:00:00Z)", none, values, rows)
        zoneless = ~has_zone.to_numpy() & ~none & ~empty
        times = times.where(~zoneless)
    found.add(TIME, "is empty", empty, None, rows)
    found.add(TIME, "has no time zone: add Z or an offset such as +01:00", zoneless, values, rows)
    return times.tz_convert("UTC").as_unit("us").rename(TIME)


def to_numbers(values: pd.Series, name: str, found: Findings, rows: Rows) -> np.ndarray:
    """Return float64 values; NaN where a field is empty, inf where it is no finite number, which goes to `found`."""
    if types.is_datetime64_any_dtype(values.dtype) or types.is_timedelta64_dtype(values.dtype):
        result = np.full(len(values), np.nan)
    elif types.is_numeric_dtype(values.dtype):
        result = values.to_numpy("float64", na_value=np.nan).copy()
    else:
        try:
            result = pa.array(values, from_pandas=True).cast(pa.float64()).to_numpy(zero_copy_only=False).copy()
        except pa.ArrowException:
            result = pd.to_numeric(values.astype("object"), errors="coerce").to_numpy("float64", na_value=np.nan).copy()
    wrong = ~np.isfinite(result) & values.notna().to_numpy()
    if wrong.any():
        comma = np.zeros(len(values), bool)
        comma[wrong] = values[wrong].astype("str").str.fullmatch(r"\s*[+-]?\d+,\d+\s*").to_numpy(bool)
        found.add(name, "has a decimal comma (write a point)", wrong & comma, values, rows)
        found.add(name, "is not a number", wrong & ~comma, values, rows)
        result[wrong] = np.inf
    return result


def _quiet(name: str, values: np.ndarray) -> np.ndarray:
    return np.where((values < 0) & (values >= -NOISE.get(name, 0.0)), 0.0, values)


def _no_times(length: int) -> pd.DatetimeIndex:
    return pd.DatetimeIndex([pd.NaT] * length, tz="UTC")
