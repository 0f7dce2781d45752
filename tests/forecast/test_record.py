"""What the record says of forecasts, on numbers that can be checked by hand."""

import pandas as pd
import pytest

from dsgo.forecast.record import Forecast, figures, in_one_line, in_words, lay_beside, standing

ISSUED = pd.Timestamp("2016-01-02", tz="UTC")


@pytest.fixture
def frame():
    """Four days of 10 GW of capacity: wind gives 1 GW on the first day, 2 on the second, ...; solar nothing."""
    hours = pd.date_range("2016-01-01", periods=96, freq="h", tz="UTC", name="utc_timestamp")
    wind = hours.day.to_numpy(float)
    columns = {"solar_GW": 0.0, "wind_GW": wind, "solar_capacity_GW": 10.0, "wind_capacity_GW": 10.0}
    return pd.DataFrame(columns, hours)


def said(frame, wind, low, high):
    hours = frame.index[24:]
    columns = {"issued": ISSUED, "lead": range(1, 73), "wind_GW": wind, "wind_GW_low": low, "wind_GW_high": high}
    solar = dict.fromkeys(["solar_GW", "solar_GW_low", "solar_GW_high"], 0.0)
    return pd.DataFrame(columns | solar, hours)


def test_figures__of_a_forecast_by_lead_day(frame):
    table = figures(lay_beside(said(frame, 2.5, 2.0, 3.5), frame)).set_index(["target", "lead_day"])

    wind = table.loc["wind_GW"]
    assert wind["hours"].tolist() == [24, 24, 24]
    assert wind["mae"].tolist() == [0.5, 0.5, 1.5]
    assert wind["nmae"].tolist() == [0.05, 0.05, 0.15]
    assert wind["bias"].tolist() == [0.5, -0.5, -1.5]
    assert wind["coverage"].tolist() == [1.0, 1.0, 0.0]
    assert wind["width"].tolist() == [1.5] * 3
    # Persistence says what the first of January gave, 1 GW; so does the mean of the hours before.
    assert wind["skill_persistence"].tolist() == [1 - 0.5 / 1, 1 - 0.5 / 2, 1 - 1.5 / 3]
    assert wind["skill_climatology"].tolist() == wind["skill_persistence"].tolist()
    # Losses of 2.0, 2.5 and 3.5 as quantiles of 10, 50 and 90% where 2 came: 0, 0.25, 0.15.
    assert wind["pinball"].iloc[0] == pytest.approx((0 + 0.25 + 0.15) / 3)
    assert table.loc["solar_GW", "coverage"].isna().all()  # no hour of daylight


def test_figures__by_month_and_hour(frame):
    laid = lay_beside(said(frame, 2.5, 2.0, 3.5), frame)

    assert figures(laid, "hour")["hour"].tolist() == [*range(24)] * 2
    assert figures(laid, "month")["hours"].tolist() == [72, 72]


def test_lay_beside__takes_the_hours_that_came(frame):
    laid = lay_beside(said(frame, 2.5, 2.0, 3.5), frame.iloc[:30])

    assert laid.groupby("target")["lead"].agg(list).tolist() == [[1, 2, 3, 4, 5, 6]] * 2
    assert lay_beside(said(frame, 2.5, 2.0, 3.5), frame.iloc[:24]).empty


def test_in_one_line__has_the_form_in_which_the_field_compares(frame):
    table = figures(lay_beside(said(frame, 2.5, 2.0, 3.5), frame))

    assert in_one_line(table) == (
        "share of installed capacity, mean absolute error, the first day ahead: solar 0.00%, wind 5.00%"
    )
    assert in_one_line(table.iloc[:0]).endswith("nothing came")


def test_in_words__names_energy_and_the_highest_hour(frame):
    assert in_words(said(frame, 2.5, 2.0, 3.5)).endswith("wind 180 GWh, most 2.5 GW at Sat 00:00Z")


def test_standing__says_which_forecast_stands_and_its_age():
    made = Forecast("a" * 32, ISSUED, ISSUED + pd.Timedelta(hours=2), "1", "Open-Meteo", False, "DE", "", ())

    assert standing([made], ISSUED + pd.Timedelta(hours=32)) == (
        f"The last forecast stands: 2016-01-02T00:00Z, made 30 hours ago (run {'a' * 32})"
    )
    assert standing([], ISSUED) == "No forecast was made before"
