import numpy as np
import pandas as pd
import pytest

from dsgo.base.errors import UserError
from dsgo.data.capacity import capacity_from_table, installed_capacity
from dsgo.data.opsd import period
from dsgo.data.quality import clean, count, report
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


def test_clean__power_in_kw_is_said(raw):
    power, weather, capacity = raw
    with pytest.raises(
        UserError, match=r"solar power is typically 5,000,000 MW where 37,000 MW are installed: is it in kW"
    ):
        clean(power * 1000, weather, capacity, HOURS)


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
