"""Forecasts of 230 days on the sample, made as they would have been: error by lead time, and what the band holds."""

import numpy as np
import pandas as pd
import pytest
from threadpoolctl import threadpool_limits

from dsgo.data.sample_forecast import weather_forecasts
from dsgo.data.schema import TARGETS
from dsgo.forecast.band import DELAY, WARM_UP, widen
from dsgo.forecast.correct import correct_wind, learn, wind_history
from dsgo.forecast.predict import predict_ahead
from dsgo.forecast.record import figures, lay_beside
from dsgo.models.rows import model_input

ISSUED = pd.date_range("2016-05-16", "2016-12-31", freq="D", tz="UTC")


@pytest.fixture(scope="module")
def weather():
    return weather_forecasts(ISSUED, late=False)


@pytest.fixture(scope="module")
def known(dataset, judged):
    """What the model says of the year where the weather is known."""
    year = dataset.frame["2016":]
    return judged.predict(model_input(year)).set_axis(year.index)


@pytest.fixture(scope="module")
def plain(dataset, judged, weather):
    with threadpool_limits(1):
        return predict_ahead(judged, dataset.frame, weather)


@pytest.fixture(scope="module")
def corrected(dataset, known, plain):
    history = wind_history(known, dataset.frame["2016":])
    return correct_wind(plain, history, learn(history, ISSUED[0] - DELAY))


@pytest.fixture(scope="module")
def laid(dataset, corrected):
    band = widen(corrected, dataset.frame[TARGETS])
    calibrated = band["issued"] >= ISSUED[WARM_UP]
    return lay_beside(band[calibrated], dataset.frame)


def test_backtest__no_lead_day_errs_less_than_the_model_on_known_weather(dataset, known, laid):
    came = dataset.frame.loc[laid.index.unique(), TARGETS]
    least = (known.loc[came.index] - came).abs().mean()

    mae = figures(laid).pivot_table(index="lead_day", columns="target", values="mae")

    assert (mae > least).all(axis=None)
    assert (mae.iloc[6] > 1.5 * mae.iloc[0]).all()


def test_backtest__the_band_of_80_percent_holds_75_to_85_at_every_lead_day(laid):
    table = figures(laid)

    assert len(table) == 14
    assert table["coverage"].between(0.75, 0.85).all(), table[["target", "lead_day", "coverage"]]


def test_backtest__is_better_than_the_naive_forecasts_at_every_lead_day(laid):
    table = figures(laid)

    assert (table[["skill_persistence", "skill_climatology"]] > 0).all(axis=None)


def test_correct_wind__does_not_hurt_on_the_sample(dataset, plain, corrected):
    def errors(made):
        return lay_beside(widen(made, dataset.frame[TARGETS]), dataset.frame).query("target == 'wind_GW'")

    one, other = (figures(errors(made)).set_index("lead_day")["mae"] for made in (plain, corrected))

    assert (other < 1.01 * one).all()
    assert other.mean() < one.mean()


def test_correct_wind__looks_at_nothing_that_came_from_the_day_before_the_issue_time_on(dataset, known, plain):
    history = wind_history(known, dataset.frame["2016":])
    models, at = learn(history, ISSUED[0] - DELAY), ISSUED[100]
    other = history.copy()
    other.loc[other.index >= at - DELAY, "came"] = np.nan
    ahead = plain[plain["issued"] == at]

    pd.testing.assert_frame_equal(correct_wind(ahead, history, models), correct_wind(ahead, other, models))
    assert not correct_wind(ahead, history, models)["wind_GW"].equals(ahead["wind_GW"])


def test_correct_wind__corrects_nothing_where_nothing_was_wrong(known, dataset, plain):
    history = wind_history(known, dataset.frame["2016":])
    right = history.assign(came=history["said"])

    same = correct_wind(plain, right, learn(history, ISSUED[0] - DELAY))

    np.testing.assert_allclose(same["wind_GW"], plain["wind_GW"], atol=1e-9)


def test_predict_ahead__of_an_issue_time_is_the_same_alone_and_among_others(dataset, judged, weather, plain):
    at = ISSUED[40]
    cut = dataset.frame[dataset.frame.index < at]  # nobody knows more then

    alone = predict_ahead(judged, cut, weather[weather["issued"] == at])

    pd.testing.assert_frame_equal(alone, plain[plain["issued"] == at], check_freq=False)
    assert alone["lead"].tolist() == list(range(1, 169))
