"""Reading a raw pair (power, weather) in Open Power System Data (OPSD) form: only the columns and hours needed."""

import csv
import gzip
import re
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, NamedTuple, cast

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from dsgo.base.errors import UserError
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
    inf. Raises UserError for an unknown country (the known are listed), missing columns, a file that is no CSV,
    timestamps without a zone or not hourly, and a pair without a common hour in the period.
    """
    power_header, weather_header = _header(pair.power, POWER_NAME), _header(pair.weather, WEATHER_NAME)
    power_names = {name: f"{country}_{raw}" for name, raw in POWER_COLUMNS.items()}
    weather_names = {name: f"{country}_{raw}" for name, raw in WEATHER_COLUMNS.items()}
    capacity_names = {name: f"{country}_{raw}" for name, raw in CAPACITY_COLUMNS.items()}
    if not {*power_names.values(), *weather_names.values()} & {*power_header, *weather_header}:
        known = ", ".join(_countries(power_header, weather_header)) or "none"
        raise UserError(f"country={country} is in neither file; known there: {known}")
    for path, names, header in (
        (pair.power, power_names, power_header),
        (pair.weather, weather_names, weather_header),
    ):
        if missing := set(names.values()) - set(header):
            raise UserError(f"{path} has no column {', '.join(sorted(missing))}")
    if set(capacity_names.values()) <= set(power_header):
        power_names |= capacity_names

    power = _read(pair.power, POWER_NAME, power_names, hours)
    weather = _read(pair.weather, WEATHER_NAME, weather_names, hours)
    if not power.index.isin(weather.index).any():
        spans = (f"{index[0]:%Y-%m-%dT%HZ} to {index[-1]:%Y-%m-%dT%HZ}" for index in (power.index, weather.index))
        raise UserError("power ({}) and weather ({}) have no hour in common in the period".format(*spans))
    return power / 1000, weather


@contextmanager
def open_csv(path: Path, stem: str) -> Iterator[BinaryIO]:
    """Open a CSV file, or the CSV in a gzip or zip (there named `stem`, a pattern), told apart by their first bytes.

    Raises UserError where the file cannot be read, or its archive is broken or has no such CSV.
    """
    try:
        with path.open("rb") as plain:
            magic = plain.read(4)
        if magic == b"PK\x03\x04":
            with zipfile.ZipFile(path) as archive:
                names = [name for name in archive.namelist() if re.fullmatch(rf"(.*/)?{stem}\.csv", name)]
                if len(names) != 1:
                    raise UserError(f"{path} must hold one {stem.partition('(')[0]}.csv, it holds {len(names)}")
                with archive.open(names[0]) as unpacked:
                    yield cast(BinaryIO, unpacked)
        elif magic[:2] == b"\x1f\x8b":
            with gzip.open(path) as unpacked:
                yield cast(BinaryIO, unpacked)
        else:
            with path.open("rb", buffering=2**17) as file:
                yield file
    except (OSError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise UserError(f"{path} cannot be read: {error}") from error


def _header(path: Path, stem: str) -> list[str]:
    with open_csv(path, stem) as file:
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


def _countries(power_header: list[str], weather_header: list[str]) -> list[str]:
    """List the countries that have every column needed of both files."""

    def having(header: list[str], columns: dict[str, str]) -> set[str]:
        ends = [f"_{raw}" for raw in columns.values()]
        of_column = [{name.removesuffix(end) for name in header if name.endswith(end)} for end in ends]
        return set.intersection(*of_column)

    both = having(power_header, POWER_COLUMNS) & having(weather_header, WEATHER_COLUMNS)
    return sorted(both)


def _read(path: Path, stem: str, names: dict[str, str], hours: pd.DatetimeIndex) -> pd.DataFrame:
    """Return the named columns for the period.

    What is not needed is never parsed: lines of other years are dropped as they are read, other columns are skipped.
    Values come as text and become numbers at the end, so that a field that is no number does not stop the parser.
    """
    wanted = [TIME, *names.values()]
    options = pa.csv.ConvertOptions(
        include_columns=wanted,
        column_types={name: pa.string() for name in wanted} | {TIME: pa.timestamp("us", "UTC")},
        null_values=[""],
        strings_can_be_null=True,
    )
    try:
        table = pa.csv.read_csv(_lines(path, stem, hours), convert_options=options)
    except pa.ArrowInvalid as error:
        if "zone offset" in str(error):
            raise UserError(f"{path}: {TIME} has no time zone; OPSD writes 2013-01-01T00:00:00Z") from error
        raise UserError(f"{path} is no CSV file in OPSD form: {str(error).splitlines()[0]}") from error
    if table[TIME].null_count:
        raise UserError(f"{path}: {table[TIME].null_count} rows have no {TIME}")

    after = hours[-1] + pd.Timedelta(hours=1)
    inside = (pc.field(TIME) >= hours[0].to_pydatetime()) & (pc.field(TIME) < after.to_pydatetime())
    frame = table.filter(inside).to_pandas().set_index(TIME).sort_index(kind="stable")
    if frame.empty:
        raise UserError(f"{path} has no hour between {hours[0]:%Y-%m-%d} and {hours[-1]:%Y-%m-%d}")
    if len(odd := frame.index[frame.index != frame.index.floor("h")]):
        raise UserError(f"{path} is not hourly: it holds {odd[0]:%Y-%m-%dT%H:%M:%SZ}; OPSD's 60min file is needed")
    return pd.DataFrame({name: _numbers(frame[raw]) for name, raw in names.items()}, index=frame.index)


def _lines(path: Path, stem: str, hours: pd.DatetimeIndex) -> BytesIO:
    """Return the CSV without the lines that begin with a date outside the period (a day either way for time zones)."""
    day = pd.Timedelta(days=1)
    first, last = (f"{at:%Y-%m-%d}".encode() for at in (hours[0] - day, hours[-1] + day))
    kept = BytesIO()
    with open_csv(path, stem) as file:
        kept.write(file.readline())
        kept.writelines(line for line in file if first <= line[:10] <= last or not line[:4].isdigit())
    kept.seek(0)
    return kept


def _numbers(texts: pd.Series) -> pd.Series:
    """Turn texts into float64: an empty field into NaN, one that is no finite number into inf."""
    values = pd.to_numeric(texts, errors="coerce").astype("float64")
    return values.mask(texts.notna() & ~np.isfinite(values), np.inf)
