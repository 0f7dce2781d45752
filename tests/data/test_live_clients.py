"""Each client against the local server: values equal the server's formulas; forms that are not known end in a line."""

import numpy as np
import pandas as pd
import pytest

from dsgo.data import energy_charts, open_meteo, smard
from dsgo.data.countries import COUNTRIES
from dsgo.data.services import AnswerError
from live_server import capacity, hourly, in_rows, seconds, weather

DE, FR = COUNTRIES["DE"], COUNTRIES["FR"]


def at(text):
    return pd.Timestamp(text, tz="UTC")


def hours(first, last):
    return pd.date_range(first, last, freq="h", tz="UTC", unit="us")


def truth(index):
    return pd.DataFrame(
        {
            "solar_GW": hourly("solar", index) / 1000,
            "wind_GW": (hourly("wind_onshore", index) + hourly("wind_offshore", index)) / 1000,
        },
        index.rename("utc_timestamp"),
    )


def same(found, expected, atol):
    pd.testing.assert_frame_equal(found, expected, rtol=0, atol=atol, check_freq=False, check_index_type=False)


NOW = at("2026-11-20T08:00")


@pytest.mark.parametrize("version_2", [True, False])
@pytest.mark.parametrize("day", ["2026-03-28", "2026-10-24", "2025-12-30"])  # both changes of clocks, and a new year
def test_get_generation__is_the_mean_of_the_hour_stamped_at_its_start(live_services, version_2, day):
    live_services.version_2 = version_2
    index = hours(at(day), at(day) + pd.Timedelta(days=3, hours=-1))

    found = energy_charts.get_generation(DE, index[0], index[-1] + pd.Timedelta(hours=1), NOW)

    same(found, truth(index), 1e-4)


def test_get_generation__asks_version_1_for_all_where_version_2_is_down(live_services, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda _: None)
    live_services.fail("/v2/", 500, times=99)

    energy_charts.get_generation(DE, at("2024-05-01"), at("2026-05-01"), NOW)

    assert (live_services.count("/v2/public_power"), live_services.count("/energy-charts/public_power")) == (6, 3)


def test_get_generation__leaves_open_what_is_not_measured_yet(live_services):
    found = energy_charts.get_generation(DE, at("2026-11-19"), NOW, NOW)

    # Quarters are measured two hours later: at 08:00 those up to 06:00, of which the last three days are preliminary.
    assert found.index[-1] == at("2026-11-20T07:00")
    assert found["solar_GW"].isna().tolist() == [False] * 30 + [True] * 2
    same(found.iloc[:30], 0.97 * truth(found.index[:30]), 1e-3)


def test_get_generation__an_hour_that_lacks_a_quarter_or_a_kind_is_nan(live_services):
    def holes(row):
        if row["timestamp"].startswith("2026-05-05"):
            return {}  # a day is missing, Berlin's
        if row["timestamp"].startswith("2026-05-07T12:15"):
            row["values"]["wind_offshore"] = None
        if row["timestamp"].startswith("2026-05-08T12:45"):
            return {}
        return row

    live_services.change("/v2/public_power", in_rows(holes))
    found = energy_charts.get_generation(DE, at("2026-05-04"), at("2026-05-10"), NOW)

    expected = truth(hours("2026-05-04", "2026-05-09T23:00"))
    expected.loc[at("2026-05-07T10:00"), "wind_GW"] = np.nan
    expected.loc[at("2026-05-08T10:00")] = np.nan
    day = (expected.index >= at("2026-05-04T22:00")) & (expected.index < at("2026-05-05T22:00"))
    same(found.dropna(how="all"), expected[~day].dropna(how="all"), 1e-4)
    assert found.loc[at("2026-05-08T10:00")].isna().all()


def test_get_generation__takes_hours_and_quarters_in_one_year(live_services):
    def hourly_before_october(row):
        whole = row["timestamp"][14:16] == "00"
        return row if whole or row["timestamp"] >= "2026-10" else {}

    live_services.change("/v2/public_power", in_rows(hourly_before_october))
    found = energy_charts.get_generation(DE, at("2026-09-01"), at("2026-10-20"), NOW)

    assert found.index[found["solar_GW"].isna()].tolist() == [at("2026-09-30T20:00"), at("2026-09-30T21:00")]


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (lambda answer: answer | {"unit": "GW"}, "solar in MW: GW"),
        (lambda answer: answer | {"series": [{**s, "unit": "kW"} for s in answer["series"]]}, "solar in MW: kW"),
        (
            lambda answer: answer | {"series": [{**s, "id": s["id"].replace("off", "Off")} for s in answer["series"]]},
            "series solar, wind_onshore, wind_offshore: solar, wind_onshore, wind_Offshore, load",
        ),
        (lambda answer: {"rows" if key == "data" else key: x for key, x in answer.items()}, "KeyError 'data': {'unit'"),
        (in_rows(lambda row: row | {"timestamp": row["timestamp"][:19]}), "a zone in each time"),
        (in_rows(lambda row: row | {"values": row["values"] | {"solar": "n/a"}}), "ValueError could not convert"),
        (lambda answer: [], "TypeError"),
    ],
)
def test_get_generation__another_form_ends_in_a_line(live_services, change, line):
    live_services.change("/v2/public_power", change)

    with pytest.raises(AnswerError, match="energy-charts answers in another form than the one known") as error:
        energy_charts.get_generation(DE, at("2026-05-01"), at("2026-06-01"), NOW)
    assert line in error.value.message
    assert len(error.value.message) < 500


def test_get_generation__of_a_country_without_wind_at_sea_needs_none(live_services):
    no_sea = COUNTRIES["CZ"]

    def without(answer):
        rows = in_rows(lambda row: (row["values"].pop("wind_offshore") and row) or row)(answer)
        return rows | {"series": [one for one in answer["series"] if one["id"] != "wind_offshore"]}

    live_services.change("/v2/public_power", without)
    found = energy_charts.get_generation(no_sea, at("2026-05-01"), at("2026-05-02"), NOW)

    onshore = hourly("wind_onshore", hours("2026-05-01", "2026-05-01T23:00")) / 1000
    np.testing.assert_allclose(found["wind_GW"], onshore, atol=1e-4)


def test_get_day_ahead__is_the_forecast_up_to_the_day_that_is_issued(live_services):
    found = energy_charts.get_day_ahead(DE, at("2026-11-19"), at("2026-11-23"), NOW)

    assert found["wind_GW"].last_valid_index() == at("2026-11-20T23:00")
    known = found.dropna()
    ratio = known["wind_GW"] / truth(known.index)["wind_GW"]
    assert ratio.between(0.8, 1.2).all()
    assert ratio.std() > 0.001


def test_get_capacity__is_linear_between_ends_of_months_and_takes_no_plan(live_services):
    index = hours("2026-06-30T12:00", "2026-11-20T07:00")

    found = energy_charts.get_capacity(DE, index)

    # October's end is the newest, where solar and offshore are null: September's end holds on for these.
    until = np.minimum(seconds(index), at("2026-10-01").timestamp())
    np.testing.assert_allclose(found["solar_capacity_GW"], capacity("solar", until), atol=2e-3)
    onshore = capacity("wind_onshore", np.minimum(seconds(index), at("2026-11-01").timestamp()))
    np.testing.assert_allclose(found["wind_capacity_GW"], onshore + capacity("wind_offshore", until), atol=3e-3)


def test_get_capacity__of_another_country_is_by_year(live_services):
    found = energy_charts.get_capacity(FR, hours("2024-06-01", "2026-11-20"))

    assert live_services.calls[-1][1]["time_step"] == "yearly"
    assert found["solar_capacity_GW"].iloc[-1] == pytest.approx(
        capacity("solar", at("2025-01-01").timestamp()), abs=1e-2
    )


@pytest.mark.parametrize("name", ["Solar", "Solar gross", "Solar DC"])
def test_get_capacity__knows_older_names(live_services, name):
    def renamed(answer):
        kinds = [kind for kind in answer["production_types"] if kind["name"] != "Solar DC"]
        return answer | {"production_types": [{**k, "name": name} if k["name"] == "Solar AC" else k for k in kinds]}

    live_services.change("installed_power", renamed)

    assert (
        energy_charts.get_capacity(DE, hours("2026-05-01", "2026-05-02"))["solar_capacity_GW"].between(115, 125).all()
    )


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (
            lambda answer: (
                answer
                | {
                    "production_types": [
                        k | {"data": [v and 1000 * v for v in k["data"]]} for k in answer["production_types"]
                    ]
                }
            ),
            "solar in GW",
        ),
        (
            lambda answer: answer | {"production_types": answer["production_types"][:3]},
            "installed power of solar, wind_",
        ),
        (lambda answer: answer | {"time": ["Oct 2026"] * len(answer["time"])}, "months as 09.2026 or years as 2026"),
    ],
)
def test_get_capacity__another_form_ends_in_a_line(live_services, change, line):
    live_services.change("installed_power", change)

    with pytest.raises(AnswerError, match=line):
        energy_charts.get_capacity(DE, hours("2026-05-01", "2026-05-02"))


def test_smard__weeks_with_both_changes_of_clocks_and_null(live_services):
    for first in ("2026-03-22", "2026-10-18"):
        index = hours(at(first), at(first) + pd.Timedelta(days=15))
        found = smard.get_generation(DE, index[0], index[-1] + pd.Timedelta(hours=1), NOW)
        same(found, truth(index), 1e-4)

    newest = smard.get_generation(DE, at("2026-11-19"), NOW, NOW)
    assert newest["wind_GW"].isna().tolist() == [False] * 30 + [True] * 2


def test_smard__asks_again_for_the_last_weeks_alone(live_services):
    for _ in range(2):
        live_services.calls.clear()
        smard.get_generation(DE, at("2026-08-01"), NOW, NOW)

    # Each of three filters: the index and the weeks that end after 30 October (21 days before now).
    assert live_services.count() == 3 * (1 + 4)
    live_services.change("hour_", lambda answer: {"meta_data": {}})
    with pytest.raises(AnswerError, match=r"smard answers in another form .*KeyError 'series'"):
        smard.get_generation(DE, at("2026-08-01"), NOW, NOW)


def mean_weather(index, country=DE):
    """The alignment once more, written differently: point by point from the formulas, in Open-Meteo's digits."""
    points, wind, sun = [*country.points_on_land, *country.offshore], country.wind_weights(), country.solar_weights()
    now, after = seconds(index), seconds(index) + 3600

    def seen(name, when):
        digits = 2 if name.startswith("wind") else 1
        return [np.round(weather(name, when, point.latitude, point.longitude), digits) for point in points]

    def moments(name, weights):
        return np.average((np.array(seen(name, now)) + seen(name, after)) / 2, axis=0, weights=weights)

    return pd.DataFrame(
        {
            "windspeed": moments("wind_speed_10m", wind),
            "windspeed_100m": moments("wind_speed_100m", wind),
            "temperature": moments("temperature_2m", sun),
            "rad_horizontal": np.average(seen("direct_radiation", after), axis=0, weights=sun),
            "rad_diffuse": np.average(seen("diffuse_radiation", after), axis=0, weights=sun),
        },
        index.rename("utc_timestamp"),
    )


@pytest.mark.parametrize("first", ["2026-03-28", "2026-10-24", "2025-12-30", "2026-11-18"])
def test_get_history__is_aligned_to_hours_that_start_at_their_stamp(live_services, first):
    index = hours(at(first), min(at(first) + pd.Timedelta(days=3), NOW) - pd.Timedelta(hours=1))

    found = open_meteo.get_history(DE, index[0], index[-1] + pd.Timedelta(hours=1), NOW)

    same(found, mean_weather(index), 1e-6)


def test_get_history__asks_in_the_form_that_the_service_documents(live_services):
    open_meteo.get_history(DE, at("2026-04-02"), at("2026-04-03"), NOW)

    land, sea = (params for _, params in live_services.calls)
    assert land["wind_speed_unit"] == "ms"
    assert land["timezone"] == "UTC"
    assert len(land["latitude"].split(",")) == len(land["longitude"].split(",")) == 14
    assert "cell_selection" not in land
    assert (sea["cell_selection"], len(sea["latitude"].split(","))) == ("sea", 3)
    assert (land["start_date"], land["end_date"]) == ("2026-04-01", "2026-04-03")


def test_get_history__of_a_country_with_one_point_reads_an_object(live_services):
    from dataclasses import replace

    one = replace(DE, points_on_land=DE.points_on_land[:1], offshore=(), offshore_share=0.0)
    index = hours("2026-05-01", "2026-05-02")

    same(open_meteo.get_history(one, index[0], index[-1] + pd.Timedelta(hours=1), NOW), mean_weather(index, one), 1e-6)


def test_get_history__where_100_m_is_empty_it_comes_down_from_120_m(live_services):
    live_services.wind_at_100m = False
    index = hours("2026-05-01", "2026-05-02")

    found = open_meteo.get_history(DE, index[0], index[-1] + pd.Timedelta(hours=1), NOW)

    same(found, mean_weather(index), 0.01)  # the server's wind follows the power law between the two heights
    assert live_services.count() == 4


def test_get_history__an_hour_that_a_point_lacks_is_nan(live_services):
    def hole(answers):
        answers[2]["hourly"]["temperature_2m"][30 * 24 + 5] = None  # 1 May, 05:00
        return answers

    live_services.change("history", hole)
    found = open_meteo.get_history(DE, at("2026-05-01"), at("2026-05-02"), NOW)

    assert found.index[found["temperature"].isna()].tolist() == [at("2026-05-01T04:00"), at("2026-05-01T05:00")]
    assert found.drop(columns="temperature").notna().all(axis=None)


def each(function):
    return lambda answers: [function(answer) for answer in answers]


def in_unit(**units):
    return each(lambda answer: answer | {"hourly_units": answer["hourly_units"] | units})


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (
            each(lambda a: a | {"hourly_units": a["hourly_units"] | {"wind_speed_10m": "km/h"}}),
            "wind_speed_10m in m/s: km/h",
        ),
        (
            each(lambda a: a | {"hourly_units": a["hourly_units"] | {"temperature_2m": "°F"}}),
            "temperature_2m in °C: °F",
        ),
        (each(lambda a: {k: v for k, v in a.items() if k != "hourly"}), "KeyError 'hourly'"),
        (each(lambda a: a | {"utc_offset_seconds": 3600}), "times in UTC"),
        (lambda answers: answers[::-1], "the weather at"),
        (lambda answers: answers[:-1], "points: "),
        (each(lambda a: a | {"hourly": a["hourly"] | {"diffuse_radiation": [1.0]}}), "ValueError"),
    ],
)
def test_get_history__another_form_ends_in_a_line(live_services, change, line):
    live_services.change("history", change)

    with pytest.raises(AnswerError, match="open-meteo-history answers in another form than the one known") as error:
        open_meteo.get_history(DE, at("2026-05-01"), at("2026-05-02"), NOW)
    assert line in error.value.message


def test_get_history__shows_why_it_is_refused(live_services):
    with pytest.raises(AnswerError, match="refused /v1/forecast with 400: Parameter 'end_date' is out"):
        open_meteo.get_history(DE, at("2027-05-01"), at("2027-06-02"), at("2027-06-02"))


def test_get_forecast__is_seven_days_from_now(live_services):
    found = open_meteo.get_forecast(DE, NOW)

    assert (found.index[0], len(found)) == (NOW, 168)
    assert found.notna().all(axis=None)
    error = (found["windspeed"] - mean_weather(pd.DatetimeIndex(found.index))["windspeed"]).abs()
    assert error.iloc[:24].mean() < error.iloc[-24:].mean()


def test_get_previous__is_what_was_forecast_days_before_and_asks_for_past_weeks_once(live_services):
    first, last = at("2026-10-20T06:00"), at("2026-11-20T05:00")

    found = open_meteo.get_previous(DE, first, last)

    index = pd.date_range(first, last, freq="h")
    assert sorted(found["day"].unique()) == [1, 2, 3, 4, 5, 6, 7]
    for day, part in found.groupby("day"):
        assert part.index.equals(index), day
        assert part.notna().all(axis=None)
    truth = mean_weather(index)["temperature"]
    error = [(part["temperature"] - truth).abs().mean() for _, part in found.groupby("day")]
    assert (np.diff(error) > 0).all()
    assert live_services.count("open-meteo-previous") == live_services.count() == 5 * 2  # weeks from 19 October

    live_services.calls.clear()
    open_meteo.get_previous(DE, first + pd.Timedelta(days=1), last + pd.Timedelta(days=1))
    asked = {params["start_date"] for _, params in live_services.calls}
    assert asked == {"2026-11-16"}  # the week that is not whole yet

    live_services.change("previous", in_unit(wind_speed_10m_previous_day1="km/h"))
    with pytest.raises(AnswerError, match="wind_speed_10m_previous_day1 in m/s"):
        open_meteo.get_previous(DE, first, last)


def test_get_previous__where_100_m_is_empty_it_comes_down_from_120_m(live_services):
    live_services.wind_at_100m = False

    found = open_meteo.get_previous(DE, at("2026-11-10"), at("2026-11-11"), days=2)

    assert found["windspeed_100m"].notna().all()
    ratio = found["windspeed_100m"] / found["windspeed"]
    assert ratio.between(1.3, 1.7).all()


def test_weights__of_every_country_add_up_to_one():
    for country in COUNTRIES.values():
        assert sum(country.solar_weights()) == pytest.approx(1)
        assert sum(country.wind_weights()) == pytest.approx(1)
        assert bool(country.offshore) == bool(country.offshore_share)
        assert pd.Timestamp("2026-01-01", tz=country.zone)
        for point in (*country.points_on_land, *country.offshore):
            assert 34 < point.latitude < 70, point
            assert -11 < point.longitude < 32, point


def test_weight__of_a_call_stays_far_below_what_a_minute_allows(live_services, monkeypatch):
    weights, get = [], open_meteo.Service.get

    def weighed(self, path, params, read, keep, weight):
        weights.append(weight)
        return get(self, path, params, read, keep, weight)

    monkeypatch.setattr(open_meteo.Service, "get", weighed)
    open_meteo.get_history(DE, at("2026-04-02"), at("2026-07-01"), NOW)

    assert weights[:2] == [pytest.approx(14 * 5 / 10 * 92 / 14), pytest.approx(3 * 5 / 10 * 92 / 14)]
    assert 600 * open_meteo.PAUSE == 60  # seconds after 600 of weight
