"""The live sources together: measured power, installed capacity and weather of a country, up to now."""

from datetime import datetime
from typing import NamedTuple

import pandas as pd

from dsgo.base.errors import UserError
from dsgo.data import energy_charts, open_meteo, smard
from dsgo.data.countries import country_of
from dsgo.data.quality import MOST_LOST
from dsgo.data.schema import CAPACITY, OPTIONAL, TARGETS, TIME

SOURCES = {"live": energy_charts, "smard": smard}  # the names of `source`, and where measured power comes from
CAPACITY_SOURCE = "monthly or yearly values of Energy-Charts"
YEARS = 4  # before now, where no start is given


class Live(NamedTuple):
    """What read_live returns: raw parts as `dsgo.data.opsd.read_raw` gives them, their period, and their licences."""

    power: pd.DataFrame
    weather: pd.DataFrame
    hours: pd.DatetimeIndex
    licences: list[str]


def present(now: str) -> pd.Timestamp:
    """Return the hour (UTC) of an ISO 8601 time, of the clock where it is empty; UserError where it is none.

    A time without a zone is UTC.

    >>> present("2026-11-25T08:20+01:00").isoformat()
    '2026-11-25T07:00:00+00:00'
    """
    try:
        moment = pd.Timestamp(datetime.fromisoformat(now)) if now else pd.Timestamp.now("UTC")
    except ValueError as error:
        raise UserError(f"now={now} must be a time such as 2026-11-25T08:00Z") from error
    return (moment.tz_localize("UTC") if moment.tz is None else moment.tz_convert("UTC")).floor("h")


def read_live(source: str, code: str, start: str, end: str, now: str) -> Live:
    """Return power, weather, their hours and licence lines of a country: what was known at the hour `now`.

    `source` is one of SOURCES. `start` and `end` are days (UTC); where empty, four years before `now`, but not before
    Open-Meteo's archive begins, and the last hour measured. Power has solar_GW, wind_GW and both capacities in GW,
    weather the columns of schema.py, windspeed_100m where it is known. Raises UserError for a country without a live
    source, a period without measured hours, and where a service cannot be asked.
    """
    country = country_of(code)
    if not (country.energy_charts and (source == "live" or country.smard)):
        raise UserError(f"country={code} has no source={source}: see dsgo/data/countries.py for those that have")
    moment = present(now)
    first = _day("start", start) if start else max(open_meteo.FIRST, (moment - pd.DateOffset(years=YEARS)).floor("D"))
    if first < open_meteo.FIRST:
        raise UserError(f"start={start}: the weather of source={source} begins on {open_meteo.FIRST:%Y-%m-%d}")
    until = min(moment, _day("end", end) + pd.Timedelta(days=1)) if end else moment
    if first >= until:
        raise UserError(f"source={source}: there is no hour between start={first:%Y-%m-%d} and {until:%Y-%m-%dT%H:%MZ}")

    power = SOURCES[source].get_generation(country, first, until, moment)
    measured = power.index[power[TARGETS].notna().all(axis=1)]
    if measured.empty:
        raise UserError(f"country={code}: nothing was measured from {first:%Y-%m-%d} to {until:%Y-%m-%dT%H:%MZ}")
    hours = pd.date_range(first, measured[-1], freq="h", unit="us", name=TIME)
    power = power.reindex(hours)
    power[CAPACITY] = energy_charts.get_capacity(country, hours)
    weather = open_meteo.get_history(country, first, hours[-1] + pd.Timedelta(hours=1), moment).reindex(hours)
    for name in OPTIONAL:
        if weather[name].isna().mean() > MOST_LOST:  # no reason to lose the hours
            weather = weather.drop(columns=name)
    licences = dict.fromkeys([SOURCES[source].LICENCE, energy_charts.LICENCE, open_meteo.LICENCE])
    return Live(power, weather, hours, list(licences))


def _day(name: str, text: str) -> pd.Timestamp:
    try:
        return pd.Timestamp(datetime.strptime(text, "%Y-%m-%d"), tz="UTC")
    except ValueError as error:
        raise UserError(f"{name}={text} must be a day such as 2026-11-25") from error
