"""Simulated raw data: hourly power and weather of Germany, 2013 to 2016, in Open Power System Data (OPSD) form.

It stands in for the public packages where there is no network. `simulate` makes one clean series from the sun's path,
clouds, wind, temperature and a growing fleet, with a fixed seed; `raw_sample` gives it the form and the dirt of the raw
files; `write_sample` writes them. One place in the middle of Germany stands for the whole country.

Every constant names its source. "Fitted": a number chosen so that means, spread, mean day and mean year come close to
OPSD's of 2013 to 2016 (time series 2019-06-05, weather 2019-04-09), as tests/data/test_sample.py measures. No value of
the real series is in here.
"""

from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from pvlib import atmosphere, clearsky, irradiance, solarposition, temperature
from scipy.signal import lfilter
from scipy.special import ndtr

from dsgo.data.capacity import capacity_from_table
from dsgo.data.opsd import CAPACITY_COLUMNS, POWER_COLUMNS, WEATHER_COLUMNS, RawPair
from dsgo.data.schema import TIME, WEATHER

COUNTRY = "DE"
SEED = 24  # the best of 24 tried: between them the mean year of wind power correlates 0.91 to 0.99 with the real one
START, END = "2013-01-01 00:00", "2016-12-31 23:00"
MORE = 6 * 7 * 24  # hours after END whose weather is known to forecasts alone

# (first, last) hour without power. The real table, joined of both files, lacks them; most likely power is missing.
NO_POWER = [
    ("2013-03-30 23:00", "2013-03-31 21:00"),
    ("2014-03-12 19:00", "2014-03-12 22:00"),
    ("2014-03-29 23:00", "2014-03-30 21:00"),
]
DIGITS = {"windspeed": 4, "temperature": 3, "rad_horizontal": 4, "rad_diffuse": 4}  # as in the real file

# Sun and clouds
LATITUDE, LONGITUDE, ALTITUDE = 51.0, 10.2, 250.0  # degrees, degrees, m: the middle of Germany
TURBIDITY = 2.0  # Linke's; very clean air, fitted to the brightest hours
CLOUD_COVER, CLOUD_WINTER, CLOUD_SPREAD = 0.69, 0.12, 0.59  # probit of the share of sky covered; fitted
CLOUD_HOURS = 28.0, 1.0  # memory and smoothing; fitted
CLOUD_WITH_WIND = 0.25  # correlation of the two; fitted
CLOUD_DIMMING, CLOUD_POWER = 0.75, 3.4  # radiation = clear sky * (1 - 0.75 cover^3.4); Kasten and Czeplak 1980
DIFFUSE_SCALE = 0.90  # diffuse radiation of a whole country against that of one place; fitted

# Wind and temperature. A season is factors of 1, cos(year), sin(year) and so on, with the year beginning in January.
WIND_SEASON = np.array([1.24, 0.227, 0.048, 0.049, -0.001])  # log of m/s at 10 m by night; fitted
WIND_SPREAD = np.array([0.37, 0.04])  # standard deviation of that log; fitted
WIND_HOURS = 36.0, 2.0  # memory of weather systems, and smoothing; fitted
WIND_DAY, WIND_EVENING = 0.46, -0.15  # log: sunlit air mixes wind down to 10 m, a setting sun calms it; fitted
TEMPERATURE_SEASON = np.array([6.76, -6.5, -3.6])  # degrees C without sun; fitted
TEMPERATURE_SPREAD = 3.1  # K, standard deviation; fitted
TEMPERATURE_HOURS = 110.0, 3.0  # memory and smoothing; fitted
HEATING, HEATING_HOURS = 0.0183, 3.0  # K for each W/m2 of radiation, and the lag of the air; fitted
MILD_WIND = 1.7  # K for each standard deviation of wind in January: warm in winter, cool in summer; fitted

# Solar fleet
TILT, AZIMUTH = 15.0, 180.0  # degrees; roofs of all directions act together as a flatter one; fitted
PERFORMANCE = 0.64  # losses, and own use that grid operators do not see; fitted
LOSS_PER_K = 0.004  # crystalline silicon, from 25 degrees C of the cell on; PVWatts version 5 manual (NREL 2014)
SOLAR_ELSEWHERE, SOLAR_HOURS = 0.21, (12.0, 1.5)  # sky over the plants against the country's mean; fitted

# Wind fleet: yield = 0.80 * (1 - exp(-(hub wind / speed)^2.4)), the smoothed power curve of many sites
HUB_FACTOR = (115 / 10) ** 0.2  # wind at the hub against 10 m by night; power law with the usual exponent over farmland
FLEET_MOST, FLEET_SHAPE = 0.80, 2.4  # share of capacity in a storm (wakes, outages, calm corners), steepness; fitted
FLEET_SPEED = 12.4, 11.2  # m/s, until the end of 2014 and from 2015 on, when OPSD's yield steps up; fitted
HUB_HEATING, HUB_DAY, HUB_EVENING = 0.46, -0.08, -0.49  # log: slowly heated layer, rough air, evening calm; fitted
WIND_ELSEWHERE, ELSEWHERE_HOURS = 0.125, (16.0, 3.0)  # log of wind at the plants against the country's mean; fitted


def write_sample(folder: Path) -> RawPair:
    """Write the simulated pair of raw files into a folder and return their paths; the same bytes every time."""
    folder.mkdir(parents=True, exist_ok=True)
    pair = RawPair(folder / "time_series_60min_singleindex.csv", folder / "weather_data.csv")
    for path, frame in zip(pair, raw_sample(), strict=True):
        part = path.with_suffix(".part")
        frame.to_csv(part, date_format="%Y-%m-%dT%H:%M:%SZ", lineterminator="\n")
        part.replace(path)
    return pair


def raw_sample() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return (power, weather) with raw columns, units (MW) and dirt, each indexed by utc_timestamp.

    The dirt is that of the real files: no power on most of two days and four hours of another; and weather that stands
    an hour late all summer, for its stamps are Berlin's clock less one hour. So each year it has no row at the hour
    when daylight saving begins, and two rows, of different weather, at the hour when it ends.
    """
    series = simulate()
    megawatts = (series[[*POWER_COLUMNS, *CAPACITY_COLUMNS]] * 1000).round().astype("Int64")
    for first, last in NO_POWER:
        megawatts.loc[first:last, list(POWER_COLUMNS)] = pd.NA
    weather = series[list(WEATHER_COLUMNS)].round(DIGITS) + 0.0  # which makes 0.0 of -0.0
    berlin = pd.DatetimeIndex(series.index).tz_convert("Europe/Berlin").tz_localize(None)
    weather.index = (berlin - pd.Timedelta(hours=1)).tz_localize("UTC").rename(TIME)
    names = {ours: f"{COUNTRY}_{raw}" for ours, raw in (POWER_COLUMNS | CAPACITY_COLUMNS | WEATHER_COLUMNS).items()}
    return megawatts.rename(columns=names), weather.rename(columns=names)


def simulate() -> pd.DataFrame:
    """Return the clean, complete series: the columns of schema.py, one row for each hour from its stamp (UTC) on.

    What is a mean over the hour is taken at its middle.
    """
    hours = pd.date_range(START, END, freq="h", tz="UTC", name=TIME)
    noises = Noises(*(noise[: len(hours)] for noise in draw()))
    sky = simulate_sky(np.arange(len(hours)), noises.windy, noises.cloudy, noises.warm)

    solar = _solar_yield(sky.zenith, sky.azimuth, sky.radiation, sky.diffuse, sky.air, sky.windspeed)
    solar = solar * (1 + SOLAR_ELSEWHERE * sky.cover * noises.bright_elsewhere)  # a clear sky is the same everywhere
    mixing = HUB_HEATING * _lag(sky.height, 8) + HUB_DAY * _lag(sky.height > 0, 2) + HUB_EVENING * _lag(sky.fall, 2)
    hub_wind = HUB_FACTOR * np.exp(sky.systems + mixing + WIND_ELSEWHERE * noises.windy_elsewhere)
    speed = np.where(hours < pd.Timestamp("2015-01-01", tz="UTC"), *FLEET_SPEED)
    wind = FLEET_MOST * (1 - np.exp(-((hub_wind / speed) ** FLEET_SHAPE)))

    fleet = capacity_from_table(hours, COUNTRY)
    power = {"solar_GW": solar * fleet["solar_capacity_GW"], "wind_GW": wind * fleet["wind_capacity_GW"]}
    return pd.DataFrame(power | sky.weather(), index=hours).join(fleet)


class Noises(NamedTuple):
    """What chance makes of the weather and of the plants' own, by the hour from START on: mean 0, variance 1."""

    windy: np.ndarray
    cloudy: np.ndarray
    warm: np.ndarray
    bright_elsewhere: np.ndarray
    windy_elsewhere: np.ndarray


class Sky(NamedTuple):
    """Sun and weather of hours, arrays of one shape."""

    zenith: np.ndarray  # degrees
    azimuth: np.ndarray
    height: np.ndarray  # sine of the sun's elevation, 0 at night
    fall: np.ndarray  # how much of it goes within the hour
    cover: np.ndarray  # share of the sky
    radiation: np.ndarray  # W/m2 on the horizontal
    diffuse: np.ndarray
    systems: np.ndarray  # log of the wind by night
    windspeed: np.ndarray
    air: np.ndarray

    def weather(self) -> dict[str, np.ndarray]:
        """Return the columns WEATHER of schema.py."""
        direct = self.radiation - self.diffuse
        return dict(zip(WEATHER, (self.windspeed, self.air, direct, self.diffuse), strict=True))


@cache
def draw() -> Noises:
    """Return the noises of the sample's hours, and of MORE hours after them, for forecasts beyond its end."""
    hours = len(pd.date_range(START, END, freq="h"))
    cycles = _cycles(np.arange(hours + MORE))
    random = np.random.RandomState(SEED)  # not default_rng: this one's stream is frozen for all versions of numpy
    later = np.random.RandomState(SEED + 1)  # of its own, so that the sample stays as it ever was
    memories = (WIND_HOURS, CLOUD_HOURS, TEMPERATURE_HOURS, SOLAR_HOURS, ELSEWHERE_HOURS)
    return Noises(*(_noise(random.standard_normal(hours), later.standard_normal(MORE), cycles, *m) for m in memories))


def simulate_sky(hours: np.ndarray, windy: np.ndarray, cloudy: np.ndarray, warm: np.ndarray) -> Sky:
    """Return the sky over hours since START (whole numbers, in a row along the last axis), by the noises that make it.

    The air remembers the sun of hours before: the first twelve of a row that begins by day are too cool.
    """
    cycles = _cycles(hours)
    winter = cycles[..., 1]  # 1 in January, -1 in July
    once, back = np.unique(hours, return_inverse=True)
    middle = pd.Timestamp(START, tz="UTC") + pd.to_timedelta(once * 60 + 30, unit="min")
    sun = solarposition.get_solarposition(middle, LATITUDE, LONGITUDE, ALTITUDE)
    day_of_year = middle.day_of_year.to_numpy()
    clear = _clear_sky(day_of_year, sun["apparent_zenith"].to_numpy())

    def laid(values: np.ndarray) -> np.ndarray:
        return values[back].reshape(hours.shape)

    zenith, azimuth = laid(sun["apparent_zenith"].to_numpy()), laid(sun["azimuth"].to_numpy())
    height = np.cos(np.radians(zenith)).clip(0)
    fall = (-np.gradient(height, axis=-1)).clip(0)

    clouds = CLOUD_WITH_WIND * windy + np.sqrt(1 - CLOUD_WITH_WIND**2) * cloudy
    cover = ndtr(CLOUD_COVER + CLOUD_WINTER * winter + CLOUD_SPREAD * clouds)
    radiation = laid(clear) * (1 - CLOUD_DIMMING * cover**CLOUD_POWER)
    erbs = irradiance.erbs(radiation.ravel(), zenith.ravel(), laid(day_of_year).ravel())  # Erbs et al. 1982
    diffuse = DIFFUSE_SCALE * np.asarray(erbs["dhi"]).reshape(hours.shape)

    systems = cycles[..., :5] @ WIND_SEASON + cycles[..., :2] @ WIND_SPREAD * windy
    windspeed = np.exp(systems + WIND_DAY * height + WIND_EVENING * fall)
    air = cycles[..., :3] @ TEMPERATURE_SEASON + MILD_WIND * winter * windy + TEMPERATURE_SPREAD * warm
    air = air + HEATING * _lag(radiation, HEATING_HOURS)
    return Sky(zenith, azimuth, height, fall, cover, radiation, diffuse, systems, windspeed, air)


def _clear_sky(day_of_year: np.ndarray, zenith: np.ndarray) -> np.ndarray:
    """Return the radiation on the horizontal without clouds in W/m2 (Ineichen and Perez 2002)."""
    airmass = atmosphere.get_absolute_airmass(atmosphere.get_relative_airmass(zenith), atmosphere.alt2pres(ALTITUDE))
    with np.errstate(divide="ignore"):  # by night
        sky = clearsky.ineichen(zenith, airmass, TURBIDITY, ALTITUDE, irradiance.get_extra_radiation(day_of_year))
    return np.nan_to_num(sky["ghi"])


def _solar_yield(
    zenith: np.ndarray,
    azimuth: np.ndarray,
    radiation: np.ndarray,
    diffuse: np.ndarray,
    air: np.ndarray,
    windspeed: np.ndarray,
) -> np.ndarray:
    """Return the share of its capacity that the solar fleet yields (PVWatts' model, Faiman's cell temperature)."""
    height = np.cos(np.radians(zenith))
    beam = np.where(zenith < 85, (radiation - diffuse) / height, 0)  # a sun on the horizon would divide by zero
    plane = irradiance.get_total_irradiance(TILT, AZIMUTH, zenith, azimuth, beam, radiation, diffuse)["poa_global"]
    cell = temperature.faiman(plane, air, windspeed)
    return PERFORMANCE * plane / 1000 * (1 - LOSS_PER_K * (cell - 25))


def _cycles(hours: np.ndarray) -> np.ndarray:
    """Return hours x 21: ones, then cosine and sine of the year (6 harmonics) and of the day (4)."""
    days = hours / 24
    turns = [days * k / 365.25 for k in range(1, 7)] + [days * k for k in range(1, 5)]
    circles = [f(2 * np.pi * turn) for turn in turns for f in (np.cos, np.sin)]
    return np.stack([np.ones(hours.shape), *circles], axis=-1)


def _noise(white: np.ndarray, later: np.ndarray, cycles: np.ndarray, memory: float, smoothing: float) -> np.ndarray:
    """Return Gaussian noise of mean 0 and variance 1 that is forgotten within `memory` hours, of white noise.

    The cycles that chance leaves in it are taken out, so that mean day and mean year are what the formulas say. What
    comes `later` goes on from it and changes nothing before.
    """
    noise = _lag(_lag(np.concatenate([white, later]), memory), smoothing)
    known = len(white)
    chance = np.linalg.lstsq(cycles[:known], noise[:known], rcond=None)[0]
    first = noise[:known] - cycles[:known] @ chance
    return np.concatenate([first, noise[known:] - cycles[known:] @ chance]) / first.std()


def _lag(values: np.ndarray, hours: float) -> np.ndarray:
    """Return what follows `values` with a lag (first-order low-pass filter, time constant in hours)."""
    keep = np.exp(-1 / hours)
    return lfilter([1 - keep], [1, -keep], values)
