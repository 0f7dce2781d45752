"""The contract of the dataset (columns: schema.py): all that breaks it is listed, not the first."""

import numpy as np
import pandas as pd

from dsgo.data import suspects
from dsgo.data.columns import typed
from dsgo.data.findings import Findings, Rows
from dsgo.data.quality import TOLERANCE
from dsgo.data.schema import CAPACITY, COLUMNS, LIMITS, MOST_GW, OPTIONAL, TARGETS, TIME, UNITS


def violations(frame: pd.DataFrame) -> list[str]:
    """Return a line for each way a dataset in memory breaks the contract; an empty list: it holds (see `check`).

    `utc_timestamp` is the index or a column, of times or of text as a CSV holds it.
    """
    table = frame.reset_index() if TIME in frame.index.names else frame.reset_index(drop=True)
    if TIME not in table:
        return [f"{TIME}: no such column; there are {', '.join(map(str, table.columns[:12]))}"]
    found, numbers = Findings(), np.arange(len(table)) + 1
    check(typed(table, COLUMNS + OPTIONAL, found, numbers), found, numbers)
    return found.lines()


def check(frame: pd.DataFrame, found: Findings, numbers: np.ndarray) -> None:
    """Add to `found` how a typed dataset (`dsgo.data.columns.typed`) breaks the contract; `numbers` name its rows.

    The contract: `utc_timestamp` on the hour, unique, increasing; every column there (one of OPTIONAL may lack), in
    no row empty; weather and capacity within what is physically possible (LIMITS of schema.py); power not negative and
    at most 5% above capacity (and so not in MW or kW); no value that stands still, no other unit, no jump of capacity
    (`dsgo.data.suspects`).
    """
    times = pd.DatetimeIndex(frame.index)
    rows = Rows(numbers, times)
    for name in COLUMNS:
        if name not in frame:
            found.add_column(name, "no such column")
    if frame.empty:
        found.add_column(TIME, "no rows")
        return
    known = times.to_series(index=range(len(times))).dropna()
    wrong = {
        "is not on the hour": known != known.dt.floor("h"),
        "stands there before (doubled hour)": known.duplicated(),
        "is earlier than the row before": known.diff() < pd.Timedelta(0),
    }
    for what, there in wrong.items():
        found.add(TIME, what, there.reindex(range(len(times)), fill_value=False).to_numpy(), None, rows)
    for name in [name for name in COLUMNS + OPTIONAL if name in frame]:
        found.add(name, "is empty", np.isnan(frame[name].to_numpy()), None, rows)
    check_limits(frame, found, rows)
    for target, installed in zip(TARGETS, CAPACITY, strict=True):
        if target in frame:
            most = frame[installed].to_numpy() if installed in frame else np.full(len(frame), MOST_GW)
            above = np.isfinite(frame[target].to_numpy()) & (frame[target].to_numpy() > TOLERANCE * most)
            found.add(target, "is above capacity in GW", above, frame[target], rows)
    for name, what in suspects.suspicions(frame):
        found.add_column(name, what)


def check_limits(frame: pd.DataFrame, found: Findings, rows: Rows) -> None:
    """Add to `found` the values of a typed table that are physically impossible (LIMITS of schema.py)."""
    for name in [name for name in COLUMNS + OPTIONAL if name in frame]:
        values = frame[name].to_numpy()
        low, high = LIMITS[name]
        found.add(
            name, "is negative" if low == 0 else f"is below {low:g} {UNITS[name]}", values < low, frame[name], rows
        )
        found.add(name, f"is above {high:g} {UNITS[name]}", (values > high) & np.isfinite(values), frame[name], rows)
