"""Reading a page's state from its address. What is not there, or is not valid, is the page's default."""

from collections.abc import Collection

import pandas as pd

from live import Snapshot
from series import Grid

Period = tuple[pd.Timestamp, pd.Timestamp]


def a_period(query: dict[str, str], grid: Grid, days: int) -> dict[str, str]:
    """Return from and to of an address, kept within the data; the last `days` of it by default."""
    try:
        first, last = (pd.Timestamp(query[name]).tz_localize("UTC").floor("h") for name in ("from", "to"))
    except (KeyError, ValueError, TypeError):
        first, last = grid.end - pd.Timedelta(days=days), grid.end
    first, last = max(first, grid.start), min(last, grid.end)
    if last - first < pd.Timedelta("1h"):
        first, last = max(grid.end - pd.Timedelta(days=days), grid.start), grid.end
    return span(first, last)


def span(first: pd.Timestamp, last: pd.Timestamp) -> dict[str, str]:
    """Return a period as an address holds it: from and to in UTC, to the minute.

    >>> span(pd.Timestamp("2016-01-01", tz="UTC"), pd.Timestamp("2016-01-02", tz="UTC"))
    {'from': '2016-01-01T00:00', 'to': '2016-01-02T00:00'}
    """
    return {"from": f"{first:%Y-%m-%dT%H:%M}", "to": f"{last:%Y-%m-%dT%H:%M}"}


def period_of(view: dict[str, str]) -> Period:
    """Return the period that `span` wrote."""
    return pd.Timestamp(view["from"], tz="UTC"), pd.Timestamp(view["to"], tz="UTC")


def one_of(value: str | None, known: Collection[str], default: str) -> str:
    """Return the value if it is known."""
    return value if value is not None and value in known else default


def a_model(value: str | None, snapshot: Snapshot, default: str = "production") -> str:
    """Return the chosen model if it exists."""
    return value if value and snapshot.key(value) else default


def a_number(value: str | None, default: float, low: float, high: float) -> float:
    """Return a number of an address, kept within its limits.

    >>> a_number("99", 1, 0, 15), a_number("x", 1, 0, 15), a_number("nan", 1, 0, 15), a_number(None, 1, 0, 15)
    (15, 1, 1, 1.0)
    """
    try:
        number = float(value or default)
    except ValueError:
        return default
    return min(max(number, low), high) if number == number else default
