"""Simulated weather forecasts for the sample: its own weather, with an error that grows with the lead time.

How good a forecast is at a lead time is how well the noises that make the weather (wind, clouds, temperature; see
sample.py) are known then: their correlation with what comes. An error of weather grows as the logistic curve of Lorenz
(1982, "Atmospheric predictability experiments with a large numerical model", Tellus 34, 505-513), slow at first, then
fast, until nothing is known. Its speed is chosen so that wind and temperature reach a correlation of 80% after six and
a half days, as ECMWF's forecasts of the 500 hPa height do over the northern extratropics (Haiden et al. 2021, ECMWF
Technical Memorandum 880: between day six and seven). That is a forecast's best-known figure, not that of these
quantities: how well each is known at the beginning is chosen here, clouds less well than wind, as everywhere. Single
stations err more than a country's mean does, so stations' figures do not serve.

A forecast is as lively as the weather itself; its error remembers as long as the weather does, and two forecasts err
independently (those of a real weather service agree more with each other).
"""

import numpy as np
import pandas as pd
from scipy.signal import lfilter

from dsgo.data import sample
from dsgo.data.schema import TIME

LEADS = 168  # hours
UNKNOWN = {"windy": 0.008, "cloudy": 0.04, "warm": 0.008}  # 1 - correlation at the issue time; chosen
GROWTH = 0.527  # a day; carries 0.008 to 0.2 in six and a half days
MEMORIES = {"windy": sample.WIND_HOURS, "cloudy": sample.CLOUD_HOURS, "warm": sample.TEMPERATURE_HOURS}
BEFORE = 48  # hours that the simulation is begun before the issue time: the air remembers the sun
SETTLE = 500  # hours until an error is in its stride


def known(name: str, lead: np.ndarray) -> np.ndarray:
    """Return the correlation of a noise with its forecast at lead times in hours.

    >>> known("windy", np.array([0, 24, 72, 156])).round(3).tolist()
    [0.992, 0.987, 0.962, 0.801]
    """
    odds = UNKNOWN[name] / (1 - UNKNOWN[name]) * np.exp(GROWTH * lead / 24)
    return 1 / (1 + odds)


def weather_forecasts(issued: pd.DatetimeIndex, late: bool) -> pd.DataFrame:
    """Return the weather of the LEADS hours from each issue time on: issued, lead (1 is the first hour), WEATHER.

    The index is utc_timestamp. `late`: its stamps stand an hour late in Berlin's summer, as the raw sample's do. The
    same issue time gives the same forecast. Issue times lie within the sample or up to its end.
    """
    start = pd.Timestamp(sample.START, tz="UTC")
    first = ((issued - start) // pd.Timedelta(hours=1)).to_numpy()
    hours = first[:, None] + np.arange(-BEFORE, LEADS)[None, :]
    lead = np.arange(-BEFORE, LEADS) + 1
    truth, made = sample.draw()._asdict(), {}
    for k, (name, memories) in enumerate(MEMORIES.items()):
        share = np.where(lead > 0, known(name, lead), 1.0)
        error = np.zeros(hours.shape)
        for row, at in enumerate(first):
            error[row, BEFORE:] = _error(int(at) * len(MEMORIES) + k, *memories)
        made[name] = share * truth[name][hours] + np.sqrt(1 - share**2) * error
    weather = sample.simulate_sky(hours, **made).weather()

    stamps = start + pd.to_timedelta(hours[:, BEFORE:].ravel(), unit="h")
    shift = summer(stamps) if late else np.zeros(len(stamps), int)
    rows, column = np.repeat(np.arange(len(first)), LEADS), np.tile(np.arange(BEFORE, BEFORE + LEADS), len(first))
    columns = {name: values[rows, column - shift] for name, values in weather.items()}
    about = {"issued": issued.repeat(LEADS), "lead": column - BEFORE + 1}
    return pd.DataFrame(about | columns, index=stamps.rename(TIME))


def stands_late(frame: pd.DataFrame) -> bool:
    """Return whether a dataset of the sample has its weather an hour late in summer: process_data may mend it."""
    rows = frame.index[(frame.index >= sample.START) & (frame.index <= sample.END)]
    rows = rows[summer(rows) == 1][-500:]
    if rows.empty:
        return True
    noises = sample.draw()
    hours = ((rows - pd.Timestamp(sample.START, tz="UTC")) // pd.Timedelta(hours=1)).to_numpy()
    whole = np.arange(max(0, hours[0] - BEFORE), hours[-1] + 1)
    air = sample.simulate_sky(whole, noises.windy[whole], noises.cloudy[whole], noises.warm[whole]).air
    there = frame.loc[rows, "temperature"].to_numpy()
    miss = [np.abs(there - air[hours - whole[0] - shift]).mean() for shift in (0, 1)]
    return bool(miss[1] < miss[0])


def summer(stamps: pd.DatetimeIndex) -> np.ndarray:
    """Return 1 for each hour of Berlin's summer time by the sample's stamps, else 0."""
    berlin = stamps.tz_convert("Europe/Berlin").tz_localize(None)
    return ((berlin - stamps.tz_localize(None)) / pd.Timedelta(hours=1)).to_numpy().astype(int) - 1


def _error(seed: int, memory: float, smoothing: float) -> np.ndarray:
    """Return LEADS hours of noise, mean 0 and variance 1, that is forgotten as the weather's own is."""
    white = np.random.RandomState(seed % 2**32).standard_normal(SETTLE + LEADS)
    unit = np.zeros(SETTLE * 10)
    unit[0] = 1
    for hours in (memory, smoothing):
        keep = np.exp(-1 / hours)
        white, unit = (lfilter([1 - keep], [1, -keep], values) for values in (white, unit))
    return white[SETTLE:] / np.sqrt((unit**2).sum())
