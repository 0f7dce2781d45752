"""A small raw pair in OPSD form, for tests."""

from pathlib import Path

import numpy as np
import pandas as pd

POWER_FILE, WEATHER_FILE = "time_series_60min_singleindex.csv", "weather_data.csv"


def power_frame(hours: pd.DatetimeIndex, country: str = "DE") -> pd.DataFrame:
    """Power in MW: solar 0 to 9000 with the hour, wind 5000 and more."""
    return pd.DataFrame(
        {
            f"{country}_load_actual": 1.0,
            f"{country}_solar_generation_actual": 9000 * np.sin(np.pi * hours.hour / 23).round(3),
            f"{country}_wind_generation_actual": 5000.0 + np.arange(len(hours)) % 7 * 100,
        },
        index=hours.strftime("%Y-%m-%dT%H:%M:%SZ").rename("utc_timestamp"),
    )


def weather_frame(hours: pd.DatetimeIndex, country: str = "DE") -> pd.DataFrame:
    """Weather with one column that nobody needs."""
    return pd.DataFrame(
        {
            f"{country}_windspeed_10m": 4.5 + np.arange(len(hours)) % 2,
            f"{country}_temperature": -1.0 - np.arange(len(hours)) % 2,
            f"{country}_radiation_direct_horizontal": 10.0 + np.arange(len(hours)) % 2,
            f"{country}_radiation_diffuse_horizontal": 20.0 + np.arange(len(hours)) % 2,
            f"{country}_snowfall": 0.0,
        },
        index=hours.strftime("%Y-%m-%dT%H:%M:%SZ").rename("utc_timestamp"),
    )


def write_pair(folder: Path, power: pd.DataFrame, weather: pd.DataFrame) -> Path:
    """Write both as CSV; return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    power.to_csv(folder / POWER_FILE)
    weather.to_csv(folder / WEATHER_FILE)
    return folder
