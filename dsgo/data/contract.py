"""The contract of the dataset (columns: schema.py) as a pandera schema; all violations are listed, not the first."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pandera.pandas as pa

from dsgo.data.capacity import MOST_GW
from dsgo.data.quality import TOLERANCE
from dsgo.data.schema import CAPACITY, COLUMNS, TARGETS, TIME


def violations(frame: pd.DataFrame) -> list[str]:
    """Return a line for each way a dataset breaks the contract: column, what, in how many rows, the first timestamp.

    `utc_timestamp` is the index or a column, of times or of text as a CSV holds it. The contract: a time zone in each
    timestamp, on the hour, unique, increasing; every column there, finite, in no row empty; power, wind, radiation and
    capacity not negative; power at most 5% above capacity (and so not in MW or kW). An empty list: it holds.
    """
    table = frame.reset_index() if TIME in frame.index.names else frame.reset_index(drop=True)
    if TIME not in table:
        return [f"{TIME}: no such column; there are {', '.join(map(str, table.columns[:12]))}"]
    if table.empty:
        return [f"{TIME}: no rows"]
    texts = table[TIME].astype("string")
    checked = pd.DataFrame({TIME: pd.to_datetime(texts, utc=True, format="ISO8601", errors="coerce")})
    for name in [name for name in COLUMNS if name in table]:
        values = pd.to_numeric(table[name], errors="coerce").astype("float64")
        checked[name] = values.mask(values.isna() & table[name].notna(), np.inf)  # text becomes inf, empty stays NaN
    try:
        _schema(checked, has_zone=texts.str.contains(r"(?:Z|[+-]\d\d:?\d\d)$").fillna(True)).validate(
            checked, lazy=True
        )
    except pa.errors.SchemaErrors as error:
        return [_line(key, rows, checked[TIME]) for key, rows in _by_check(error.failure_cases)]
    return []


def _schema(table: pd.DataFrame, has_zone: pd.Series) -> pa.DataFrameSchema:
    """Build the schema; the checks that need a second column take it from `table`."""

    def check(holds: Callable, error: str) -> pa.Check:
        return pa.Check(lambda values: holds(values) | values.isna(), error=error, ignore_na=False)

    times = [
        check(lambda _: has_zone, "has no time zone (ISO 8601 with Z or +00:00)"),
        check(lambda time: time == time.dt.floor("h"), "is not on the hour"),
        check(lambda time: ~time.duplicated(), "stands there before (doubled hour)"),
        check(lambda time: ~(time.diff() < pd.Timedelta(0)), "is earlier than the row before"),
    ]
    columns = {TIME: pa.Column(checks=times, nullable=False)}
    for name in COLUMNS:
        checks = [check(np.isfinite, "is not a number")]
        if name != "temperature":
            checks.append(check(lambda values: values >= 0, "is negative"))
        if name in TARGETS:
            limit = TOLERANCE * table.get(CAPACITY[TARGETS.index(name)], pd.Series(MOST_GW, table.index))
            checks.append(
                check(lambda power, limit=limit: ~(power > limit) | np.isinf(power), "is above capacity in GW")
            )
        if name in CAPACITY:
            checks.append(check(lambda values: (values < MOST_GW) | np.isinf(values), f"is above {MOST_GW:.0f} GW"))
        columns[name] = pa.Column(float, checks, nullable=False)
    return pa.DataFrameSchema(columns)


def _by_check(cases: pd.DataFrame) -> list[tuple[Any, pd.DataFrame]]:
    """Group pandera's failure cases by (column, check), in the order found."""
    named = cases.assign(column=cases["column"].where(cases["check"] != "column_in_dataframe", cases["failure_case"]))
    return list(named.groupby(["column", "check"], sort=False))


def _line(key: tuple[str, str], cases: pd.DataFrame, times: pd.Series) -> str:
    column, check = key
    if check == "column_in_dataframe":
        return f"{column}: no such column"
    what = ("is no timestamp" if column == TIME else "is empty") if check == "not_nullable" else check
    row = int(cases["index"].min())
    first = f"{times[row]:%Y-%m-%dT%H:%M:%SZ}" if pd.notna(times[row]) else f"row {row + 1}"
    return f"{column}: {what} in {len(cases):,} row{'s' * (len(cases) > 1)}, first at {first}"
