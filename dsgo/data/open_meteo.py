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
from dsgo.data.services import Service, progress

# It counts a call as points x variables/10 x days/14, at least as points; 600 of these a minute are free, 10,000 a day.
PAUSE = 60 / 600
FORECAST = Service("open-meteo", "https://api.open-meteo.com", "DSGO_OPEN_METEO_URL", PAUSE)
HISTORY = Service(
    "open-meteo-history", "https://historical-forecast-api.open-meteo.com", "DSGO_OPEN_METEO_HISTORY_URL", PAUSE
)
PREVIOUS = Service(
    "open-meteo-previous", "https://previous-runs-api.open-meteo.com", "DSGO_OPEN_METEO_PREVIOUS_URL", PAUSE
)
LICENCE = "Weather data by Open-Meteo.com, CC BY 4.0"
FIRST = pd.Timestamp("2022-11-24", tz="UTC")  # the first day of the archive of forecasts by ICON
FIRST_PREVIOUS = pd.Timestamp("2024-02-01", tz="UTC")  # of what was forecast days before: from January 2024 on
REVISED = pd.Timedelta(days=7)  # younger weather may still be completed
UNITS = {
    "wind_speed_10m": "m/s",
    "wind_speed_100m": "m/s",
    "temperature_2m": "°C",
    "direct_radiation": "W/m²",  # on the horizontal plane
    "diffuse_radiation": "W/m²",
}
# The dataset's columns; wind is weighted by wind power, the rest by solar power.
WIND = {"windspeed": "wind_speed_10m", "windspeed_100m": "wind_speed_100m"}
MOMENTS = ["windspeed", "windspeed_100m", "temperature"]  # stamped at a moment; the rest at the end of its hour
SUN = {"temperature": "temperature_2m", "rad_horizontal": "direct_radiation", "rad_diffuse": "diffuse_radiation"}
NOW = {0: ""}  # what the names of variables end in: nothing, or the days before, see `get_previous`
HIGHER = "wind_speed_120m"  # what ICON models have where 100 m is empty
DOWN = (100 / 120) ** (1 / 7)  # from 120 to 100 m, by the power law of the wind profile with its usual exponent


def get_history(country: Country, start: pd.Timestamp, end: pd.Timestamp, now: pd.Timestamp) -> pd.DataFrame:
    """Return the country's weather by the hour from `start` (not before FIRST) to before `end`: columns of schema.py.

    It is what the weather models forecast for the next hours, so that training sees the kind of weather that a forecast
    is made of. Calendar quarters are asked for, so that a past one is asked for once. Raises AnswerError.
    """
    quarters = pd.date_range(start.tz_localize(None).to_period("Q").start_time, end.tz_localize(None), freq="QS")
    parts = []
    for quarter in progress(list(quarters.tz_localize("UTC")), f"{country.name}: weather"):
        after = quarter + pd.DateOffset(months=3)  # with this day: the quarter's last hour needs the hour after it
        last = min(after, end.floor("D"))
        part = _weather(HISTORY, country, max(quarter, FIRST), last, last < now - REVISED, NOW)[0]
        parts.append(part[part.index < after])
    whole = pd.concat(parts)
    return whole[(whole.index >= start) & (whole.index < end)]


def get_forecast(country: Country, now: pd.Timestamp, days: int = 7) -> pd.DataFrame:
    """Return the newest weather forecast by the hour from `now` on, `days` days: the columns of schema.py."""
    end = now + pd.Timedelta(days=days)
    weather = _weather(FORECAST, country, now.floor("D"), end.ceil("D"), False, NOW)[0]
    return weather[(weather.index >= now) & (weather.index < end)]


def get_previous(country: Country, first: pd.Timestamp, last: pd.Timestamp, days: int = 7) -> pd.DataFrame:
    """Return the weather of the hours from `first` to `last` as it was forecast 1, 2, ... `days` days before.

    The columns are those of schema.py, beside `day`, how many days before. What was forecast then is not revised: whole
    weeks (from Monday) are asked for, and past ones once. Raises AnswerError.
    """
    names = {day: f"_previous_day{day}" for day in range(1, days + 1)}
    monday = first.floor("D") - pd.Timedelta(days=first.weekday())
    mondays = pd.date_range(monday, last, freq="7D")
    parts = []
    for monday in progress(list(mondays), f"{country.name}: weather as it was forecast"):
        after = monday + pd.Timedelta(days=7)  # with this day: the week's last hour needs the hour after it
        until = min(after, last.floor("D") + pd.Timedelta(days=1))
        by_day = _weather(PREVIOUS, country, monday, until, until + pd.Timedelta(days=1) < last, names)
        parts += [part[part.index < after].assign(day=day) for day, part in by_day.items()]
    whole = pd.concat(parts)
    return whole[(whole.index >= first) & (whole.index <= last)].sort_values("day", kind="stable")


def _weather(
    service: Service, country: Country, first: pd.Timestamp, last: pd.Timestamp, keep: bool, names: dict[int, str]
) -> dict[int, pd.DataFrame]:
    """Return the country's weighted means, stamped at the hour's start; an hour that a point of weight lacks is NaN.

    There is a frame for each of `names`: what the names of the variables end in.
    """
    dates = {"start_date": f"{first:%Y-%m-%d}", "end_date": f"{last:%Y-%m-%d}"}
    land, sea = country.points_on_land, country.offshore
    frames = _points(service, land, dates, keep, names)
    if sea:
        frames += _points(service, sea, dates | {"cell_selection": "sea"}, keep, names)
    found = {}
    for key, end in names.items():
        result = {}
        for columns, weights in ((WIND, country.wind_weights()), (SUN, country.solar_weights())):
            for name, asked in columns.items():
                weighted = [
                    frame[asked + end] * weight for frame, weight in zip(frames, weights, strict=True) if weight
                ]
                result[name] = sum(weighted[1:], weighted[0])
        found[key] = _aligned(pd.DataFrame(result)).rename_axis(TIME)
    return found


def _points(
    service: Service, points: Sequence[Point], dates: dict[str, str], keep: bool, names: dict[int, str]
) -> list[pd.DataFrame]:
    """Return the weather at each point as Open-Meteo stamps it."""
    ends = names.values()
    frames = _ask(service, points, {name + end: unit for end in ends for name, unit in UNITS.items()}, dates, keep)

    def empty(frame: pd.DataFrame, end: str) -> bool:
        return bool((frame[f"wind_speed_100m{end}"].isna() & frame[f"wind_speed_10m{end}"].notna()).any())

    if any(empty(frame, end) for frame in frames for end in ends):
        more = _ask(service, points, {HIGHER + end: "m/s" for end in ends}, dates, keep)
        for frame, higher in zip(frames, more, strict=True):
            for end in ends:
                frame[f"wind_speed_100m{end}"] = frame[f"wind_speed_100m{end}"].fillna(higher[HIGHER + end] * DOWN)
    return frames


def question(points: Sequence[Point], variables: Sequence[str], dates: dict[str, str]) -> dict[str, str]:
    """Return the parameters of a call: `dates` has start_date and end_date or the like."""
    return {
        "latitude": ",".join(f"{point.latitude:g}" for point in points),
        "longitude": ",".join(f"{point.longitude:g}" for point in points),
        "hourly": ",".join(variables),
        "wind_speed_unit": "ms",
        "timezone": "UTC",
        **dates,
    }


def _ask(
    service: Service, points: Sequence[Point], units: dict[str, str], dates: dict[str, str], keep: bool
) -> list[pd.DataFrame]:
    days = (pd.Timestamp(dates["end_date"]) - pd.Timestamp(dates["start_date"])).days + 1
    weight = len(points) * max(1.0, len(units) / 10, len(units) / 10 * days / 14)

    def read(answer: Any) -> list[pd.DataFrame]:
        answers = answer if isinstance(answer, list) else [answer]  # an object for one point
        service.require(len(answers) == len(points), f"{len(points)} points", f"{len(answers)} answers")
        return [read_point(service, one, point, units) for one, point in zip(answers, points, strict=True)]

    return service.get("/v1/forecast", question(points, list(units), dates), read, keep, weight)


def read_point(service: Service, answer: Any, point: Point, units: dict[str, str]) -> pd.DataFrame:
    """Return the columns of an answer for a point, stamped as Open-Meteo stamps; AnswerError for another form."""
    at = answer["latitude"], answer["longitude"]  # of the model's cell
    near = abs(at[0] - point.latitude) < 1 and abs(at[1] - point.longitude) < 1
    service.require(near, f"the weather at {point.latitude}, {point.longitude}", at)
    service.require(answer.get("utc_offset_seconds", 0) == 0, "times in UTC", answer.get("timezone"))
    for name, unit in units.items():
        told = answer["hourly_units"].get(name)
        service.require(told == unit, f"{name} in {unit}", told)
    hourly = answer["hourly"]
    index = pd.to_datetime(hourly["time"], format="ISO8601", utc=True)
    hours = len(index) and index.is_monotonic_increasing and index.is_unique and (index == index.floor("h")).all()
    service.require(hours, "hours in order", hourly["time"][:3])
    columns = [np.array(hourly[name], dtype="float64") for name in units]
    return pd.DataFrame(np.column_stack(columns), index, list(units))  # ValueError where lengths differ


def _aligned(frame: pd.DataFrame) -> pd.DataFrame:
    """Move values stamped as Open-Meteo stamps them to hours that start at their stamp; the last hour is lost.

    >>> at = pd.date_range("2026-11-25", periods=3, freq="h", tz="UTC")
    >>> values = pd.DataFrame({name: [1.0, 3.0, 5.0] for name in [*WIND, *SUN]}, at)
    >>> _aligned(values)[["windspeed", "rad_horizontal"]].to_numpy().tolist()
    [[2.0, 3.0], [4.0, 5.0]]
    """
    values = frame.reindex(pd.date_range(frame.index[0], frame.index[-1], freq="h"))
    after = values.shift(-1)
    moments = (values[MOMENTS] + after[MOMENTS]) / 2
    return pd.concat([moments, after.drop(columns=MOMENTS)], axis="columns", sort=False).iloc[:-1]
