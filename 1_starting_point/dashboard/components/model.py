"""The model of the dashboard."""
import os

import pandas as pd
from sklearn.ensemble import RandomForestRegressor

CSV = os.path.join(os.getcwd(), "..", "germany.csv")

FEATURES = ["windspeed", "temperature", "rad_horizontal", "rad_diffuse", "hour", "month"]
TARGETS = ["solar_GW", "wind_GW"]


def load():
    d = pd.read_csv(CSV, index_col="utc_timestamp", parse_dates=True)
    d = d[d.index >= "2015-01-01"]  # everything is too slow
    d["hour"] = d.index.hour
    d["month"] = d.index.month
    return d


def fit(d):
    m = RandomForestRegressor(n_estimators=10, max_depth=12)
    m.fit(d[FEATURES], d[TARGETS])
    return m, m.score(d[FEATURES], d[TARGETS])
