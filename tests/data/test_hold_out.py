"""The hold-out: which hours it holds, and what is too little for one."""

import numpy as np
import pandas as pd
import pytest

from dsgo.base.errors import UserError
from dsgo.data.hold_out import split_dataset


def hours(first, last):
    index = pd.date_range(first, last, freq="h", tz="UTC", name="utc_timestamp")
    return pd.DataFrame({"solar_GW": np.arange(float(len(index)))}, index)


@pytest.mark.parametrize(
    ("last", "first_held_out", "days"),
    [
        ("2016-12-31 23:00", "2016-01-01", 366),
        ("2016-12-31 20:00", "2016-01-01", 366),  # the last hours are missing: the year stays the year
        ("2015-12-31 23:00", "2015-01-01", 365),
        ("2016-02-28 23:00", "2015-03-01", 365),
        ("2016-02-29 00:00", "2015-03-01", 366),
        ("2016-07-10 23:00", "2015-07-11", 366),
        ("2017-02-27 23:00", "2016-02-28", 366),
        ("2017-02-28 23:00", "2016-03-01", 365),
        ("2017-03-01 23:00", "2016-03-02", 365),
    ],
)
def test_split_dataset__chronological_holds_out_the_last_365_days_and_a_29_february(last, first_held_out, days):
    frame = hours("2013-01-01", last)

    train, test = split_dataset(frame, "chronological")

    assert test.index[0] == pd.Timestamp(first_held_out, tz="UTC")
    assert test.index.normalize().nunique() == days
    assert train.index[-1] == test.index[0] - pd.Timedelta(hours=1)
    assert len(train) + len(test) == len(frame)


def test_split_dataset__chronological_of_two_calendar_years_is_the_second(small_dataset):
    train, test = split_dataset(small_dataset, "chronological")

    assert train.index.year.unique().tolist() == [2015]
    assert test.index.year.unique().tolist() == [2016]
    assert len(train) + len(test) == len(small_dataset)


def test_split_dataset__random_is_the_notebooks_fifth(small_dataset):
    train, test = split_dataset(small_dataset, "random")

    assert len(test) == -(-len(small_dataset) // 5)
    assert set(train.index) | set(test.index) == set(small_dataset.index)


@pytest.mark.parametrize("first", ["2016-12-31 23:00", "2016-06-01", "2016-01-01", "2015-12-03"])
def test_split_dataset__too_little_to_learn_from_is_one_line(first):
    with pytest.raises(UserError, match=f"goes from {first[:10]} to 2016-12-31.*needs 30 days or more before") as error:
        split_dataset(hours(first, "2016-12-31 23:00"), "chronological")

    assert "\n" not in error.value.message


def test_split_dataset__thirty_days_before_the_hold_out_are_enough():
    assert len(split_dataset(hours("2015-12-02", "2016-12-31 23:00"), "chronological")[0]) == 720


@pytest.mark.parametrize("count", [1, 2, 899])
def test_split_dataset__random_of_a_few_hours_is_one_line(count):
    frame = hours("2016-01-01", "2016-12-31 23:00").head(count)

    with pytest.raises(UserError, match=f"the data has only {count} hours: a random split needs 900 or more"):
        split_dataset(frame, "random")
