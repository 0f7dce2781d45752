"""How a prediction is judged: rmse, mae, r2 and skill, against the actual power and against a naive baseline."""

from typing import TypeVar

import numpy as np
import pandas as pd

from dsgo.data.schema import CAPACITY, TARGETS

Values = TypeVar("Values", np.ndarray, pd.Series)


def baseline(train: pd.DataFrame, hours: pd.DatetimeIndex) -> pd.DataFrame:
    """Return what knowing only the calendar predicts: the training mean of each target for that month and hour of day.

    A month and hour that the training data lacks gets the mean of that hour over all months. GW, one row for each hour.
    """
    means = train[TARGETS].groupby([train.index.month, train.index.hour]).mean()
    by_hour = train[TARGETS].groupby(train.index.hour).mean()
    wanted = pd.MultiIndex.from_arrays([hours.month, hours.hour])
    return means.reindex(wanted).set_axis(hours).fillna(by_hour.reindex(hours.hour).set_axis(hours))


def scores(actual: pd.DataFrame, predicted: pd.DataFrame, naive: pd.DataFrame) -> dict[str, float]:
    """Return how a prediction does, over both targets and, with the suffix _solar or _wind, for each.

    rmse (GW, the root of the mean of the two squared errors), mae (GW), bias (GW, mean of predicted less actual), r2:
    over both they are the mean of the two, as scikit-learn averages outputs. mae_skill is 1 - mae / mae of the baseline
    `naive`: 0 is no better than it, 1 is perfect. nmae is mae as a share of the mean installed capacity, by which the
    field compares years and countries; it needs `actual` to hold the capacities.

    >>> hours = pd.date_range("2016-01-01", periods=2, freq="h", tz="UTC")
    >>> actual = pd.DataFrame({"solar_GW": [1.0, 3.0], "wind_GW": [2.0, 6.0]}, hours)
    >>> predicted = actual + np.array([[0.0, 1.0], [0.0, -1.0]])
    >>> naive = actual + np.array([[2.0, 2.0], [-2.0, -2.0]])
    >>> {name: round(value, 4) for name, value in scores(actual, predicted, naive).items() if "_" not in name}
    {'rmse': 0.7071, 'mae': 0.5, 'bias': 0.0, 'r2': 0.875}
    >>> scores(actual, predicted, naive)["mae_skill"], scores(actual, predicted, naive)["mae_skill_wind"]
    (0.75, 0.5)
    """
    truth = actual[TARGETS].to_numpy("float64")
    error = predicted[TARGETS].to_numpy("float64") - truth
    mse, mae = (error**2).mean(axis=0), np.abs(error).mean(axis=0)
    r2 = 1 - mse / truth.var(axis=0)
    bias = error.mean(axis=0)
    naive_mae = np.abs(naive[TARGETS].to_numpy("float64") - truth).mean(axis=0)
    result = {
        "rmse": np.sqrt(mse.mean()),
        "mae": mae.mean(),
        "bias": bias.mean(),
        "r2": r2.mean(),
        "mae_skill": 1 - mae.mean() / naive_mae.mean(),
    }
    for i, name in enumerate(target.removesuffix("_GW") for target in TARGETS):
        result |= {
            f"rmse_{name}": np.sqrt(mse[i]),
            f"mae_{name}": mae[i],
            f"bias_{name}": bias[i],
            f"r2_{name}": r2[i],
            f"mae_skill_{name}": 1 - mae[i] / naive_mae[i],
        }
    if set(CAPACITY) <= set(actual.columns):
        shares = mae / actual[CAPACITY].to_numpy("float64").mean(axis=0)
        result |= {"nmae": shares.mean(), "nmae_solar": shares[0], "nmae_wind": shares[1]}
    return {name: float(value) for name, value in result.items()}


def inside_band(truth: Values, low: Values, high: Values) -> Values:
    """Return whether each truth lies in its band, whose ends count to it."""
    return (truth >= low - 1e-9) & (truth <= high + 1e-9)


def pinball(truth: Values, low: Values, middle: Values, high: Values) -> Values:
    """Return the mean quantile loss of low, middle and high as 10, 50 and 90% quantiles, hour by hour; lower is better.

    Koenker and Bassett 1978, "Regression quantiles". All are arrays, or series of one index, in one unit.
    """
    levels = ((0.1, low), (0.5, middle), (0.9, high))
    return sum(np.maximum(level * (truth - end), (level - 1) * (truth - end)) for level, end in levels) / len(levels)


def band_scores(actual: pd.DataFrame, predicted: pd.DataFrame) -> dict[str, float]:
    """Return how a band of 80% does: by target coverage_* (share of hours inside; solar by daylight) and width_* (GW).

    Daylight is where the band is open. pinball is the mean of `pinball` over both targets, in GW.
    """
    result, losses = {}, []
    for target in TARGETS:
        truth, middle = actual[target].to_numpy("float64"), predicted[target].to_numpy("float64")
        low, high = (predicted[f"{target}_{end}"].to_numpy("float64") for end in ("low", "high"))
        name, open_ = target.removesuffix("_GW"), high > low
        inside = inside_band(truth, low, high)
        result[f"coverage_{name}"] = float(inside[open_].mean()) if open_.any() else float("nan")
        result[f"width_{name}"] = float((high - low)[open_].mean()) if open_.any() else float("nan")
        losses.append(pinball(truth, low, middle, high).mean())
    return result | {"pinball": float(np.mean(losses))}
