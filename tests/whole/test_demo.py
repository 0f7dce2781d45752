"""What `make run` does, from nothing: the whole project for real on the simulated sample."""

import os
import re
import subprocess
import sys
from pathlib import Path

import mlflow
import pytest

from dsgo.base.network import free_port
from dsgo.models.registry import MODEL

STEPS = ["process_data", "lr", "rf", "gbm", "kernel", "keras_nn", "blend", "promote", "forecast", "report"]


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """A home, and a function that runs `dsgo demo --once` on it and returns what it prints."""
    home = tmp_path_factory.mktemp("demo")
    environment = {name: value for name, value in os.environ.items() if name != "MLFLOW_TRACKING_URI"}

    def run():
        ports = ["--ftp-port", str(free_port()), "--mlflow-port", str(free_port())]
        command = [sys.executable, "-m", "dsgo.cli", "demo", "--once", "--home", str(home), *ports]
        done = subprocess.run(
            command, env=environment | {"COLUMNS": "200"}, capture_output=True, text=True, timeout=500, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return home, run


def states(out):
    """The last state of each step."""
    return {
        step: state for step, state in re.findall(r"^(\w+) +(running|done|cached|failed|skipped)", out, re.MULTILINE)
    }


@pytest.mark.slow
def test_demo__ends_with_a_table_a_report_and_a_production_model_and_the_next_one_skips_every_step(demo):
    home, run = demo

    out = run()

    assert states(out) == dict.fromkeys(STEPS, "done")
    assert "simulated data" in out
    rows = {row[0]: row for row in re.findall(r"│ (\w+) +│ +([\d.]+) │ +([\d.]+) │ +([\d.]+) │ +(\d+) │ (\S+)", out)}
    assert set(rows) == {"lr", "rf", "gbm", "kernel", "keras_nn", "blend"}
    client = mlflow.MlflowClient(f"sqlite:///{home}/mlruns.db")
    for name, (_, mae, r2, skill, _, link) in rows.items():
        run_id = link.rpartition("/")[2]
        metrics = client.get_run(run_id).data.metrics
        assert [mae, r2, skill] == [f"{metrics[key]:.3f}" for key in ("mae", "r2", "mae_skill")], name
    best = min(rows, key=lambda name: float(rows[name][1]))
    assert best == next(iter(rows))
    production = client.get_model_version_by_alias(MODEL, "production")
    assert production.current_stage == "Production"
    assert production.run_id == rows[best][-1].rpartition("/")[2]
    report = Path(re.search(r"^report +(/.*report\.html)$", out, re.MULTILINE)[1])
    assert report.is_file()
    parent = client.search_runs(["1"], "tags.`dsgo.step` = 'workflow'")[0]
    assert parent.info.status == "FINISHED"
    children = client.search_runs(["1"], f"tags.`mlflow.parentRunId` = '{parent.info.run_id}'")
    assert sorted(child.info.run_name for child in children) == sorted(STEPS)

    assert states(run()) == dict.fromkeys(STEPS, "cached")
