"""Energy-Charts (Fraunhofer ISE): measured generation, installed capacity and the TSOs' day-ahead forecast.

Form and limits: https://api.energy-charts.info (its OpenAPI page). Version 2 is asked, version 1 where that is what
answers.
"""

from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from dsgo.data.countries import Country
from dsgo.data.schema import MOST_GW, TARGETS, TIME
from dsgo.data.services import AnswerError, Service, progress

SERVICE = Service("energy-charts", "https://api.energy-charts.info", "DSGO_ENERGY_CHARTS_URL", pause=20.0)
LICENCE = "Power data: Energy-Charts.info (Fraunhofer ISE), CC BY 4.0"
REVISED = pd.Timedelta(days=60)  # younger values may still be revised, so they are asked for again
KINDS = ["solar", "wind_onshore", "wind_offshore"]
INSTALLED = {  # names in /installed_power, the first that has values: what is fed in is AC
    "solar": ["Solar AC", "Solar gross", "Solar", "Solar DC"],
    "wind_onshore": ["Wind onshore"],
    "wind_offshore": ["Wind offshore"],
}


def get_generation(country: Country, start: pd.Timestamp, end: pd.Timestamp, now: pd.Timestamp) -> pd.DataFrame:
    """Return measured solar_GW and wind_GW (GW, mean over the hour, stamped at its start) from `start` to before `end`.

    An hour of which a part is not measured is NaN. Whole calendar years are asked for, so that a past year is asked for
    once. Raises AnswerError.
    """
    needed = _needed(country)
    path, read = "/v2/public_power", read_version_2
    parts = []
    for first, last in progress(years(start, end), f"{country.name}: measured power"):
        params, keep = {"country": country.energy_charts} | _days(first, last), last < now - REVISED
        try:
            parts.append(SERVICE.get(path, params, partial(read, needed=needed), keep))
        except AnswerError as error:
            if read is read_version_1 or (error.status != 404 and (error.status or 0) < 500):
                raise
            path, read = "/public_power", read_version_1  # from now on: the tries at an endpoint that is down take long
            parts.append(SERVICE.get(path, params, partial(read, needed=needed), keep))
    values = pd.concat(parts)
    used = [kind for kind in KINDS if kind in needed or values[kind].notna().any()]
    return _targets(_hourly(values)[used], start, end)


def get_day_ahead(country: Country, start: pd.Timestamp, end: pd.Timestamp, now: pd.Timestamp) -> pd.DataFrame:
    """Return the TSOs' day-ahead forecast of solar_GW and wind_GW (GW, by the hour) from `start` to before `end`."""
    found = {}
    for kind in _needed(country):
        params = {"country": country.energy_charts, "production_type": kind, "forecast_type": "day-ahead"}
        found[kind] = pd.concat(
            SERVICE.get("/v2/public_power_forecast", params | _days(first, last), read_forecast, last < now - REVISED)
            for first, last in progress(years(start, end), f"{country.name}: day-ahead forecast, {kind}")
        )
    return _targets(_hourly(pd.DataFrame(found)), start, end)


def get_capacity(country: Country, hours: pd.DatetimeIndex) -> pd.DataFrame:
    """Return solar_capacity_GW and wind_capacity_GW for each hour (GW, linear between the ends of months or years).

    Taken are values of months that have ended, for the newest of these also where one is null: the one before holds on.
    Later months and years are plans and are not looked at. Raises AnswerError.
    """
    step = "monthly" if country.monthly_capacity else "yearly"
    params = {"country": country.energy_charts, "time_step": step}
    known = SERVICE.get("/installed_power", params, lambda answer: read_installed(answer, hours[-1]))
    SERVICE.require(set(_needed(country)) <= known.keys(), "installed power of " + ", ".join(_needed(country)), known)

    found = pd.DataFrame({kind: _at(series, hours) for kind, series in known.items()}, hours)
    wind = found.drop(columns="solar").sum(axis=1)
    return pd.DataFrame({"solar_capacity_GW": found["solar"], "wind_capacity_GW": wind})


def years(start: pd.Timestamp, end: pd.Timestamp) -> list[tuple[pd.Timestamp, pd.Timestamp]]:
    """Return (first day, last day) of each calendar year from `start` to before `end`, cut off after `end`."""
    last = (end - pd.Timedelta(hours=1)).floor("D")
    days = [pd.Timestamp(year=year, month=12, day=31, tz="UTC") for year in range(start.year, last.year + 1)]
    return [(day.replace(month=1, day=1), min(day, last)) for day in days]


def _days(first: pd.Timestamp, last: pd.Timestamp) -> dict[str, str]:
    # With a zone in it: a bare day would be one of Berlin. To the last minute: a whole leap year stays below a year.
    return {"start": f"{first:%Y-%m-%dT00:00Z}", "end": f"{last:%Y-%m-%dT23:59Z}"}


def _needed(country: Country) -> list[str]:
    """Return the kinds without which an answer is not whole: were one renamed, wind would lack a part unseen."""
    return KINDS if country.offshore else KINDS[:2]


def read_version_2(answer: Any, needed: list[str]) -> pd.DataFrame:
    """Return MW by kind and time of a version 2 answer."""
    for series in answer["series"]:
        if series["id"] in KINDS:
            unit = series.get("unit", answer["unit"])
            SERVICE.require(unit == "MW", f"{series['id']} in MW", unit)
    values = [row["values"] for row in answer["data"]]
    frame = pd.DataFrame(values, _times([row["timestamp"] for row in answer["data"]]))
    return _kinds(frame, needed, [series["id"] for series in answer["series"]])


def read_version_1(answer: Any, needed: list[str]) -> pd.DataFrame:
    """Return the same of a version 1 answer, which states no unit."""
    index = pd.to_datetime(answer["unix_seconds"], unit="s", utc=True)
    named = {
        kind["name"].lower().replace(" ", "_"): pd.Series(kind["data"], index, dtype="float64")
        for kind in answer["production_types"]
    }
    return _kinds(pd.DataFrame(named, index), needed, list(named))


def read_forecast(answer: Any) -> pd.Series:
    """Return MW by time of a version 2 answer that holds one series."""
    (series,) = answer["series"]
    unit = series.get("unit", answer["unit"])
    SERVICE.require(unit == "MW", f"{series['id']} in MW", unit)
    index = _times([row["timestamp"] for row in answer["data"]])
    return pd.Series([row["values"][series["id"]] for row in answer["data"]], index, dtype="float64")


def _times(texts: list[str]) -> pd.DatetimeIndex:
    SERVICE.require(all(text[-6] in "+-" or text[-1] == "Z" for text in texts), "a zone in each time", texts[:2])
    return pd.to_datetime(texts, utc=True, format="ISO8601")


def _kinds(frame: pd.DataFrame, needed: list[str], named: list[str]) -> pd.DataFrame:
    SERVICE.require(set(needed) <= {*named}, f"series {', '.join(needed)}", ", ".join(named))
    return frame.reindex(columns=KINDS).astype("float64")


def _hourly(values: pd.DataFrame) -> pd.DataFrame:
    """Return means over the hour; an hour that lacks a part is NaN.

    How many parts an hour has is told by the hours beside it: some countries went from hours to quarters within a year,
    where the two hours before the change are lost.
    """
    values = values[~values.index.duplicated()]
    grouped = values.groupby(pd.DatetimeIndex(values.index).floor("h"))
    parts = grouped.size().rolling(5, center=True, min_periods=1).max()
    SERVICE.require(set(parts) <= {1, 2, 4}, "1, 2 or 4 values an hour", sorted(set(parts)))
    return grouped.mean().where(grouped.count().eq(parts, axis=0))


def _targets(hourly: pd.DataFrame, start: pd.Timestamp, end: pd.Timestamp) -> pd.DataFrame:
    """Return the targets in GW from `start` to before `end`; an hour that lacks a kind of wind is NaN."""
    wind = hourly.drop(columns="solar").sum(axis=1, skipna=False)
    frame = pd.DataFrame({"solar_GW": hourly["solar"], "wind_GW": wind}).rename_axis(TIME)[TARGETS] / 1000
    return frame[(frame.index >= start) & (frame.index < end)]


def _at(series: pd.Series, hours: pd.DatetimeIndex) -> np.ndarray:
    """Return the values at the hours: linear between those known, the first before them, the last after them."""
    wanted, known = (pd.DatetimeIndex(index).as_unit("s").asi8 for index in (hours, series.index))
    return np.interp(wanted, known, series.to_numpy("float64"))


def read_installed(answer: Any, until: pd.Timestamp) -> dict[str, pd.Series]:
    """Return GW by kind, each value stamped at the end of its month ("09.2026") or year ("2026"), up to `until`."""
    texts = pd.Series(answer["time"], dtype="string")
    monthly = texts.str.fullmatch(r"\d\d\.\d{4}").all()
    SERVICE.require(
        monthly or texts.str.fullmatch(r"\d{4}").all(), "months as 09.2026 or years as 2026", answer["time"]
    )
    begins = pd.to_datetime(texts, format="%m.%Y" if monthly else "%Y", utc=True)
    ends = pd.DatetimeIndex(begins) + (pd.DateOffset(months=1) if monthly else pd.DateOffset(years=1))
    named = {kind["name"]: pd.Series(kind["data"], ends, dtype="float64") for kind in answer["production_types"]}
    named = {name: series[series.index <= until].dropna().sort_index() for name, series in named.items()}
    found = {}
    for kind, names in INSTALLED.items():
        series = next((named[name] for name in names if len(named.get(name, ()))), None)
        if series is not None:
            SERVICE.require((series < MOST_GW).all(), f"{kind} in GW", series.tail(3).tolist())
            found[kind] = series
    return found
