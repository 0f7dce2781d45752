"""The weather of the coming week, as it is forecast, and as it was at hours past."""

from typing import NamedTuple

import pandas as pd

from dsgo.base.errors import UserError
from dsgo.data import open_meteo
from dsgo.data.countries import country_of
from dsgo.data.dataset import Dataset

NONE = "there is no weather forecast for this data: source=sample has a simulated one, source=live asks Open-Meteo"


class Weather(NamedTuple):
    """A weather forecast: `frame` has a row an hour, index utc_timestamp: issued, lead (1, 2, ...), and weather."""

    frame: pd.DataFrame
    source: str
    licences: list[str]


def weather_ahead(dataset: Dataset, issued: pd.Timestamp) -> Weather:
    """Return the weather forecast of the 168 hours from `issued` on.

    Raises UserError where the dataset has none, or where Open-Meteo cannot be asked or does not know the whole week.
    """
    if dataset.simulated:
        return Weather(_simulated(dataset, [issued]), "simulated", [])
    if not dataset.licences:  # live data alone has licence lines
        raise UserError(NONE)
    frame = open_meteo.get_forecast(country_of(dataset.country or ""), issued)
    frame = frame.dropna(axis=1, how="all").dropna()
    if len(frame) < 168:
        raise UserError(f"open-meteo knows only {len(frame)} of the 168 hours from {issued:%Y-%m-%dT%H:%MZ} on")
    return Weather(_led(frame, issued), "Open-Meteo", [open_meteo.LICENCE])


def weather_behind(dataset: Dataset, issued: list[pd.Timestamp]) -> pd.DataFrame:
    """Return what was forecast at issue times past, as the frame of `Weather`; an hour that is not known is left out.

    Raises UserError where Open-Meteo cannot be asked.
    """
    if not dataset.simulated:
        issued = [at for at in issued if at >= open_meteo.FIRST_PREVIOUS]
    if not issued:
        return pd.DataFrame(columns=["issued", "lead"])
    if dataset.simulated:
        return _simulated(dataset, issued)
    then = open_meteo.get_previous(country_of(dataset.country or ""), issued[0], dataset.frame.index[-1])
    then = then.dropna(axis=1, how="all").dropna()
    parts = [_led(then, at) for at in issued]
    # An hour of lead day 2 is taken from what was forecast two days before it: at the issue time, or a little earlier.
    return pd.concat([part[(part["lead"] > 0) & ((part["lead"] - 1) // 24 + 1 == part["day"])] for part in parts])


def _simulated(dataset: Dataset, issued: list[pd.Timestamp]) -> pd.DataFrame:
    from dsgo.data.sample_forecast import stands_late, weather_forecasts  # imports pvlib and scipy: a second

    return weather_forecasts(pd.DatetimeIndex(issued), stands_late(dataset.frame))


def _led(frame: pd.DataFrame, issued: pd.Timestamp) -> pd.DataFrame:
    return frame.assign(issued=issued, lead=(frame.index - issued) // pd.Timedelta(hours=1) + 1)
