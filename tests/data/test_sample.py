"""The simulated raw data: the same every time, with the form and dirt of the real files, and behaving like them."""

import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import LinearRegression
from sklearn.metrics import r2_score
from sklearn.model_selection import train_test_split

from dsgo.data.opsd import find_pair, period, read_raw
from dsgo.data.sample import raw_sample, simulate, write_sample
from dsgo.data.schema import CAPACITY, COLUMNS, TARGETS, TIME, WEATHER
from shared import SHARED_DATA

HOURS = period("2013-01-01", "2016-12-31")
DST_BEGINS = pd.to_datetime(["2013-03-31T01Z", "2014-03-30T01Z", "2015-03-29T01Z", "2016-03-27T01Z"], utc=True)
DST_ENDS = pd.to_datetime(["2013-10-27T01Z", "2014-10-26T01Z", "2015-10-25T01Z", "2016-10-30T01Z"], utc=True)


@pytest.fixture(scope="module")
def clean():
    return simulate()


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    return write_sample(tmp_path_factory.mktemp("sample"))


@pytest.fixture(scope="module")
def simulated(pair):
    """Targets and weather as a dataset: the first of doubled hours, no hour with a gap."""
    power, weather = read_raw(pair, HOURS, "DE")
    return power[TARGETS].join(weather[~weather.index.duplicated()], how="inner").dropna()


@pytest.fixture(scope="module")
def real():
    table = pd.read_csv(SHARED_DATA / "germany.csv", parse_dates=[TIME], index_col=TIME)
    return table[~table.index.duplicated()]


# --- form and dirt ---


def test_write_sample__writes_the_same_bytes_in_another_process(pair, tmp_path):
    code = "import sys, pathlib, dsgo.data.sample; dsgo.data.sample.write_sample(pathlib.Path(sys.argv[1]))"
    environment = os.environ | {"PYTHONHASHSEED": "1", "TZ": "Asia/Tokyo"}
    subprocess.run([sys.executable, "-c", code, tmp_path / "new"], check=True, timeout=60, env=environment)
    again = find_pair(tmp_path / "new")
    assert again.power.read_bytes() == pair.power.read_bytes()
    assert again.weather.read_bytes() == pair.weather.read_bytes()
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == [again.power.name, again.weather.name]


def test_raw_sample__has_the_values_it_always_had():
    """On any platform and version: a change here is a new sample, and figures made from it are no longer comparable."""
    power, weather = raw_sample()
    assert power.loc["2016-06-15T10Z"].tolist() == [11007, 19036, 39884, 46858]
    assert weather.loc["2016-06-15T10Z"].tolist() == [7.623, 17.825, 52.1878, 286.3932]


def test_write_sample__has_the_form_of_opsd(pair):
    power, weather = (path.read_bytes().decode().split("\n") for path in pair)
    assert power[0] == (
        "utc_timestamp,DE_solar_generation_actual,DE_wind_generation_actual,DE_solar_capacity,DE_wind_capacity"
    )
    assert weather[0] == (
        "utc_timestamp,DE_windspeed_10m,DE_temperature,DE_radiation_direct_horizontal,DE_radiation_diffuse_horizontal"
    )
    assert power[1].startswith("2013-01-01T00:00:00Z,0,")
    assert power[1].endswith(",34080,30980")
    for lines in (power, weather):
        assert len(lines) == 1 + 35064 + 1
        assert lines[-2].startswith("2016-12-31T23:00:00Z,")
        assert lines[-1] == ""


def test_write_sample__reads_back_as_raw_sample(pair):
    power, weather = read_raw(pair, HOURS, "DE")
    raw_power, raw_weather = raw_sample()
    np.testing.assert_allclose(power.to_numpy() * 1000, raw_power.to_numpy(float, na_value=np.nan), rtol=1e-12)
    np.testing.assert_array_equal(weather.to_numpy(), raw_weather.to_numpy())
    assert list(power.index) == list(raw_power.index)
    assert list(weather.index) == list(raw_weather.index)


def test_raw_sample__lacks_power_on_most_of_two_days_and_four_hours_of_another():
    power = raw_sample()[0]
    empty = power[power["DE_solar_generation_actual"].isna()]
    assert power.index.equals(HOURS)
    assert empty["DE_wind_generation_actual"].isna().all()
    by_day = empty.groupby(empty.index.strftime("%Y-%m-%d")).size().to_dict()
    assert by_day == {"2013-03-30": 1, "2013-03-31": 22, "2014-03-12": 4, "2014-03-29": 1, "2014-03-30": 22}
    assert power.notna().sum().tolist() == [35064 - 50, 35064 - 50, 35064, 35064]


def test_raw_sample__weather_lacks_and_doubles_the_hour_of_the_change_of_clocks():
    weather = raw_sample()[1]
    doubled = weather[weather.index.duplicated(keep=False)]
    assert HOURS.difference(weather.index).equals(DST_BEGINS)
    assert doubled.index.unique().equals(DST_ENDS)
    assert len(doubled) == 8
    assert (doubled[::2].to_numpy() != doubled[1::2].to_numpy())[:, :2].all()  # wind and temperature differ
    assert weather.index.is_monotonic_increasing
    assert weather.notna().all(axis=None)


def test_raw_sample__weather_stands_an_hour_late_in_summer_only(clean):
    weather = raw_sample()[1]["DE_temperature"]
    assert weather["2015-01-15T12Z"] == round(clean.temperature["2015-01-15T12Z"], 3)
    assert weather["2015-07-15T12Z"] == round(clean.temperature["2015-07-15T11Z"], 3)


# --- physics ---


def test_simulate__is_clean_and_within_capacity(clean):
    assert list(clean.columns) == COLUMNS
    assert clean.index.equals(HOURS)
    assert np.isfinite(clean.to_numpy()).all()
    assert (clean.drop(columns="temperature") >= 0).all(axis=None)
    assert (clean[TARGETS].to_numpy() <= clean[CAPACITY].to_numpy()).all()


def test_simulate__capacity_grows_as_germanys_did(clean):
    assert clean.loc["2013-01-01T00Z", CAPACITY].tolist() == [34.08, 30.98]
    assert clean.loc["2016-01-01T00Z", CAPACITY].tolist() == [39.22, 44.58]
    assert clean[CAPACITY].iloc[-1].tolist() == pytest.approx([40.68, 49.59], abs=0.001)
    assert (clean[CAPACITY].diff().iloc[1:] > 0).all(axis=None)


def test_simulate__sun_shines_by_day_only_and_is_highest_at_noon(clean):
    night = clean[clean.index.hour.isin([21, 22, 23, 0, 1])]
    assert (night[["solar_GW", "rad_horizontal", "rad_diffuse"]] == 0).all(axis=None)
    sun = (clean.rad_horizontal + clean.rad_diffuse).groupby(clean.index.hour).mean()
    # solar noon is 11:20 UTC; a stamp is the beginning of its hour
    assert (sun * sun.index).sum() / sun.sum() == pytest.approx(10.83, abs=0.1)


# --- like the real data ---


@pytest.mark.realdata
@pytest.mark.parametrize("column", TARGETS + WEATHER)
def test_sample__has_means_spread_mean_day_and_mean_year_of_the_real_data(simulated, real, column):
    """Mean and standard deviation within 10%; 24 hourly means and 12 monthly means correlated above 0.95."""
    ours, theirs = simulated[column], real[column]
    figures = {"mean": ours.mean() / theirs.mean() - 1, "spread": ours.std() / theirs.std() - 1}
    for name, of in (("day", "hour"), ("year", "month")):
        climates = [values.groupby(getattr(values.index, of)).mean() for values in (ours, theirs)]
        figures[name] = np.corrcoef(*climates)[0, 1]
    message = f"{column}: " + ", ".join(f"{name} {value:+.3f}" for name, value in figures.items())
    print(message)
    assert abs(figures["mean"]) < 0.10, message
    assert abs(figures["spread"]) < 0.10, message
    assert figures["day"] > 0.95, message
    assert figures["year"] > 0.95, message


@pytest.mark.realdata
@pytest.mark.parametrize("split", ["random", "chronological"])
@pytest.mark.parametrize("model", ["lr", "rf"])
def test_sample__scores_like_the_real_data(simulated, real, split, model):
    """The r2 on the four weather columns, mean of the targets, within 0.05 of that on real data; each target's too."""
    ours, theirs = r2(simulated, split, model), r2(real, split, model)
    message = (
        f"{model} {split}: simulated {ours.mean():.3f} {ours.round(3)}, real {theirs.mean():.3f} {theirs.round(3)}"
    )
    print(message)
    assert abs(ours.mean() - theirs.mean()) < 0.05, message
    assert (abs(ours - theirs) < 0.05).all(), message


@pytest.mark.realdata
def test_sample__lacks_and_doubles_the_hours_of_the_real_data(pair, simulated, real):
    assert simulated.index.equals(real.index.as_unit(simulated.index.unit))
    table = pd.read_csv(SHARED_DATA / "germany.csv", parse_dates=[TIME], index_col=TIME)
    weather = read_raw(pair, HOURS, "DE")[1]
    assert list(table.index[table.index.duplicated()]) == list(weather.index[weather.index.duplicated()])


def r2(frame, split, model):
    """Return the r2 of solar_GW and wind_GW on the hold-out."""
    if split == "random":
        train, test = train_test_split(frame, test_size=0.2, random_state=42)
    else:
        train, test = frame[frame.index.year < 2016], frame[frame.index.year == 2016]
    estimators = {
        "lr": LinearRegression(),
        "rf": RandomForestRegressor(n_estimators=64, max_depth=10, random_state=42, n_jobs=2),
    }
    predicted = estimators[model].fit(train[WEATHER], train[TARGETS]).predict(test[WEATHER])
    return r2_score(test[TARGETS], predicted, multioutput="raw_values")
