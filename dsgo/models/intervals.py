"""Bands that hold the share they promise: the size of the error to expect, and conformal quantiles of error / size.

This file is logged with every model and imports nothing of dsgo. Normalised conformal prediction (Lei et al. 2018,
"Distribution-free predictive inference for regression"): one model of the error's size, and the quantiles of the scores
(truth - prediction) / size, so that any share may be asked. The scores are those of rolling origins inside the training
time, never of a random split and never of hours that were learned from. As power shifts from year to year, a band that
is walked on follows its own misses: `Tracker` (quantile tracking, Angelopoulos et al. 2023, "Conformal PID control").
All values are capacity factors.
"""

from typing import Any

import numpy as np
from sklearn.ensemble import HistGradientBoostingRegressor

FLOOR = 0.003  # least size of an error: keeps scores finite where nothing can go wrong
LEVELS = np.round(np.arange(0.005, 1.0, 0.005), 3)  # at which the scores' quantiles are kept
TARGETS = ["solar_GW", "wind_GW"]
SHARE = 0.8  # what a band holds unless another share is asked


def make_size() -> HistGradientBoostingRegressor:
    """Return an unfitted model of the error's size."""
    return HistGradientBoostingRegressor(
        max_iter=40, learning_rate=0.12, max_leaf_nodes=10, min_samples_leaf=100, early_stopping=False, random_state=0
    )


def fit_size(
    X: np.ndarray, predicted: np.ndarray, truth: np.ndarray, blocks: np.ndarray
) -> tuple[HistGradientBoostingRegressor, dict[str, list[float]]]:
    """Return the model of the error's size and the quantiles of the scores at LEVELS.

    X (n, features) are features of hours with out-of-sample predictions (n,) and their truth (n,); `blocks` (n,)
    numbers stretches of time: each score is divided by a size that was fitted on the other blocks (cross-conformal).
    """
    Z, error = np.column_stack([X, predicted]), np.abs(truth - predicted)
    size = np.full(len(error), error.mean())
    for fold in range(2):
        held = blocks % 2 == fold
        if held.any() and not held.all():
            size[held] = make_size().fit(Z[~held], error[~held]).predict(Z[held])
    scores = (truth - predicted) / np.maximum(size, FLOOR)
    quantiles = {
        "signed": np.quantile(scores, LEVELS).round(5).tolist(),
        "absolute": np.quantile(np.abs(scores), LEVELS).round(5).tolist(),
    }
    return make_size().fit(Z, error), quantiles


def size_of(model: Any, X: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Return the size of the error to be expected of each prediction."""
    return np.maximum(model.predict(np.column_stack([X, predicted])), FLOOR)


def interval(
    predicted: np.ndarray, size: np.ndarray, quantiles: dict[str, list[float]], share: float = SHARE
) -> tuple[np.ndarray, np.ndarray]:
    """Return (low, high) that hold `share` of the truths, between 0 and 1: as far to either side, or lopsided.

    It is as far to either side where `quantiles` has those of the "absolute" scores, else by the "signed" ones.

    >>> quantiles = {"absolute": (2 * LEVELS).tolist()}
    >>> low, high = interval(np.array([0.5]), np.array([0.1]), quantiles, 0.8)
    >>> low.round(3).tolist(), high.round(3).tolist()
    ([0.34], [0.66])
    """
    if "absolute" in quantiles:
        above = np.interp(share, LEVELS, quantiles["absolute"])
        below = -above
    else:
        below, above = np.interp([(1 - share) / 2, (1 + share) / 2], LEVELS, quantiles["signed"])
    return np.clip(predicted + below * size, 0, 1), np.clip(predicted + above * size, 0, 1)


class Tracker:
    """Two ends of a band, prediction + size * q, that move by what they missed once the truth has come.

    `step` is called for each hour in order; of the truth it sees what came `delay` hours ago.
    """

    def __init__(self, quantiles: dict[str, list[float]], share: float = SHARE, rate: float = 0.04) -> None:
        """Begin with the ends of a fitted band; `rate` is how far one miss moves an end, in sizes of the error."""
        self.allowed, self.rate = (1 - share) / 2, rate
        self.low, self.high = np.interp([self.allowed, 1 - self.allowed], LEVELS, quantiles["signed"])

    def learn(self, truth: float, low: float, high: float) -> None:
        """Move the ends by whether a truth (NaN: none came) lay outside the band that was given for it."""
        if np.isfinite(truth):
            self.low -= self.rate * (float(truth < low) - self.allowed)
            self.high += self.rate * (float(truth > high) - self.allowed)

    def band(self, predicted: float, size: float) -> tuple[float, float]:
        """Return (low, high) for a prediction."""
        low, high = (predicted + size * end for end in sorted((self.low, self.high)))
        return min(max(low, 0.0), 1.0), min(max(high, 0.0), 1.0)


def track(
    predicted: np.ndarray,
    truth: np.ndarray,
    size: np.ndarray,
    quantiles: dict[str, list[float]],
    teaches: np.ndarray,
    share: float = SHARE,
    rate: float = 0.04,
    delay: int = 24,
) -> tuple[np.ndarray, np.ndarray]:
    """Walk through hours in order and return (low, high) of each: what is known of the truth is `delay` hours old.

    All arrays are (n,), an hour a row without gaps; `truth` is NaN where none came, `teaches` says which hours count
    (for solar those of daylight, for night is free).
    """
    tracker = Tracker(quantiles, share, rate)
    lows, highs = np.empty(len(predicted)), np.empty(len(predicted))
    for i in range(len(predicted)):
        k = i - delay
        if k >= 0 and teaches[k]:
            tracker.learn(truth[k], lows[k], highs[k])
        lows[i], highs[i] = tracker.band(predicted[i], size[i])
    return lows, highs
