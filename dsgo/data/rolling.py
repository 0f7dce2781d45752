"""The rolling week: the curve by which report, dashboard and figures of the data lay years upon each other."""

import pandas as pd

ENOUGH = 84  # hours for a mean over a week: a few lost must not cut a week out of a curve


def rolling_week(power: pd.DataFrame) -> pd.DataFrame:
    """Return the mean of the seven days before each moment, every six hours, with the columns `year` and `day`.

    `power` has a column for each quantity and a row an hour, gaps allowed; the index of the result is the last hour of
    each mean. `day` is the moment's place in a leap year (1.0 is 1 January, 00:00), so that a date stands at the same
    place in all years. NaN where fewer than ENOUGH of the 168 hours are there.

    >>> hours = pd.date_range("2015-02-21", "2015-03-01 23:00", freq="h", tz="UTC")
    >>> rolling_week(pd.DataFrame({"wind_GW": range(len(hours))}, hours)).iloc[-1].to_dict()
    {'wind_GW': 131.5, 'year': 2015.0, 'day': 62.0}
    """
    hours = pd.date_range(power.index[0], power.index[-1], freq="h")
    mean = power.reindex(hours).rolling(7 * 24, min_periods=ENOUGH).mean()[hours.hour % 6 == 5]
    at = pd.DatetimeIndex(mean.index)
    late = ~at.is_leap_year & (at.month > 2)
    return mean.assign(year=at.year, day=at.day_of_year + late + (at.hour + 1) / 24)
