"""SMARD (Bundesnetzagentur): measured generation of Germany by the hour, the second choice beside Energy-Charts.

A file of https://www.smard.de/app/chart_data is a week from Monday 00:00 of Berlin. Values are MWh an hour, which is
the mean in MW, stamped at its start in milliseconds since 1970; null is "not published yet".
"""

from typing import Any

import pandas as pd

from dsgo.data.countries import Country
from dsgo.data.schema import TARGETS, TIME
from dsgo.data.services import Service, progress

SERVICE = Service("smard", "https://www.smard.de/app/chart_data", "DSGO_SMARD_URL", pause=0.5)
LICENCE = "Power data: Bundesnetzagentur | SMARD.de, CC BY 4.0"
REVISED = pd.Timedelta(days=21)  # the last two weeks are revised
FILTERS = {"solar_GW": [4068], "wind_GW": [4067, 1225]}  # solar; wind onshore and offshore
WEEK = pd.Timedelta(days=7, hours=1)  # the longest: 169 hours where daylight saving ends


def get_generation(country: Country, start: pd.Timestamp, end: pd.Timestamp, now: pd.Timestamp) -> pd.DataFrame:
    """Return measured solar_GW and wind_GW (GW, mean over the hour, stamped at its start) from `start` to before `end`.

    An hour that is not published is NaN. Raises AnswerError.
    """
    result = {}
    for target, filters in FILTERS.items():
        parts = [_series(number, country.smard, start, end, now) for number in filters]
        result[target] = sum(parts[1:], parts[0]) / 1000
    frame = pd.DataFrame(result).rename_axis(TIME)[TARGETS]
    return frame[(frame.index >= start) & (frame.index < end)]


def _series(number: int, region: str, start: pd.Timestamp, end: pd.Timestamp, now: pd.Timestamp) -> pd.Series:
    folder = f"/{number}/{region}"
    stamps = SERVICE.get(f"{folder}/index_hour.json", {}, read_index)
    weeks = zip(stamps, pd.to_datetime(stamps, unit="ms", utc=True), strict=True)
    wanted = [(stamp, week) for stamp, week in weeks if week + WEEK > start and week < end]
    SERVICE.require(wanted, f"a week of filter {number} after {start:%Y-%m-%d}", stamps[-3:])
    parts = [
        SERVICE.get(f"{folder}/{number}_{region}_hour_{stamp}.json", {}, read_week, keep=week + WEEK < now - REVISED)
        for stamp, week in progress(wanted, f"SMARD, filter {number}")
    ]
    whole = pd.concat(parts)
    return whole[~whole.index.duplicated()]


def read_index(answer: Any) -> list[int]:
    """Return the stamps (ms since 1970) of the weeks that there are."""
    return [int(stamp) for stamp in answer["timestamps"]]


def read_week(answer: Any) -> pd.Series:
    """Return MW by time of a week's file."""
    rows = answer["series"]
    index = pd.to_datetime([stamp for stamp, _ in rows], unit="ms", utc=True)
    SERVICE.require((index == index.floor("h")).all() and index.is_monotonic_increasing, "hours in order", rows[:3])
    return pd.Series([value for _, value in rows], index, dtype="float64")
