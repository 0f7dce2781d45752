"""SMARD (Bundesnetzagentur): measured generation of Germany by the hour, the second choice beside Energy-Charts.

Form: https://www.smard.de/app/chart_data; a file is a week from Monday 00:00 of Berlin, values are MWh an hour, which
is the hour's mean in MW, stamped at its start in milliseconds since 1970; null is "not published yet".
"""

from typing import Any

import pandas as pd

from dsgo.data.schema import TARGETS, TIME
from dsgo.data.services import Service, require

SERVICE = Service("smard", "https://www.smard.de/app/chart_data", "DSGO_SMARD_URL", pause=0.5)
LICENCE = "Power data: Bundesnetzagentur | SMARD.de, CC BY 4.0"
REVISED = pd.Timedelta(days=21)  # the last two weeks are revised
FILTERS = {"solar_GW": [4068], "wind_GW": [4067, 1225]}  # solar; wind onshore and offshore
WEEK = pd.Timedelta(days=7, hours=1)  # the longest: 169 hours where daylight saving ends


def get_generation(region: str, start: pd.Timestamp, now: pd.Timestamp) -> pd.DataFrame:
    """Return measured solar_GW and wind_GW (GW, mean over the hour, stamped at its start) from `start` to before `now`.

    `region` is as SMARD writes it ("DE"). An hour that is not published is NaN.
    """
    result = {}
    for target, filters in FILTERS.items():
        parts = [_series(number, region, start, now) for number in filters]
        result[target] = sum(parts[1:], parts[0]) / 1000
    frame = pd.DataFrame(result).rename_axis(TIME)[TARGETS]
    return frame[(frame.index >= start) & (frame.index < now)]


def _series(number: int, region: str, start: pd.Timestamp, now: pd.Timestamp) -> pd.Series:
    answer = SERVICE.get(f"/{number}/{region}/index_hour.json")
    require(isinstance(answer, dict) and "timestamps" in answer, SERVICE, "key timestamps", answer)
    weeks = pd.to_datetime(answer["timestamps"], unit="ms", utc=True)
    parts = []
    for stamp, week in zip(answer["timestamps"], weeks, strict=True):
        if week + WEEK > start and week < now:
            path = f"/{number}/{region}/{number}_{region}_hour_{stamp}.json"
            parts.append(_week(SERVICE.get(path, keep=week + WEEK < now - REVISED)))
    require(parts, SERVICE, f"no week of filter {number} from {start:%Y-%m-%d} on", answer["timestamps"][-3:])
    whole = pd.concat(parts)
    return whole[~whole.index.duplicated()]


def _week(answer: Any) -> pd.Series:
    require(isinstance(answer, dict) and "series" in answer, SERVICE, "key series", answer)
    rows = answer["series"]
    require(all(isinstance(row, list) and len(row) == 2 for row in rows), SERVICE, "pairs of time and value", rows[:1])
    index = pd.to_datetime([row[0] for row in rows], unit="ms", utc=True)
    return pd.Series([row[1] for row in rows], index, dtype="float64")
