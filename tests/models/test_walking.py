"""A walk knows nothing that was not known then, and an error that is too good to be true is shown to be none."""

import itertools

import numpy as np
import pandas as pd
import pytest

from dsgo.data.hold_out import split_dataset
from dsgo.data.sample import simulate
from dsgo.data.schema import CAPACITY, TARGETS, WEATHER
from dsgo.models import ways
from dsgo.models.features import SOLAR, WIND
from dsgo.models.metrics import scores
from dsgo.models.origins import predict_unseen
from dsgo.models.recipe import fit_recipe, make_kernel
from dsgo.models.walking import KnownThen, NotYetKnownError, corrected, refit, steps

DAY = pd.Timedelta(days=1)


def fit(hours):
    """A small kernel ridge."""
    return fit_recipe(hours, lambda _: make_kernel(0.01, 0.1, 60), {"solar_GW": SOLAR, "wind_GW": WIND})


@pytest.fixture(scope="module")
def frame():
    """Two simulated years."""
    hours = simulate().loc["2015":"2016"]
    hours.attrs = {"country": "DE", "simulated": True}
    return hours


@pytest.fixture(scope="module")
def other_future(frame):
    """The same weather, with other power from 10 July 2016 on."""
    other = frame.copy()
    other.attrs = frame.attrs
    later = other.index >= pd.Timestamp("2016-07-10", tz="UTC")
    other.loc[later, TARGETS] = 0.5 * other.loc[later, TARGETS].to_numpy()[::-1]
    return other


def said_by(frame):
    """What a walk might have said: the truth as capacity factors, somewhat wrong."""
    rng = np.random.default_rng(1)
    factors = frame[TARGETS].to_numpy() / frame[CAPACITY].to_numpy()
    said = np.clip(factors * rng.uniform(0.8, 1.1, factors.shape), 0, 1)
    return pd.DataFrame(said, frame.index, TARGETS)


@pytest.mark.parametrize("hours", [1, 24, 72])
def test_known_then__raises_beyond_what_was_known_at_that_hour(frame, hours):
    now, delay = pd.Timestamp("2016-03-01 06:00", tz="UTC"), pd.Timedelta(hours=hours)
    view = KnownThen(frame, now, delay)

    assert view.power().index[-1] == now - delay - pd.Timedelta(hours=1)
    assert view.power(now - delay).index[-1] == now - delay - pd.Timedelta(hours=1)
    with pytest.raises(NotYetKnownError, match="was not known at 2016-03-01 06:00"):
        view.power(now - delay + pd.Timedelta(hours=1))
    assert not set(TARGETS) & set(view.weather(now, now + DAY).columns)


def test_refit__learns_from_what_the_view_knows_alone(frame, other_future):
    now = pd.Timestamp("2016-07-11", tz="UTC")  # the day before is not known yet

    first, second = (refit(fit, KnownThen(each, now, DAY), now + 7 * DAY) for each in (frame, other_future))

    pd.testing.assert_frame_equal(first, second)
    assert (first.index[0], len(first)) == (now, 7 * 24)


def test_corrected__sees_an_error_a_day_after_its_hour_and_no_earlier(frame, other_future):
    said, start = said_by(frame).loc["2016"], pd.Timestamp("2016-05-01", tz="UTC")

    first, second = (corrected(each, said, start, DAY) for each in (frame, other_future))

    seen = pd.Timestamp("2016-07-11", tz="UTC")  # a day after the first hour that differs
    pd.testing.assert_frame_equal(first[first.index < seen], second[second.index < seen])
    assert (first - second).abs().loc["2016-07-11"].to_numpy().max() > 0.001


def test_walked_and_naive__know_nothing_of_hours_to_come(frame, other_future):
    said, start = said_by(frame).loc["2015-07":], pd.Timestamp("2016-02-01", tz="UTC")
    before = slice("2016-02-01", "2016-07-10")

    first, second = (
        ways.walked(each, said, start, DAY) | ways.naive(each, start, DAY) for each in (frame, other_future)
    )

    for name in first:
        pd.testing.assert_frame_equal(first[name].loc[before], second[name].loc[before], obj=name)
        assert not first[name].loc["2016-07-12":].equals(second[name].loc["2016-07-12":]) or name == "calendar"


def test_predict_unseen__an_origin_never_learns_from_later_hours(frame):
    train = frame.loc["2015"]
    train.attrs, last = frame.attrs, []

    def watched(hours):
        last.append(hours.index[-1])
        return fit(hours)

    said = predict_unseen(watched, train, 2)

    assert len(last) == said["origin"].nunique() >= 1
    for until, (origin, hours) in zip(last, said.groupby("origin"), strict=True):
        assert until < origin <= hours.index[0]
    assert said.index.max() == train.index[-1]  # the hold-out is not there


def test_steps__leave_no_hour_out_and_none_twice(frame):
    for every in ("month", "week"):
        made = steps(frame, pd.Timestamp("2016-01-13 05:00", tz="UTC"), every)
        assert made[0][0] == pd.Timestamp("2016-01-13 05:00", tz="UTC")
        assert all(end == begin for (_, end), (begin, _) in itertools.pairwise(made))
        assert made[-1][1] == frame.index[-1] + pd.Timedelta(hours=1)


def test_model__fails_on_the_weather_of_the_wrong_year(frame):
    train, test = split_dataset(frame, "chronological")
    train.attrs = frame.attrs
    recipe, naive = fit(train), ways.calendar(frame, test.index[0], DAY).loc[test.index]
    old = frame[WEATHER].reindex(test.index - 364 * DAY).set_axis(test.index)

    found = {}
    for name, hours in (("right", test), ("wrong", test.assign(**{column: old[column] for column in WEATHER}))):
        predicted = ways.in_gigawatt(frame, pd.DataFrame(recipe.factors(hours), test.index, TARGETS))
        found[name] = scores(test, predicted, naive)

    assert found["right"]["mae_skill"] > 0.5
    assert found["wrong"]["mae_skill"] < 0.05
    assert found["wrong"]["r2_wind"] < 0.1
    assert found["wrong"]["r2"] < scores(test, naive, naive)["r2"] + 0.05
