"""The step as a user runs it, on running stores; and in the same process where a run's outcome is not the point."""

import json
import os
import subprocess
import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import mlflow
import pandas as pd
import pytest

from dsgo.base.places import ROOT
from dsgo.data import energy_charts, live, open_meteo
from dsgo.data.contract import violations
from dsgo.data.opsd import period
from dsgo.data.schema import COLUMNS, OPTIONAL, TARGETS, WEATHER
from live_server import hourly
from raw_files import power_frame, weather_frame, write_pair
from scripts import load_script
from shared import SHARED_DATA

HOURS = period("2014-06-01", "2014-07-31")
PROJECT = ROOT / "process_data"


@pytest.fixture
def raw(tmp_path):
    """A folder with a small raw pair: 61 days, one hour doubled and one negative."""
    power, weather = power_frame(HOURS), weather_frame(HOURS)
    power.iloc[5, 1] = -3.0
    return write_pair(tmp_path / "raw", power, pd.concat([weather.iloc[:8], weather.iloc[[7]], weather.iloc[8:]]))


@pytest.fixture
def step(tracking, tmp_path):
    """A function that runs the step's script in its folder; it gives the finished process and the newest run."""
    experiment = f"process_data {tmp_path.name}"

    def run(script="process_data.py", **options):
        words = [word for name, value in options.items() for word in (f"--{name.replace('_', '-')}", str(value))]
        done = subprocess.run(
            [sys.executable, script, *words],
            cwd=PROJECT,
            env={**os.environ, "MLFLOW_EXPERIMENT_NAME": experiment},
            capture_output=True,
            text=True,
            timeout=120,
        )
        runs = mlflow.search_runs(experiment_names=[experiment], output_format="list", max_results=1)
        return done, runs[0] if runs else None

    return run


def fetch(run, path, folder):
    return Path(mlflow.artifacts.download_artifacts(f"runs:/{run.info.run_id}/{path}", dst_path=str(folder)))


def test_process_data__logs_dataset_quality_and_figures(step, raw, tmp_path):
    done, run = step(source=raw, start="2014-06-01", end="2014-07-31")

    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr
    assert run.info.status == "FINISHED"
    assert run.data.tags["dsgo.step"] == "process_data"
    assert run.data.tags["dsgo.simulated"] == "False"
    assert run.data.metrics == dict(
        rows=1463,
        hours_doubled=1,
        hours_missing=0,
        hours_set_aside=1,
        hours_stuck=0,
        percent_lost=pytest.approx(100 / 1464, abs=1e-3),
        percent_lost_newest=0,
    )
    logged = run.inputs.dataset_inputs[0]
    assert logged.dataset.name == "dataset"
    assert json.loads(logged.dataset.profile)["num_rows"] == 1463

    folder = fetch(run, "", tmp_path / "artifacts")
    files = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.*"))
    assert files == [
        "dataset/dataset.parquet",
        "dataset/quality.json",
        "figures/data.html",
        "figures/scatter_matrix.png",
    ]
    dataset = pd.read_parquet(folder / "dataset/dataset.parquet")
    assert dataset.columns.tolist() == COLUMNS
    assert dataset.index.equals(HOURS.delete(5))
    assert dataset.attrs == {"simulated": False, "country": "DE"}
    quality = json.loads((folder / "dataset/quality.json").read_text())
    assert quality["dirt"]["negative"] == {
        "hours": 1,
        "by_column": {"solar_GW": 1},
        "dates": ["2014-06-01T05:00Z"],
    }
    assert quality["capacity_source"].startswith("table")
    assert not quality["simulated"]
    page = (folder / "figures/data.html").read_text(encoding="utf-8")
    assert page.count("Plotly.newPlot") >= 4
    assert 'src="http' not in page  # it needs no network
    assert "(simulated)" not in page


def test_process_data__sample_says_that_it_is_simulated(step, tmp_path):
    done, run = step(source="sample", start="2015-01-01", end="2016-12-31")

    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr
    assert run.data.tags["dsgo.simulated"] == "True"
    assert run.data.tags["dsgo.capacity_source"] == "columns of the raw file"
    folder = fetch(run, "", tmp_path / "artifacts")
    dataset = pd.read_parquet(folder / "dataset/dataset.parquet")
    assert dataset.attrs["simulated"]
    assert violations(dataset) == []
    assert json.loads((folder / "dataset/quality.json").read_text())["simulated"]
    page = (folder / "figures/data.html").read_text(encoding="utf-8")
    assert page.count("(simulated)") >= 6  # in each of the four figures, the heading and the window's title


def test_process_data__puts_late_weather_right_when_asked(step, tmp_path):
    done, run = step(source="sample", start="2015-01-01", end="2016-12-31")
    late = "the weather is on time in winter and 1 h late in summer against power"
    assert f"{late} (left as it is; process_data mends it with -P weather_late=0/1)" in done.stdout
    clock = json.loads(fetch(run, "dataset/quality.json", tmp_path / "before").read_text())["clock"]
    assert clock["weather_hours_late"] == {"winter": 0, "summer": 1}
    assert clock["mended_by"] == "-P weather_late=0/1"
    assert late in fetch(run, "figures/data.html", tmp_path / "before").read_text(encoding="utf-8")

    done, run = step(source="sample", start="2015-01-01", end="2016-12-31", weather_late="0/1")
    assert " late in" not in done.stdout
    assert "17,544 rows of 17,544 hours" in done.stdout  # no hour doubled, none missing any more
    clock = json.loads(fetch(run, "dataset/quality.json", tmp_path / "after").read_text())["clock"]
    assert clock["given"]["weather_late"] == "0/1"
    assert clock["weather_hours_late"] == {"winter": 0, "summer": 0}


def test_process_data__sets_a_streak_aside_and_says_so(step, raw, tmp_path):
    power = pd.read_csv(raw / "time_series_60min_singleindex.csv")
    power.loc[100:130, "DE_wind_generation_actual"] = 4321.0
    power.to_csv(raw / "time_series_60min_singleindex.csv", index=False)

    done, run = step(source=raw, start="2014-06-01", end="2014-07-31")

    assert (
        "process_data: wind_GW stands still in 31 hours, set aside: 2014-06-05T04:00Z/2014-06-06T10:00Z" in done.stdout
    )
    assert run.data.metrics["hours_stuck"] == 31
    stuck = json.loads(fetch(run, "dataset/quality.json", tmp_path / "q").read_text())["dirt"]["stuck"]
    assert stuck["by_column"] == {"wind_GW": 31}
    page = fetch(run, "figures/data.html", tmp_path / "q").read_text(encoding="utf-8")
    assert '"name":"stuck"' in page


def test_process_data__a_bad_hour_of_the_clock_is_one_line(step):
    done, _ = step(source="sample", weather_late="Europe/Berlin")
    assert done.returncode == 2
    assert done.stderr.startswith(
        "Error: weather_late=Europe/Berlin must be the hours that the stamps are late in winter"
    )
    assert done.stderr.count("\n") == 1


def test_process_data__downloads_the_pair_from_given_urls(step, raw, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))  # where pooch's cache is on Linux
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "cache"))
    handler = partial(SimpleHTTPRequestHandler, directory=str(raw))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,)).start()
        address = f"http://127.0.0.1:{server.server_port}"
        urls = {
            "time_series_url": f"{address}/time_series_60min_singleindex.csv",
            "weather_url": f"{address}/weather_data.csv",
        }
        done, _ = step(source="opsd", start="2014-06-01", end="2014-07-31", **urls)
        server.shutdown()

    assert done.returncode == 0, done.stderr
    assert done.stderr.count("holds another file than the one known") == 2
    assert "1,463 rows" in done.stdout


def test_process_data__live_has_wind_at_100_m_and_its_licences(step, live_services, tmp_path):
    done, run = step(source="live", start="2026-05-01", now="2026-11-20T08:00Z")

    assert done.returncode == 0, done.stderr
    assert done.stderr == ""  # no bar in a log
    assert f"capacity from the {live.CAPACITY_SOURCE}" in done.stdout
    folder = fetch(run, "dataset", tmp_path / "artifacts")
    dataset = pd.read_parquet(folder / "dataset.parquet")
    assert dataset.columns.tolist() == COLUMNS + OPTIONAL
    assert dataset.index.equals(pd.date_range("2026-05-01", "2026-11-20T05:00", freq="h", tz="UTC", unit="us"))
    assert violations(dataset) == []
    assert dataset.attrs["licences"] == [energy_charts.LICENCE, open_meteo.LICENCE]
    quality = json.loads((folder / "quality.json").read_text(encoding="utf-8"))
    assert quality["licences"] == dataset.attrs["licences"]
    assert (quality["start"], quality["end"], quality["simulated"]) == ("2026-05-01", "2026-11-20", False)
    assert quality["clock"]["line"] == ""  # weather and power are aligned
    truth = pd.Series(hourly("solar", pd.DatetimeIndex(dataset.index)) / 1000, dataset.index)
    assert dataset["solar_GW"][:4000].to_numpy() == pytest.approx(truth[:4000].to_numpy(), abs=1e-4)


def test_process_data__live_that_changed_its_form_is_one_line(step, live_services):
    live_services.change("v2/public_power", lambda answer: answer | {"unit": "GW"})
    done, run = step(source="live", start="2026-05-01", now="2026-11-20T08:00Z")

    line = "energy-charts answers in another form than the one known: solar in MW: GW"
    assert (done.returncode, done.stderr.strip()) == (2, f"Error: {line}")
    assert run.data.tags["dsgo.error"] == line


def test_process_data__mistake_is_one_line_and_a_failed_run(step, tmp_path):
    done, run = step(source=tmp_path)

    line = f"{tmp_path} holds no time_series_60min_singleindex.csv (as it is, _filtered, .gz or .zip)"
    assert done.returncode == 2
    assert done.stderr.strip() == f"Error: {line}"
    assert run.info.status == "FAILED"
    assert run.data.tags["dsgo.error"] == line
    assert mlflow.MlflowClient().list_artifacts(run.info.run_id) == []


def test_get_raw__takes_a_folder_relative_to_the_repository(raw, monkeypatch):
    script = load_script("process_data", "process_data")
    (raw.parent / "step").mkdir()
    monkeypatch.chdir(raw.parent / "step")  # a step runs in its own folder, one below where the command is typed

    assert script.get_raw("raw", Path("unused"), "", "").weather.resolve() == raw / "weather_data.csv"


def test_validate__lists_every_violation(step, tmp_path):
    dataset = pd.DataFrame(dict.fromkeys(TARGETS + WEATHER, 5e6), HOURS.tz_localize(None))
    dataset.to_csv(tmp_path / "mine.csv")

    done, run = step("validate.py", data=tmp_path / "mine.csv")

    assert done.returncode == 2
    starts = [
        "solar_capacity_GW: no such column",
        "wind_capacity_GW: no such column",
        "utc_timestamp: has no time zone: add Z or an offset such as +01:00 in 1,464 rows: '2014-06-01 00:00:00' in ",
        "windspeed: is above 100 m/s in 1,464 rows: 5e+06 in row 1, 5e+06 in row 2,",
        "temperature: is above 60 degrees C in 1,464 rows: ",
        "rad_horizontal: is above 1500 W/m2 in 1,464 rows: ",
        "rad_diffuse: is above 1500 W/m2 in 1,464 rows: ",
        "solar_GW: is above capacity in GW in 1,464 rows: ",
        "wind_GW: is above capacity in GW in 1,464 rows: ",
    ]
    for line, start in zip(done.stdout.splitlines()[: len(starts)], starts, strict=True):
        assert line.startswith(start)
    assert done.stderr.strip() == f"Error: {tmp_path / 'mine.csv'} breaks the contract in 9 ways, listed above"
    assert run.info.status == "FAILED"


@pytest.mark.parametrize(("content", "what"), [(b"", "is empty"), (b"PAR1 not really", "is no parquet or CSV file: ")])
def test_validate__file_that_is_none(step, tmp_path, content, what):
    path = tmp_path / ("mine.parquet" if content else "mine.csv")
    path.write_bytes(content)
    done, _ = step("validate.py", data=path)
    assert done.returncode == 2
    assert done.stderr.startswith(f"Error: {path} {what}")
    assert done.stderr.count("\n") == 1


@pytest.mark.realdata
def test_cases__of_data_that_is_wrong_but_well_formed(step, tmp_path):
    subprocess.run([sys.executable, SHARED_DATA.parent / "cases/make_cases.py", tmp_path], check=True)
    dates = {"start": "2015-01-01", "end": "2016-12-31"}

    done, _ = step("validate.py", data=tmp_path / "kelvin_and_joule.csv")
    assert done.returncode == 2
    assert "temperature: looks like kelvin" in done.stdout
    assert "rad_horizontal: looks like J/m2" in done.stdout

    done, _ = step("validate.py", data=tmp_path / "stuck.csv")
    assert done.returncode == 2
    line = "wind_GW: stands still in 2,208 rows, first at 2015-06-01T00:00:00Z, last at 2015-08-31T23:00:00Z"
    assert line in done.stdout

    done, run = step(source=tmp_path / "raw_local_time", **dates)
    assert done.returncode == 0, done.stderr
    assert (
        "3 h late in summer against power (left as it is; process_data mends it with -P weather_late=0/3)"
        in done.stdout
    )
    rows = run.data.metrics["rows"]

    done, run = step(source=tmp_path / "raw_local_time", weather_late="0/3", **dates)
    assert " late in" not in done.stdout
    assert run.data.metrics["rows"] >= rows - 20  # the hours that the move over the change of clocks left out


@pytest.mark.realdata
def test_process_data__real_data_through_mlflow_run(mlflow_run, tracking, tmp_path):
    """Every value is germany.csv's, doubled hours as they first stand there; then `-e validate` finds nothing."""
    subprocess.run([sys.executable, SHARED_DATA / "make_raw.py", tmp_path / "raw"], check=True)

    done = mlflow_run("process_data", experiment="process_data real", source=tmp_path / "raw")

    assert done.returncode == 0, done.stderr
    run = mlflow.search_runs(experiment_names=["process_data real"], output_format="list")[0]
    germany = pd.read_csv(SHARED_DATA / "germany.csv", parse_dates=[0], index_col=0)
    expected = germany[~germany.index.duplicated()]
    dataset = pd.read_parquet(fetch(run, "dataset/dataset.parquet", tmp_path))
    assert len(dataset) == 35_012
    pd.testing.assert_frame_equal(dataset[WEATHER], expected[WEATHER], rtol=0, atol=0)
    pd.testing.assert_frame_equal(dataset[TARGETS], expected[TARGETS], rtol=0, atol=0.0005)  # raw power is in whole MW
    assert "solar_capacity falls by 100%" in run.data.tags["dsgo.capacity_source"]  # noise in this file
    assert (run.data.metrics["hours_doubled"], run.data.metrics["hours_missing"]) == (4, 52)

    done = mlflow_run("process_data", entry="validate", experiment="process_data real")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("OK: 35,012 rows\nNote: the weather is on time in winter and 1 h late in summer")
