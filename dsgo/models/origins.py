"""Rolling origins: what a recipe predicts of hours that it has not seen, inside the time that it may learn from.

Bands are calibrated and blends are weighed by these. The hold-out is never among them for a judged model; the model
that serves, fitted on every hour, takes what its judged twin predicted of the hold-out.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from dsgo.data.schema import CAPACITY, TARGETS, WEATHER
from dsgo.models.power_model import NIGHT
from dsgo.models.recipe import Recipe
from dsgo.models.rows import model_input

MONTHS = 6  # between two origins
REACH = 12  # months that are predicted from each: a model serves about that long
LEAST = 12  # months before the first


def origins(hours: pd.DatetimeIndex, most: int) -> list[pd.Timestamp]:
    """Return the origins inside the time of `hours`, the last `most` of them; half-way where the time is short.

    A single one lies a year before the end, so that every season follows it.

    >>> [f"{at:%Y-%m}" for at in origins(pd.date_range("2013-01-01", "2015-12-31 23:00", freq="h", tz="UTC"), 4)]
    ['2014-01', '2014-07', '2015-01', '2015-07']
    >>> origins(pd.date_range("2013-01-01", "2015-12-31 23:00", freq="h", tz="UTC"), 1)
    [Timestamp('2015-01-01 00:00:00+0000', tz='UTC')]
    """
    first, end = hours[0].normalize(), hours[-1] - pd.DateOffset(months=3)
    found, at = [], first + pd.DateOffset(months=LEAST)
    while at < end:
        found.append(at)
        at = at + pd.DateOffset(months=MONTHS)
    whole = [at for at in found if at + pd.DateOffset(months=REACH) <= hours[-1] + pd.DateOffset(hours=1)]
    return (whole[-1:] if most == 1 else []) or found[-most:] or [hours[len(hours) // 2]]


def predict_unseen(fit: Callable[[pd.DataFrame], Any], hours: pd.DataFrame, most: int) -> pd.DataFrame:
    """Fit before each of the last `most` origins and predict what follows; return a row for each hour and origin.

    Columns: origin, and for each target TARGET (capacity factor with its neighbours) and TARGET_alone (without).
    """
    parts = []
    for origin in origins(pd.DatetimeIndex(hours.index), most):
        after = (hours.index >= origin) & (hours.index < origin + pd.DateOffset(months=REACH))
        before = hours[hours.index < origin]
        before.attrs = hours.attrs
        parts.append(unseen(fit(before), hours[after].copy(), origin))
    return pd.concat(parts)


def unseen(estimator: Any, hours: pd.DataFrame, origin: pd.Timestamp) -> pd.DataFrame:
    """Return what a fitted estimator predicts of hours, as capacity factors, in company and alone."""
    frame = pd.DataFrame(factors_of(estimator, hours), hours.index, TARGETS)
    alone = alone_factors(estimator, hours, frame)
    return frame.join(alone.add_suffix("_alone")).assign(origin=origin)


def factors_of(estimator: Any, hours: pd.DataFrame) -> np.ndarray:
    """Return capacity factors (n, 2): of a Recipe, or of an estimator of the weather columns that predicts GW."""
    if isinstance(estimator, Recipe):
        return estimator.factors(hours)
    weather = hours[WEATHER]
    keras = hasattr(estimator, "layers")
    power = estimator.predict_on_batch(weather.to_numpy("float32")) if keras else estimator.predict(weather)
    installed = hours[CAPACITY].to_numpy("float64")
    return np.clip(np.divide(np.asarray(power, "float64"), installed, out=0 * installed, where=installed > 0), 0, 1)


def alone_factors(estimator: Any, hours: pd.DataFrame, together: pd.DataFrame) -> pd.DataFrame:
    """Return the capacity factors of each hour as if it came alone."""
    if not isinstance(estimator, Recipe):
        return together  # an estimator of a row's own weather: company makes no difference
    own = estimator.features.alone(model_input(hours))
    frame = pd.DataFrame({target: estimator.alone[target].predict(own) for target in TARGETS}, hours.index).clip(0, 1)
    frame.loc[own[:, 0] <= NIGHT, "solar_GW"] = 0.0
    return frame
