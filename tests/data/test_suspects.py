"""Values that are well-formed and wrong. What nature does is measured on the sample and on the real data."""

import numpy as np
import pandas as pd
import pytest

from dsgo.data import suspects
from dsgo.data.capacity import capacity_from_table
from dsgo.data.opsd import period
from dsgo.data.sample import simulate
from dsgo.data.schema import TARGETS, TIME, WEATHER
from shared import SHARED_DATA


@pytest.fixture(scope="module")
def nature():
    """The sample's two last years in the precision of the raw files."""
    frame = simulate().loc["2015":]
    return frame.assign(**frame[[*TARGETS, "temperature"]].round(3), **frame[WEATHER[::2]].round(4))


@pytest.fixture(scope="module")
def germany():
    table = pd.read_csv(SHARED_DATA / "germany.csv", parse_dates=[TIME], index_col=TIME)
    table = table[~table.index.duplicated()]
    capacity = capacity_from_table(period("2013-01-01", "2016-12-31"), "DE")
    return table.join(capacity)


def hours_stuck(table):
    return {name: int(count) for name, count in suspects.stuck(table).sum().items() if count}


# --- nothing false ---


def four_weeks(table):
    for start in pd.date_range(table.index[0], table.index[-1] - pd.Timedelta(days=28), freq="14D"):
        yield table[start : start + pd.Timedelta(days=28)]


def test_suspicions__none_in_the_sample_nor_in_any_of_its_weeks(nature):
    assert suspects.suspicions(nature) == []
    assert [found for weeks in four_weeks(nature) if (found := suspects.suspicions(weeks))] == []


@pytest.mark.realdata
def test_suspicions__none_in_the_real_data_nor_in_any_of_its_weeks(germany):
    assert suspects.suspicions(germany) == []
    assert [found for weeks in four_weeks(germany) if (found := suspects.suspicions(weeks))] == []


COARSE = [("temperature", 1), ("temperature", 0.1), ("windspeed", 1), ("windspeed", 0.5), ("rad_diffuse", 1)]


@pytest.mark.parametrize(("column", "step"), COARSE)
def test_stuck__knows_that_coarse_values_repeat(nature, column, step):
    assert hours_stuck(nature.assign(**{column: (nature[column] / step).round() * step})) == {}


@pytest.mark.realdata
@pytest.mark.parametrize(("column", "step"), COARSE)
def test_stuck__knows_that_coarse_real_values_repeat(germany, column, step):
    assert hours_stuck(germany.assign(**{column: (germany[column] / step).round() * step})) == {}


@pytest.mark.parametrize("fleet", [0.02, 0.1, 1.0])
def test_stuck__knows_that_a_small_fleet_in_whole_megawatts_repeats(nature, fleet):
    small = nature.copy()
    for target, installed in (("solar_GW", "solar_capacity_GW"), ("wind_GW", "wind_capacity_GW")):
        small[target] = (nature[target] / nature[installed] * fleet).round(3)
        small[installed] = fleet
    assert hours_stuck(small) == {}


def test_stuck__a_fleet_that_is_not_there_yet_stands_at_zero(nature):
    assert hours_stuck(nature.assign(solar_GW=0.0, solar_capacity_GW=0.0, wind_GW=0.0, wind_capacity_GW=0.0)) == {}


# --- standing still ---


@pytest.mark.parametrize("column", TARGETS + WEATHER)
def test_stuck__marks_every_hour_of_a_streak_by_day_and_night(nature, column):
    table = nature.copy()
    table.loc["2015-06-01":"2015-08-31", column] = 4.321
    assert hours_stuck(table) == {column: 92 * 24}


@pytest.mark.parametrize("column", TARGETS + WEATHER)
def test_stuck__eight_hours_are_enough(nature, column):
    table = nature.copy()
    table.loc["2016-12-30 06:00":"2016-12-30 13:00", column] = 4.321
    assert hours_stuck(table) == {column: 8}


@pytest.mark.parametrize("column", ["solar_GW", "wind_GW", "rad_horizontal", "rad_diffuse"])
@pytest.mark.parametrize("season", ["01", "07"])
def test_stuck__zero_for_a_month_is_no_night_and_no_calm(nature, column, season):
    table = nature.copy()
    table.loc[f"2015-{season}", column] = 0.0
    assert hours_stuck(table)[column] >= 31 * 24


def test_stuck__no_sun_at_all_for_a_month(nature):
    table = nature.copy()
    table.loc["2015-07", ["solar_GW", "rad_horizontal", "rad_diffuse"]] = 0.0
    assert hours_stuck(table)["rad_diffuse"] >= 31 * 24


def test_stuck__a_missing_hour_ends_a_streak(nature):
    table = nature.copy()
    table.iloc[100:110, 1] = 4.321
    assert hours_stuck(table.drop(table.index[105])) == {}


def test_stuck__two_hours_of_local_time_are_no_outage(nature):
    late = nature.copy()
    late[WEATHER] = nature[WEATHER].shift(2).bfill()
    assert hours_stuck(late) == {}


# --- units ---


@pytest.mark.parametrize(
    ("column", "change", "looks"),
    [
        ("temperature", lambda values: values + 273.15, "kelvin"),
        ("temperature", lambda values: values * 1.8 + 32, "degrees Fahrenheit"),
        ("windspeed", lambda values: values * 3.6, "km/h"),
        ("windspeed", lambda values: values * 1.944, "knots or miles per hour"),
        ("windspeed", lambda values: values * 2.237, "knots or miles per hour"),
        ("rad_horizontal", lambda values: values * 3600, "J/m2"),
        ("rad_diffuse", lambda values: values * 3600, "J/m2"),
        ("rad_horizontal", lambda values: values * 3.6, "kJ/m2"),
        ("rad_diffuse", lambda values: values * 3.6, "kJ/m2"),
        ("rad_horizontal", lambda values: values * 0.0036, "MJ/m2 or kW/m2"),
        ("rad_diffuse", lambda values: values / 1000, "MJ/m2 or kW/m2"),
        ("solar_GW", lambda values: values * 1000, "MW or kW"),
        ("wind_GW", lambda values: values * 1e6, "MW or kW"),
        ("solar_capacity_GW", lambda values: values * 1000, "MW or kW"),
        ("wind_capacity_GW", lambda values: values * 1000, "MW or kW"),
    ],
)
def test_units__says_what_a_column_looks_like(nature, column, change, looks):
    found = suspects.units(nature.assign(**{column: change(nature[column])}))
    assert list(found) == [column]
    assert found[column].startswith(f"looks like {looks} (")


def test_suspicions__judges_the_newest_four_weeks_on_their_own(nature):
    table = nature.copy()
    table.loc["2016-12-10":, "windspeed"] *= 3.6
    ((column, what),) = suspects.suspicions(table)
    assert column == "windspeed"
    assert what.startswith("looks like km/h")
    assert what.endswith(", in the newest four weeks")


# --- capacity ---


def test_jumps__up_and_back(nature):
    table = nature.copy()
    table.loc["2016-03-05", "wind_capacity_GW"] *= 1.5
    found = suspects.jumps(table)
    assert found.index.strftime("%Y-%m-%dT%H").tolist() == ["2016-03-05T00", "2016-03-06T00"]
    assert found["column"].tolist() == ["wind_capacity_GW"] * 2
    ((column, what),) = suspects.suspicions(table)
    assert column == "wind_capacity_GW"
    assert what.startswith("jumps from 45.4")
    assert what.endswith("GW within an hour, which no fleet does, in 2 rows, first at 2016-03-05T00:00:00Z")


def test_jumps__leaves_a_plant_and_growth_over_a_gap(nature):
    table = nature.copy()
    table.loc["2016-03-05":, "wind_capacity_GW"] += 1.4
    assert suspects.jumps(table).empty
    two_ends = pd.concat([nature.head(10), (nature * 1.5).tail(10)])
    assert suspects.jumps(two_ends).empty


def test_suspicions__of_hardly_anything():
    table = pd.DataFrame({"temperature": [280.0, np.nan]}, pd.DatetimeIndex(["2016-01-01T00Z", pd.NaT]))
    assert suspects.suspicions(table) == [("temperature", "looks like kelvin (typically 280)")]
    assert suspects.suspicions(table.iloc[1:]) == []
