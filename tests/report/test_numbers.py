"""The numbers of the weekly report against numbers computed by hand."""

import numpy as np
import pandas as pd
import pytest

from dsgo.base.errors import UserError
from dsgo.data.schema import TARGETS
from dsgo.models.bands import BAND
from weekly import numbers
from weekly.numbers import PREDICTED

MONDAY = pd.Timestamp("2016-08-01", tz="UTC")


def constant(first="2015-01-01", last="2016-12-31 23:00", solar=2.0, wind=4.0):
    """Hours of constant power, a band around it; predicted 0.5 GW too much solar and 1 GW too little wind."""
    index = pd.date_range(first, last, freq="h", tz="UTC", name="utc_timestamp")
    columns = {"solar_GW": solar, "wind_GW": wind, "solar_capacity_GW": 10.0, "wind_capacity_GW": 16.0}
    columns |= {"solar_predicted_GW": solar + 0.5, "wind_predicted_GW": wind - 1.0}
    columns |= {
        "solar_low_GW": solar - 0.5,
        "solar_high_GW": solar + 1,
        "wind_low_GW": wind - 2,
        "wind_high_GW": wind + 1,
    }
    return pd.DataFrame(columns, index)


def without_band(hours):
    """The same hours, predicted by a model that has no band."""
    return hours.assign(**{f"{name}_{end}_GW": np.nan for name in numbers.SOURCES for end in ("low", "high")})


@pytest.mark.parametrize("day", ["2016-08-01", "2016-08-04", "2016-08-07"])
def test_monday__any_day_names_its_iso_week(day):
    assert numbers.monday(day, constant().index) == MONDAY


def test_monday__the_default_is_the_last_week_that_ended_within_the_data():
    index = constant().index

    assert numbers.monday("", index) == pd.Timestamp("2016-12-19", tz="UTC")  # 31 December 2016 is a Saturday
    assert numbers.monday("", index[index < MONDAY]) == MONDAY - numbers.WEEK
    assert numbers.monday("", index[index < MONDAY - numbers.HOUR]) == MONDAY - 2 * numbers.WEEK  # one hour short


@pytest.mark.parametrize(
    ("day", "message"),
    [
        ("August", "week=August: no date; give a day of the week as YYYY-MM-DD"),
        ("2016-02-30", "no date"),
        ("2017-01-02", "not in the data, which goes from 2015-01-01 to 2016-12-31"),
        ("2014-12-28", "not in the data"),
    ],
)
def test_monday__says_in_a_line_what_is_wrong(day, message):
    with pytest.raises(UserError, match=message) as error:
        numbers.monday(day, constant().index)
    assert "\n" not in error.value.message


def test_monday__data_of_less_than_a_week_has_no_default():
    with pytest.raises(UserError, match="last whole one"):
        numbers.monday("", constant("2016-08-02", "2016-08-09").index)


def test_summary__has_energy_capacity_factors_and_changes():
    hours = constant()
    hours.loc[MONDAY : MONDAY + numbers.WEEK - numbers.HOUR, "wind_GW"] = 8.0

    table = numbers.summary(hours, MONDAY).set_index("week")

    assert list(table.index) == ["the week", "the week before", "week 31 of 2015"]
    assert table["solar_GWh"].tolist() == [336, 336, 336]  # 2 GW * 168 h
    assert table["wind_GWh"].tolist() == [1344, 672, 672]
    assert table["both_GWh"].tolist() == [1680, 1008, 1008]
    assert table["solar_cf"].tolist() == pytest.approx([0.2] * 3)
    assert table["wind_cf"].tolist() == pytest.approx([0.5, 0.25, 0.25])
    assert table["wind_change"].tolist() == pytest.approx([0, 1, 1])
    assert table["both_change"].tolist() == pytest.approx([0, 10 / 6 - 1, 10 / 6 - 1])


def test_summary__a_week_is_never_compared_with_its_future():
    table = numbers.summary(constant(), pd.Timestamp("2015-07-27", tz="UTC"))

    assert table["week"].tolist() == ["the week", "the week before"]


def test_summary__missing_hours_take_energy_away_but_are_no_calm():
    hours = constant().drop(pd.date_range(MONDAY, periods=68, freq="h"))

    week = numbers.summary(hours, MONDAY)

    assert week.loc[0, ["hours", "solar_GWh", "solar_cf"]].tolist() == [100, 200, 0.2]
    assert week["solar_change"].tolist() == pytest.approx([0, 0, 0])


def test_summary__a_week_without_records_has_no_factor_and_no_change():
    hours = constant()
    hours = hours.drop(numbers.of_week(hours, MONDAY).index)

    table = numbers.summary(hours, MONDAY)

    assert table.loc[0, "hours"] == 0
    assert table.loc[0, ["solar_cf", "wind_cf"]].isna().all()
    assert table["both_change"].isna().all()
    assert numbers.extremes(hours, MONDAY).empty
    assert numbers.figures(table, numbers.accuracy(numbers.fortnight(hours, MONDAY))) == {"hours_recorded": 0}


def test_summary__week_53_is_compared_with_the_years_that_have_one():
    hours = constant("2009-01-01", "2016-01-10 23:00")

    table = numbers.summary(hours, pd.Timestamp("2015-12-28", tz="UTC"))

    assert table["week"].tolist() == ["the week", "the week before", "week 53 of 2009"]


def test_extremes__are_the_hours_of_most_and_least_power():
    hours = constant()
    best, worst, sunny = (MONDAY + pd.Timedelta(hours=hour) for hour in (5, 60, 100))
    hours.loc[best, TARGETS] = [2.0, 15.0]
    hours.loc[worst, TARGETS] = [0.0, 1.0]
    hours.loc[sunny, TARGETS] = [9.0, 4.0]

    table = numbers.extremes(hours, MONDAY).set_index("what")

    assert table["at"].to_dict() == {
        "best hour": best,
        "worst hour": worst,
        "best hour of solar": sunny,
        "best hour of wind": best,
    }
    assert table["both_GW"].tolist() == [17, 1, 13, 17]


def test_fortnight__has_the_models_band_and_no_records_of_the_second_week():
    table = numbers.fortnight(constant(), MONDAY)

    assert len(table) == 336
    assert table["solar_low_GW"].tolist() == [1.5] * 336
    assert table["wind_high_GW"].tolist() == [5.0] * 336
    assert table["solar_GW"].notna().tolist() == [True] * 168 + [False] * 168
    assert numbers.has_band(table)
    assert not numbers.has_band(numbers.fortnight(without_band(constant()), MONDAY))


def test_with_predictions__puts_each_of_the_models_columns_in_its_place():
    hours = constant("2016-01-01", "2016-01-01 02:00")
    power = pd.DataFrame({name: [float(i)] * 3 for i, name in enumerate([*TARGETS, *BAND])})

    table = numbers.with_predictions(hours, power)

    assert table.loc["2016-01-01 01:00+00:00"].to_dict() == {
        **{"solar_GW": 2.0, "wind_GW": 4.0, "solar_capacity_GW": 10.0, "wind_capacity_GW": 16.0},
        **{"solar_predicted_GW": 0.0, "solar_low_GW": 2.0, "solar_high_GW": 3.0},
        **{"wind_predicted_GW": 1.0, "wind_low_GW": 4.0, "wind_high_GW": 5.0},
    }


def test_fortnight__after_the_end_of_the_data_nothing_is_predicted():
    table = numbers.fortnight(constant(last="2016-08-10 11:00"), MONDAY)

    assert table["solar_predicted_GW"].notna().sum() == 168 + 2 * 24 + 12


def test_accuracy__is_of_the_recorded_hours_of_the_week_and_of_daylight_for_solar():
    hours = constant()
    night = hours.index.hour < 12
    hours.loc[night, ["solar_low_GW", "solar_high_GW"]] = 2.5  # closed, and beside what came
    hours.loc[MONDAY + 12 * numbers.HOUR, "solar_GW"] = 9.0  # one of the 84 hours of light
    hours.loc[MONDAY : MONDAY + 41 * numbers.HOUR, "wind_GW"] = 9.0  # a quarter of the week

    table = numbers.accuracy(numbers.fortnight(hours, MONDAY))

    assert table.loc["solar"].tolist() == pytest.approx([(83.5 + 6.5) / 168, (83.5 - 6.5) / 168, 83 / 84])
    assert table.loc["wind"].tolist() == pytest.approx([(126 + 42 * 6) / 168, (-126 - 42 * 6) / 168, 0.75])


def test_accuracy__of_a_band_there_is_none_without_one_and_for_a_week_that_the_model_learned_from():
    learned = numbers.accuracy(numbers.fortnight(constant(), MONDAY), learned=True)
    bandless = numbers.accuracy(numbers.fortnight(without_band(constant()), MONDAY))

    for table in (learned, bandless):
        assert table["coverage"].isna().all()
        assert table["mae"].tolist() == [0.5, 1.0]


def test_errors_by_week__end_with_the_week_and_leave_scanty_weeks_out():
    hours = constant()
    hours.loc[MONDAY:, "solar_predicted_GW"] = 5.0
    hours = hours.drop(pd.date_range(MONDAY - numbers.WEEK, periods=100, freq="h"))

    weeks = numbers.errors_by_week(hours, MONDAY)

    assert weeks.index[0] == pd.Timestamp("2014-12-29", tz="UTC")
    assert weeks.index[-2:].tolist() == [MONDAY - 2 * numbers.WEEK, MONDAY]
    assert weeks["solar"].iloc[-2:].tolist() == [0.5, 3.0]


def test_errors_by_period__parts_at_the_end_of_training():
    hours = constant()
    hours.loc["2016":, "wind_predicted_GW"] = 1.0

    table = numbers.errors_by_period(hours, MONDAY, "2015-12-31T23:00:00+00:00").set_index("period")

    assert table["wind"].to_dict() == {
        "training": 1.0,
        "since training": 3.0,
        "last 13 weeks": 3.0,
        "last 4 weeks": 3.0,
        "the week": 3.0,
    }
    assert table["hours"].tolist() == [8760, (213 + 7) * 24, 13 * 168, 4 * 168, 168]
    assert "training" not in numbers.errors_by_period(hours, MONDAY, None)["period"].tolist()


def test_year_so_far__compares_as_many_days_of_each_year():
    table = numbers.year_so_far(constant("2014-06-01"), MONDAY)

    assert table["year"].tolist() == [2016, 2015, 2014]
    assert set(table["days"]) == {220}
    assert table["solar_TWh"].tolist() == pytest.approx([220 * 24 * 0.002] * 2 + [69 * 24 * 0.002])
    assert table["hours"].tolist() == [220 * 24, 220 * 24, 69 * 24]


def test_quality__names_the_weeks_missing_hours_and_what_processing_found_in_it():
    index = constant().index.drop(pd.date_range("2016-08-03 05:00", periods=3, freq="h", tz="UTC"))
    report = {
        "dirt": {
            "missing": {"dates": ["2016-07-31T20:00Z/2016-08-01T01:00Z", "2016-08-03T05:00Z/2016-08-03T07:00Z"]},
            "doubled": {"dates": ["2015-10-25T01:00Z"]},
            "negative": {"dates": ["2016-08-07T23:00Z"]},
        }
    }

    table = numbers.quality(index, MONDAY, report).set_index("kind")

    assert table["hours"].to_dict() == {"not in the data": 3, "missing": 5, "doubled": 0, "negative": 1}
    gap = (pd.Timestamp("2016-08-03 05:00", tz="UTC"), pd.Timestamp("2016-08-03 07:00", tz="UTC"))
    assert table.loc["not in the data", "spans"] == [gap]
    assert numbers.quality(index, MONDAY + numbers.WEEK, None)["hours"].tolist() == [0]


def test_figures__are_those_of_the_summary():
    hours = constant()
    table = numbers.fortnight(hours, MONDAY)

    found = numbers.figures(numbers.summary(hours, MONDAY), numbers.accuracy(table))

    assert found == pytest.approx(
        {
            "hours_recorded": 168,
            "energy_solar_GWh": 336,
            "energy_wind_GWh": 672,
            "capacity_factor_solar": 0.2,
            "capacity_factor_wind": 0.25,
            "mae_solar": 0.5,
            "mae_wind": 1.0,
            "coverage_solar": 1.0,
            "coverage_wind": 1.0,
        }
    )
    assert set(PREDICTED) <= set(hours)
