"""The simulated weather forecasts: what they know, what they get wrong, and that the sample stays as it was."""

import hashlib

import numpy as np
import pandas as pd
import pytest

from dsgo.data.sample import raw_sample, simulate, write_sample
from dsgo.data.sample_forecast import LEADS, known, stands_late, weather_forecasts
from dsgo.data.schema import WEATHER


def days(first, last):
    return pd.date_range(first, last, freq="D", tz="UTC")


@pytest.fixture(scope="module")
def beside():
    """Forecasts of a year of issue times with what came, suffixed _came."""
    made = weather_forecasts(days("2016-01-01", "2016-12-24"), late=False)
    return made.join(simulate()[WEATHER].add_suffix("_came"))


def test_write_sample__is_the_same_byte_for_byte_since_its_weather_goes_on_after_its_end(tmp_path):
    files = write_sample(tmp_path)

    assert [hashlib.sha256(file.read_bytes()).hexdigest()[:16] for file in files] == [
        "0436f5b3df6f8bf2",
        "2a598c0f4343f4d7",
    ]


def test_weather_forecasts__of_an_issue_time_are_the_same_alone_and_among_others():
    issued = days("2016-07-01", "2016-07-03")

    alone = weather_forecasts(issued[1:2], late=True)
    among = weather_forecasts(issued, late=True)

    pd.testing.assert_frame_equal(among[among["issued"] == issued[1]], alone)
    assert alone["lead"].tolist() == list(range(1, LEADS + 1))
    assert alone.index[0] == issued[1]


def test_weather_forecasts__go_on_where_the_sample_ends():
    made = weather_forecasts(pd.DatetimeIndex(["2017-01-01"], tz="UTC"), late=True)

    assert made.index[-1] == pd.Timestamp("2017-01-07T23", tz="UTC")
    assert np.isfinite(made[WEATHER].to_numpy()).all()
    assert (made[["windspeed", "rad_horizontal", "rad_diffuse"]] >= 0).all(axis=None)
    assert made.loc["2017-01-03T22":"2017-01-04T04", "rad_horizontal"].eq(0).all()


def test_weather_forecasts__err_more_each_day_and_are_as_lively_as_the_weather(beside):
    day = (beside["lead"] - 1) // 24
    for name in WEATHER:
        miss = (beside[name] - beside[f"{name}_came"]).pow(2).groupby(day).mean()
        assert (miss.rolling(2).mean().diff().dropna() > 0).all(), name
        assert miss[0] > 0
        assert beside[name].std() == pytest.approx(beside[f"{name}_came"].std(), rel=0.03), name


def test_known__is_80_percent_after_six_and_a_half_days():
    """ECMWF's 500 hPa height over the northern extratropics, Haiden et al. 2021 (Technical Memorandum 880)."""
    assert known("windy", np.array([156.0]))[0] == pytest.approx(0.8, abs=0.005)
    assert known("cloudy", np.array([24.0]))[0] < known("windy", np.array([24.0]))[0]


def test_weather_forecasts__stand_by_the_datasets_clock():
    late = raw_sample()[1].rename(columns=lambda name: {"DE_temperature": "temperature"}.get(name, name))
    late = late[~late.index.duplicated()]["2016-05":"2016-06"]
    right = simulate()["2016-05":"2016-06"]
    issued = pd.DatetimeIndex(["2016-06-01"], tz="UTC")

    assert (stands_late(late), stands_late(right)) == (True, False)
    by_late, by_right = (weather_forecasts(issued, late).iloc[:12] for late in (True, False))
    assert (by_late["temperature"] - late["temperature"].loc[by_late.index]).abs().max() < 1.5
    np.testing.assert_allclose(by_late["windspeed"].to_numpy()[1:], by_right["windspeed"].to_numpy()[:-1], rtol=0.05)
