"""The one reader: the same dataset in every form that people keep one in, and everything that is wrong with a file."""

import gzip
import io
import subprocess
import sys
import zipfile
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dsgo.base.errors import UserError
from dsgo.data.columns import to_times
from dsgo.data.dataset import read_dataset
from dsgo.data.findings import Findings
from dsgo.data.opsd import find_pair, period, read_raw
from dsgo.data.schema import CAPACITY, COLUMNS, TIME
from shared import SHARED_DATA

HOURS = pd.date_range("2015-10-24 20:00", periods=12, freq="h", tz="UTC", name=TIME, unit="us")  # the clocks go back
VALUES = dict(zip(COLUMNS, [5.0, 7.0, 4.0, -2.0, 100.0, 90.0, 37.0, 35.0], strict=True))
MOVES = [name for name in COLUMNS if name not in CAPACITY]  # what stands still would be found, too
WANTED = pd.DataFrame(
    {name: first + np.arange(12) * (name in MOVES) for name, first in VALUES.items()} | {"rad_diffuse": range(12)},
    HOURS,
).astype("float64")
BERLIN = WANTED.set_axis(HOURS.tz_convert("Europe/Berlin").rename(TIME))


def csv(frame=WANTED, form="%Y-%m-%dT%H:%M:%SZ", **options):
    return frame.to_csv(date_format=form, **options).encode()


def parquet(frame=WANTED, **options):
    return frame.to_parquet(**options)


def zipped(*members, content=None):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for member in members:
            archive.writestr(member, content or csv())
    return file.getvalue()


def written(texts):
    """A CSV with these times."""
    return WANTED.set_axis(pd.Index(texts, name=TIME)).to_csv().encode()


def of_types(kind):
    return parquet(WANTED.astype(kind) if kind != "object" else WANTED.map(Decimal))


ISO = [f"{at:%Y-%m-%dT%H:%M:%S}" for at in HOURS]
SAME = {
    "csv": csv(),
    "crlf": csv(lineterminator="\r\n"),
    "byte order mark": b"\xef\xbb\xbf" + csv(),
    "semicolons": csv(sep=";"),
    "tabs": csv(sep="\t"),
    "quoted": csv(quoting=1),
    "spaces after commas": csv().replace(b",", b", "),
    "blank lines": csv().replace(b"\n", b"\n\n"),
    "no line break at the end": csv().rstrip(),
    "+00": csv(form="%Y-%m-%d %H:%M:%S+00"),
    "+00:00": csv(form="%Y-%m-%d %H:%M:%S+00:00"),
    "+0000": csv(form="%Y-%m-%dT%H:%M:%S+0000"),
    "as pandas writes an index": WANTED.to_csv().encode(),
    "two offsets, as with daylight saving": BERLIN.to_csv().encode(),
    "several offsets in one file": written([f"{at}{('Z', '+00', '+0000')[i % 3]}" for i, at in enumerate(ISO)]),
    "UTC in letters": written([f"{at} UTC" for at in ISO]),
    "a space before the offset": written([f"{at} +00:00" for at in ISO]),
    "small letters": written([f"{at}z".lower() for at in ISO]),
    "basic form": csv(form="%Y%m%dT%H%M%SZ"),
    "minutes": csv(form="%Y-%m-%dT%H:%MZ"),
    "milliseconds": csv(form="%Y-%m-%dT%H:%M:%S.000Z"),
    "Java's zone": written([f"{at.isoformat()}[Europe/Berlin]" for at in HOURS.tz_convert("Europe/Berlin")]),
    "an index column that pandas wrote": WANTED.reset_index().to_csv(date_format="%Y-%m-%dT%H:%M:%SZ").encode(),
    "an index of times without a name": csv(WANTED.rename_axis(None)),
    "columns in another order": csv(WANTED[COLUMNS[::-1]]),
    "parquet": parquet(),
    "parquet, local time": parquet(BERLIN),
    "parquet, time as a column": parquet(WANTED.reset_index()),
    "parquet, an index without a name": parquet(WANTED.rename_axis(None)),
    "parquet, time as text": parquet(WANTED.set_axis(HOURS.astype(str).rename(TIME))),
    "parquet, nanoseconds": parquet(WANTED.set_axis(HOURS.as_unit("ns").rename(TIME))),
    "parquet, whole numbers": of_types("int64"),
    "parquet, whole numbers of 16 bits": of_types("int16"),
    "parquet, nullable": of_types("Int64"),
    "parquet, nullable floats": of_types("Float32"),
    "parquet, decimals": of_types("object"),
    "parquet, text": of_types("str"),
    "parquet, categories": of_types("category"),
    "csv, whole numbers": csv(WANTED.astype("int64")),
    "gzip of a csv": gzip.compress(csv()),
    "gzip of a parquet file": gzip.compress(parquet()),
    "zip of a csv": zipped("mine.csv"),
    "zip, as a Mac makes it": zipped("folder/mine.csv", "__MACOSX/._mine.csv"),
    "zip of a parquet file": zipped("mine.parquet", content=parquet()),
}  # fmt: skip


@pytest.mark.parametrize("name", ["mine.csv", "mine.parquet", "mine.gz"])
@pytest.mark.parametrize("form", SAME)
def test_read_dataset__is_the_same_in_every_form_and_under_every_name(tmp_path, form, name):
    (tmp_path / name).write_bytes(SAME[form])

    frame, found = read_dataset(tmp_path / name)

    assert found.lines() == []
    pd.testing.assert_frame_equal(frame, WANTED, check_freq=False)


HEADER, FIRST, *_ = csv().decode().splitlines()
WRONG = {  # content: how the UserError goes on after the file's name, or the lines that are found
    "empty": (b"", "is empty"),
    "empty gzip": (gzip.compress(b""), "is empty"),
    "broken gzip": (gzip.compress(csv())[:-20], "cannot be read: "),
    "broken zip": (zipped("a.csv")[:-20], "cannot be read: "),
    "broken parquet": (parquet()[:-20], "is no parquet or CSV file: "),
    "two in a zip": (zipped("a.csv", "b.csv"), "must hold one file, it holds a.csv, b.csv"),
    "nothing in a zip": (zipped("__MACOSX/a"), "must hold one file, it holds nothing"),
    "Excel": (zipped("xl/workbook.xml"), "is an Excel workbook: save its sheet as CSV"),
    "picture": (b"\x89PNG\r\n\x1a\n\x00\xff" * 9, "is no parquet or CSV file, nor a gzip or zip of one"),
    "UTF-16": (csv().decode().encode("utf-16"), "is text in UTF-16: save it as UTF-8"),
    "Latin-1": (csv().replace(b"temperature", b"temp \xb0C"), "is no parquet or CSV file, or its text is not in"),
    "page": (b"<html><body>", "has no column utc_timestamp; it has <html><body>"),
    "other table": (b"a,b\n1,2\n", "has no column utc_timestamp; it has a, b"),
    "numbered rows": (WANTED.reset_index(drop=True).to_csv().encode(), "has no column utc_timestamp; it has (unna"),
    "a column twice": (f"{HEADER},windspeed\n{FIRST},3\n".encode(), "has more than one column windspeed"),
    "header alone": (HEADER.encode(), ["utc_timestamp: no rows"]),
    "no rows": (parquet(WANTED.head(0)), ["utc_timestamp: no rows"]),
    "no zone": (
        f"{HEADER}\n{FIRST.replace('Z', '')}\n".encode(),
        ["utc_timestamp: has no time zone: add Z or an offset such as +01:00 in 1 row: '2015-10-24T20:00:00' in row 1"],
    ),
    "no zone, parquet": (
        parquet(WANTED.head(1).tz_localize(None)),
        ["utc_timestamp: has no time zone: add Z or an offset such as +01:00 in 1 row: 2015-10-24T20:00:00 in row 1"],
    ),
    "a date, whose end looks like an offset": (
        f"{HEADER}\n{FIRST.replace('T20:00:00Z', '')}\n".encode(),
        ["utc_timestamp: has no time zone: add Z or an offset such as +01:00 in 1 row: '2015-10-24' in row 1"],
    ),
    "seconds, in a CSV": (
        f"{HEADER}\n{FIRST.replace('2015-10-24T20:00:00Z', '1445716800')}\n".encode(),
        ["utc_timestamp: is no timestamp (write 2016-01-01T00:00:00Z) in 1 row: '1445716800' in row 1"],
    ),
    "seconds, in parquet": (
        parquet(WANTED.head(1).set_axis(pd.Index([1445716800], name=TIME))),
        ["utc_timestamp: is a number, no timestamp (write 2016-01-01T00:00:00Z) in 1 row: '1445716800' in row 1"],
    ),
    "decimal comma": (
        csv(WANTED.assign(windspeed=4.5).head(1), sep=";", decimal=",").replace(b",0", b""),
        ["windspeed: has a decimal comma (write a point) in 1 row: '4,5' in row 1 (2015-10-24T20:00:00Z)"],
    ),
    "no number": (
        csv(WANTED.astype({"windspeed": object}).assign(windspeed="calm").head(1)),
        ["windspeed: is not a number in 1 row: 'calm' in row 1 (2015-10-24T20:00:00Z)"],
    ),
    "infinity": (
        csv(WANTED.assign(windspeed=np.inf).head(1)),
        ["windspeed: is not a number in 1 row: 'inf' in row 1 (2015-10-24T20:00:00Z)"],
    ),
    "times as numbers": (
        parquet(WANTED.assign(windspeed=HOURS).head(1)),
        ["windspeed: is not a number in 1 row: 2015-10-24T20:00:00 in row 1 (2015-10-24T20:00:00Z)"],
    ),
    "lines of other lengths, which the count of rows minds": (
        "\n".join([HEADER, FIRST, "1,2", FIRST.replace("T20", "T21"), f"{FIRST},9", f"x{FIRST}"]).encode(),
        [
            "line: has 2 fields, where the header has 9 in 1 row: row 2",
            "line: has 10 fields, where the header has 9 in 1 row: row 4",
            "utc_timestamp: is no timestamp (write 2016-01-01T00:00:00Z) in 1 row: 'x2015-10-24T20:00:00Z' in row 5",
        ],
    ),
}  # fmt: skip


@pytest.mark.parametrize("form", WRONG)
def test_read_dataset__says_what_is_wrong_with_a_file(tmp_path, form):
    content, says = WRONG[form]
    path = tmp_path / "mine.csv"
    path.write_bytes(content)

    if isinstance(says, list):
        assert read_dataset(path)[1].lines() == says
    else:
        with pytest.raises(UserError) as error:
            read_dataset(path)
        assert error.value.message.startswith(f"{path} {says}"), error.value.message


def test_read_dataset__counts_over_all_pieces_and_shows_the_first_ten(tmp_path, monkeypatch):
    monkeypatch.setattr("dsgo.data.reader.BLOCK", 1000)  # bytes: some ten rows a piece
    hours = pd.date_range("2015-01-01", periods=500, freq="h", tz="UTC", name=TIME)
    moves = {name: first + np.arange(500) % 7 * (name in MOVES) for name, first in VALUES.items()}
    frame = pd.DataFrame(moves, hours).assign(windspeed="?")
    frame.to_csv(tmp_path / "mine.csv")

    (line,) = read_dataset(tmp_path / "mine.csv")[1].lines()

    assert line.startswith("windspeed: is not a number in 500 rows: '?' in row 1 (2015-01-01T00:00:00Z), ")
    assert line.endswith("'?' in row 10 (2015-01-01T09:00:00Z) and 490 more")


def test_read_dataset__noise_around_zero_counts_as_zero_and_more_is_found(tmp_path):
    frame = WANTED.assign(rad_horizontal=[-1e-9, -0.4, -1.0, *range(3, 12)])
    frame.to_parquet(tmp_path / "mine.parquet")

    read, found = read_dataset(tmp_path / "mine.parquet")

    assert read["rad_horizontal"].iloc[:2].tolist() == [0.0, 0.0]
    assert found.lines() == ["rad_horizontal: is negative in 1 row: -1 in row 3 (2015-10-24T22:00:00Z)"]


def test_read_dataset__keeps_other_columns_numbers_as_numbers(tmp_path):
    beside = WANTED.assign(humidity=range(12), place="Kiel", humidity_2=None)
    beside.to_csv(tmp_path / "mine.csv")

    frame, found = read_dataset(tmp_path / "mine.csv")

    assert not found
    assert frame["humidity"].dtype == "float64"
    assert frame["place"].tolist() == ["Kiel"] * 12


def test_read_dataset__attributes_come_with_the_file_and_nonsense_does_not(tmp_path):
    marked = WANTED.copy()
    marked.attrs = {"simulated": True, "country": "FR"}
    marked.to_parquet(tmp_path / "mine.parquet")
    table = pa.Table.from_pandas(WANTED)
    pq.write_table(table.replace_schema_metadata({b"pandas": b'{"attributes": []}'}), tmp_path / "odd.parquet")

    assert read_dataset(tmp_path / "mine.parquet")[0].attrs == {"simulated": True, "country": "FR"}
    assert read_dataset(tmp_path / "odd.parquet")[0].attrs == {}


MOMENTS = st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1)).map(lambda at: at.replace(microsecond=0))
OFFSETS = st.integers(-14 * 4, 14 * 4).map(lambda quarters: timezone(timedelta(minutes=15 * quarters)))


def in_words(moment, style):
    """A time with an offset as somebody writes it."""
    offset = f"{moment:%z}"
    return {
        "isoformat": moment.isoformat(),
        "space": moment.isoformat(" "),
        "no colon": f"{moment:%Y-%m-%dT%H:%M:%S}{offset}",
        "apart": f"{moment:%Y-%m-%d %H:%M:%S} {offset}",
        "hours": f"{moment:%Y-%m-%d %H:%M:%S}{offset[:3] if offset.endswith('00') else offset}",
        "UTC": f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC",
        "Z": f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S.000}Z",
        "object": moment,
    }[style]


STYLES = ["isoformat", "space", "no colon", "apart", "hours", "UTC", "Z", "object"]
ROWS = st.lists(st.tuples(MOMENTS, OFFSETS, st.sampled_from(STYLES)), min_size=1, max_size=20)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(rows=ROWS)
def test_to_times__is_the_moment_meant_however_it_is_written(rows):
    moments = [at.replace(tzinfo=offset) for at, offset, _ in rows]
    values = pd.Series([in_words(m, style) for m, (_, _, style) in zip(moments, rows, strict=True)], dtype=object)
    found = Findings()

    times = to_times(values, found, np.arange(len(rows)) + 1)

    assert not found, found.lines()
    assert [time.to_pydatetime() for time in times] == moments


@settings(max_examples=300, deadline=None)
@given(texts=st.lists(st.text(max_size=30) | MOMENTS.map(str) | MOMENTS.map(lambda at: f"{at:%Y-%m-%d}"), min_size=1))
def test_to_times__takes_nothing_without_a_zone_for_a_moment_and_counts_every_row(texts):
    found = Findings()

    times = to_times(pd.Series(texts, dtype=object), found, np.arange(len(texts)) + 1)

    assert times[[i for i, text in enumerate(texts) if not any(mark in text.upper() for mark in "Z+-U G")]].isna().all()
    counted = sum(int(line.split(" in ", 1)[1].split(" row")[0].replace(",", "")) for line in found.lines())
    assert counted == times.isna().sum()


SPOILT = st.tuples(
    st.sampled_from([csv(), parquet(), zipped("a"), gzip.compress(csv())]), st.integers(0, 400), st.binary(max_size=5)
).map(lambda parts: parts[0][: parts[1]] + parts[2] + parts[0][parts[1] + len(parts[2]) :])


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=200) | SPOILT)
def test_read_dataset__any_bytes_give_a_dataset_findings_or_one_line(tmp_path, content):
    path = tmp_path / "mine"
    path.write_bytes(content)

    try:
        frame, _ = read_dataset(path)
    except UserError as error:
        line = error.message
    else:
        line = f"{path} {frame.index.name}"

    assert line.startswith(str(path))


@pytest.fixture(scope="module")
def cases(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cases")
    subprocess.run([sys.executable, SHARED_DATA.parent / "cases" / "make_cases.py", folder], check=True)
    return folder


@pytest.mark.realdata
@pytest.mark.parametrize(
    "name", ["whole_numbers.csv", "two_offsets.csv", "plus00.csv", "packed.csv.gz", "other_ending.pq"]
)
def test_read_dataset__takes_the_forms_that_it_once_refused(cases, name):
    frame, found = read_dataset(cases / name)

    assert found.lines() == []
    assert set(frame.dtypes) == {np.dtype("float64")}
    assert (len(frame), frame.index[0]) == (17_542, pd.Timestamp("2015-01-01", tz="UTC"))


@pytest.mark.realdata
def test_read_dataset__finds_kelvin_and_joule(cases):
    lines = read_dataset(cases / "kelvin_and_joule.csv")[1].lines()

    said = [line.split(" in ")[0] for line in lines]
    assert {"temperature: is above 60 degrees C", "rad_horizontal: is above 1500 W/m2"} <= set(said)
    assert any(line.startswith("temperature: looks like kelvin") for line in lines)
    assert any(line.startswith("rad_horizontal: looks like J/m2") for line in lines)


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("name", "country"),
    [("raw_index_column", "DE"), ("raw_night_noise", "DE"), ("raw_capacity_gap", "DK"), ("raw_onshore_only", "AT")],
)
def test_read_raw__takes_the_forms_that_it_once_refused(cases, name, country):
    from dsgo.data import quality
    from dsgo.data.capacity import installed_capacity
    from dsgo.data.contract import violations

    hours = period("2015-01-01", "2016-12-31")
    power, weather = read_raw(find_pair(cases / name), hours, country)
    capacity, source = installed_capacity(power, hours, country)
    dataset, dirt = quality.clean(power, weather, capacity, hours)

    assert source == "columns of the raw file"
    assert len(dataset) == 17_542
    assert violations(dataset) == []
    found = {kind: sum(entry["by_column"].values()) for kind, entry in quality.report(hours, dirt)["dirt"].items()}
    assert found["noise"] == (7626 if name == "raw_night_noise" else 0)
    assert found["bridged"] == (24 if name == "raw_capacity_gap" else 0)
