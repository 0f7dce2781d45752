"""Correcting a forecast by its own recent errors, of which the newest that is known is `lag` hours old.

A ridge learns from past errors how much of each to carry over: yesterday's level, its relative error, the level of
weeks and months. One is fitted for each lag (24, 48, ... hours), so that what is carried over fades with the lead time.
All values are capacity factors. Features and penalty were chosen on 2015, fitted on what came before.
"""

import numpy as np
import pandas as pd
from sklearn.linear_model import Ridge
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

PENALTY = 3000.0  # of the ridge; flat from 300 to 10,000
DECAY = 0.7  # an error counts exp(-DECAY) of one a year later
WIDTHS = (24, 72, 168, 720, 2160)  # hours over which what came is compared with what was said
DAY = 24
SETTLE = 30 * DAY  # hours until the averages have filled


def error_features(history: pd.DataFrame, lag: int = DAY) -> pd.DataFrame:
    """Return features for each hour of `history`; of what came, only hours up to `lag` before are used.

    `history` is hourly without gaps, with the columns said and came (NaN where unknown).
    """
    said = history["said"]
    static = pd.DataFrame({"said": said, "squared": said**2, "root": np.sqrt(said)})
    return pd.concat([static, carried(said, error_levels(history, lag))], axis=1).fillna(0.0)


def error_levels(history: pd.DataFrame, lag: int = DAY) -> pd.DataFrame:
    """Return the levels of past errors at each hour of `history`; `carried` makes features of them."""
    said, came = history["said"], history["came"]
    known = came.notna() & said.notna()
    error = (came - said).where(known, 0.0)
    columns = {}
    for width in WIDTHS:
        floor = 0.02 * width / DAY
        sums = [part.where(known, 0.0).rolling(width, min_periods=1).sum() + floor for part in (came, said)]
        columns[f"ratio{width}"] = np.log(sums[0] / sums[1]).clip(-1, 1).shift(lag)
    for half in (3, 24, 72):
        columns[f"error{half}"] = error.ewm(halflife=half).mean().shift(lag)
    first = -(-lag // DAY) * DAY  # the same hour of the newest day that is known
    columns["yesterday"] = error.shift(first)
    days = pd.concat([error.shift(first + DAY * day) for day in range(14)], axis=1)
    columns |= {"week": days.iloc[:, :7].mean(axis=1), "fortnight": days.mean(axis=1)}
    return pd.DataFrame(columns)


def carried(said: pd.Series, levels: pd.DataFrame) -> pd.DataFrame:
    """Return the features that carry past errors over to what is said of hours: all 0 where there were none."""
    ratios = {name: said * levels[name] for name in levels if name.startswith("ratio")}
    roots = {f"root_ratio{width}": np.sqrt(said) * levels[f"ratio{width}"] for width in (24, 720)}
    return levels.assign(**ratios, **roots)


def fit_correction(history: pd.DataFrame, until: pd.Timestamp, lag: int = DAY) -> Pipeline:
    """Fit on the hours of `history` before `until`, of which both columns are known: three months of them or more."""
    features = error_features(history, lag)
    rows = (history.index < until) & history.notna().all(axis=1).to_numpy()
    rows[:SETTLE] = False
    age = ((until - history.index[rows]) / pd.Timedelta(days=365.25)).to_numpy(float)
    error = (history["came"] - history["said"])[rows]
    model = make_pipeline(StandardScaler(), Ridge(PENALTY))
    return model.fit(features[rows], error, ridge__sample_weight=np.exp(-DECAY * age))


def correct(history: pd.DataFrame, model: Pipeline, hours: pd.DatetimeIndex, lag: int = DAY) -> pd.Series:
    """Return the corrected values of `hours`, from 0 to 1; what was said to be 0 stays 0 (night)."""
    said = history["said"].loc[hours]
    corrected = (said + model.predict(error_features(history, lag).loc[hours])).clip(0, 1)
    return corrected.where(said > 0, 0.0)


def walk(history: pd.DataFrame, start: pd.Timestamp, lag: int = DAY) -> pd.Series:
    """Return every hour from `start` on, corrected; the ridge is fitted anew each month on what was known by then."""
    features, result = error_features(history, lag), history["said"].copy()
    for month in pd.date_range(start, history.index[-1], freq="MS"):
        rows = (history.index >= month) & (history.index < month + pd.offsets.MonthBegin(1))
        rows &= (history["said"] > 0).to_numpy()
        if rows.any():
            model = fit_correction(history, month - pd.Timedelta(hours=lag), lag)
            result[rows] = (history["said"][rows] + model.predict(features[rows])).clip(0, 1)
    return result[result.index >= start]
