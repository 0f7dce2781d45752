import numpy as np
import pandas as pd
import pytest

from dsgo.base.errors import UserError
from dsgo.data.capacity import capacity_from_table, installed_capacity
from dsgo.data.opsd import period
from dsgo.data.quality import clean, count, notes, report
from dsgo.data.schema import CAPACITY, COLUMNS, TARGETS, TIME, WEATHER

HOURS = period("2014-06-01", "2014-06-10")  # 240 hours: 5% is 12


@pytest.fixture
def raw():
    """Clean parts (power, weather, capacity), to be made dirty."""
    moves = np.arange(len(HOURS))[:, None] / 1e6  # a value that stands still is dirt
    power = pd.DataFrame(np.array([5.0, 7.0]) + moves, HOURS, TARGETS)
    weather = pd.DataFrame(np.array([4.0, 12.0, 100.0, 90.0]) + moves, HOURS, WEATHER)
    return power, weather, pd.DataFrame({"solar_capacity_GW": 37.0, "wind_capacity_GW": 35.0}, HOURS)


def test_clean__leaves_clean_data_as_it_is(raw):
    dataset, dirt = clean(*raw, HOURS)

    assert dataset.columns.tolist() == COLUMNS
    assert dataset.index.equals(HOURS)
    assert dataset.index.name == TIME
    assert dirt.empty
    assert count(HOURS, dirt) == {
        "rows": 240,
        "hours_doubled": 0,
        "hours_missing": 0,
        "hours_set_aside": 0,
        "hours_stuck": 0,
        "percent_lost": 0,
        "percent_lost_newest": 0,
    }


def test_clean__keeps_the_first_of_a_doubled_hour(raw):
    power, weather, capacity = raw
    again = weather.iloc[[10, 10]].assign(windspeed=9.0)
    weather = pd.concat([weather, again]).sort_index(kind="stable")

    dataset, dirt = clean(power, weather, capacity, HOURS)

    assert dataset.loc[HOURS[10], "windspeed"] == pytest.approx(4.0, abs=0.001)
    assert len(dataset) == 240
    assert dirt.to_dict("records") == [{TIME: HOURS[10], "kind": "doubled", "column": "weather"}]


def test_clean__leaves_missing_hours_missing(raw):
    power, weather, capacity = raw
    power.iloc[3, 0] = np.nan

    dataset, dirt = clean(power, weather.drop(HOURS[[50, 51]]), capacity, HOURS)

    assert dataset.index.equals(HOURS.delete([3, 50, 51]))
    assert report(HOURS, dirt)["dirt"]["missing"] == {
        "hours": 3,
        "by_column": {"windspeed": 2, "temperature": 2, "rad_horizontal": 2, "rad_diffuse": 2, "solar_GW": 1},
        "dates": ["2014-06-01T03:00Z", "2014-06-03T02:00Z/2014-06-03T03:00Z"],
    }


def test_clean__sets_impossible_values_aside(raw):
    power, weather, capacity = raw
    power.iloc[1, 0] = -0.001
    power.iloc[2, 1] = 35.0 * 1.0501
    power.iloc[3, 1] = 35.0 * 1.0499  # within 5%: stays
    weather.iloc[4] = [np.inf, -20.0, -1.0, 90.0]  # a temperature may be negative

    dataset, dirt = clean(power, weather, capacity, HOURS)

    assert dataset.index.equals(HOURS.delete([1, 2, 4]))
    found = report(HOURS, dirt)["dirt"]
    assert found["negative"]["by_column"] == {"solar_GW": 1, "rad_horizontal": 1}
    assert found["negative"]["dates"] == ["2014-06-01T01:00Z", "2014-06-01T04:00Z"]
    assert found["above capacity"]["by_column"] == {"wind_GW": 1}
    assert found["not a number"]["by_column"] == {"windspeed": 1}
    assert count(HOURS, dirt)["hours_set_aside"] == 3
    assert count(HOURS, dirt)["percent_lost"] == 1.25


def test_clean__stops_past_five_percent_lost(raw):
    power, weather, capacity = raw
    power.iloc[:12, 0] = -1.0
    assert len(clean(power, weather, capacity, HOURS)[0]) == 228

    weather.iloc[20, 0] = np.nan
    with pytest.raises(
        UserError, match=r"5.4% of the 240 hours from .* are lost, more than 5%: negative solar_GW 12 \(2014-06-01T00"
    ):
        clean(power, weather, capacity, HOURS)


def test_clean__a_refusal_names_the_years_that_work():
    hours = period("2013-01-01", "2015-12-31")
    moves = np.arange(len(hours))[:, None] / 1e6
    power = pd.DataFrame(np.array([5.0, 7.0]) + moves, hours, TARGETS)
    power.loc["2014"] = np.nan
    weather = pd.DataFrame(np.array([4.0, 12.0, 100.0, 90.0]) + moves, hours, WEATHER)

    with pytest.raises(UserError, match="years that have enough hours: 2013, 2015: choose start and end so"):
        clean(power, weather, capacity_from_table(hours, "DE"), hours)


def test_clean__noise_around_zero_counts_as_zero(raw):
    power, weather, capacity = raw
    weather.iloc[:100, 2] = -1e-9
    weather.iloc[7, 0] = -0.01
    power.iloc[9, 0] = -0.0004  # less than half a MW

    dataset, dirt = clean(power, weather, capacity, HOURS)

    assert len(dataset) == 240
    assert (dataset.iloc[:100]["rad_horizontal"] == 0).all()
    assert report(HOURS, dirt)["dirt"]["noise"]["by_column"] == {"rad_horizontal": 100, "windspeed": 1, "solar_GW": 1}
    assert count(HOURS, dirt)["percent_lost"] == 0


def test_clean__sets_weather_aside_that_is_physically_impossible(raw):
    power, weather, capacity = raw
    weather.iloc[1, 0], weather.iloc[2, 1], weather.iloc[3, 1], weather.iloc[4, 2] = 101.0, 285.0, -91.0, 1501.0

    dataset, dirt = clean(power, weather, capacity, HOURS)

    assert dataset.index.equals(HOURS.delete([1, 2, 3, 4]))
    assert report(HOURS, dirt)["dirt"]["impossible"]["by_column"] == {
        "temperature": 2,
        "windspeed": 1,
        "rad_horizontal": 1,
    }


@pytest.mark.parametrize("gone", [np.nan, np.inf])  # empty, or text
def test_clean__bridges_a_gap_of_capacity_and_counts_it(raw, gone):
    power, weather, _ = raw
    power = power.assign(solar_capacity_GW=np.linspace(37, 38, 240), wind_capacity_GW=35.0)
    whole = power["solar_capacity_GW"].copy()
    power.loc[HOURS[50:74], "solar_capacity_GW"] = gone

    capacity, source = installed_capacity(power, HOURS, "DK")
    dataset, dirt = clean(power, weather, capacity, HOURS)

    assert source == "columns of the raw file"
    np.testing.assert_allclose(dataset["solar_capacity_GW"], whole)
    assert report(HOURS, dirt)["dirt"]["bridged"] == {
        "hours": 24,
        "by_column": {"solar_capacity_GW": 24},
        "dates": ["2014-06-03T02:00Z/2014-06-04T01:00Z"],
    }


def test_clean__power_in_kw_is_said(raw):
    power, weather, capacity = raw
    with pytest.raises(
        UserError, match=r"solar power is typically 5,000,120 MW where 37,000 MW are installed: is it in kW"
    ):
        clean(power * 1000, weather, capacity, HOURS)


def test_clean__sets_a_streak_aside_and_says_when(raw):
    power, weather, capacity = raw
    power.iloc[30:41, 1] = 6.5

    dataset, dirt = clean(power, weather, capacity, HOURS)

    assert dataset.index.equals(HOURS.delete(range(30, 41)))
    assert report(HOURS, dirt)["dirt"]["stuck"] == {
        "hours": 11,
        "by_column": {"wind_GW": 11},
        "dates": ["2014-06-02T06:00Z/2014-06-02T16:00Z"],
    }
    assert count(HOURS, dirt)["hours_stuck"] == 11
    assert notes(HOURS, dirt) == [
        "wind_GW stands still in 11 hours, set aside: 2014-06-02T06:00Z/2014-06-02T16:00Z",
    ]


def test_clean__refuses_another_unit_by_name(raw):
    power, weather, capacity = raw
    with pytest.raises(UserError, match=r"wrong units: temperature looks like kelvin \(typically 285\); the raw files"):
        clean(power, weather.assign(temperature=weather["temperature"] + 273.15), capacity, HOURS)


def test_clean__sets_weather_aside_that_no_place_has(raw):
    power, weather, capacity = raw
    weather.iloc[7] = [999.0, -99.9, 1600.0, 90.0]

    _, dirt = clean(power, weather, capacity, HOURS)

    assert report(HOURS, dirt)["dirt"]["impossible"]["by_column"] == dict.fromkeys(WEATHER[:3], 1)


@pytest.fixture
def year():
    """A clean year of parts and its hours: 5% of it is 438 hours, four weeks are 672."""
    hours = period("2014-01-01", "2014-12-31")
    moves = np.arange(len(hours))[:, None] / 1e6
    power = pd.DataFrame(np.array([5.0, 7.0]) + moves, hours, TARGETS)
    weather = pd.DataFrame(np.array([4.0, 12.0, 100.0, 90.0]) + moves, hours, WEATHER)
    return power, weather, pd.DataFrame({"solar_capacity_GW": 37.0, "wind_capacity_GW": 35.0}, hours), hours


def test_clean__refuses_a_stuck_week_at_the_end_that_the_total_would_pass(year):
    power, weather, capacity, hours = year
    week = power.copy()
    week.iloc[1000:1168, 1] = 6.5
    assert len(clean(week, weather, capacity, hours)[0]) == 8760 - 168

    power.iloc[-168:, 1] = 6.5
    with pytest.raises(UserError, match=r"25.0% of the 672 hours .* \(the newest four weeks\) .*: stuck wind_GW 168"):
        clean(power, weather, capacity, hours)


def test_clean__says_that_days_are_missing_of_the_newest_four_weeks(year):
    power, weather, capacity, hours = year
    _, dirt = clean(power.iloc[:-48], weather, capacity, hours)

    assert count(hours, dirt)["percent_lost"] == 0.548
    assert count(hours, dirt)["percent_lost_newest"] == 7.143
    assert report(hours, dirt)["newest_four_weeks"]["dirt"]["missing"]["hours"] == 48
    assert notes(hours, dirt) == [
        "7.1% of the newest four weeks are lost: missing solar_GW 48 (2014-12-30T00:00Z/2014-12-31T23:00Z), "
        "missing wind_GW 48 (2014-12-30T00:00Z/2014-12-31T23:00Z)"
    ]


def test_clean__refuses_a_unit_that_changed_in_the_newest_four_weeks(year):
    power, weather, capacity, hours = year
    weather.iloc[-500:, 1] += 273.15
    with pytest.raises(UserError, match="wrong units in the newest four weeks: temperature looks like kelvin"):
        clean(power, weather, capacity, hours)


def test_capacity_from_table__grows_linearly_between_year_ends():
    middle = pd.DatetimeIndex(["2014-07-02T12:00Z"])
    assert capacity_from_table(middle, "DE").iloc[0].tolist() == pytest.approx(
        [(36.71 + 37.90) / 2, (33.48 + 38.61) / 2]
    )


def test_capacity_from_table__says_what_it_does_not_cover():
    with pytest.raises(UserError, match="covers 2013 to 2016 only"):
        capacity_from_table(period("2016-12-31", "2017-01-01"), "DE")
    with pytest.raises(UserError, match="no table of installed capacity for FR, only for DE"):
        capacity_from_table(HOURS, "FR")


def test_installed_capacity__believes_columns_that_look_like_a_fleet(raw):
    power = raw[0].assign(solar_capacity_GW=np.linspace(37, 38, 240), wind_capacity_GW=35.0)
    power.loc[HOURS[100:], "wind_capacity_GW"] = 34.0  # plants taken down

    capacity, source = installed_capacity(pd.concat([power, power.iloc[[-1]]]), HOURS, "DE")

    pd.testing.assert_frame_equal(capacity, power[CAPACITY])
    assert source == "columns of the raw file"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda power: power, "has no columns of installed capacity"),
        (lambda power: power.assign(solar_capacity_GW=37.0, wind_capacity_GW=np.nan), "wind_capacity is missing"),
        (
            lambda power: power.assign(solar_capacity_GW=37e3, wind_capacity_GW=35.0),
            "solar_capacity is missing or impos",
        ),
        (
            lambda power: power.assign(solar_capacity_GW=np.linspace(37, 33, len(power)), wind_capacity_GW=35.0),
            "solar_capacity falls by 11%",
        ),
        (
            lambda power: power.assign(
                solar_capacity_GW=37.0, wind_capacity_GW=np.where(np.arange(240) < 9, 35.0, 70.0)
            ),
            "wind_capacity jumps from 35,000 to 70,000 MW at 2014-06-01T09:00Z",
        ),
    ],
)
def test_installed_capacity__takes_the_table_and_says_why(raw, change, why):
    capacity, source = installed_capacity(change(raw[0]), HOURS, "DE")

    pd.testing.assert_frame_equal(capacity, capacity_from_table(HOURS, "DE"))
    assert source.startswith("table")
    assert why in source
    with pytest.raises(UserError, match=f"{why}.*no table of installed capacity for AT"):
        installed_capacity(change(raw[0]), HOURS, "AT")


def test_installed_capacity__asks_nothing_of_hours_without_power(raw):
    power = raw[0].assign(solar_capacity_GW=37.0, wind_capacity_GW=35.0)
    power.loc[HOURS[5], TARGETS + CAPACITY] = np.nan
    assert installed_capacity(power, HOURS, "DE")[1] == "columns of the raw file"
