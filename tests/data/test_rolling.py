"""The rolling week has one meaning everywhere: the mean of the seven days before."""

import numpy as np
import pandas as pd

from dsgo.data.rolling import rolling_week
from dsgo.data.schema import TARGETS


def test_rolling_week__is_the_mean_of_the_seven_days_before_from_half_a_week_on():
    hours = pd.date_range("2015-01-01", "2016-08-07 23:00", freq="h", tz="UTC")
    power = pd.DataFrame(np.arange(2.0 * len(hours)).reshape(-1, 2), hours, TARGETS)

    table = rolling_week(power)

    last = table.iloc[-1]
    assert (last["year"], last["day"]) == (2016, 221.0)  # the end of 7 August, the year's 220th day
    assert last["wind_GW"] == power["wind_GW"].iloc[-168:].mean()
    assert table["wind_GW"].isna().sum() == 13  # of the first 78 hours
    assert table["wind_GW"].iloc[13] == power["wind_GW"].iloc[:84].mean()


def test_rolling_week__an_hour_that_is_missing_cuts_nothing_out():
    hours = pd.date_range("2015-01-01", "2015-02-01", freq="h", tz="UTC")
    power = pd.DataFrame({"wind_GW": 2.0}, hours).drop(hours[300:350])

    table = rolling_week(power)

    assert set(table["wind_GW"].dropna()) == {2.0}
    assert table["wind_GW"].iloc[13:].notna().all()
