"""The live sources together: measured power, installed capacity and weather of a country, up to now."""

import pandas as pd

from dsgo.base.errors import UserError
from dsgo.data import energy_charts, open_meteo, smard
from dsgo.data.countries import Country
from dsgo.data.schema import CAPACITY, TARGETS

FIRST = pd.Timestamp("2022-11-24", tz="UTC")  # the first day of Open-Meteo's archive of forecasts by ICON


def read_live(country: Country, start: pd.Timestamp, now: pd.Timestamp) -> tuple[pd.DataFrame, pd.DataFrame, list[str]]:
    """Return (power, weather, licence lines) of a country from `start` to before the hour `now`.

    Power has solar_GW, wind_GW and both capacities in GW, weather the dataset's columns; both are indexed by
    utc_timestamp. The last hours, which nobody has measured yet, are left out. Raises UserError where Energy-Charts
    does not know the country, or where a service cannot be asked.
    """
    if not country.energy_charts:
        raise UserError(f"country={country.code}: no live source of its power is known (dsgo/data/countries.py)")
    power = energy_charts.get_generation(country.energy_charts, start, now)
    measured = power[TARGETS].notna().all(axis=1)
    if not measured.any():
        raise UserError(f"country={country.code}: nothing was measured between {start:%Y-%m-%d} and {now:%Y-%m-%d}")
    power = power[: power.index[measured][-1]]
    power[CAPACITY] = energy_charts.get_capacity(country.energy_charts, pd.DatetimeIndex(power.index))
    weather = open_meteo.get_history(country, start, power.index[-1] + pd.Timedelta(hours=1))
    return power, weather, [energy_charts.LICENCE, open_meteo.LICENCE]


def read_live_from_smard(country: Country, start: pd.Timestamp, now: pd.Timestamp) -> pd.DataFrame:
    """Return measured power of Germany by SMARD, the second choice, in the same form without capacities."""
    if not country.smard:
        raise UserError(f"country={country.code}: SMARD has Germany alone")
    return smard.get_generation(country.smard, start, now)
