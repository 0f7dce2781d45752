"""The dashboard in a real browser on the real stack: opened, used, its values compared with what the model gives."""

import contextlib
import os
import re
import socket
import subprocess
import sys
import urllib.error
import urllib.request

import mlflow
import numpy as np
import pandas as pd
import pyarrow.parquet  # noqa: F401  (before the browser: its first import takes a while)
import pytest
from sklearn.base import clone
from sklearn.ensemble import RandomForestRegressor

from dashboard_page import APP, Keys, Page, running_dashboard
from dsgo.base.network import free_port
from dsgo.data.sample import simulate
from dsgo.data.schema import TARGETS, WEATHER
from dsgo.gate.evidence import find_candidate
from dsgo.models import registry
from dsgo.models.rows import model_input
from dsgo.stores.running import running_stores
from gate_models import experiment_id, log_dataset, log_linear

EXPERIMENT = "dashboard"
ENVIRONMENT = os.environ | {"MLFLOW_DISABLE_TELEMETRY": "true"}
GAP = pd.date_range("2016-12-28 05:00", periods=3, freq="h", tz="UTC")
TABS = ["curves", "versions", "compare", "drift"]
PAGES = ["/", "/record", "/overview", "/explore", "/years", "/models", "/what-if"]


class Restartable:
    """Stores that can be stopped and started again on the same ports."""

    def __init__(self, home):
        self.arguments = home, free_port(), free_port()
        self.stack = contextlib.ExitStack()
        self.start()

    def start(self):
        self.uri = self.stack.enter_context(running_stores(*self.arguments)).tracking_uri

    def stop(self):
        self.stack.close()


@pytest.fixture(scope="module")
def frame():
    """Two simulated years with three hours missing."""
    hours = simulate().loc["2015":].drop(GAP)
    hours.attrs = {"simulated": True, "country": "DE"}
    return hours


@pytest.fixture(scope="module")
def own_stores(browser, tmp_path_factory):
    """Stores of this file alone, for it stops them; none where there is no browser."""
    stores = Restartable(tmp_path_factory.mktemp("dashboard"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", stores.uri)
        yield stores
    stores.stop()


@pytest.fixture(scope="module")
def runs(own_stores, frame):
    """A dataset, a linear model in Production (version 1), a forest, and a run with learning curves: ids by name."""
    data = log_dataset(frame, EXPERIMENT)
    runs = {"data": data, "lr": log_linear(frame, data, EXPERIMENT)}
    forest = RandomForestRegressor(8, max_depth=6, random_state=1, n_jobs=-1)
    rf = log_linear(frame, data, EXPERIMENT, "rf", fit=lambda hours: clone(forest).fit(hours[WEATHER], hours[TARGETS]))
    mlflow.MlflowClient().set_tag(rf, "dsgo.step", "rf")
    with mlflow.start_run(experiment_id=experiment_id(EXPERIMENT), run_name="keras_nn") as curves:
        for step in range(5):
            mlflow.log_metrics({"loss": 9 - step, "val_loss": 10 - step, "epoch_mae": 3, "val_epoch_mae": 4}, step=step)
    promote(runs["lr"], "the first")
    return runs | {"rf": rf, "keras_nn": curves.info.run_id}


def promote(run_id, why):
    """Put a run's model into Production; returns the version."""
    _, model_id = find_candidate(run_id)
    version = registry.register(run_id, model_id, {}, why).version
    registry.promote(version, why, "gate")
    return version


@pytest.fixture(scope="module")
def predicted(runs, frame):
    """What the linear model and the forest say of every hour, by name."""
    models = {name: mlflow.pyfunc.load_model(f"runs:/{runs[name]}/model") for name in ("lr", "rf")}
    return {name: model.predict(model_input(frame), params={"interval": 0.8}) for name, model in models.items()}


@pytest.fixture(scope="module")
def address(own_stores, runs, tmp_path_factory):
    """The dashboard, running."""
    log = tmp_path_factory.mktemp("log") / "dashboard.log"
    with running_dashboard(free_port(), own_stores.uri, ENVIRONMENT, log) as address:
        yield address


@pytest.fixture
def page(browser, address):
    """The browser, on the running dashboard; a message in its console fails the test."""
    browser.get_log("browser"), browser.get_log("performance")
    yield Page(browser, address)
    assert [entry["message"] for entry in browser.get_log("browser")] == []
    browser.get("about:blank")


def hourly(trace):
    """A drawn line as a series by hour, gaps left out."""
    hours = pd.to_datetime(trace["x"], unit="ms", utc=True)
    return pd.Series(trace["y"], hours, dtype="float64").dropna()


def test_overview__shows_the_last_day_the_model_and_the_data(page, frame, runs, predicted):
    page.open("/overview").shows("#overview-day", "Solar energy")

    day = slice("2016-12-31 00:00", "2016-12-31 23:00")
    numbers = [element.text for element in page.browser.find_elements("css selector", ".stat-value")]
    expected = []
    for target in TARGETS:
        recorded, error = frame.loc[day, target], (predicted["lr"] - frame).loc[day, target]
        expected += [f"{recorded.sum():,.0f}", f"{error.abs().mean():.2f}"]
    assert numbers == expected
    card = page.text("#model-card")
    run = mlflow.get_run(runs["lr"])
    assert f"{run.data.metrics['mae_wind']:.2f} GW" in card
    assert "the first" in card
    links = page.js("return [...document.querySelectorAll('#model-card a')].map((one) => one.href)")
    assert f"{mlflow.get_tracking_uri()}/#/experiments/{run.info.experiment_id}/runs/{runs['lr']}" in links
    freshness = page.text("#freshness")
    assert "31 Dec 2016, 23:00 UTC" in freshness
    assert f"{len(frame) + 3:,}, of which 3 missing" in freshness

    week = page.traces("overview-week")
    recorded = hourly(week["Solar recorded"])["2016-12-26":]
    assert not recorded.index.isin(GAP).any()
    np.testing.assert_allclose(recorded, frame.loc["2016-12-26":, "solar_GW"], atol=1e-4)
    np.testing.assert_allclose(
        hourly(week["Predicted2"])["2016-12-26":], predicted["lr"].loc["2016-12-26":, "wind_GW"], atol=1e-4
    )
    band = week["80% band2"]
    last = pd.Timestamp("2016-12-31 23:00").value / 1e6
    ends = sorted(y for x, y in zip(band["x"], band["y"], strict=True) if x == last and y is not None)
    wanted = predicted["lr"].loc["2016-12-31 23:00+00:00", ["wind_GW_low", "wind_GW_high"]]
    assert ends == pytest.approx(wanted.tolist(), abs=1e-4)
    held = run.data.metrics
    note = f"On the hold-out it held {held['coverage_solar']:.1%} (solar) and {held['coverage_wind']:.1%} (wind)."
    assert note in page.text("#overview-band")


@pytest.mark.parametrize("path", PAGES)
def test_every_page__says_that_data_is_simulated_and_takes_nothing_from_elsewhere(page, address, path):
    page.open(path).shows("#simulated", "SIMULATED DATA")
    urls = [e["params"]["request"]["url"] for e in page.events() if e["method"] == "Network.requestWillBeSent"]

    assert urls
    assert {url for url in urls if not url.startswith((address, "data:", "blob:"))} == set()


@pytest.mark.parametrize("path", [*PAGES, *(f"/models?tab={tab}" for tab in TABS)])
def test_every_page__fits_a_phone_names_its_controls_and_can_be_read_in_light_and_dark(page, path):
    phone = {"width": 375, "height": 800, "deviceScaleFactor": 1, "mobile": False}
    page.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", phone)
    try:
        page.open(path).shows("#badges", "version")
        assert page.js("return document.documentElement.scrollWidth") <= 375
        assert page.js(NAMELESS) == []
        for scheme in ("light", "dark"):
            media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
            page.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
            shown = "return document.documentElement.dataset.mantineColorScheme"
            page.wait(lambda scheme=scheme, shown=shown: page.js(shown) == scheme)
            page.wait(lambda: page.js(PALE) == [])  # colours fade over a moment
    finally:
        page.browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        page.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


NAMELESS = """
const visible = (one) => one.offsetParent !== null && one.type !== 'hidden';
return [...document.querySelectorAll('button, input, select, a[href], [role=slider], [role=tab]')].filter(visible)
    .filter((one) => !one.closest('.ag-root') && !one.ariaHidden  // AG Grid names its own
        && !(one.innerText || one.ariaLabel || one.getAttribute('aria-labelledby') || one.title
             || (one.labels && one.labels.length) || one.querySelector('img[alt]')))
    .map((one) => one.outerHTML.slice(0, 200));
"""
PALE = """
const rgb = (text) => (text.match(/[\\d.]+/g) || []).map(Number);
const light = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map((v) => v / 255).map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
};
const behind = (one) => {
    for (let at = one; at; at = at.parentElement) {
        const [r, g, b, a = 1] = rgb(getComputedStyle(at).backgroundColor);
        if (a === 1) return [r, g, b];
    }
    return [255, 255, 255];
};
const pale = [];
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
    const one = walker.currentNode.parentElement, text = walker.currentNode.textContent.trim();
    if (!text || one.closest('svg, script')) continue;
    if (!one.checkVisibility({opacityProperty: true, visibilityProperty: true})) continue;
    const [front, back] = [light(rgb(getComputedStyle(one).color)), light(behind(one))];
    const contrast = (Math.max(front, back) + 0.05) / (Math.min(front, back) + 0.05);
    if (contrast < 4.5) pale.push(`${text}: ${contrast.toFixed(2)}`);
}
return pale;
"""


def test_explore__an_address_brings_the_same_view_and_its_figures_are_the_models(page, frame, predicted, runs):
    query = f"?from=2016-06-06T00:00&to=2016-06-13T00:00&target=wind_GW&model={runs['rf']}"
    page.open("/explore" + query)
    page.wait(lambda: "Predicted" in page.traces("explore-chart"))

    week = slice("2016-06-06 00:00", "2016-06-12 23:00")
    recorded, power = frame.loc[week, "wind_GW"], predicted["rf"].loc[week, "wind_GW"]
    drawn = page.traces("explore-chart")
    np.testing.assert_allclose(hourly(drawn["Wind recorded"])[week], recorded, atol=1e-4)
    np.testing.assert_allclose(hourly(drawn["Predicted"])[week], power, atol=1e-4)
    np.testing.assert_allclose(hourly(drawn["Wind residual2"])[week], power - recorded, atol=1e-4)
    cells = [cell.text for cell in page.find("#explore-summary").find_elements("css selector", "td")]
    capacity = frame.loc[week, "wind_capacity_GW"]
    assert cells[:4] == [
        *("Wind", f"{recorded.sum():,.0f} GWh", f"{power.sum():,.0f} GWh"),
        f"{recorded.sum() / capacity.sum():.1%}",
    ]
    assert cells[4] == f"{(power - recorded).abs().mean():.2f} GW"
    assert cells[-1] == "168"
    assert page.query() == {
        **{"from": "2016-06-06T00:00", "to": "2016-06-13T00:00"},
        **{"target": "wind_GW", "model": runs["rf"]},
    }


def test_explore__zooming_the_buttons_and_the_calendar_change_the_view_and_the_address(page):
    page.open("/explore")
    assert page.wait(page.query)["from"] == "2016-12-18T00:00"

    page.click_text("button", "All")
    page.shows("#explore-note", "lowest and highest hours")
    assert page.query()["from"] == "2015-01-01T00:00"
    page.drag("explore-chart", 0.25, 0.5)
    page.wait(lambda: page.query()["from"] > "2015-06-01T00:00")
    first, last = (pd.Timestamp(page.query()[name]) for name in ("from", "to"))
    assert abs(first - pd.Timestamp("2015-07-02")) < pd.Timedelta("5D")
    assert abs(last - pd.Timestamp("2016-01-01")) < pd.Timedelta("5D")
    page.wait(lambda: page.browser.find_elements("css selector", "#explore-summary td")[-1].text != "17,541")
    hours = int((last - first) / pd.Timedelta("1h"))
    assert page.browser.find_elements("css selector", "#explore-summary td")[-1].text == f"{hours:,}"

    page.click("#explore-picked")
    page.click("[aria-label='Previous month']")
    days = page.wait(lambda: page.browser.find_elements("css selector", "table button:not([data-outside])"))
    label = days[4].get_attribute("aria-label")
    days[4].click()
    days[10].click()
    start = pd.Timestamp(label)
    page.wait(lambda: page.query()["from"] == f"{start:%Y-%m-%dT00:00}")
    assert page.query()["to"] == f"{start + pd.Timedelta(days=7):%Y-%m-%dT00:00}"

    page.click_text("button", "→")
    page.wait(lambda: page.query()["from"] == f"{start + pd.Timedelta(days=7):%Y-%m-%dT00:00}")
    kept = page.query()
    page.browser.refresh()
    page.wait(lambda: page.query() == kept)
    assert page.find("#explore-picked").text.startswith(f"{start.day + 7} " if start.day < 20 else "")


def test_explore__the_csv_holds_the_view(page, frame, predicted):
    page.open("/explore?from=2016-12-28T00:00&to=2016-12-30T00:00")
    page.wait(lambda: "from=2016-12-28" in page.find("#explore-csv").get_attribute("href"))
    page.click("#explore-csv")
    downloads = page.browser.downloads
    file = page.wait(lambda: next(downloads.glob("solar_wind_2016-12-28_*.csv"), None))

    table = pd.read_csv(file, index_col="utc_timestamp", parse_dates=True)
    assert len(table) == 48
    assert table.loc[GAP].isna().all(axis=None)
    table = table.drop(GAP)
    for target in TARGETS:
        name, hours = target.removesuffix("_GW"), table.index
        np.testing.assert_allclose(table[target], frame.loc[hours, target], rtol=1e-9)
        np.testing.assert_allclose(table[f"{name}_predicted_GW"], predicted["lr"].loc[hours, target], rtol=1e-9)


def test_years__the_rolling_week_is_the_mean_of_seven_days(page, frame, predicted):
    page.open("/years?source=predicted&years=2015,2016")
    page.wait(lambda: "2015" in page.traces("years-chart"))

    drawn = page.traces("years-chart")["20152"]
    at = pd.to_datetime(drawn["x"], unit="ms")
    value = drawn["y"][list(at).index(pd.Timestamp("2016-07-01 12:00"))]
    end = pd.Timestamp("2015-07-01 12:00", tz="UTC")
    before = predicted["lr"]["wind_GW"].loc[end - pd.Timedelta("168h") : end - pd.Timedelta("1h")]
    assert len(before) == 168
    assert value == pytest.approx(before.mean(), abs=1e-4)
    assert page.browser.find_elements("css selector", "#years-chart .rangeslider-container")

    page.click_text("#years-source label", "Recorded")
    total = f"{frame.loc['2015', 'wind_GW'].sum() / 1000:.1f} TWh"
    page.shows("#years-table", total)
    assert page.query()["source"] == "recorded"


def test_models__drift_shows_each_figure_with_its_light(page):
    page.open("/models?tab=drift").shows("#models-drift", "stands as it did against power")

    names = "return [...document.querySelectorAll('#models-drift tbody td:first-child')].map((one) => one.innerText)"
    assert page.js(names)[:2] == ["windspeed", "temperature"]
    lights = page.js("return [...document.querySelectorAll('#models-drift .light')].map((one) => one.innerText)")
    assert lights == ["good"] * 14


def test_models__the_table_of_runs_can_be_sorted_and_filtered(page, runs):
    page.open("/models")
    cells = "return [...document.querySelectorAll('#runs-grid [col-id=run] a')].map((one) => one.innerText)"
    page.wait(lambda: len(page.js(cells)) == 4)
    page.click("#runs-grid .ag-header-cell[col-id=mae] .ag-header-cell-label")
    maes = "return [...document.querySelectorAll('#runs-grid .ag-row')].sort((a, b) => a.ariaRowIndex - b.ariaRowIndex)"
    maes += ".map((row) => row.querySelector('[col-id=mae]').innerText).filter((text) => text)"
    metric = {name: mlflow.get_run(runs[name]).data.metrics["mae"] for name in ("lr", "rf")}
    page.wait(lambda: page.js(maes) == [f"{value:.3f}" for value in sorted(metric.values())])
    page.click("#runs-grid .ag-header-cell[col-id=mae] .ag-header-cell-label")
    page.wait(lambda: page.js(maes) == [f"{value:.3f}" for value in sorted(metric.values(), reverse=True)])

    page.click("#runs-grid .ag-header-cell[col-id=run] .ag-header-cell-filter-button")
    page.find(".ag-filter input[type=text]").send_keys("rf")
    page.wait(lambda: page.js(cells) == [f"rf {runs['rf'][:6]}"])


def test_models__curves_versions_and_metrics_are_those_of_the_runs(page, runs):
    page.open("/models?tab=curves")
    page.wait(lambda: page.traces("models-curves-chart"))
    drawn = page.traces("models-curves-chart")
    name = f"keras_nn {runs['keras_nn'][:6]}"
    assert drawn[f"{name}, training"]["y"] == [9, 8, 7, 6, 5]
    assert drawn[f"{name}, hold-out"]["y"] == [10, 9, 8, 7, 6]

    page.click_text("[role=tab]", "Runs")
    page.wait(lambda: page.query() == {"tab": "runs", "x": "mae_solar", "y": "mae_wind"})
    page.wait(lambda: "rf" in page.traces("models-metrics"))
    metrics = mlflow.get_run(runs["rf"]).data.metrics
    dot = page.traces("models-metrics")["rf"]
    assert (dot["x"][0], dot["y"][0]) == pytest.approx((metrics["mae_solar"], metrics["mae_wind"]))

    page.click_text("[role=tab]", "Versions")
    page.shows("#versions-grid", "Production")
    page.shows("#history-grid", "the first")


def test_models__two_models_stand_side_by_side_on_the_same_dates(page, frame, predicted, runs):
    page.open(f"/models?tab=compare&a=production&b={runs['rf']}&from=2016-03-01T00:00&to=2016-04-01T00:00")
    forest = f"rf {runs['rf'][:6]}"
    page.shows("#side-figures", forest)

    march = slice("2016-03-01 00:00", "2016-03-31 23:00")
    rows = page.js("return [...document.querySelectorAll('#side-figures tr')].map((row) => row.innerText)")
    for name, label in {"lr": "Version 1", "rf": forest}.items():
        error = (predicted[name] - frame).loc[march, "wind_GW"].abs().mean()
        row = next(row for row in rows if row.startswith("Wind") and label in row)
        assert f"{error:.2f} GW" in row
    drawn = hourly(page.traces("side-chart")[f"{forest}2"])[march]
    np.testing.assert_allclose(drawn, predicted["rf"].loc[march, "wind_GW"], atol=1e-4)


def test_what_if__sliders_move_by_the_keyboard_and_the_gauge_is_the_models(page, runs):
    given = "windspeed=8&temperature=15&rad_horizontal=300&rad_diffuse=150&hour=9"
    page.open(f"/what-if?{given}&solar_capacity_GW=40.5&wind_capacity_GW=49.5")
    gauge = "return (document.querySelector('#what-gauge-wind_GW .js-plotly-plot')?._fullData || [{value: 0}])[0].value"
    page.wait(lambda: page.js(gauge) > 0)
    model = mlflow.pyfunc.load_model(f"runs:/{runs['lr']}/model")
    row = {"windspeed": 8.0, "temperature": 15.0, "rad_horizontal": 300.0, "rad_diffuse": 150.0}
    row |= {"utc_timestamp": "2016-12-31T09:00:00Z", "solar_capacity_GW": 40.5, "wind_capacity_GW": 49.5}
    assert page.js(gauge) == pytest.approx(model.predict(pd.DataFrame([row]))["wind_GW"][0])

    ends = model.predict(pd.DataFrame([row]), params={"interval": 0.8}).iloc[0]
    assert f"80% band: {ends['wind_GW_low']:.2f} to {ends['wind_GW_high']:.2f} GW" in page.text("#what-share-wind_GW")

    page.press("#what-windspeed [role=slider]", Keys.ARROW_RIGHT, 10)
    page.wait(lambda: page.query()["windspeed"] == "9")
    wind = model.predict(pd.DataFrame([row | {"windspeed": 9.0}]))["wind_GW"][0]
    page.wait(lambda: page.js(gauge) == pytest.approx(wind))
    assert page.text("#what-windspeed-value") == "9.0 m/s"
    curve = page.traces("what-curve-windspeed")["Wind"]
    calm, storm = (model.predict(pd.DataFrame([row | {"windspeed": v}]))["wind_GW"][0] for v in (0.0, 15.0))
    assert (curve["y"][0], curve["y"][-1]) == pytest.approx((calm, storm))
    assert "does not use it" in page.text("#what-flat-hour")

    page.browser.refresh()
    page.wait(lambda: page.js(gauge) == pytest.approx(wind))


def test_navigation__pages_change_by_link_and_come_back_with_their_state(page):
    page.open("/explore?from=2016-06-06T00:00&to=2016-06-13T00:00")
    page.wait(lambda: page.query().get("target"))
    page.click_text("nav a", "Years")
    page.shows("h1", "Years")
    page.browser.back()
    page.shows("h1", "Explore")
    page.wait(lambda: page.query().get("from") == "2016-06-06T00:00")
    page.press("nav a[href='/what-if']", Keys.ENTER)
    page.shows("h1", "What if")


def get(url):
    """Status and text of an address."""
    try:
        with urllib.request.urlopen(url, timeout=30) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


@pytest.mark.parametrize(
    ("query", "status", "said"),
    [
        ("from=&to=", 400, "from is empty"),
        ("from=NaT", 400, "from=NaT is no time"),
        ("from=garbage&to=x", 400, "is no time"),
        ("from=2016-02-01&to=2016-01-01", 400, "from must be before to"),
        ("from=2030-01-01&to=2030-02-01", 400, "is not in the data"),
        ("from=2016-12-01&to=2030-02-01", 400, "lies partly outside the data"),
        ("from=2016-01-01&from=2016-02-01&to=2016-03-01", 400, "from stands in the address 2 times"),
        ("week=3", 400, "week means nothing here"),
        ("model=nope", 404, "model=nope: there is no such model"),
    ],
)
def test_download__another_period_or_model_than_asked_for_is_refused_with_the_reason(
    page, address, query, status, said
):
    page.open("/explore").shows("#served", "version 1")
    code, text = get(f"{address}/explore.csv?{query}")

    assert code == status
    assert said in text
    assert text.count("\n") == 1


def test_download__times_with_a_zone_are_taken(page, address):
    page.open("/explore").shows("#served", "version 1")
    code, text = get(f"{address}/explore.csv?from=2016-06-01T00:00%2B01:00&to=2016-06-02T00:00Z")

    lines = text.splitlines()
    assert code == 200
    assert len(lines) == 1 + 25
    assert lines[1].startswith("2016-05-31T23:00:00Z,")


@pytest.mark.parametrize(
    ("path", "said", "kept"),
    [
        ("/?x=1", "x means nothing here", {}),
        ("/explore?from=2030-01-01&to=2030-02-01", "shown is 18 Dec 2016, 00:00 UTC to 1 Jan 2017", {"target": "both"}),
        ("/years?from=2016-99-99&years=1999,2016", "there is no 1999", {"from": "2016-01-01", "years": "2016"}),
        ("/models?tab=nope&x=mae&x=r2", "tab=nope is none of runs", {"tab": "runs", "x": "mae_solar"}),
        ("/what-if?hour=11.7&windspeed=x", "hour=11.7 is taken as 12, the nearest step", {"hour": "12"}),
    ],
)
def test_address__what_cannot_be_taken_is_said_and_leaves_the_address(page, path, said, kept):
    page.open(path).shows("#address-notice", said)
    page.wait(lambda: page.query().items() >= kept.items())

    text = page.text("#address-notice")
    assert not {"nope", "1999", "99-99", "2030"} & set(page.query().values())
    assert "traceback" not in text.lower()


def test_address__that_is_no_page_is_404_with_a_way_home(page, address):
    assert get(f"{address}/nothing")[0] == 404
    assert get(f"{address}/explore/")[0] == 200

    page.browser.get(f"{address}/nothing")
    page.shows("#nowhere", "There is no page at this address")
    with contextlib.suppress(StopIteration):  # the browser's own line about the status
        assert "404" in next(iter(page.browser.get_log("browser")))["message"]
    page.click("#home")
    page.shows("h1", "Next week")


def test_what_if__capacity_reaches_small_and_great_fleets_and_no_power_is_above_it(page):
    page.open("/what-if?solar_capacity_GW=0.7&wind_capacity_GW=150&rad_horizontal=800")
    page.shows("#what-share-solar_GW", "100.0% of 0.7 GW installed")
    page.shows("#what-share-wind_GW", "of 150.0 GW installed")
    gauge = "return document.querySelector('#what-gauge-solar_GW .js-plotly-plot')._fullData[0].value"
    assert page.js(gauge) == pytest.approx(0.7)
    assert max(page.traces("what-curve-rad_horizontal")["Solar"]["y"]) <= 0.7 + 1e-6


def test_tables__are_one_tab_stop_each_and_enter_follows_a_link(page, runs):
    page.open("/models")
    page.wait(lambda: page.browser.find_elements("css selector", "#runs-grid .ag-row a"))
    inside = "return Boolean(document.activeElement.closest('#runs-grid'))"
    page.press("#models-tab-tab-runs, [role=tab][aria-selected=true]", Keys.TAB)
    stops = 0
    while not page.js("return document.activeElement.id === 'models-x'"):
        stops += bool(page.js(inside))
        page.browser.switch_to.active_element.send_keys(Keys.TAB)
        assert stops < 3
    assert stops == 1

    page.press("#runs-grid .ag-header-cell[col-id=run]", Keys.ARROW_DOWN)
    assert page.js("return document.activeElement.getAttribute('role')") == "gridcell"
    page.js(
        "window.followed = []; document.addEventListener('click', (e) => {"
        "const link = e.target.closest('a');"
        "if (link) { window.followed.push(link.href); e.preventDefault(); } }, true)"
    )
    page.browser.switch_to.active_element.send_keys(Keys.ENTER)
    assert "/runs/" in page.wait(lambda: page.js("return window.followed[0]"))


def test_models__a_run_of_another_split_stands_apart_and_is_not_compared_by_default(page, runs, frame):
    run_id = log_linear(frame, runs["data"], EXPERIMENT, name="shuffled", split="random")
    client = mlflow.MlflowClient()
    client.set_tag(run_id, "dsgo.split", "random")
    try:
        page.open("/models")
        page.shows("#other-runs-grid", f"shuffled {run_id[:6]} (split=random)", 40)
        assert run_id[:6] not in page.text("#runs-grid")
        page.open("/models?tab=compare")
        assert page.wait(page.query)["b"] != run_id
    finally:
        client.delete_run(run_id)
        page.browser.get("about:blank")


def test_overview__an_error_stands_against_the_hold_outs_in_words(page, frame, predicted, runs):
    page.open("/overview").shows("#overview-day", "Solar energy")

    mae = (predicted["lr"] - frame).loc["2016-12-31", "wind_GW"].abs().mean()
    normal = mlflow.get_run(runs["lr"]).data.metrics["mae_wind"]
    assert f"{mae / normal:.1f} times the hold-out error of {normal:.2f} GW" in page.text("#overview-day")
    assert "good the data ends 2016-12-31 23:00 UTC" in page.text("#freshness")


def test_dashboard__that_ended_is_noticed_by_an_open_page_and_its_return_too(page, own_stores, runs, tmp_path):
    port = free_port()
    with running_dashboard(port, own_stores.uri, ENVIRONMENT, tmp_path / "log") as address:
        page.browser.get(address)
        page.shows("#served", "version 1")
        assert not page.find("#away").is_displayed()
    page.shows("#away", "The dashboard does not answer since")
    with running_dashboard(port, own_stores.uri, ENVIRONMENT, tmp_path / "log"):
        page.wait(lambda: not page.find("#away").is_displayed())
    page.browser.get_log("browser")  # the browser's own lines about a server that is gone


def test_burger__says_whether_the_pages_are_open(page):
    phone = {"width": 375, "height": 800, "deviceScaleFactor": 1, "mobile": False}
    page.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", phone)
    try:
        page.open("/")
        page.wait(lambda: page.find("#burger").get_attribute("aria-expanded") == "false")
        page.click("#burger")
        page.wait(lambda: page.find("#burger").get_attribute("aria-expanded") == "true")
    finally:
        page.browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_promotion__appears_in_an_open_page_within_15_seconds(page, frame, predicted, runs):
    page.open("/overview").shows("#served", "version 1")
    version = promote(runs["rf"], "a better one")
    page.shows("#served", f"version {version}", 15)
    page.shows("#model-card", "a better one", 15)

    day = slice("2016-12-31 00:00", "2016-12-31 23:00")
    page.shows("#overview-day", f"{(predicted['rf'] - frame).loc[day, 'wind_GW'].abs().mean():.2f}")
    registry.promote("1", "back again", "gate")
    page.shows("#served", "version 1", 15)


def test_tracking_server_away__a_banner_says_so_pages_go_on_and_it_recovers(page, own_stores):
    page.open("/").shows("#served", "version 1")
    own_stores.stop()
    try:
        page.shows("#offline", "no tracking server answers")
        page.open("/explore?from=2016-06-06T00:00&to=2016-06-13T00:00")
        page.wait(lambda: "Predicted" in page.traces("explore-chart"))
        page.shows("#offline", "Shown is what was known")
        assert "API request" not in page.text("#offline")
        assert [text for text in page.js(PALE) if "Not up to date" in text] == []
    finally:
        own_stores.start()
    page.wait(lambda: not page.browser.find_elements("css selector", "#offline"))


def test_dashboard__without_a_server_or_a_production_model_says_what_to_run(browser, tmp_path):
    empty = f"sqlite:///{(tmp_path / 'empty.db').as_posix()}"
    mlflow.MlflowClient(empty).search_experiments()  # makes the database
    browser.get_log("browser")
    for uri, command in {f"http://127.0.0.1:{free_port()}": "dsgo up", empty: "mlflow run ."}.items():
        with running_dashboard(free_port(), uri, ENVIRONMENT, tmp_path / "log") as address:
            page = Page(browser, address)
            for path in PAGES if uri == empty else ["/"]:
                browser.get(address + path)
                page.find("#waiting")
            page.wait(lambda page=page, command=command: command in _reloaded(page))
            browser.get("about:blank")
    assert browser.get_log("browser") == []


def _reloaded(page):
    page.browser.refresh()
    return page.text("#waiting")


def test_dashboard__a_taken_port_is_one_line_and_exit_code_2(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        command = [sys.executable, str(APP), "--port", port]
        uri = {"MLFLOW_TRACKING_URI": f"http://127.0.0.1:{free_port()}"}
        done = subprocess.run(command, env=ENVIRONMENT | uri, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert re.fullmatch(
        rf"Error: 127\.0\.0\.1:{port} cannot be listened on \(.+\): choose another --port\n", done.stderr
    )
