"""Reading a page's state from its address. What is missing or wrong is the page's default; what is wrong is said."""

import re
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

import pandas as pd

from live import Snapshot
from series import Grid

Period = tuple[pd.Timestamp, pd.Timestamp]
PERIOD = ("from", "to")
YEARS = (1900, 2200)  # of times; outside them pandas does not calculate
MOST_SAID = 40  # characters of a wrong value that are repeated


class Address:
    """The query of an address, read name by name.

    `wrong` holds a sentence for each value that could not be taken, `changed` one for each that was taken another way.
    """

    def __init__(self, query: Mapping[str, Any], known: Collection[str]) -> None:
        """Take a query and the names that the page knows; a name that stands twice has a list as its value."""
        self.wrong: list[str] = []
        self.changed: list[str] = []
        self.missing = False  # whether a name for something that exists no more stands in it
        self.query: dict[str, str] = {}
        for name, value in query.items():
            if name not in known:
                self.wrong.append(f"{_short(name)} means nothing here")
            elif not isinstance(value, str):
                self.wrong.append(f"{name} stands in the address {len(value)} times")
            elif not value.strip():
                self.wrong.append(f"{name} is empty")
            else:
                self.query[name] = value.strip()

    def one_of(self, name: str, known: Collection[str], default: str) -> str:
        """Return the value if it is one of the known ones."""
        value = self.query.get(name, default)
        if value in known or value == default:
            return value
        self.wrong.append(f"{name}={_short(value)} is none of {', '.join(known)}")
        return default

    def several(self, name: str, known: Sequence[str], default: Sequence[str], most: int) -> list[str]:
        """Return those of the values, with commas between them, that are known; at most that many."""
        if name not in self.query:
            return list(default)
        values = list(dict.fromkeys(self.query[name].split(",")))
        found = [value for value in values if value in known]
        if strange := [value for value in values if value not in known]:
            self.wrong.append(f"{name}: there is no {_short(', '.join(strange))}")
        if len(found) > most:
            self.changed.append(f"{name}: the first {most} are shown")
        return found[:most] or list(default)

    def model(self, snapshot: Snapshot, default: str = "production", name: str = "model") -> str:
        """Return the chosen model if it exists."""
        value = self.query.get(name, default)
        if value in (default, "production") or snapshot.key(value):
            return value
        self.missing = True
        self.wrong.append(f"{name}={_short(value)}: there is no such model")
        return default

    def number(self, name: str, default: float, low: float, high: float, step: float) -> float:
        """Return a number from low to high, on the nearest step (counted from 0)."""
        value = default
        if name in self.query:
            text = self.query[name]
            try:
                value = float(text)
            except ValueError:
                value = float("nan")
            if value != value:
                self.wrong.append(f"{name}={_short(text)} is no number")
                value = default
            elif not low <= value <= high:
                self.wrong.append(f"{name}={_short(text)} is not from {low:g} to {high:g}")
                value = default
            elif abs(value - _on_step(value, step)) > 1e-9:
                self.changed.append(f"{name}={_short(text)} is taken as {_on_step(value, step):g}, the nearest step")
        return min(max(_on_step(value, step), low), high)

    def period(self, grid: Grid, days: int) -> dict[str, str]:
        """Return from and to, in whole hours within the data; by default its last `days`.

        With one of the two alone, the period goes from there to the end of the data, or begins `days` before it.
        """
        default = (max(grid.end - pd.Timedelta(days=days), grid.start), grid.end)
        if not self.query.keys() & set(PERIOD):
            return span(*default)
        try:
            asked = {name: a_time(self.query[name], name) for name in PERIOD if name in self.query}
        except ValueError as error:
            self.wrong.append(str(error))
            return span(*default)
        if len(asked) < 2 and any(text.startswith(PERIOD) for text in self.wrong):  # the other one was wrong
            return span(*default)
        last = asked.get("to", grid.end)
        first = asked.get("from", max(last - pd.Timedelta(days=days), grid.start))
        hours = (first.floor("h"), last.ceil("h"))
        if (first, last) != hours:
            self.changed.append("from and to are no whole hours in UTC: the hours that hold them are shown")
        first, last = hours
        within = (max(first, grid.start), min(last, grid.end))
        if "from" in asked and "to" in asked and first >= last:
            self.wrong.append("from must be before to")
            return span(*default)
        if within == hours and first < last:
            return span(*within)
        lies = "lies partly outside" if within[0] < within[1] else "is not in"
        what = " ".join(f"{name} {_minute(time)}" for name, time in zip(PERIOD, hours, strict=True) if name in asked)
        self.wrong.append(f"{what} {lies} the data, which goes from {_minute(grid.start)} to {_minute(grid.end)} UTC")
        return span(*within) if within[0] < within[1] else span(*default)

    def day(self, name: str, default: str) -> str:
        """Return a day of the leap year 2016, as the page Years names days of any year."""
        value = self.query.get(name, default)
        try:
            time = a_time(value, name)
        except ValueError as error:
            self.wrong.append(str(error))
            return default
        if time.year != 2016:
            self.wrong.append(f"{name}={_short(value)}: days of any year are written as days of 2016")
            return default
        return f"{time:%Y-%m-%d}"


def a_time(text: str, name: str) -> pd.Timestamp:
    """Return a time of an address in UTC: ISO 8601, with a zone or, without one, in UTC. ValueError for anything else.

    >>> a_time("2016-01-01", "from").isoformat(), a_time("2016-01-01T00:00+01:00", "from").isoformat()
    ('2016-01-01T00:00:00+00:00', '2015-12-31T23:00:00+00:00')

    A plus sign that was not written as %2B arrives as a space:

    >>> a_time("2016-01-01T00:00 01:00", "from").isoformat()
    '2015-12-31T23:00:00+00:00'
    """
    try:
        time = pd.Timestamp(datetime.fromisoformat(re.sub(r"(T\S+) (\d\d:?\d\d)$", r"\1+\2", text)))
        time = time.tz_localize("UTC") if time.tz is None else time.tz_convert("UTC")
        if YEARS[0] <= time.year <= YEARS[1]:
            return time
    except (ValueError, OverflowError):
        pass
    raise ValueError(f"{name}={_short(text)} is no time; write it like 2016-01-31 or 2016-01-31T18:00Z")


def span(first: pd.Timestamp, last: pd.Timestamp) -> dict[str, str]:
    """Return a period as an address holds it: from and to in UTC, to the minute.

    >>> span(pd.Timestamp("2016-01-01", tz="UTC"), pd.Timestamp("2016-01-02", tz="UTC"))
    {'from': '2016-01-01T00:00', 'to': '2016-01-02T00:00'}
    """
    return {"from": f"{first:%Y-%m-%dT%H:%M}", "to": f"{last:%Y-%m-%dT%H:%M}"}


def period_of(view: Mapping[str, str]) -> Period:
    """Return the period that `span` wrote."""
    return pd.Timestamp(view["from"], tz="UTC"), pd.Timestamp(view["to"], tz="UTC")


def _on_step(value: float, step: float) -> float:
    return round(round(value / step) * step, 6)


def _short(text: str) -> str:
    text = " ".join(text.split())  # one line
    return text if len(text) <= MOST_SAID else f"{text[:MOST_SAID]}..."


def _minute(time: pd.Timestamp) -> str:
    return f"{time.day} {time:%b %Y, %H:%M}"
