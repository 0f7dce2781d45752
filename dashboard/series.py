"""Hourly series as arrays on a complete hourly grid: cutting, thinning and summing up. Pure functions, in GW.

A missing hour is NaN on the grid, never a number. A period is [first, last): `last` is not part of it.
"""

import base64
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from dsgo.data.rolling import rolling_week
from dsgo.data.schema import CAPACITY, TARGETS

MOST_POINTS = 1600  # that a line is drawn with: about as many as a wide screen has pixels
Array = np.ndarray
Power = dict[str, Array]  # by target, GW
Band = dict[str, tuple[Array, Array]]  # (low, high) by target, GW; empty where a model has none


@dataclass(frozen=True)
class Grid:
    """Consecutive hours in UTC, and the numbers that belong to them."""

    start: pd.Timestamp
    length: int

    @classmethod
    def of(cls, index: pd.DatetimeIndex) -> "Grid":
        """Return the grid from the first to the last hour of an index."""
        return cls(index[0], int((index[-1] - index[0]) / pd.Timedelta("1h")) + 1)

    @property
    def end(self) -> pd.Timestamp:
        """Return the end of the last hour."""
        return self.start + pd.Timedelta(hours=self.length)

    def position(self, time: pd.Timestamp) -> int:
        """Return the number of the hour that holds a time, kept within 0 and the grid's length."""
        return min(max(int(np.floor((time - self.start) / pd.Timedelta("1h"))), 0), self.length)

    def cut(self, first: pd.Timestamp, last: pd.Timestamp) -> slice:
        """Return the hours of a period."""
        return slice(self.position(first), self.position(last))

    def time(self, position: int) -> pd.Timestamp:
        """Return when an hour begins."""
        return self.start + pd.Timedelta(hours=position)

    def spread(self, index: pd.DatetimeIndex, values: Array) -> Array:
        """Return the values of some hours on the whole grid, NaN elsewhere."""
        result = np.full(self.length, np.nan)
        result[((index - self.start) // pd.Timedelta("1h")).to_numpy()] = values
        return result


def thin(values: Array, hours: slice) -> tuple[int, int, Array]:
    """Return (first hour, hours to a point, points) of a line that shows every peak: two points for each stretch.

    A stretch holds as many hours as MOST_POINTS asks for; its lowest and its highest hour are kept, in their order, and
    stretches begin at multiples of their length, so that a line does not flicker while it is moved. A short line is
    left as it is.

    >>> first, step, points = thin(np.arange(10.0), slice(2, 8))
    >>> first, step, points.tolist()
    (2, 1, [2.0, 3.0, 4.0, 5.0, 6.0, 7.0])
    """
    count = hours.stop - hours.start
    if count <= MOST_POINTS:
        return hours.start, 1, values[hours]
    stretch = 2 * -(-count // MOST_POINTS)  # even, so that a point stands for whole hours
    begin = hours.start // stretch * stretch
    part = values[begin : min(-(-hours.stop // stretch) * stretch, len(values))]
    part = np.append(part, np.full(-len(part) % stretch, np.nan)).reshape(-1, stretch)
    missing = np.isnan(part)
    low, high = np.where(missing, np.inf, part), np.where(missing, -np.inf, part)
    swap = low.argmin(axis=1) > high.argmax(axis=1)
    pair = np.column_stack([low.min(axis=1), high.max(axis=1)])
    pair[swap] = pair[swap, ::-1]
    return begin, stretch // 2, np.where(np.isinf(pair), np.nan, pair).ravel()


def packed(values: Array) -> dict[str, str]:
    """Return numbers as plotly.js reads them without parsing: base64 of 32-bit floats."""
    return {"dtype": "f4", "bdata": base64.b64encode(np.ascontiguousarray(values, "<f4").tobytes()).decode()}


def line(grid: Grid, values: Array, hours: slice, **style: Any) -> dict[str, Any]:
    """Return a plotly line of a period, thinned; its points hold no dates, only their start and step."""
    first, step, points = thin(values, hours)
    x0 = f"{grid.time(first):%Y-%m-%d %H:%M}"
    trace = {"type": "scatter", "mode": "lines", "x0": x0, "dx": step * 3_600_000, "y": packed(points)}
    return trace | {"hovertemplate": "%{y:.2f} GW"} | style


@dataclass(frozen=True)
class Summary:
    """What a period adds up to, of one target. GW and GWh; NaN where there is nothing to tell."""

    hours: int  # with a record and a prediction
    recorded: float  # GWh
    predicted: float  # GWh, over the same hours
    capacity_factor: float
    mae: float
    bias: float  # predicted - recorded
    r2: float


def summary(recorded: Array, predicted: Array, capacity: Array) -> Summary:
    """Sum up the hours of one target that have both a record and a prediction."""
    both = ~(np.isnan(recorded) | np.isnan(predicted))
    if not both.any():
        return Summary(0, *[float("nan")] * 6)
    truth, error = recorded[both], (predicted - recorded)[both]
    variance = truth.var()
    return Summary(
        hours=int(both.sum()),
        recorded=float(truth.sum()),
        predicted=float(predicted[both].sum()),
        capacity_factor=float(truth.sum() / np.nansum(capacity[both])),
        mae=float(np.abs(error).mean()),
        bias=float(error.mean()),
        r2=float(1 - (error**2).mean() / variance) if variance > 0 else float("nan"),
    )


def outline(grid: Grid, band: tuple[Array, Array], hours: slice, **style: Any) -> dict[str, Any]:
    """Return a band of a period as a plotly area, thinned as its lines: each stretch of hours without a gap is closed.

    A point of a long period holds the lowest and the highest value of its hours.
    """
    (first, step, low), (_, _, high) = (thin(end, hours) for end in band)
    if step > 1:  # two points a stretch: its lowest and its highest hour
        low = np.repeat(low.reshape(-1, 2).min(axis=1), 2)
        high = np.repeat(high.reshape(-1, 2).max(axis=1), 2)
    at = grid.time(first).value / 1e6 + np.arange(len(low)) * step * 3_600_000.0
    there = np.flatnonzero(~np.isnan(low) & ~np.isnan(high))
    x: list[Array] = []
    y: list[Array] = []
    for run in np.split(there, np.flatnonzero(np.diff(there) > 1) + 1):
        x += [at[run], at[run][::-1], at[run][:1]]
        y += [high[run], low[run][::-1], np.array([np.nan])]
    trace = {"type": "scatter", "mode": "lines", "fill": "toself", "line": {"width": 0}, "hoverinfo": "skip"}
    return trace | {"x": exact(np.concatenate(x)), "y": packed(np.concatenate(y))} | style


def exact(values: Array) -> dict[str, str]:
    """Return numbers as `packed`, of 64 bits: milliseconds since 1970 have more digits than 32 hold."""
    return {"dtype": "f8", "bdata": base64.b64encode(np.ascontiguousarray(values, "<f8").tobytes()).decode()}


def years_of(grid: Grid, values: Array) -> dict[int, Array]:
    """Return the rolling week (dsgo/data/rolling.py) by year: six-hourly in a leap year, from 1 January, 06:00, on.

    NaN where there is none, and on 29 February of a year without one.
    """
    hours = pd.date_range(grid.start, periods=grid.length, freq="h")
    means = rolling_week(pd.DataFrame({"mean": values}, hours))
    result = {int(year): np.full(366 * 4, np.nan) for year in means["year"].unique()}
    for year, part in means.groupby("year"):
        result[int(year)][((part["day"] - 1) * 4 - 1).round().astype(int)] = part["mean"]
    return result


def capacity_of(target: str) -> str:
    """Return the name of a target's capacity column."""
    return CAPACITY[TARGETS.index(target)]


def energy_by_year(grid: Grid, values: Array, capacity: Array) -> dict[int, tuple[float, float, int]]:
    """Return by year (GWh, capacity factor, hours) of the hours that have a value."""
    year = pd.date_range(grid.start, periods=grid.length, freq="h").year.to_numpy()
    there = ~(np.isnan(values) | np.isnan(capacity))
    result = {}
    for one in np.unique(year):
        mine = there & (year == one)
        gwh = float(values[mine].sum())
        result[int(one)] = (gwh, gwh / float(capacity[mine].sum()) if mine.any() else float("nan"), int(mine.sum()))
    return result
