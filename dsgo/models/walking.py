"""Walking through time as it was: at each month only what was known then is learned from.

`KnownThen` is the view that a walk looks through: it raises where a step asks for more than was known at that hour. The
weather of the hours ahead counts as known (here it is recorded weather; a weather forecast brings an error of its own).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from dsgo.data.schema import CAPACITY, TARGETS
from dsgo.models import correction
from dsgo.models.features import SIZE
from dsgo.models.intervals import SHARE, fit_size, size_of, track
from dsgo.models.origins import factors_of
from dsgo.models.recipe import fit_features
from dsgo.models.rows import model_input

RATE = {"solar_GW": 0.04, "wind_GW": 0.06}  # how far a miss moves an end of the band; chosen on 2015
AROUND = pd.Timedelta(days=4)  # that the features look at
SETTLE = pd.DateOffset(months=4)  # of walked errors, before they correct and calibrate


class NotYetKnownError(RuntimeError):
    """Something was asked for that nobody knew at that hour."""


@dataclass(frozen=True)
class KnownThen:
    """A dataset as it was known at the hour `now`: power until `delay` before, weather and capacity of all hours."""

    frame: pd.DataFrame
    now: pd.Timestamp
    delay: pd.Timedelta

    def power(self, until: pd.Timestamp | None = None) -> pd.DataFrame:
        """Return all columns of the hours before `until` (default: all that is known); NotYetKnownError beyond that."""
        last = self.now - self.delay
        if until is not None and until > last:
            raise NotYetKnownError(f"power until {until} was not known at {self.now}, only until {last}")
        known = self.frame[self.frame.index < (until or last)]
        known.attrs = self.frame.attrs
        return known

    def weather(self, first: pd.Timestamp, end: pd.Timestamp) -> pd.DataFrame:
        """Return weather and capacity, without power, of the hours from `first` to before `end`."""
        rows = self.frame[(self.frame.index >= first) & (self.frame.index < end)].drop(columns=TARGETS)
        rows.attrs = self.frame.attrs
        return rows


def steps(frame: pd.DataFrame, first: pd.Timestamp, every: str) -> list[tuple[pd.Timestamp, pd.Timestamp]]:
    """Return (beginning, end) of each "month" or "week" from `first` on, which is one too, to the end of a dataset.

    >>> hours = pd.date_range("2016-01-01", "2016-02-20 23:00", freq="h", tz="UTC")
    >>> [f"{end:%m-%d}" for _, end in steps(pd.DataFrame(index=hours), hours[0], "month")]
    ['02-01', '02-21']
    """
    end = frame.index[-1] + pd.Timedelta(hours=1)
    begins = [first, *pd.date_range(first, frame.index[-1], freq={"month": "MS", "week": "W-MON"}[every])]
    begins = sorted(set(begins))
    return list(zip(begins, [*begins[1:], end], strict=True))


def refit(fit: Callable[[pd.DataFrame], Any], view: KnownThen, end: pd.Timestamp) -> pd.DataFrame:
    """Fit on what is known at the view's hour and return capacity factors of the hours from then to before `end`."""
    # The days around are weather, which is known: given for the features, not returned.
    wide = view.weather(view.now - AROUND, end + AROUND)
    factors = pd.DataFrame(factors_of(fit(view.power()), wide), wide.index, TARGETS)
    return factors[(factors.index >= view.now) & (factors.index < end)]


def corrected(frame: pd.DataFrame, walked: pd.DataFrame, start: pd.Timestamp, delay: pd.Timedelta) -> pd.DataFrame:
    """Return walked capacity factors from `start` on, corrected by their own errors as they became known."""
    lag, result = int(delay / pd.Timedelta(hours=1)), {}
    for target, capacity in zip(TARGETS, CAPACITY, strict=True):
        history = _history(walked[target], frame[target] / frame[capacity])
        result[target] = correction.walk(history, start, lag).reindex(walked.index[walked.index >= start])
    return pd.DataFrame(result)


def band(
    frame: pd.DataFrame, said: pd.DataFrame, start: pd.Timestamp, delay: pd.Timedelta, share: float = SHARE
) -> pd.DataFrame:
    """Return TARGET_low and TARGET_high (capacity factors) from `start` on, calibrated before and moved on since.

    `said` has walked (corrected) capacity factors from some months before `start` on.
    """
    features = fit_features(frame[frame.index < start])
    rows = frame.loc[said.index]
    X, names = features.transform(model_input(rows)), list(features.get_feature_names_out())
    lit = X[:, names.index("sinel")] > 0
    before = np.asarray(said.index < start)
    result: dict[str, np.ndarray] = {}
    for target, capacity in zip(TARGETS, CAPACITY, strict=True):
        truth = (rows[target] / rows[capacity]).to_numpy("float64")
        counts = lit if target == "solar_GW" else np.ones(len(rows), bool)
        Z, point = X[:, [names.index(name) for name in SIZE[target]]], said[target].to_numpy("float64")
        known = before & counts & (said.index < start - delay)
        blocks = ((said.index[known] - said.index[0]) // pd.Timedelta(days=14)).to_numpy()
        model, quantiles = fit_size(Z[known], point[known], truth[known], blocks)
        size, after = size_of(model, Z, point), ~before
        grid = pd.date_range(start, said.index[-1], freq="h")
        at = grid.get_indexer(said.index[after])
        said_, came = _dense(point[after], at, len(grid), 0.0), _dense(truth[after], at, len(grid), np.nan)
        sizes = _dense(size[after], at, len(grid), 0.01)
        teaches = _dense(counts[after].astype(float), at, len(grid), 0.0) > 0
        lag = int(delay / pd.Timedelta(hours=1))
        low, high = track(said_, came, sizes, quantiles, teaches, share, RATE[target], lag)
        low, high = low[at], high[at]
        shut = ~counts[after]
        low[shut] = high[shut] = point[after][shut]
        result |= {f"{target}_low": np.minimum(low, point[after]), f"{target}_high": np.maximum(high, point[after])}
    return pd.DataFrame(result, said.index[~before])


def _history(said: pd.Series, came: pd.Series) -> pd.DataFrame:
    grid = pd.date_range(said.index[0], said.index[-1], freq="h")
    return pd.DataFrame({"said": said.reindex(grid), "came": came.reindex(grid)})


def _dense(values: np.ndarray, at: np.ndarray, length: int, fill: float) -> np.ndarray:
    result = np.full(length, fill, dtype="float64")
    result[at] = values
    return result
