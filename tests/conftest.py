"""Fixtures that all tests share: the real data, and both stores running on free ports."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dsgo.base.network import free_port
from dsgo.base.places import ROOT
from ftp_server import Server
from live_server import live_server
from shared import SHARED_DATA, new_stores

# A script's `make test &` has Ctrl-C ignored, and children inherit that: those that tests send it must hear it.
signal.signal(signal.SIGINT, signal.default_int_handler)
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"  # in every child process too
# Three processes share the cores already: threads within each would wait for one another.
os.environ |= dict.fromkeys(["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TF_NUM_INTRAOP_THREADS"], "1")

# Files that take a minute or more. They begin first, the longest at the head: otherwise one process runs alone at the
# end. xdist would sort by the number of tests; --no-loadscope-reorder in pyproject.toml turns that off.
LONG = [
    *("whole/test_readme.py", "whole/test_notebooks.py", "workflow/test_driver.py", "whole/test_demo.py"),
    *("steps/test_trainers.py", "dashboard/test_dashboard.py", "stores/test_load.py", "stores/test_backup.py"),
    *("report/test_report.py", "stores/test_running.py", "server/test_attacks.py", "whole/test_environments.py"),
    *("whole/test_backtest.py", "gate/test_promote.py", "whole/test_any_input.py"),
]


def place(item):
    """Its file's place in LONG."""
    name = item.path.as_posix()
    return next((at for at, long in enumerate(LONG) if name.endswith(f"tests/{long}")), len(LONG))


def pytest_collection_modifyitems(items):
    items.sort(key=place)
    if (SHARED_DATA / "germany.csv").exists():
        return
    skip = pytest.mark.skip(reason=f"real data is not here ({SHARED_DATA}/germany.csv)")
    for item in items:
        if "realdata" in item.keywords:
            item.add_marker(skip)


@pytest.fixture
def serve(tmp_path):
    """A function that starts an artifact store (`ftp_server.Server`) on an empty root."""
    servers = []

    def start(*options, **named):
        server = Server(free_port(), tmp_path / "root", *options, log=tmp_path / "ftp.log", **named)
        servers.append(server)
        return server.wait()

    yield start
    for server in servers:
        server.end()


@pytest.fixture(scope="session")
def stores(tmp_path_factory):
    """Both stores, running (`dsgo.stores.running.Stores`): one pair for each test process. It sets no environment."""
    with new_stores(tmp_path_factory.mktemp("stores")) as running:
        yield running


@pytest.fixture
def tracking(stores, monkeypatch):
    """`stores`, with MLFLOW_TRACKING_URI on them for this test (child processes too)."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", stores.tracking_uri)
    return stores


@pytest.fixture(scope="session")
def small_dataset():
    """A dataset that holds the contract: every sixth day of two calendar years and the last one, quick to train on."""
    hours = pd.date_range("2015-01-01", "2016-12-31 23:00", freq="h", tz="UTC", name="utc_timestamp")
    return simulated(hours[(hours.day_of_year % 6 == 1) | (hours >= "2016-12-31")])


@pytest.fixture(scope="session")
def two_years():
    """Every hour of 2015 and 2016, made as `small_dataset`: long enough for the gate."""
    return simulated(pd.date_range("2015-01-01", "2016-12-31 23:00", freq="h", tz="UTC", name="utc_timestamp"))


def simulated(hours):
    rng = np.random.default_rng(7)
    sun = np.clip(np.sin((hours.hour - 6) / 12 * np.pi), 0, None) * rng.uniform(0.3, 1, len(hours))
    wind = rng.weibull(2, len(hours)) * 5
    frame = pd.DataFrame(
        {
            "solar_GW": 25 * sun + rng.uniform(0, 0.5, len(hours)) * (sun > 0),
            "wind_GW": np.clip(3.5 * wind - 6, 0, 35),
            "windspeed": wind,
            "temperature": 10 + 8 * sun + rng.normal(0, 3, len(hours)),
            "rad_horizontal": 500 * sun,
            "rad_diffuse": 150 * sun,
            "solar_capacity_GW": np.linspace(37.9, 40.7, len(hours)),
            "wind_capacity_GW": np.linspace(38.6, 49.6, len(hours)),
        },
        index=hours,
    )
    frame.attrs = {"simulated": True, "country": "DE"}
    return frame


@pytest.fixture(scope="session")
def mlflow_run(stores):
    """A function that runs `mlflow run PROJECT -P name=value ...` on the running stores, as a user types it."""

    def run(
        project, /, entry="main", experiment="test", env_manager="local", tracking_uri=stores.tracking_uri, **params
    ):
        command = [sys.executable, "-m", "mlflow", "run", str(project), "-e", entry, "--experiment-name", experiment]
        command += ["--env-manager", env_manager]
        for name, value in params.items():
            command += ["-P", f"{name}={value}"]
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        environment = os.environ | {"MLFLOW_TRACKING_URI": tracking_uri, "PATH": path}
        return subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=600, check=False
        )

    return run


@pytest.fixture
def live_services(monkeypatch, tmp_path):
    """The live sources on a local server (`live_server.LiveServer`), with an empty cache; for child processes, too."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))  # where pooch's cache is on Linux
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "cache"))
    with live_server() as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        yield server


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    """A headless browser (Selenium), its downloads in `browser.downloads`; the test is skipped where there is none."""
    from browser import browser as open_browser
    from browser import find_browser

    if find_browser() is None:
        pytest.skip("no Chromium or Chrome with its chromedriver is on the PATH")
    downloads = tmp_path_factory.mktemp("downloads")
    with open_browser(downloads) as driver:
        driver.set_page_load_timeout(60)
        driver.set_script_timeout(60)
        driver.downloads = downloads
        yield driver
