"""Stamps in local time: seen in power and weather, and put right."""

import numpy as np
import pandas as pd
import pytest

from dsgo.base.errors import UserError
from dsgo.data import clock
from dsgo.data.clock import Late
from dsgo.data.opsd import find_pair, period, read_raw
from dsgo.data.sample import simulate, write_sample
from dsgo.data.schema import TARGETS, TIME, WEATHER
from shared import SHARED_DATA

HOURS = period("2015-01-01", "2016-12-31")


@pytest.fixture(scope="module")
def on_time():
    return simulate().loc["2015":]


def in_local_time(table, zone, columns):
    """The table with some columns stamped in a zone's clock, as a file in local time gives them."""
    moved = table[columns]
    moved.index = moved.index.tz_convert(zone).tz_localize(None).tz_localize("UTC")
    return table.drop(columns=columns).join(moved[~moved.index.duplicated()]).dropna()


@pytest.mark.parametrize(
    ("zone", "columns", "late", "mends"),
    [
        ("Europe/London", WEATHER, Late(0, 1), "-P weather_late=0/1"),
        ("Europe/Berlin", WEATHER, Late(1, 2), "-P weather_late=1/2"),
        ("Europe/Berlin", TARGETS, Late(-1, -2), "-P power_late=1/2"),
        ("Etc/GMT-9", WEATHER, Late(9, 9), "-P weather_late=9/9"),
        ("Etc/GMT+5", TARGETS, Late(5, 5), "-P weather_late=5/5"),
    ],
)
def test_report__finds_a_zone_and_names_the_parameter(on_time, zone, columns, late, mends):
    found = clock.report(in_local_time(on_time, zone, columns), {})
    assert found["weather_hours_late"] == {"winter": late.winter, "summer": late.summer}
    assert found["mended_by"] == mends
    assert mends in found["line"]


def test_report__says_nothing_of_what_is_on_time(on_time):
    found = clock.report(on_time, {})
    assert found["weather_hours_late"] == {"winter": 0, "summer": 0}
    assert found["mended_by"] == found["line"] == ""


def test_report__asks_the_wind_where_there_is_no_sun(on_time):
    dark = in_local_time(on_time, "Europe/Berlin", WEATHER).assign(solar_GW=0.0)
    assert clock.lateness(dark) == Late(1, 2)
    assert clock.lateness(dark.head(500)) == Late(None, None)


def test_report__adds_to_what_was_given(on_time):
    table = in_local_time(on_time, "Europe/London", WEATHER)
    assert clock.report(table, {"weather_late": Late(1, 1)})["mended_by"] == "-P weather_late=1/2"


def test_report__a_clock_that_changed_in_the_newest_four_weeks(on_time):
    table = on_time.copy()
    table.loc["2016-12-01":, WEATHER] = table[WEATHER].shift(2)
    found = clock.report(table, {})
    assert found["weather_hours_late"] == {"winter": 0, "summer": 0}
    assert found["newest_four_weeks"] == {"winter": 2, "summer": None}
    assert found["line"].startswith("in the newest four weeks the weather is 2 h late in winter")


def test_put_right__gives_every_hour_its_own_weather_back(tmp_path):
    late = {"weather_late": Late(0, 1), "power_late": Late(0, 0)}
    _, raw = read_raw(write_sample(tmp_path), clock.around(HOURS, late), "DE")

    weather = clock.put_right(raw, late["weather_late"], HOURS)

    assert weather.index.equals(HOURS)
    np.testing.assert_allclose(weather, simulate().loc[HOURS, WEATHER], atol=0.0006)


@pytest.mark.parametrize("zone", ["Europe/Berlin", "Europe/Helsinki"])
def test_put_right__is_the_way_back_from_local_time(on_time, zone):
    local = on_time[WEATHER]
    local.index = local.index.tz_convert(zone).tz_localize(None).tz_localize("UTC").rename(TIME)
    winter = {"Europe/Berlin": 1, "Europe/Helsinki": 2}[zone]

    back = clock.put_right(local, Late(winter, winter + 1), HOURS)

    pd.testing.assert_frame_equal(back, on_time[WEATHER], check_freq=False, check_index_type=False)


def test_put_right__leaves_what_is_on_time(on_time):
    pd.testing.assert_frame_equal(clock.put_right(on_time, Late(0, 0), HOURS), on_time)


@pytest.mark.parametrize("text", ["", "1", "Europe/Berlin", "1/2/3", "0/99", "0.5/1", "nan/1"])
def test_parse__says_what_it_needs(text):
    with pytest.raises(UserError, match=r"weather_late=.* must be the hours that the stamps are late in winter and in"):
        clock.parse("weather_late", text)


def test_parse__takes_signs_and_spaces():
    assert clock.parse("power_late", " -1/+2 ") == Late(-1, 2)


@pytest.mark.realdata
def test_report__the_real_weather_is_an_hour_late_in_summer():
    table = pd.read_csv(SHARED_DATA / "germany.csv", parse_dates=[TIME], index_col=TIME)
    found = clock.report(table[~table.index.duplicated()], {})
    assert found["line"] == (
        "the weather is on time in winter and 1 h late in summer against power "
        "(left as it is; process_data mends it with -P weather_late=0/1)"
    )
    dark = table[~table.index.duplicated()].assign(solar_GW=0.0)
    assert clock.lateness(dark) == Late(0, 1)


@pytest.mark.realdata
def test_put_right__on_the_real_data_leaves_nothing_late(tmp_path):
    import subprocess
    import sys

    subprocess.run([sys.executable, SHARED_DATA / "make_raw.py", tmp_path], check=True)
    hours = period("2013-01-01", "2016-12-31")
    late = {"weather_late": Late(0, 1)}
    power, weather = read_raw(find_pair(tmp_path), clock.around(hours, late), "DE")
    weather = clock.put_right(weather, late["weather_late"], hours)
    assert not weather.index.has_duplicates
    assert clock.lateness(power[TARGETS].join(weather).dropna()) == Late(0, 0)
