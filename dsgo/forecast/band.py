"""The band of a forecast, from what forecasts of the same lead day missed before.

A model's own band knows its error on known weather. A forecast's weather errs, too, and more each day: so the model's
reach is stretched by quantiles of the scores (truth - forecast) / reach of past forecasts, by target and lead day, of
which the newest count most. The level at which they are taken follows the band's own misses: adaptive conformal
inference (Gibbs and Candès 2021), with what is known of the truth at each issue time and no more.
"""

import numpy as np
import pandas as pd

from dsgo.data.schema import TARGETS
from dsgo.models.intervals import SHARE

DELAY = pd.Timedelta(days=1)  # until the truth of an hour is taken for known
HALF = pd.Timedelta(days=30)  # a score of this age counts half
LEAST = 7  # past forecasts until their scores are believed; before, the model's own band stands
RATE = 0.01  # how far a lead day that misses wholly moves the level
LEVELS = 0.01, 0.4  # between these
DAYS = 7
WARM_UP = LEAST + DAYS + int(DELAY / pd.Timedelta(days=1))  # days of forecasts until each lead day has its scores


def widen(made: pd.DataFrame, came: pd.DataFrame) -> pd.DataFrame:
    """Return forecasts with TARGET_low and TARGET_high in GW, between 0 and the installed capacity.

    `made` has all forecasts: issued, lead, TARGETS, TARGET_reach and the capacities; `came` the power of past hours,
    by utc_timestamp. The band of a forecast is made of what was known at its own issue time.
    """
    result = made.sort_values(["issued", "lead"])
    issued = pd.DatetimeIndex(result["issued"].unique())
    at = pd.Index(issued).get_indexer(result["issued"]), result["lead"].to_numpy() - 1
    truth = came.reindex(result.index)
    for target in TARGETS:
        said, reach = result[target].to_numpy(), result[f"{target}_reach"].to_numpy()
        scores = np.full((len(issued), 24 * DAYS), np.nan)
        scores[at] = np.divide(truth[target] - said, reach, out=np.full(len(said), np.nan), where=reach > 0)
        ends = np.stack([_ends(scores[:, 24 * d : 24 * (d + 1)], issued, d) for d in range(DAYS)])
        low, high = ends[at[1] // 24, at[0]].T
        capacity = result[f"{target.removesuffix('_GW')}_capacity_GW"].to_numpy()
        result[f"{target}_low"] = np.clip(said + low * reach, 0, capacity)
        result[f"{target}_high"] = np.clip(said + high * reach, 0, capacity)
    return result


def _ends(scores: np.ndarray, issued: pd.DatetimeIndex, day: int) -> np.ndarray:
    """Return (n, 2): for each of n issue times how far the band reaches down and up, in the model's own reaches.

    `scores` (n, 24) are those of one lead day (0 is the first), NaN where there is none.
    """
    allowed = (1 - SHARE) / 2
    known_from = issued + pd.Timedelta(days=day + 1) + DELAY
    ends, believed = np.tile([-1.0, 1.0], (len(issued), 1)), np.zeros(len(issued), bool)
    levels, learned = np.array([allowed, allowed]), 0
    for k, now in enumerate(issued):
        known = int(np.searchsorted(known_from, now, side="right"))
        for j in range(learned, known):
            row = scores[j][np.isfinite(scores[j])]
            if row.size and believed[j]:
                missed = np.array([(row < ends[j, 0]).mean(), (row > ends[j, 1]).mean()])
                levels = np.clip(levels + RATE * (allowed - missed), *LEVELS)
        learned = known
        past = scores[:known]
        there = np.isfinite(past)
        believed[k] = there.any(axis=1).sum() >= LEAST
        if believed[k]:
            age = ((now - issued[:known]) / HALF).to_numpy()
            weights = np.broadcast_to(0.5 ** age[:, None], past.shape)[there]
            low, high = _quantiles(past[there], weights, (levels[0], 1 - levels[1]))
            ends[k] = min(low, 0.0), max(high, 0.0)
    return ends


def _quantiles(values: np.ndarray, weights: np.ndarray, levels: tuple[float, float]) -> np.ndarray:
    order = np.argsort(values)
    share = np.cumsum(weights[order]) - weights[order] / 2
    return np.interp(levels, share / weights.sum(), values[order])
