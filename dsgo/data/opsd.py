"""Reading a raw pair (power, weather) in Open Power System Data (OPSD) form: only the columns and hours needed."""

import csv
import re
from datetime import date
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv

from dsgo.base.errors import UserError, reason
from dsgo.data.columns import to_times
from dsgo.data.findings import Findings
from dsgo.data.packed import unpacked
from dsgo.data.schema import CAPACITY, TARGETS, TIME, WEATHER

START, END = "2013-01-01", "2016-12-31"  # of the public packages: what both have of power and weather
POWER_NAME = r"time_series_60min_singleindex(_filtered)?"
WEATHER_NAME = r"weather_data(_filtered)?"
# Our names and the raw columns after "<country>_". Power and capacity are in MW there, the weather in our units.
POWER_COLUMNS = dict(zip(TARGETS, ["solar_generation_actual", "wind_generation_actual"], strict=True))
CAPACITY_COLUMNS = dict(zip(CAPACITY, ["solar_capacity", "wind_capacity"], strict=True))
WEATHER_COLUMNS = dict(
    zip(
        WEATHER,
        ["windspeed_10m", "temperature", "radiation_direct_horizontal", "radiation_diffuse_horizontal"],
        strict=True,
    )
)


class RawPair(NamedTuple):
    """The two files: CSV, or gzip or zip of it."""

    power: Path
    weather: Path


def find_pair(folder: Path) -> RawPair:
    """Return the pair in a folder, under the names that OPSD gives; UserError unless there is exactly one of each."""
    if not folder.is_dir():
        raise UserError(f"there is no folder {folder} to take the raw data from")
    found = []
    for stem, package in ((POWER_NAME, "time_series"), (WEATHER_NAME, "weather_data")):
        name = re.compile(rf"{stem}(\.csv|\.csv\.gz|\.csv\.zip|\.zip)|opsd-{package}-.*\.zip")
        files = sorted(path for path in folder.iterdir() if name.fullmatch(path.name))
        if not files:
            raise UserError(f"{folder} holds no {stem.partition('(')[0]}.csv (as it is, _filtered, .gz or .zip)")
        if len(files) > 1:
            raise UserError(f"{folder} holds {' and '.join(path.name for path in files)}: leave one of them")
        found.append(files[0])
    return RawPair(*found)


def period(start: str, end: str) -> pd.DatetimeIndex:
    """Return every hour (UTC) from `start` 00:00 to `end` 23:00; UserError where these are no dates in that order.

    Where one is empty, the years serve that the sample and the public packages cover.

    >>> len(period("2016-02-28", "2016-03-01"))
    72
    """
    try:
        first, last = date.fromisoformat(start or START), date.fromisoformat(end or END)
    except ValueError as error:
        raise UserError(f"start={start} and end={end} must be dates such as 2013-01-01") from error
    if first > last:
        raise UserError(f"start={first} is after end={last}")
    end_hour = pd.Timestamp(last, tz="UTC") + pd.Timedelta(hours=23)
    return pd.date_range(pd.Timestamp(first, tz="UTC"), end_hour, freq="h", unit="us", name=TIME)


def read_raw(pair: RawPair, hours: pd.DatetimeIndex, country: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return (power, weather) of a country for the period of `hours`, each indexed by utc_timestamp as it stands.

    Power has solar_GW and wind_GW in GW, and both capacities where the file has both columns; weather has the four
    weather columns. Doubled and missing hours are as in the files; an empty field is NaN, and one that is no number is
    inf. Raises UserError for an unknown country or missing columns (the countries that work are listed), a file that
    is no CSV, timestamps without a zone or not hourly, and a pair without a common hour in the period.
    """
    power_header, weather_header = _header(pair.power, POWER_NAME), _header(pair.weather, WEATHER_NAME)
    power_names, power_missing = _raw_names(country, POWER_COLUMNS, power_header)
    weather_names, weather_missing = _raw_names(country, WEATHER_COLUMNS, weather_header)
    if power_missing or weather_missing:
        known = ", ".join(_countries(power_header, weather_header)) or "none"
        if not power_names and not weather_names:
            raise UserError(f"country={country} is in neither file; known there: {known}")
        path, missing = (pair.power, power_missing) if power_missing else (pair.weather, weather_missing)
        raise UserError(f"{path} has no column {', '.join(missing)}; countries that have every column: {known}")
    capacity_names, capacity_missing = _raw_names(country, CAPACITY_COLUMNS, power_header)
    if not capacity_missing:
        power_names |= capacity_names

    power = _read(pair.power, POWER_NAME, power_names, hours)
    weather = _read(pair.weather, WEATHER_NAME, weather_names, hours)
    if not power.index.isin(weather.index).any():
        spans = (f"{index[0]:%Y-%m-%dT%HZ} to {index[-1]:%Y-%m-%dT%HZ}" for index in (power.index, weather.index))
        raise UserError("power ({}) and weather ({}) have no hour in common in the period".format(*spans))
    return power / 1000, weather


def _header(path: Path, stem: str) -> list[str]:
    with unpacked(path, rf"{stem}\.csv") as file:
        line = file.readline(2**20)
    if not line:
        raise UserError(f"{path} is empty")
    try:
        names = next(csv.reader([line.decode("utf-8-sig")]))
    except (UnicodeDecodeError, csv.Error):
        names = []
    if TIME not in names:
        raise UserError(f"{path} is no CSV file in OPSD form: its first line has no column {TIME}")
    return names


def _raw_names(country: str, columns: dict[str, str], header: list[str]) -> tuple[dict[str, list[str]], list[str]]:
    """Return the raw columns that add up to each of ours, and the raw columns that are missing.

    A quantity without a column of its own is the sum of its parts, as far as the file has them: wind_capacity is
    wind_onshore_capacity and wind_offshore_capacity.

    >>> _raw_names("AT", CAPACITY_COLUMNS, ["AT_wind_onshore_capacity", "AT_wind_offshore_capacity"])
    ({'wind_capacity_GW': ['AT_wind_onshore_capacity', 'AT_wind_offshore_capacity']}, ['AT_solar_capacity'])
    """
    names, missing = {}, []
    for ours, raw in columns.items():
        parts = [raw.replace("wind_", f"wind_{part}_", 1) for part in ("onshore", "offshore")]
        own, summed = f"{country}_{raw}", [f"{country}_{part}" for part in parts if f"{country}_{part}" in header]
        if own in header:
            names[ours] = [own]
        elif raw.startswith("wind_") and summed:
            names[ours] = summed
        else:
            missing.append(own)
    return names, missing


def _countries(power_header: list[str], weather_header: list[str]) -> list[str]:
    """List the countries that have every column needed of both files."""
    end = f"_{WEATHER_COLUMNS[WEATHER[0]]}"
    candidates = [name.removesuffix(end) for name in weather_header if name.endswith(end)]
    needed = (POWER_COLUMNS, power_header), (WEATHER_COLUMNS, weather_header)
    return sorted(one for one in candidates if not any(_raw_names(one, *part)[1] for part in needed))


def _read(path: Path, stem: str, names: dict[str, list[str]], hours: pd.DatetimeIndex) -> pd.DataFrame:
    """Return the named columns for the period; one of ours is the sum of its raw columns.

    What is not needed is never parsed: lines of other years are dropped as they are read, other columns are skipped.
    Values come as text and become numbers at the end, so that a field that is no number does not stop the parser.
    """
    wanted = [TIME, *(name for parts in names.values() for name in parts)]
    options = pa.csv.ConvertOptions(
        include_columns=wanted,
        column_types=dict.fromkeys(wanted, pa.string()),
        null_values=[""],
        strings_can_be_null=True,
    )
    lines, numbers = _lines(path, stem, hours)
    try:
        raw = pa.csv.read_csv(lines, convert_options=options).to_pandas()
    except pa.ArrowInvalid as error:
        raise UserError(f"{path} is no CSV file in OPSD form: {reason(error)}") from error
    found = Findings()
    times = to_times(raw[TIME], found, numbers)
    if found:
        raise UserError(f"{path}: {'; '.join(found.lines(rows=1))}")

    inside = (times >= hours[0]) & (times <= hours[-1] + pd.Timedelta(minutes=59))
    frame = raw.drop(columns=TIME).set_axis(times)[inside].sort_index(kind="stable")
    if frame.empty:
        raise UserError(
            f"{path} has no hour between {hours[0]:%Y-%m-%d} and {hours[-1]:%Y-%m-%d}; it covers {_span(path, stem)}"
        )
    if len(odd := frame.index[frame.index != frame.index.floor("h")]):
        raise UserError(f"{path} is not hourly: it holds {odd[0]:%Y-%m-%dT%H:%M:%SZ}; OPSD's 60min file is needed")
    return pd.DataFrame({ours: _sum(frame[parts]) for ours, parts in names.items()}, index=frame.index)


def _day(line: bytes, column: int) -> bytes:
    """Return the first ten characters of a field, where quotes need not be minded: a date, or what is none."""
    return line[:10] if column == 0 else b"".join(line.split(b",", column + 1)[column : column + 1])[:10]


def _lines(path: Path, stem: str, hours: pd.DatetimeIndex) -> tuple[BytesIO, np.ndarray]:
    """Return the CSV without the lines of a date outside the period (a day either way for time zones); row numbers."""
    day, column = pd.Timedelta(days=1), _header(path, stem).index(TIME)
    first, last = (f"{at:%Y-%m-%d}".encode() for at in (hours[0] - day, hours[-1] + day))
    kept, numbers = BytesIO(), []
    with unpacked(path, rf"{stem}\.csv") as file:
        kept.write(file.readline())
        for number, line in enumerate(file, start=1):
            at = _day(line, column)
            if first <= at <= last or (not at[:4].isdigit() and not line.isspace()):
                kept.write(line)
                numbers.append(number)
    kept.seek(0)
    return kept, np.array(numbers, int)


def _span(path: Path, stem: str) -> str:
    """Return the first and the last day of a file, for a message."""
    column = _header(path, stem).index(TIME)
    with unpacked(path, rf"{stem}\.csv") as file:
        days = [at for line in file if (at := _day(line, column))[:4].isdigit()]
    return f"{min(days).decode()} to {max(days).decode()}" if days else "no hour"


def _sum(parts: pd.DataFrame) -> np.ndarray:
    """Add raw columns of text up; a part that is empty in the whole period counts as not there."""
    values = [_numbers(parts[name]) for name in parts]
    return np.sum([one for one in values if one.notna().any()] or values[:1], axis=0)


def _numbers(texts: pd.Series) -> pd.Series:
    """Turn texts into float64: an empty field into NaN, one that is no finite number into inf."""
    values = pd.to_numeric(texts, errors="coerce").astype("float64")
    return values.mask(texts.notna() & ~np.isfinite(values), np.inf)
