"""Next week and the record in a real browser: what is drawn, said and downloaded is what was forecast and what came."""

import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from io import StringIO

import mlflow
import numpy as np
import pandas as pd
import pytest

from dashboard_page import Keys, Page, running_dashboard
from dsgo.base.network import free_port
from dsgo.data.sample import simulate
from dsgo.data.schema import TARGETS
from dsgo.gate.evidence import find_candidate
from dsgo.models import registry
from gate_models import empty_registry, log_dataset, log_linear
from made_forecasts import hours_from, log_forecast

EXPERIMENT = "dashboard next week"
ENVIRONMENT = os.environ | {"MLFLOW_DISABLE_TELEMETRY": "true"}
ENDS = [f"{target}{end}" for target in TARGETS for end in ("", "_low", "_high")]
NEWEST, BEFORE = pd.Timestamp("2017-01-01", tz="UTC"), pd.Timestamp("2016-12-24", tz="UTC")
PHONE = {"width": 375, "height": 800, "deviceScaleFactor": 1, "mobile": False}


@pytest.fixture(scope="module")
def frame():
    hours = simulate().loc["2015":]
    hours.attrs = {"simulated": True, "country": "DE"}
    return hours


@pytest.fixture(scope="module")
def runs(browser, stores, frame):
    """A dataset, a model in Production, and two forecasts (the newest with hindcasts of 40 days): ids by name."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", stores.tracking_uri)
        empty_registry()
        data = log_dataset(frame, EXPERIMENT)
        run_id = log_linear(frame, data, EXPERIMENT)
        registry.promote(registry.register(run_id, find_candidate(run_id)[1], {}, "").version, "the first", "gate")
        before = log_forecast(frame, BEFORE, EXPERIMENT, data, off=1.5)
        newest = log_forecast(frame, NEWEST, EXPERIMENT, data, hindcasts=40)
        yield {"data": data, "lr": run_id, "before": before, "newest": newest}
        empty_registry()


@pytest.fixture(scope="module")
def address(stores, runs, tmp_path_factory):
    log = tmp_path_factory.mktemp("log") / "dashboard.log"
    with running_dashboard(free_port(), stores.tracking_uri, ENVIRONMENT, log, EXPERIMENT) as address:
        yield address


@pytest.fixture
def page(browser, address):
    """The browser on the dashboard; a message in its console fails the test."""
    browser.get_log("browser")
    page = Page(browser, address)
    page.browser.get(address)
    page.shows("#next-issued", "UTC", 60)
    yield page
    assert [entry["message"] for entry in browser.get_log("browser")] == []
    browser.get("about:blank")


def drawn(page, name):
    trace = page.traces("next-chart")[name]
    return pd.Series(trace["y"], pd.to_datetime(trace["x"], unit="ms", utc=True), dtype="float64").dropna()


def get(url):
    """Status, text and type of an address."""
    try:
        with urllib.request.urlopen(url, timeout=30) as answer:
            return answer.status, answer.read().decode(), answer.headers["Content-Type"]
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode(), error.headers["Content-Type"]


def test_next_week__shows_the_newest_forecast_with_its_band_after_what_came(page, frame, runs):
    page.open("/").shows("#next-facts", "version 1")

    expected = hours_from(frame, NEWEST, 1.1)
    assert "1 Jan 2017, 00:00 UTC, the newest" in page.text("#next-issued")
    assert f"{expected['solar_GW'].sum():,.0f}" in page.text("#next-figures")
    for suffix, target in (("", "solar_GW"), ("2", "wind_GW")):
        line = drawn(page, f"Forecast{suffix}")
        np.testing.assert_allclose(line, expected[target], atol=1e-4)
        assert line.index[0] == NEWEST
        recorded = drawn(page, f"{'Wind' if suffix else 'Solar'} recorded{suffix}")
        np.testing.assert_allclose(recorded, frame[target].iloc[-72:], atol=1e-4)
        band = page.traces("next-chart")[f"80% band{suffix}"]["y"]
        assert max(y for y in band if y is not None) == pytest.approx(expected[f"{target}_high"].max(), abs=1e-3)
    assert page.text("#next-came") == "None of its hours has come yet."
    assert page.query() == {}
    links = page.js("return [...document.querySelectorAll('#next-facts a')].map((one) => one.href)")
    assert links[0].endswith(f"/runs/{runs['newest']}")


def test_next_week__the_slider_goes_back_to_hindcasts_and_to_what_was_forecast_before(page, frame):
    page.press("#next-slider [role=slider]", Keys.ARROW_LEFT)
    page.shows("#next-issued", "31 Dec 2016, 00:00 UTC, a hindcast")
    page.wait(lambda: page.query() == {"issued": "2016-12-31T00:00"})
    page.shows("#next-came", "24 of its 168 hours have come")

    page.press("#next-slider [role=slider]", Keys.ARROW_LEFT, 7)
    page.shows("#next-issued", "24 Dec 2016, 00:00 UTC")
    assert "hindcast" not in page.text("#next-issued")
    expected = hours_from(frame, BEFORE, 1.5)
    page.wait(lambda: drawn(page, "Forecast2").index[0] == BEFORE)
    np.testing.assert_allclose(drawn(page, "Forecast2"), expected["wind_GW"], atol=1e-4)
    error = (expected["wind_GW"] - frame["wind_GW"].reindex(expected.index)).abs().mean()
    assert f"wind mean absolute error {error:.2f} GW, 0% of them in the band" in page.text("#next-came")

    page.browser.refresh()
    page.shows("#next-issued", "24 Dec 2016, 00:00 UTC")


def test_next_week__an_issue_time_that_is_not_there_is_said_and_the_newest_is_shown(page):
    page.open("/?issued=2015-01-01T00:00").shows("#address-notice", "no forecast was issued then")
    page.shows("#next-issued", "1 Jan 2017, 00:00 UTC, the newest")


def test_next_week__its_csv_is_the_forecast_shown(page, address, frame):
    page.open("/?issued=2016-12-24T00:00")
    link = page.wait(
        lambda: "2016-12-24" in (page.find("#next-csv").get_attribute("href") or "") and page.find("#next-csv")
    )
    status, text, kind = get(link.get_attribute("href"))

    table = pd.read_csv(StringIO(text), index_col="utc_timestamp", parse_dates=True)
    assert (status, kind) == (200, "text/csv; charset=utf-8")
    assert table.columns.tolist() == ["issued", "lead", *ENDS]
    np.testing.assert_allclose(table[ENDS], hours_from(frame, BEFORE, 1.5)[ENDS], atol=1e-4)
    assert get(f"{address}/forecast.csv?issued=2016-12-24T00:00:00Z")[1] == text
    assert get(f"{address}/forecast.csv?issued=x")[0] == 404


def test_forecast_json__is_the_newest_forecast_in_its_documented_form(page, address, frame, runs):
    status, text, kind = get(f"{address}/forecast.json")

    made = json.loads(text)
    assert (status, kind) == (200, "application/json")
    hours = made.pop("hours")
    assert made.pop("made").startswith(f"{pd.Timestamp.now('UTC'):%Y}")
    assert made == {
        **{"form": 1, "issued": "2017-01-01T00:00:00Z", "country": "DE", "simulated": True, "model_version": "1"},
        **{"weather": "simulated", "run_id": runs["newest"], "data_run_id": runs["data"], "licences": []},
        **{"unit": "GW", "band": 0.8},
    }
    assert len(hours) == 168
    assert list(hours[0]) == ["utc_timestamp", "lead", *ENDS]
    assert (hours[0]["utc_timestamp"], hours[-1]["lead"]) == ("2017-01-01T00:00:00Z", 168)
    np.testing.assert_allclose(pd.DataFrame(hours)[ENDS], hours_from(frame, NEWEST, 1.1)[ENDS], atol=1e-4)


@pytest.mark.parametrize("path", ["/", "/record"])
def test_next_week__fits_a_phone(page, path):
    page.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", PHONE)
    try:
        page.open(path).shows("#light-coverage", "Coverage")
        assert page.js("return document.documentElement.scrollWidth") <= 375
    finally:
        page.browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_record__shows_how_forecasts_did_by_lead_day_and_follows_its_address(page, frame):
    page.open("/record").shows("#record-said", "1 forecast and 39 hindcasts against what came")

    rows = page.js("return [...document.querySelectorAll('#record-table tbody tr')].map((one) => one.innerText)")
    assert len(rows) == 14
    issues = [BEFORE, *(NEWEST - pd.Timedelta(days=k) for k in range(1, 41) if k != 8)]
    off = [hours_from(frame, at, 1.5 if at == BEFORE else 1.1).iloc[:24] for at in issues]
    errors = pd.concat([(one["wind_GW"] - frame["wind_GW"].reindex(one.index)).abs() for one in off])
    wind = rows[7].split("\t")
    assert wind[:4] == ["Wind", "1", "960", f"{errors.mean():.2f} GW"]
    page.wait(lambda: page.traces("record-chart")["Wind"]["y"][0] == pytest.approx(errors.mean(), abs=1e-3))
    assert page.traces("record-chart")["Wind2"]["y"][0] == pytest.approx(100 * 39 / 40, abs=0.01)

    page.click_text("#record-of label", "Forecasts alone")
    page.shows("#record-said", "1 forecast against what came")
    page.click_text("#record-by label", "Month")
    page.wait(lambda: page.query() == {"by": "month", "of": "forecasts"})
    page.wait(lambda: page.traces("record-chart")["Wind"]["x"] == [12])


def test_lights__are_the_first_line_of_every_page_and_what_monitors_are_told(page, address, frame, runs):
    page.open("/explore").shows("#light-model", "version 1")

    assert "the data ends 2016-12-31 23:00 UTC and gets no new hours" in page.text("#light-data")
    assert "alarm" in page.text("#light-coverage")  # a band that holds nearly all
    assert "alarm outside 70 to 90%" in page.text("#light-coverage")
    status, text, kind = get(f"{address}/health")
    told = json.loads(text)
    assert (status, kind, told["status"], told["problem"]) == (503, "application/json", "alarm", "")
    assert told["checks"]["model"] == {"level": "good", "words": "version 1"}
    assert told["checks"]["error"]["words"] in page.text("#light-error")

    status, text, _ = get(f"{address}/metrics")
    lines = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    assert status == 200
    assert (float(lines["dsgo_up"]), float(lines['dsgo_status{check="coverage"}'])) == (1, 2)
    assert float(lines["dsgo_forecast_issued_timestamp_seconds"]) == NEWEST.timestamp()
    assert float(lines['dsgo_forecast_coverage_ratio{lead_day="1",target="wind"}']) == pytest.approx(39 / 40)


def test_check__prints_the_same_and_ends_with_1_on_an_alarm(runs, stores):
    command = [sys.executable, "-m", "dsgo.cli", "check", "--experiment-name", EXPERIMENT]
    environment = ENVIRONMENT | {"MLFLOW_TRACKING_URI": stores.tracking_uri}
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env=environment)

    assert done.returncode == 1, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "model     good     version 1"
    assert lines[1] == "data      good     the data ends 2016-12-31 23:00 UTC and gets no new hours"
    assert lines[2].startswith("error     ")
    assert lines[3].startswith("coverage  alarm    ")


def test_next_week__a_new_forecast_appears_in_an_open_page(page, frame, runs):
    page.open("/").shows("#next-issued", "1 Jan 2017, 00:00 UTC, the newest")
    run_id = log_forecast(frame, NEWEST + pd.Timedelta(days=1), EXPERIMENT, runs["data"])
    try:
        page.shows("#next-issued", "2 Jan 2017, 00:00 UTC, the newest", 40)
    finally:
        mlflow.MlflowClient().delete_run(run_id)
        page.shows("#next-issued", "1 Jan 2017, 00:00 UTC, the newest", 40)
