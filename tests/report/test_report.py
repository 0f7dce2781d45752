"""The weekly report as a user makes it: `mlflow run report`, its page opened in a browser, its PDF read."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
import unicodedata

import mlflow
import nbformat
import numpy as np
import pandas as pd
import psutil
import pytest
from pypdf import PdfReader

from background import IN_BACKGROUND
from dsgo.base import notebook
from dsgo.base.errors import UserError
from dsgo.base.places import ROOT
from dsgo.base.tags import TABLE
from dsgo.data.sample import simulate
from dsgo.data.schema import TARGETS
from dsgo.gate.evidence import find_candidate
from dsgo.models import registry
from dsgo.models.bands import BAND
from dsgo.models.rows import model_input
from gate_models import empty_registry, log_dataset, log_linear
from scripts import load_script
from weekly import numbers, pdf

EXPERIMENT = "report"
MONDAY = pd.Timestamp("2016-08-01", tz="UTC")
GAP = pd.date_range("2016-08-03 05:00", periods=3, freq="h", tz="UTC")
RULES = [
    {"model": "lr", "run_id": "", "rule": "<b>mae</b>", "figure": 1.23456, "limit": "at most 2", "verdict": "passed"}
]


@pytest.fixture(scope="module")
def frame():
    """Two simulated years with three hours missing in the week reported."""
    hours = simulate().loc["2015":].drop(GAP)
    hours.attrs = {"simulated": True, "country": "DE"}
    return hours


@pytest.fixture(scope="module")
def production(stores, frame):
    """The id of a process_data run, with a model on it in Production."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", stores.tracking_uri)
        empty_registry()
        data = log_dataset(frame, EXPERIMENT)
        dirt = {"missing": {"dates": [f"{GAP[0]:%Y-%m-%dT%H:%MZ}/{GAP[-1]:%Y-%m-%dT%H:%MZ}"]}}
        mlflow.MlflowClient().log_dict(data, {"dirt": dirt}, "dataset/quality.json")
        run_id = log_linear(frame, data, EXPERIMENT)
        _, model_id = find_candidate(run_id)
        tags = {TABLE: json.dumps(RULES)}
        registry.promote(registry.register(run_id, model_id, tags, "").version, "the first", "gate")
        yield data
        empty_registry()


@pytest.fixture(scope="module")
def reported(production, mlflow_run, tmp_path_factory):
    """The folder of a report of the week from 1 August 2016."""
    out = tmp_path_factory.mktemp("out") / "new"
    options = {"data": production, "week": "2016-08-04", "author": "Doe & <Sons>", "out": out}
    done = mlflow_run(ROOT / "report", experiment=EXPERIMENT, **options)
    assert done.returncode == 0, done.stderr
    assert re.search(r"^report: week 2016-W31, BestModel, version 1: ", done.stdout + done.stderr, re.MULTILINE)
    return out


@pytest.fixture(scope="module")
def predicted(stores, production, frame):
    """What the Production model says of every hour."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", stores.tracking_uri)
        return mlflow.pyfunc.load_model("models:/BestModel/1").predict(model_input(frame), params={"interval": 0.8})


@pytest.fixture(scope="module")
def script():
    """report/report.py as a module."""
    return load_script("report", "report")


def last_run(status="FINISHED"):
    found = mlflow.search_runs(
        experiment_names=[EXPERIMENT],
        filter_string=f"tags.`dsgo.step` = 'report' and attributes.status = '{status}'",
        output_format="list",
    )
    return found[0]


def test_report__its_files_are_on_the_run_and_in_out(reported, tracking, frame):
    run = last_run()
    names = {item.path for item in mlflow.MlflowClient().list_artifacts(run.info.run_id, "report")}
    printed = {"report.pdf"} if pdf.find_browser() else set()

    assert {file.name for file in reported.iterdir()} == {"report.html", "week.csv"} | printed
    assert names == {f"report/{file.name}" for file in reported.iterdir()}
    week = frame[TARGETS][MONDAY : MONDAY + numbers.WEEK - numbers.HOUR]
    assert run.data.metrics["hours_recorded"] == 165
    assert run.data.metrics["energy_solar_GWh"] == pytest.approx(week["solar_GW"].sum())
    assert run.data.metrics["energy_wind_GWh"] == pytest.approx(week["wind_GW"].sum())
    assert run.data.tags["dsgo.week"] == "2016-W31"
    assert run.inputs.dataset_inputs


def test_report__week_csv_holds_every_hour_recorded_and_predicted(reported, frame, predicted):
    table = pd.read_csv(reported / "week.csv", index_col=0, parse_dates=True)

    assert len(table) == 168
    assert table.index[0] == MONDAY
    assert table.loc[GAP].isna().all(axis=None)
    for at, column in enumerate(TARGETS):
        kept = table.drop(GAP)
        assert kept[column].to_numpy() == pytest.approx(frame.loc[kept.index, column].to_numpy(), abs=1e-6)
        model = pd.Series(predicted.iloc[:, at].to_numpy(), frame.index)[kept.index]
        assert kept[numbers.PREDICTED[at]].to_numpy() == pytest.approx(model.to_numpy(), abs=1e-6)
        for end in ("low", "high"):
            band = predicted[f"{column}_{end}"].set_axis(frame.index)[kept.index]
            name = column.replace("_GW", f"_{end}_GW")
            assert kept[name].to_numpy() == pytest.approx(band.to_numpy(), abs=1e-6)


def test_report__the_page_is_one_file_without_code_and_without_the_network(reported):
    page = (reported / "report.html").read_text(encoding="utf-8")
    outside = re.sub(r"<script>.*?</script>", "", page, count=1, flags=re.DOTALL)  # plotly.js, in the head

    assert page.count("plotly.js v") == 1
    assert "plotly.js v" not in outside
    assert not re.search(r"<(script|link|img|iframe)[^>]*(src|href)=", outside)
    assert not re.search(r"https?://|@import|url\(", outside)
    assert "import pandas" not in page
    assert "show(" not in outside
    assert "Doe &amp; &lt;Sons&gt;" in page
    assert "<b>mae" not in page


def test_report__in_a_browser_its_figures_are_drawn_and_its_numbers_are_the_datas(browser, reported, frame, predicted):
    browser.get_log("browser"), browser.get_log("performance")
    browser.get((reported / "report.html").as_uri())

    drawn = browser.execute_script(
        "return [...document.querySelectorAll('.js-plotly-plot')].map(plot => ["
        "plot.querySelectorAll('.scatterlayer .trace path.js-line, .scatterlayer .trace path.js-fill').length,"
        "plot.calcdata.map(trace => trace.length)])"
    )
    assert len(drawn) == 3
    for lines, points in drawn:
        assert lines >= 4
        assert min(points) > 0
    traces = browser.execute_script(
        "return document.querySelector('.js-plotly-plot').calcdata"
        ".map(trace => [trace[0].trace.name, trace.map(point => point.y ?? null)])"
    )
    recorded = next(y for name, y in traces if name == "recorded")
    week = frame["solar_GW"].reindex(pd.date_range(MONDAY, periods=168, freq="h"))
    assert np.array(recorded[:168], dtype="float64") == pytest.approx(week.to_numpy(), abs=1e-3, nan_ok=True)

    text = browser.find_element("tag name", "body").text
    week = frame[TARGETS][MONDAY : MONDAY + numbers.WEEK - numbers.HOUR]
    for energy in [*week.sum(), week.sum().sum()]:
        assert f"{energy:,.0f} GWh" in text
    error = (predicted.set_axis(frame.index)[TARGETS] - frame[TARGETS]).abs().loc[week.index].mean()
    assert f"missed by {error['solar_GW']:.2f} GW (solar) and {error['wind_GW']:.2f} GW (wind)" in text
    table = pd.concat([predicted.set_axis(frame.index), frame[TARGETS].add_suffix("_actual")], axis=1).loc[week.index]
    light = table[table["solar_GW_high"] > table["solar_GW_low"]]
    held = [
        light["solar_GW_actual"].between(light["solar_GW_low"], light["solar_GW_high"]).mean(),
        table["wind_GW_actual"].between(table["wind_GW_low"], table["wind_GW_high"]).mean(),
    ]
    assert f"The model's 80% band held {held[0]:.0%} (solar, by daylight) and {held[1]:.0%} (wind) of the hours" in text
    for words in (
        "Simulated data",
        "Monday 1 to Sunday 7 August 2016",
        "Only 165 of the 168 hours are recorded",
        "Wednesday 3 Aug, 05:00 to Wednesday 3 Aug, 07:00",
        "Missing from the raw files",
        "BestModel, version 1",
        "<b>mae</b> 1.23",
        "the first",
        "UTC",
    ):
        assert words in text

    assert browser.get_log("browser") == []
    events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    sent = {e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"}
    assert not [url for url in sent if url.startswith("http")]


@pytest.mark.parametrize("width", [390, 1280])
def test_report__no_width_cuts_the_page_off(browser, reported, width):
    metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    try:
        browser.get((reported / "report.html").as_uri())
        assert browser.execute_script("return document.documentElement.scrollWidth") <= width
        figures = "return [...document.querySelectorAll('.main-svg')].map(svg => svg.getBoundingClientRect().right)"
        assert max(browser.execute_script(figures)) <= width
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_report__the_pdf_has_its_pages_with_text(reported):
    if not pdf.find_browser():
        pytest.skip("no Chromium, Chrome or Edge to print with")
    reader = PdfReader(reported / "report.pdf")
    pages = [unicodedata.normalize("NFKC", page.extract_text()) for page in reader.pages]  # no ligatures

    assert 4 <= len(pages) <= 5
    for page, words in zip(pages, ["The week in figures", "Recorded and predicted", "The year so far"], strict=False):
        assert words in page
    assert "The data" in pages[-1]
    assert all(len(page) > 100 for page in pages)
    assert "80% band" in pages[1]  # a figure's legend: it is drawn
    width, height = (float(side) for side in reader.pages[0].mediabox[2:])
    assert (width, height) == pytest.approx((595, 842), abs=1)  # A4


@pytest.fixture
def parts(frame):
    """Hours and facts as report.write takes them, without a model."""
    hours = numbers.with_predictions(frame, frame.reindex(columns=TARGETS + BAND))  # no band
    model = {"name": "a model", "trained_until": None, "facts": {"Model": "a model"}, "gate": []}
    model |= {"simulated": False}
    about = {"place": "own.csv", "simulated": False, "model": model, "quality": None, "author": "A", "data": "here"}
    about["drift"] = {"said": "14 of 14 figures of drift are within their limits", "beyond": []}
    return hours, about | {"prepared": "2026-01-01T00:00:00+00:00"}


def test_write__without_a_browser_there_is_the_page_alone_and_a_line_says_so(
    script, parts, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(script, "find_browser", lambda: None)

    folder = script.write(*parts, pd.Timestamp("2016-12-26", tz="UTC"), tmp_path)

    assert {file.name for file in folder.iterdir()} == {"report.html", "week.csv"}
    assert "no Chromium, Chrome or Edge here to print a PDF" in capsys.readouterr().out
    text = (folder / "report.html").read_text(encoding="utf-8")
    assert "the data holds no weather of that week, so there is no prediction for it" in text
    assert "There is no band: the model was logged before models had one; train it anew." in text
    assert "Solar and wind power: own.csv" in text
    words = re.sub(r"<(script|style)\b.*?</\1>", "", text, flags=re.DOTALL)
    assert not re.search(r"Germany|\bnan\b", words)
    assert "Simulated" not in text


def test_write__a_week_without_records_says_so(script, parts, tmp_path, monkeypatch):
    monkeypatch.setattr(script, "find_browser", lambda: None)
    hours, about = parts
    hours = hours.drop(numbers.of_week(hours, MONDAY).index)

    folder = script.write(hours, about, MONDAY, tmp_path)

    text = (folder / "report.html").read_text(encoding="utf-8")
    assert "This week has no records" in text
    assert "No hour of the week is in it." in text
    assert len(pd.read_csv(folder / "week.csv")) == 168


def running(word, pid=None):
    """The processes below one (this one, if not told) with a word in their command."""
    found = []
    for child in psutil.Process(pid).children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            if any(word in part for part in child.cmdline()):
                found.append(child)
    return found


def make_notebook(folder, *cells):
    path = folder / "some.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells]), path)
    return path


def test_execute__a_failing_cell_is_shown_by_its_last_lines(tmp_path):
    path = make_notebook(tmp_path, "x = 1", "def f():\n    raise ValueError('no such week')\nf()")

    with pytest.raises(notebook.NotebookError, match=r"cell 2 of some.ipynb failed") as error:
        notebook.execute(path, {}, tmp_path)

    assert error.value.message.endswith("ValueError: no such week")
    assert "raise ValueError" in error.value.message
    assert not running("ipykernel_launcher")


def test_execute__runs_on_this_python_and_ends_a_cell_that_takes_too_long(tmp_path, monkeypatch):
    done = notebook.execute(make_notebook(tmp_path, "import sys; print(sys.executable)"), {}, tmp_path)
    assert done.cells[0].outputs[0].text.strip() == sys.executable

    monkeypatch.setattr(notebook, "CELL_SECONDS", 1)
    with pytest.raises(notebook.NotebookError, match=r"took more than 1 s"):
        notebook.execute(make_notebook(tmp_path, "import time; time.sleep(60)"), {}, tmp_path)
    assert not running("ipykernel_launcher")


@pytest.mark.skipif(os.name != "posix", reason="the browser of this test is a script")
def test_print_pdf__a_browser_that_hangs_or_fails_is_ended_and_leaves_nothing(tmp_path, monkeypatch):
    page, browser = tmp_path / "page.html", tmp_path / "browser"
    page.write_text("<p>hello")

    browser.write_text("#!/bin/sh\necho no display >&2\nexit 3\n")
    browser.chmod(0o755)
    with pytest.raises(UserError, match=r"printed no PDF \(exit code 3\): no display"):
        pdf.print_pdf(str(browser), page, tmp_path / "page.pdf")

    browser.write_text("#!/bin/sh\nsleep 60 &\nsleep 60\n")
    monkeypatch.setattr(pdf, "SECONDS", 0.5)
    with pytest.raises(UserError, match="did not print within"):
        pdf.print_pdf(str(browser), page, tmp_path / "page.pdf")

    assert not running("sleep")
    assert {file.name for file in tmp_path.iterdir()} == {"page.html", "browser"}


@pytest.mark.skipif(os.name != "posix", reason="Windows has no SIGINT for another process")
def test_report__ctrl_c_ends_the_kernel_too(production, tracking):
    command = [*IN_BACKGROUND, sys.executable, "report.py", "--data", production]
    environment = os.environ | {"MLFLOW_EXPERIMENT_NAME": EXPERIMENT}
    process = subprocess.Popen(command, cwd=ROOT / "report", env=environment, stderr=subprocess.PIPE, text=True)
    try:
        deadline = time.monotonic() + 60
        while not (children := running("ipykernel_launcher", process.pid)):
            assert time.monotonic() < deadline
            assert process.poll() is None, process.stderr.read()
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    finally:
        process.kill()

    assert process.returncode == 130
    assert "Traceback" not in errors
    _, alive = psutil.wait_procs(children, timeout=10)
    assert not alive


def test_report__no_production_model_is_one_line_that_says_what_to_run(production, mlflow_run, tracking):
    empty_registry()  # so this test is the module's last

    done = mlflow_run(ROOT / "report", experiment=EXPERIMENT, data=production)

    lines = [line for line in done.stderr.splitlines() if line.startswith("Error:")]
    assert done.returncode != 0
    assert lines[0].startswith("Error: no version of BestModel was in Production yet: the workflow promotes one")
    assert "Traceback" not in done.stderr
    assert last_run("FAILED").data.tags["dsgo.error"].startswith("no version of BestModel")
