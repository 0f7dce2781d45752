"""Open-Meteo: weather as it was forecast (for training) and as it is forecast, at a country's points.

Form and limits: https://open-meteo.com/en/docs. Its radiation at t is the mean of the hour that ends at t; wind and
temperature are those of the moment t. The dataset's hour starts at its stamp, so for the hour [t, t+1) radiation is the
value at t+1, wind and temperature are the mean of those at t and t+1.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from dsgo.data.countries import Country, Point
from dsgo.data.schema import TIME
from dsgo.data.services import Service, require

FORECAST = Service("open-meteo", "https://api.open-meteo.com", "DSGO_OPEN_METEO_URL")
HISTORY = Service(
    "open-meteo-history", "https://historical-forecast-api.open-meteo.com", "DSGO_OPEN_METEO_HISTORY_URL", pause=1.0
)
PREVIOUS = Service(
    "open-meteo-previous", "https://previous-runs-api.open-meteo.com", "DSGO_OPEN_METEO_PREVIOUS_URL", pause=1.0
)
LICENCE = "Weather data by Open-Meteo.com, CC BY 4.0"
REVISED = pd.Timedelta(days=7)  # younger weather may still be completed
SPAN = 92  # days a call: keeps an answer of a dozen points small
UNITS = {
    "wind_speed_10m": "m/s",
    "wind_speed_100m": "m/s",
    "temperature_2m": "°C",
    "direct_radiation": "W/m²",
    "diffuse_radiation": "W/m²",
}
HIGHER = "wind_speed_120m"  # what ICON models have where 100 m is empty
MOMENTS = ["wind_speed_10m", "wind_speed_100m", "temperature_2m"]
NAMES = {
    "windspeed": "wind_speed_10m",
    "windspeed_100m": "wind_speed_100m",
    "temperature": "temperature_2m",
    "rad_horizontal": "direct_radiation",
    "rad_diffuse": "diffuse_radiation",
}


def get_history(country: Country, start: pd.Timestamp, now: pd.Timestamp) -> pd.DataFrame:
    """Return the country's weather by the hour from `start` to before `now`: the dataset's columns and units.

    It is what the weather models forecast for the next hours, so that training sees the kind of weather that a forecast
    is made of.
    """
    parts = []
    for first in pd.date_range(start.floor("D"), now, freq=f"{SPAN}D"):
        last = min(first + pd.Timedelta(days=SPAN - 1), now.floor("D"))
        # A day more on the right: the last hour needs the values of the hour after it.
        days = {"start_date": f"{first:%Y-%m-%d}", "end_date": f"{last + pd.Timedelta(days=1):%Y-%m-%d}"}
        part = _weather(HISTORY, country, days, keep=last < now - REVISED)
        parts.append(part[part.index < last + pd.Timedelta(days=1)])
    whole = pd.concat(parts)
    return whole[(whole.index >= start) & (whole.index < now)]


def get_forecast(country: Country, now: pd.Timestamp, days: int = 7) -> pd.DataFrame:
    """Return the newest weather forecast by the hour from `now` on, `days` days: the dataset's columns and units."""
    first, last = now.floor("D"), now.ceil("D") + pd.Timedelta(days=days + 1)
    dates = {"start_date": f"{first:%Y-%m-%d}", "end_date": f"{last:%Y-%m-%d}"}
    weather = _weather(FORECAST, country, dates, keep=False)
    return weather[(weather.index >= now) & (weather.index < now + pd.Timedelta(days=days))]


def _weather(service: Service, country: Country, dates: dict[str, str], keep: bool) -> pd.DataFrame:
    land = _points(service, country.points_on_land, dates, keep)
    sea = _points(service, country.offshore, dates | {"cell_selection": "sea"}, keep) if country.offshore else []
    by_point = dict(zip([*country.points_on_land, *country.offshore], [*land, *sea], strict=True))
    wind = {**{p: p.onshore for p in country.points_on_land}, **{p: p.offshore for p in country.offshore}}
    solar = {p: p.solar for p in country.points_on_land}
    columns = {}
    for name, asked in NAMES.items():
        weights = solar if name.startswith("rad") or name == "temperature" else wind
        columns[name] = _mean([by_point[p][asked] for p in weights], list(weights.values()))
    return pd.DataFrame(columns).rename_axis(TIME).dropna(axis="columns", how="all")


def _mean(series: Sequence[pd.Series], weights: Sequence[float]) -> pd.Series:
    """Return the weighted mean; an hour that a point of weight lacks is NaN."""
    total = sum(weights)
    return sum((one * (weight / total) for one, weight in zip(series, weights, strict=True) if weight), 0.0 * series[0])


def _points(service: Service, points: Sequence[Point], dates: dict[str, str], keep: bool) -> list[pd.DataFrame]:
    """Return the weather at each point, hour by hour, stamped at the hour's start."""
    params = {
        "latitude": ",".join(f"{p.latitude:g}" for p in points),
        "longitude": ",".join(f"{p.longitude:g}" for p in points),
        "hourly": ",".join(UNITS),
        "wind_speed_unit": "ms",
        "timezone": "UTC",
        **dates,
    }
    answers = _list(service, service.get("/v1/forecast", params, keep), len(points))
    frames = [_frame(service, answer, UNITS) for answer in answers]
    if all(frame["wind_speed_100m"].isna().all() for frame in frames):
        higher = service.get("/v1/forecast", params | {"hourly": HIGHER}, keep)
        for frame, answer in zip(frames, _list(service, higher, len(points)), strict=True):
            frame["wind_speed_100m"] = _frame(service, answer, {HIGHER: "m/s"})[HIGHER]
    return [_aligned(frame) for frame in frames]


def _list(service: Service, answer: Any, points: int) -> list[Any]:
    answers = answer if isinstance(answer, list) else [answer]
    require(len(answers) == points, service, f"{points} points", f"{len(answers)} answers")
    return answers


def _frame(service: Service, answer: Any, units: dict[str, str]) -> pd.DataFrame:
    require(isinstance(answer, dict) and {"hourly", "hourly_units"} <= answer.keys(), service, "keys", answer)
    for name, unit in units.items():
        told = answer["hourly_units"].get(name)
        require(told == unit, service, f"{name} in {unit}", told)
    hourly = answer["hourly"]
    index = pd.to_datetime(hourly["time"], format="ISO8601", utc=True)  # asked with timezone=UTC, they carry no zone
    require(len(index) and (np.diff(index.asi8) > 0).all(), service, "hours in order", hourly["time"][:3])
    return pd.DataFrame({name: pd.Series(hourly[name], index, dtype="float64") for name in units})


def _aligned(frame: pd.DataFrame) -> pd.DataFrame:
    """Move values stamped as Open-Meteo stamps them to hours that start at their stamp; the last hour is lost.

    >>> at = pd.date_range("2026-11-25", periods=3, freq="h", tz="UTC")
    >>> values = pd.DataFrame({name: [1.0, 3.0, 5.0] for name in UNITS}, at)
    >>> _aligned(values)[["wind_speed_10m", "direct_radiation"]].to_numpy().tolist()
    [[2.0, 3.0], [4.0, 5.0]]
    """
    hours = pd.date_range(frame.index[0], frame.index[-1], freq="h")
    values = frame.reindex(hours)
    after = values.shift(-1)
    moments = (values[MOMENTS] + after[MOMENTS]) / 2
    return pd.concat([moments, after.drop(columns=MOMENTS)], axis="columns").iloc[:-1]
