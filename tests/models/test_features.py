"""Features are the same for a batch, for a row in another order, at gaps and alone; the sun stands where pvlib says."""

import numpy as np
import pandas as pd
import pvlib
import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from dsgo.models.features import (
    ALL,
    HoursAround,
    PowerFeatures,
    SunPosition,
    locate,
    neighbours,
    solar_position,
    to_hours,
)

# A row in other company is another row: that is what the transformer is for.
EXPECTED = {
    "HoursAround": {
        "check_methods_subset_invariance": "the hours around are looked for among the rows given",
        "check_methods_sample_order_invariance": "of an hour that stands twice the first row counts; weather has none",
    }
}


@parametrize_with_checks(
    [SunPosition(), HoursAround()], expected_failed_checks=lambda estimator: EXPECTED.get(type(estimator).__name__, {})
)
def test_transformers__pass_scikit_learns_own_checks(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def weather():
    hours = pd.date_range("2015-01-01", "2015-12-31 23:00", freq="h", tz="UTC", name="utc_timestamp")
    rng = np.random.default_rng(1)
    sine = np.sin(solar_position(to_hours(hours) + 0.5, 51.0, 10.0)[0]).clip(0)
    clear = rng.uniform(0.4, 1, len(hours))
    frame = pd.DataFrame({"windspeed": rng.weibull(2, len(hours)) * 5, "temperature": rng.normal(10, 5, len(hours))})
    frame["rad_horizontal"], frame["rad_diffuse"] = 700 * sine * clear, 200 * sine
    return frame.assign(utc_timestamp=hours.strftime("%Y-%m-%dT%H:%M:%SZ"))


@pytest.fixture(scope="module")
def features(weather):
    return PowerFeatures(latitude=51.0, longitude=10.0).fit(weather)


def test_solar_position__is_pvlibs_within_a_fiftieth_of_a_degree():
    hours = pd.date_range("2013-01-01 00:30", "2026-12-31", freq="31h", tz="UTC")
    reference = pvlib.solarposition.get_solarposition(hours, 51.0, 10.3)

    elevation, azimuth = np.degrees(solar_position(hours.as_unit("s").asi8 / 3600, 51.0, 10.3))

    assert np.abs(elevation - reference["elevation"]).max() < 0.02
    assert np.abs((azimuth - reference["azimuth"] + 180) % 360 - 180).max() < 0.02


def test_features__are_numbers_by_the_names_given(features, weather):
    made = features.transform(weather)

    assert made.shape == (len(weather), len(ALL))
    assert np.isfinite(made).all()
    names = list(features.get_feature_names_out())
    wind = weather["windspeed"].to_numpy("float32")
    assert (made[5, names.index("w+3")], made[5, names.index("w-1")]) == (wind[8], wind[4])
    assert made[30, names.index("wm5")] == pytest.approx(wind[28:33].mean(), rel=1e-6)


def test_features__of_rows_in_another_order_are_the_same(features, weather):
    order = np.random.default_rng(2).permutation(len(weather))

    np.testing.assert_array_equal(features.transform(weather.iloc[order]), features.transform(weather)[order])


def test_features__at_a_gap_take_the_rows_own_value_and_windows_what_is_there(features, weather):
    made = features.transform(weather.drop(index=range(101, 104)))
    names = list(features.get_feature_names_out())
    wind = weather["windspeed"].to_numpy("float32")

    assert made[100, names.index("w+1")] == wind[100]  # persistence
    assert made[100, names.index("w+4")] == wind[104]
    assert made[100, names.index("wm5")] == pytest.approx(wind[98:101].mean(), rel=1e-6)


def test_features__of_a_single_row_are_numbers_and_alone_needs_no_neighbour(features, weather):
    row = weather.iloc[[4000]]

    assert np.isfinite(features.transform(row)).all()
    np.testing.assert_array_equal(features.alone(row), features.alone(weather)[[4000]])
    assert features.present(row).tolist() == [1 / 25]


def test_features__see_how_late_the_clock_of_the_weather_is(weather):
    late = weather.copy()
    columns = ["rad_horizontal", "rad_diffuse"]
    summer = pd.to_datetime(weather["utc_timestamp"]).dt.tz_convert("Europe/Berlin").map(lambda at: bool(at.dst()))
    late.loc[summer, columns] = weather[columns].shift(1).fillna(0.0)[summer]

    assert PowerFeatures(latitude=51.0, longitude=10.0).fit(weather).shift_ == [0, 0]
    assert PowerFeatures(latitude=51.0, longitude=10.0).fit(late).shift_ == [0, 1]


def test_locate__finds_the_place_of_weather_that_nobody_named(weather):
    radiation = (weather["rad_horizontal"] + weather["rad_diffuse"]).to_numpy()

    latitude, longitude = locate(to_hours(weather["utc_timestamp"]), radiation)

    assert abs(longitude - 10) <= 2
    assert abs(latitude - 51) <= 6  # the height of the sun says less


def test_neighbours__finds_hours_in_any_order():
    assert neighbours(np.array([9, 3, 4]), np.array([1, -6])).tolist() == [[-1, 1], [2, -1], [-1, -1]]
