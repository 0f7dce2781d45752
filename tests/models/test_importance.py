import numpy as np
import pandas as pd
import pytest

from dsgo.data.schema import TARGETS, TIME, WEATHER
from dsgo.models.importance import APART, AROUND, draw, importance, partial_dependence, sample_weeks

HOURS = pd.date_range("2016-01-01", periods=20 * 168, freq="h", tz="UTC", name=TIME)
RNG = np.random.default_rng(1)
ROWS = pd.DataFrame({name: RNG.uniform(0, 10, len(HOURS)) for name in WEATHER}, HOURS)
ACTUAL = pd.DataFrame({"solar_GW": 0.2 * ROWS["rad_horizontal"], "wind_GW": 3 * ROWS["windspeed"]}, HOURS)


def predict(rows):
    """What came; 1 GW too much wind for rows without neighbours."""
    lonely = len(rows) < 2 or (rows.index[1] - rows.index[0]) > pd.Timedelta(hours=1)
    power = {"solar_GW": 0.2 * rows["rad_horizontal"], "wind_GW": 3 * rows["windspeed"] + float(lonely)}
    return pd.DataFrame(power, rows.index)


def test_importance__is_the_error_that_grows_without_an_input():
    found = importance(predict, ROWS, ACTUAL)

    # the mean distance of two draws of a uniform distribution is a third of its width
    assert found.loc["windspeed", "wind_GW"] == pytest.approx(3 * 10 / 3, rel=0.05)
    assert found.loc["rad_horizontal", "solar_GW"] == pytest.approx(0.2 * 10 / 3, rel=0.05)
    assert found.loc["windspeed", "solar_GW"] == found.loc["rad_horizontal", "wind_GW"] == 0
    assert (found.loc[["temperature", "rad_diffuse"]] == 0).all(axis=None)
    assert found.loc[AROUND].tolist() == [0, pytest.approx(1)]


def test_importance__of_the_hours_around_takes_rows_without_neighbours():
    assert APART > 24


def test_partial_dependence__follows_what_the_model_says_of_an_input():
    curve = partial_dependence(predict, ROWS, "wind_GW")

    assert curve.to_numpy() == pytest.approx(3 * curve.index.to_numpy())
    assert curve.index[-1] == pytest.approx(ROWS["windspeed"].quantile(0.99))


def test_sample_weeks__are_whole_and_spread():
    weeks = sample_weeks(ROWS)

    assert len(weeks) == 8 * 168
    assert weeks.index[0] == HOURS[0]
    assert weeks.index[-1] == HOURS[-1]
    assert len(sample_weeks(ROWS.head(100))) == 100


def test_draw__shows_all_inputs_and_both_targets():
    table = importance(predict, ROWS, ACTUAL)

    figure = draw(table, [partial_dependence(predict, ROWS, target) for target in TARGETS], " (simulated data)")

    bars, solar, wind = figure.axes
    assert [label.get_text() for label in bars.get_yticklabels()][:2] == ["windspeed", "temperature"]
    assert solar.get_title() == "solar power by rad_horizontal"
    assert wind.get_xlabel() == "m/s at 10 m"
