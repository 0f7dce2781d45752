"""Whether a candidate is better than the model in Production, or only looks so on this year's weather."""

import numpy as np
import pandas as pd

from dsgo.data.schema import TARGETS

RESAMPLINGS = 2000
SEED = 42
WEEK = pd.Timedelta(days=7)


def share_better(actual: pd.DataFrame, candidate: pd.DataFrame, incumbent: pd.DataFrame, metric: str) -> float:
    """Return the share of RESAMPLINGS of the hours' weeks in which the candidate's `metric` is the lower one.

    A block bootstrap: each resampling draws as many weeks as there are, with replacement, and takes all hours of each.
    Hours beside each other err alike, so single hours drawn on their own would make chance look like proof. Seeded: the
    same models give the same share. `metric` is mae or rmse, over both targets as dsgo.models.metrics.scores has them.
    Source: Kuensch, The jackknife and the bootstrap for general stationary observations (1989), with fixed blocks.
    """
    weeks = (actual.index - actual.index[0]) // WEEK
    draws = np.random.default_rng(SEED).integers(0, weeks.nunique(), (RESAMPLINGS, weeks.nunique()))
    power = 1 if metric == "mae" else 2
    sums = [
        pd.Series((np.abs(predicted[TARGETS].to_numpy() - actual[TARGETS].to_numpy()) ** power).sum(axis=1))
        .groupby(weeks.to_numpy())
        .sum()
        .to_numpy()[draws]
        .sum(axis=1)
        for predicted in (candidate, incumbent)
    ]
    # Both have the same hours in each resampling, so sums compare as the means and their roots do.
    return float((sums[0] < sums[1]).mean())
