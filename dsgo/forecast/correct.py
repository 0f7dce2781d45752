"""Correcting the wind of a forecast by what the model erred in the last weeks, the newest day left out.

What is carried over is how far what came lay from what was said of known weather (dsgo/models/correction.py). How much
of it holds a day to a week later is learned from a year of such errors; without errors nothing is corrected. Wind
alone: on recorded data the correction helps wind on most lead days, and hurts solar beyond a day.
"""

import numpy as np
import pandas as pd
from sklearn.linear_model import Ridge
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from dsgo.forecast.band import DAYS, DELAY
from dsgo.models.correction import PENALTY, carried, error_levels

LEAST = 90 * 24  # hours of errors to learn from
LONGEST = 2160 + 720  # hours of errors that a correction looks at
HOUR = pd.Timedelta(hours=1)
LAGS = [24 * day + int(DELAY / HOUR) for day in range(1, DAYS + 1)]  # so an hour of lead day 1 asks for no later truth


def wind_history(said: pd.DataFrame, frame: pd.DataFrame) -> pd.DataFrame:
    """Return what was said of past hours on known weather and what came, as capacity factors, by the hour."""
    factors = {"said": said["wind_GW"], "came": frame["wind_GW"].reindex(said.index)}
    history = pd.DataFrame(factors).div(frame["wind_capacity_GW"].reindex(said.index), axis=0)
    return history.asfreq("h")


def learn(history: pd.DataFrame, until: pd.Timestamp) -> list[Pipeline]:
    """Return a model a lead day of how much of past errors comes again, from hours before `until`; none of too few."""
    known = (history.index < until) & history.notna().all(axis=1).to_numpy()
    if known.sum() < LEAST:
        return []
    error, models = (history["came"] - history["said"])[known], []
    for lag in LAGS:
        features = carried(history["said"], error_levels(history, lag)).fillna(0.0)[known]
        model = make_pipeline(StandardScaler(with_mean=False), Ridge(PENALTY, fit_intercept=False))
        models.append(model.fit(features, error))
    return models


def correct_wind(ahead: pd.DataFrame, history: pd.DataFrame, models: list[Pipeline]) -> pd.DataFrame:
    """Return forecasts with their wind_GW corrected, between 0 and the installed capacity.

    `history` is of the same model, until the newest hour that is known; of an issue time's own hours and of the DELAY
    before it nothing is looked at.
    """
    if not models:
        return ahead
    hours = pd.date_range(history.index[0], max(ahead.index.max(), history.index[-1]), freq="h")
    result, grid = ahead.copy(), history.reindex(hours)
    day = (ahead["lead"].to_numpy() - 1) // 24
    for d, model in enumerate(models):
        rows = day == d
        capacity = ahead["wind_capacity_GW"].to_numpy()[rows]
        said = ahead["wind_GW"].to_numpy()[rows] / capacity
        levels = error_levels(grid, LAGS[d]).reindex(ahead.index[rows]).reset_index(drop=True)
        corrected = said + model.predict(carried(pd.Series(said), levels).fillna(0.0))
        result.loc[rows, "wind_GW"] = np.clip(corrected, 0, 1) * capacity
    return result
