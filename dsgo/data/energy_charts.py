"""Energy-Charts (Fraunhofer ISE): measured generation, installed capacity and the TSOs' day-ahead forecast.

Form and limits: https://api.energy-charts.info (OpenAPI page). Version 2 is asked, version 1 where only that answers.
"""

from collections.abc import Iterator
from typing import Any

import pandas as pd

from dsgo.data.schema import CAPACITY, TARGETS, TIME
from dsgo.data.services import AnswerError, Service, require

SERVICE = Service("energy-charts", "https://api.energy-charts.info", "DSGO_ENERGY_CHARTS_URL", pause=20.0)
LICENCE = "Power data: Energy-Charts.info (Fraunhofer ISE), CC BY 4.0"
REVISED = pd.Timedelta(days=60)  # younger values may still be revised, so they are asked for again
KINDS = {"solar_GW": ["solar"], "wind_GW": ["wind_onshore", "wind_offshore"]}
PLANS = {"solar": "solar", "wind_onshore": "wind_onshore", "wind_offshore": "wind_offshore"}
INSTALLED = {  # names of /installed_power, the first that is there: what is fed in is AC
    "solar_capacity_GW": [["Solar AC", "Solar gross", "Solar", "Solar DC"]],
    "wind_capacity_GW": [["Wind onshore"], ["Wind offshore"]],
}
MINUTES = {"PT15M": 15, "PT30M": 30, "PT60M": 60, "PT1H": 60}


def get_generation(country: str, start: pd.Timestamp, now: pd.Timestamp) -> pd.DataFrame:
    """Return measured solar_GW and wind_GW (GW, mean over the hour, stamped at its start) before `now`.

    `country` is as Energy-Charts writes it ("de"); an hour of which a quarter is not measured is NaN. A year a call.
    """
    parts = [_generation(country, first, last, now) for first, last in _years(start, now)]
    return pd.concat(parts)[lambda frame: (frame.index >= start) & (frame.index < now)]


def get_day_ahead(country: str, start: pd.Timestamp, end: pd.Timestamp, now: pd.Timestamp) -> pd.DataFrame:
    """Return the TSOs' day-ahead forecast of solar_GW and wind_GW, in GW by the hour, from `start` to before `end`."""
    found = {}
    for kind in PLANS:
        pieces = []
        for first, last in _years(start, end):
            params = {"country": country, "production_type": kind, "forecast_type": "day-ahead", **_days(first, last)}
            answer = SERVICE.get("/v2/public_power_forecast", params, keep=last < now - REVISED)
            pieces.append(_hourly(_version_2(answer))[kind])
        found[kind] = pd.concat(pieces)
    frame = _sum(pd.DataFrame(found))
    return frame[(frame.index >= start) & (frame.index < end)]


def get_capacity(country: str, hours: pd.DatetimeIndex) -> pd.DataFrame:
    """Return the installed capacity in GW for each hour: linear between months, the last one known from then on.

    Months after the last hour are plans and are not looked at.
    """
    answer = SERVICE.get("/installed_power", {"country": country, "time_step": "monthly"})
    require(isinstance(answer, dict) and {"time", "production_types"} <= answer.keys(), SERVICE, "keys", answer)
    months = pd.to_datetime(pd.Series(answer["time"]), format="%m.%Y", utc=True, errors="coerce")
    require(months.notna().all(), SERVICE, "months such as 09.2026", answer["time"])
    series = {kind["name"]: pd.Series(kind["data"], months, dtype="float64") for kind in answer["production_types"]}
    result = pd.DataFrame(index=hours)
    for name, groups in INSTALLED.items():
        parts = [next((series[kind] for kind in group if kind in series), None) for group in groups]
        known = [part for part in parts if part is not None]
        require(known, SERVICE, f"no {' or '.join(group[0] for group in groups)} among", sorted(series))
        total = sum(part.fillna(0.0) if i else part for i, part in enumerate(known))
        total = total[(total.index <= hours[-1]) & total.notna()].sort_index()
        require(len(total) and (total < 1000).all(), SERVICE, "capacity in GW up to now", total.tail(3).to_dict())
        whole = total.reindex(total.index.union(hours)).interpolate("time", limit_area="inside").ffill().bfill()
        result[name] = whole.reindex(hours)
    return result[CAPACITY]


def _generation(country: str, first: pd.Timestamp, last: pd.Timestamp, now: pd.Timestamp) -> pd.DataFrame:
    params, keep = {"country": country, **_days(first, last)}, last < now - REVISED
    try:
        values = _version_2(SERVICE.get("/v2/public_power", params, keep))
    except AnswerError as error:
        if error.status != 404:
            raise
        values = _version_1(SERVICE.get("/public_power", params, keep))
    return _sum(_hourly(values))


def _version_2(answer: Any) -> pd.DataFrame:
    """Return {id: MW} by time of a version 2 answer."""
    require(isinstance(answer, dict) and {"unit", "series", "data"} <= answer.keys(), SERVICE, "keys", answer)
    for series in answer["series"]:
        unit = series.get("unit", answer["unit"])
        wanted = series["id"] in PLANS
        require(not wanted or unit == "MW", SERVICE, f"{series['id']} in MW", unit)
    index = pd.to_datetime([row["timestamp"] for row in answer["data"]], utc=True, format="ISO8601")
    frame = pd.DataFrame([row["values"] for row in answer["data"]], index=index)
    return frame.reindex(columns=list(PLANS)).astype("float64")


def _version_1(answer: Any) -> pd.DataFrame:
    """Return the same of a version 1 answer."""
    keys = {"unix_seconds", "production_types"}
    require(isinstance(answer, dict) and keys <= answer.keys(), SERVICE, "keys", answer)
    index = pd.to_datetime(answer["unix_seconds"], unit="s", utc=True)
    named = {kind["name"].lower().replace(" ", "_"): kind["data"] for kind in answer["production_types"]}
    return pd.DataFrame(named, index=index).reindex(columns=list(PLANS)).astype("float64")


def _hourly(values: pd.DataFrame) -> pd.DataFrame:
    """Return means over the hour in MW; an hour with a part that is missing is NaN."""
    if values.empty:
        return values
    step = values.index.to_series().diff().min() if len(values) > 1 else pd.Timedelta(hours=1)
    require(step in (pd.Timedelta(minutes=15), pd.Timedelta(minutes=30), pd.Timedelta(hours=1)), SERVICE, "steps", step)
    parts = int(pd.Timedelta(hours=1) / step)
    grouped = values.groupby(values.index.floor("h"))
    return grouped.mean().where(grouped.count() == parts)


def _sum(values: pd.DataFrame) -> pd.DataFrame:
    """Return the targets in GW; wind is the sum of the kinds that the country has."""
    has = [name for name in values if values[name].notna().any()]
    result = pd.DataFrame(index=values.index.rename(TIME))
    for target, kinds in KINDS.items():
        columns = [kind for kind in kinds if kind in has] or kinds[:1]
        result[target] = values[columns].sum(axis=1, skipna=False) / 1000
    return result[TARGETS]


def _years(start: pd.Timestamp, end: pd.Timestamp) -> Iterator[tuple[pd.Timestamp, pd.Timestamp]]:
    """Yield (first day, last day) of each calendar year's part; the service gives a year a call at most."""
    for year in range(start.year, end.year + 1):
        first, last = pd.Timestamp(f"{year}-01-01", tz="UTC"), pd.Timestamp(f"{year}-12-31", tz="UTC")
        yield max(first, start.floor("D")), min(last, end.ceil("D"))


def _days(first: pd.Timestamp, last: pd.Timestamp) -> dict[str, str]:
    # With a zone in it: a bare day would be one of Berlin.
    return {"start": f"{first:%Y-%m-%dT00:00Z}", "end": f"{last + pd.Timedelta(days=1):%Y-%m-%dT00:00Z}"}
