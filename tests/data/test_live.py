"""The live sources together, day after day: what is asked, what is revised, and what a break costs."""

import pandas as pd
import pytest

from dsgo.base.errors import UserError
from dsgo.data import energy_charts, open_meteo
from dsgo.data.live import present, read_live
from live_server import hourly


def utc(text):
    return pd.Timestamp(text, tz="UTC")


def test_read_live__of_four_years_and_of_the_day_after_asks_only_what_is_needed(live_services):
    """The figures of benchmarks/live_data.py are of these calls."""
    first = read_live("live", "DE", "", "", "2026-11-20T08:00Z")

    assert (first.hours[0], first.hours[-1]) == (
        utc("2022-11-24"),
        utc("2026-11-20T05"),
    )
    assert first.power.notna().all(axis=None)
    assert first.weather.notna().all(axis=None)
    assert first.weather.columns[1] == "windspeed_100m"
    assert first.licences == [energy_charts.LICENCE, open_meteo.LICENCE]
    assert live_services.count("public_power") == 5  # calendar years
    assert live_services.count("installed_power") == 1
    assert live_services.count("open-meteo-history") == 17 * 2  # calendar quarters, land and sea
    assert live_services.count() == 40

    live_services.calls.clear()
    live_services.now = "2026-11-21T08:00+00:00"
    second = read_live("live", "DE", "", "", "2026-11-21T08:00Z")

    assert sorted(path for path, _ in live_services.calls) == [
        "/energy-charts/installed_power",
        "/energy-charts/v2/public_power",
        "/open-meteo-history/v1/forecast",
        "/open-meteo-history/v1/forecast",
    ]
    assert second.hours[-1] == utc("2026-11-21T05")
    # What was preliminary is revised: 17 November was 3% too low the day before.
    day = slice("2026-11-17T12:00", "2026-11-17T23:00")
    truth = hourly("wind_onshore", second.hours) + hourly("wind_offshore", second.hours)
    truth = pd.Series(truth / 1000, second.hours)[day].to_numpy()
    assert first.power["wind_GW"][day].to_numpy() == pytest.approx(0.97 * truth, rel=1e-3)
    assert second.power["wind_GW"]["2026-11-17T12:00":"2026-11-18T05:00"][:12].to_numpy() == pytest.approx(
        truth, rel=1e-3
    )


def test_read_live__goes_on_after_a_break_with_what_is_kept(live_services):
    live_services.fail("open-meteo-history", 429, times=1, body={"reason": "Daily limit, try again tomorrow"})
    with pytest.raises(UserError, match="open-meteo-history asks to wait 1440 minutes"):
        read_live("live", "DE", "2025-01-01", "", "2026-11-20T08:00Z")
    asked = live_services.count()

    read_live("live", "DE", "2025-01-01", "", "2026-11-20T08:00Z")

    assert asked == 2 + 1 + 1  # two years, capacity, the first of the weather
    assert live_services.count() - asked == 1 + 1 + 8 * 2  # the kept year is not asked again


def test_read_live__a_start_that_moves_asks_for_the_same_periods(live_services):
    live_services.now = "2026-12-05T08:00+00:00"
    read_live("live", "DE", "", "", live_services.now)
    live_services.calls.clear()
    live_services.now = "2026-12-06T08:00+00:00"

    moved = read_live("live", "DE", "", "", live_services.now)  # four years before it: a day later

    assert moved.hours[0] == utc("2022-12-06")
    assert live_services.count() == 4


def test_read_live__takes_a_period(live_services):
    live = read_live("live", "FR", "2025-03-01", "2025-03-31", "2026-11-20T08:00Z")

    assert (live.hours[0], live.hours[-1]) == (
        utc("2025-03-01"),
        utc("2025-03-31T23"),
    )
    assert {params.get("country") for path, params in live_services.calls if "charts" in path} == {"fr"}


def test_read_live__of_smard_names_its_own_licence(live_services):
    live = read_live("smard", "DE", "2026-10-01", "", "2026-11-20T08:00Z")

    assert live.licences[0] == "Power data: Bundesnetzagentur | SMARD.de, CC BY 4.0"
    assert live.power.notna().all(axis=None)
    assert live_services.count("public_power") == 0


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("live", "XX", "", "", ""), "country=XX is not known; known are DE, AT"),
        (("live", "GB", "", "", ""), "country=GB has no source=live"),
        (("smard", "FR", "", "", ""), "country=FR has no source=smard"),
        (("live", "DE", "2020-01-01", "", ""), "start=2020-01-01: the weather of source=live begins on 2022-11-24"),
        (("live", "DE", "1.1.2025", "", ""), "start=1.1.2025 must be a day such as"),
        (("live", "DE", "", "soon", ""), "end=soon must be a day such as"),
        (
            ("live", "DE", "2026-11-20", "2026-11-01", "2026-11-20T08:00Z"),
            "there is no hour between start=2026-11-20 and",
        ),
        (("live", "DE", "", "", "noon"), "now=noon must be a time such as 2026-11-25T08:00Z"),
        (
            ("live", "DE", "2026-11-20", "", "2026-11-20T01:00Z"),
            "nothing was measured from 2026-11-20 to 2026-11-20T01:00Z",
        ),
    ],
)
def test_read_live__mistake_is_one_line(live_services, arguments, line):
    live_services.now = "2026-11-20T00:30+00:00"
    with pytest.raises(UserError, match=line):
        read_live(*arguments)


@pytest.mark.parametrize(
    ("text", "hour"),
    [
        ("2026-11-20T08:59:59Z", "2026-11-20T08:00"),
        ("2026-11-20T08:10+02:00", "2026-11-20T06:00"),
        ("2026-11-20", "2026-11-20T00:00"),
    ],
)
def test_present__is_an_hour_of_utc(text, hour):
    assert present(text) == utc(hour)
    assert present("") <= pd.Timestamp.now("UTC")
