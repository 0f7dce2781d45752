"""The weather ahead and behind: of the sample, of live data, and of data that has none."""

import numpy as np
import pandas as pd
import pytest

from dsgo.base.errors import UserError
from dsgo.data import open_meteo
from dsgo.data.countries import COUNTRIES
from dsgo.data.dataset import Dataset
from dsgo.data.schema import WEATHER
from dsgo.forecast.weather import weather_ahead, weather_behind

NOW = pd.Timestamp("2026-11-20T06:00", tz="UTC")


@pytest.fixture
def live(live_services):
    """Live data until the hour before NOW; its clients ask `live_services`."""
    hours = pd.date_range(pd.Timestamp("2026-06-01", tz="UTC"), NOW, freq="h", inclusive="left")
    frame = pd.DataFrame({"wind_GW": 1.0}, hours)
    frame.attrs = {"country": "DE", "simulated": False, "licences": ["of power"]}
    return Dataset(frame, "live", None)


def test_weather_ahead__of_live_data_is_open_meteos_for_a_week(live):
    weather = weather_ahead(live, NOW)

    assert (weather.source, weather.licences) == ("Open-Meteo", [open_meteo.LICENCE])
    assert weather.frame["lead"].tolist() == list(range(1, 169))
    assert (weather.frame.index[0], weather.frame["issued"].unique().tolist()) == (NOW, [NOW])
    assert weather.frame[[*WEATHER, "windspeed_100m"]].notna().all(axis=None)


def test_weather_behind__of_live_data_is_what_was_known_at_each_issue_time(live):
    issued = [NOW - pd.Timedelta(days=day) for day in (9, 8)]

    behind = weather_behind(live, issued)

    then = open_meteo.get_previous(COUNTRIES["DE"], issued[0], live.frame.index[-1])
    for at, rows in behind.groupby("issued"):
        assert rows["lead"].tolist() == list(range(1, 169))
        assert ((rows["lead"] - 1) // 24 + 1 == rows["day"]).all()
        one = rows[rows["lead"] == 100].iloc[0]  # hour 100 is of lead day 5
        hour = at + pd.Timedelta(hours=99)
        assert one["windspeed"] == then[then["day"] == 5].loc[hour, "windspeed"]


def test_weather_behind__begins_where_the_service_does(live, live_services):
    assert weather_behind(live, [pd.Timestamp("2024-01-15", tz="UTC")]).empty
    assert live_services.count() == 0


def test_weather_ahead__says_what_open_meteo_does_not_know(live, live_services):
    def short(answers):
        for answer in answers:
            answer["hourly"]["temperature_2m"][100:] = [None] * len(answer["hourly"]["temperature_2m"][100:])
        return answers

    live_services.change("/open-meteo/", short)

    with pytest.raises(UserError, match="open-meteo knows only 93 of the 168 hours from 2026-11-20T06:00Z on"):
        weather_ahead(live, NOW)


def test_weather_ahead__of_a_file_there_is_none(live):
    live.frame.attrs["licences"] = []

    with pytest.raises(UserError, match="there is no weather forecast for this data: source=sample"):
        weather_ahead(live, NOW)


def test_weather_ahead__of_the_sample_is_the_same_as_its_hindcast(dataset):
    at = pd.Timestamp("2016-08-01", tz="UTC")

    ahead, behind = weather_ahead(dataset, at), weather_behind(dataset, [at])

    pd.testing.assert_frame_equal(ahead.frame, behind)
    miss = np.abs(ahead.frame["windspeed"] - dataset.frame["windspeed"].reindex(ahead.frame.index))
    assert miss.iloc[:24].mean() < miss.iloc[-48:].mean()
