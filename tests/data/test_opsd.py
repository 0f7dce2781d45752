import gzip
import zipfile

import numpy as np
import pandas as pd
import pytest

from dsgo.base.errors import UserError
from dsgo.data.opsd import find_pair, period, read_raw
from raw_files import POWER_FILE, WEATHER_FILE, power_frame, weather_frame, write_pair

HOURS = period("2014-01-01", "2014-01-03")


@pytest.fixture
def folder(tmp_path):
    """A pair with a day more on either side of HOURS."""
    more = period("2013-12-31", "2014-01-04")
    return write_pair(tmp_path / "raw", power_frame(more), weather_frame(more))


def read(folder, hours=HOURS, country="DE"):
    return read_raw(find_pair(folder), hours, country)


def test_read_raw__gives_the_period_in_our_units_and_names(folder):
    power, weather = read(folder)

    assert power.columns.tolist() == ["solar_GW", "wind_GW"]
    assert weather.columns.tolist() == ["windspeed", "temperature", "rad_horizontal", "rad_diffuse"]
    assert power.index.equals(HOURS)
    assert weather.index.equals(HOURS)
    assert power["wind_GW"].iloc[0] == 5.3  # 24 hours after the file's start, 24 % 7 = 3: 5300 MW
    assert weather.iloc[0].tolist() == [4.5, -1.0, 10.0, 20.0]


def test_read_raw__takes_capacity_where_both_columns_are_there(tmp_path):
    power = power_frame(HOURS).assign(DE_solar_capacity=36000, DE_wind_capacity=33000)
    found, _ = read(write_pair(tmp_path, power, weather_frame(HOURS)))
    assert found[["solar_capacity_GW", "wind_capacity_GW"]].iloc[0].tolist() == [36.0, 33.0]

    found, _ = read(write_pair(tmp_path, power.drop(columns="DE_wind_capacity"), weather_frame(HOURS)))
    assert found.columns.tolist() == ["solar_GW", "wind_GW"]


@pytest.mark.parametrize("form", ["filtered", "gz", "csv.zip", "official zip"])
def test_read_raw__takes_every_form_that_opsd_gives(folder, form):
    expected = read(folder)
    for name, official in ((POWER_FILE, "opsd-time_series-2019-06-05"), (WEATHER_FILE, "opsd-weather_data-2019-04-09")):
        path = folder / name
        content = path.read_bytes()
        path.unlink()
        if form == "filtered":
            (folder / name.replace(".csv", "_filtered.csv")).write_bytes(content)
        elif form == "gz":
            (folder / f"{name}.gz").write_bytes(gzip.compress(content))
        elif form == "csv.zip":
            with zipfile.ZipFile(folder / f"{name}.zip", "w") as archive:
                archive.writestr(name, content)
        else:  # a folder in the zip, other files beside the CSV
            with zipfile.ZipFile(folder / f"{official}.zip", "w", zipfile.ZIP_DEFLATED) as archive:
                archive.writestr(f"{official}/README.md", "read me")
                archive.writestr(f"{official}/{name.replace('.csv', '_multiindex.csv')}", "x")
                archive.writestr(f"{official}/{name}", content)

    for found, frame in zip(read(folder), expected, strict=True):
        pd.testing.assert_frame_equal(found, frame)


def test_read_raw__keeps_doubled_hours_and_tells_empty_from_no_number(tmp_path):
    power, weather = power_frame(HOURS).astype(object), weather_frame(HOURS)
    power.iloc[1, 1], power.iloc[2, 1], power.iloc[3, 1] = "", "n/a", "inf"
    weather = pd.concat([weather.iloc[:5], weather.iloc[[4]] + 1, weather.iloc[5:]])

    power, weather = read(write_pair(tmp_path, power, weather))

    assert np.isnan(power["solar_GW"].iloc[1])
    assert np.isinf(power["solar_GW"].iloc[2:4]).all()
    assert weather["windspeed"].iloc[4:6].tolist() == [4.5, 5.5]
    assert weather.index[4] == weather.index[5]


def test_read_raw__unknown_country_lists_the_known(folder):
    with pytest.raises(UserError, match=r"country=XX is in neither file; known there: DE$"):
        read(folder, country="XX")


def test_read_raw__missing_column_is_named(tmp_path):
    power = power_frame(HOURS).join(power_frame(HOURS, "AT"))
    weather = weather_frame(HOURS).drop(columns="DE_windspeed_10m").join(weather_frame(HOURS, "AT"))
    folder = write_pair(tmp_path, power, weather)
    with pytest.raises(UserError, match=r"has no column DE_windspeed_10m; countries .* column: AT$"):
        read(folder)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"\x89PNG\r\n\x1a\n\x00\xff" * 9, "is no CSV file in OPSD form"),
        (b"<html><body>not found</body></html>\n", "is no CSV file in OPSD form"),
        (b"PK\x03\x04 broken", "cannot be read"),
        (b"\x1f\x8b\x08 broken", "cannot be read"),
    ],
)
def test_read_raw__file_that_is_no_csv(folder, content, message):
    (folder / WEATHER_FILE).write_bytes(content)
    with pytest.raises(UserError, match=rf"weather_data.csv {message}"):
        read(folder)


def test_read_raw__file_that_breaks_off_within_a_line(folder):
    path = folder / WEATHER_FILE
    path.write_bytes(path.read_bytes()[:3000].rpartition(b",")[0])
    with pytest.raises(UserError, match="is no CSV file in OPSD form: CSV parse error"):
        read(folder)


def test_read_raw__timestamps_without_zone(tmp_path):
    power = power_frame(HOURS)
    power.index = power.index.str.replace("Z", "")
    with pytest.raises(UserError, match=r"has no time zone: add Z .* in 72 rows: .2014-01-01T00:00:00. in row 1 "):
        read(write_pair(tmp_path, power, weather_frame(HOURS)))


def test_read_raw__timestamps_that_are_none(tmp_path):
    power = power_frame(HOURS)
    power.index = [f"hour {i}" for i in range(len(power))]
    with pytest.raises(UserError, match=r"utc_timestamp: is no timestamp .* in 72 rows: 'hour 0' in row 1 "):
        read(write_pair(tmp_path, power.rename_axis("utc_timestamp"), weather_frame(HOURS)))


def test_read_raw__quarter_hours(tmp_path):
    quarters = pd.date_range(HOURS[0], HOURS[-1], freq="15min")
    with pytest.raises(UserError, match="is not hourly: it holds 2014-01-01T00:15:00Z"):
        read(write_pair(tmp_path, power_frame(quarters), weather_frame(HOURS)))


def test_read_raw__no_overlap(tmp_path):
    folder = write_pair(tmp_path, power_frame(HOURS[:30]), weather_frame(HOURS[30:]))
    with pytest.raises(UserError, match=r"power \(2014-01-01T00Z to .*\) and weather \(.*\) have no hour in common"):
        read(folder)
    with pytest.raises(UserError, match=r"has no hour between .* it covers 2014-01-01 to 2014-01-02"):
        read(folder, period("2016-01-01", "2016-12-31"))


@pytest.mark.parametrize("form", ["%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d %H:%M:%S+00", "%Y-%m-%dT%H:%M+0000"])
def test_read_raw__takes_the_index_that_pandas_wrote_and_every_zone(tmp_path, form):
    expected = read(write_pair(tmp_path, power_frame(HOURS), weather_frame(HOURS)))
    for name, frame in ((POWER_FILE, power_frame(HOURS)), (WEATHER_FILE, weather_frame(HOURS))):
        frame.set_axis(HOURS.strftime(form)).rename_axis("utc_timestamp").reset_index().to_csv(tmp_path / name)

    for found, frame in zip(read(tmp_path), expected, strict=True):
        pd.testing.assert_frame_equal(found, frame)


def test_read_raw__local_time_with_its_offset_is_that_hour(tmp_path):
    power = power_frame(HOURS).set_axis(HOURS.tz_convert("Europe/Berlin").astype(str)).rename_axis("utc_timestamp")

    found, _ = read(write_pair(tmp_path, power, weather_frame(HOURS)))

    assert found.index.equals(HOURS)


def test_read_raw__wind_onshore_and_offshore_add_up_where_the_sum_has_no_column(tmp_path):
    power = power_frame(HOURS).drop(columns="DE_wind_generation_actual")
    power = power.assign(DE_wind_onshore_generation_actual=3000.0, DE_wind_onshore_capacity=9000.0)
    power = power.assign(DE_solar_capacity=8000.0, DE_wind_offshore_capacity="")  # none built: empty throughout

    found, _ = read(write_pair(tmp_path, power, weather_frame(HOURS)))
    assert found.iloc[0][["wind_GW", "wind_capacity_GW", "solar_capacity_GW"]].tolist() == [3.0, 9.0, 8.0]

    power = power.assign(DE_wind_offshore_generation_actual=500.0, DE_wind_offshore_capacity=1000.0)
    found, _ = read(write_pair(tmp_path, power, weather_frame(HOURS)))
    assert found.iloc[0][["wind_GW", "wind_capacity_GW"]].tolist() == [3.5, 10.0]

    power["DE_wind_generation_actual"] = 7777.0  # the sum's own column counts
    found, _ = read(write_pair(tmp_path, power, weather_frame(HOURS)))
    assert found["wind_GW"].iloc[0] == 7.777


def test_find_pair__folder_missing_or_without_the_pair_or_with_two(folder, tmp_path):
    with pytest.raises(UserError, match="there is no folder"):
        find_pair(tmp_path / "none")
    with pytest.raises(UserError, match=r"holds no time_series_60min_singleindex.csv"):
        find_pair(tmp_path)
    (folder / "weather_data_filtered.csv").touch()
    with pytest.raises(UserError, match=r"holds weather_data.csv and weather_data_filtered.csv: leave one"):
        find_pair(folder)


def test_period__start_after_end_or_no_date():
    with pytest.raises(UserError, match="start=2014-01-02 is after end=2014-01-01"):
        period("2014-01-02", "2014-01-01")
    with pytest.raises(UserError, match="must be dates such as 2013-01-01"):
        period("2014", "2014-13-01")
