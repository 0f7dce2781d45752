"""A user's mistakes: each ends with one line, exit code 2, no traceback, and a FAILED run that carries the line.

What process_data's own input does wrong is in test_process_data.py, a wrong `data` in test_dataset.py.
"""

import os
import socket
import subprocess
import sys
from pathlib import Path

import mlflow
import pytest

from dsgo.base.network import free_port
from dsgo.base.places import ROOT


@pytest.fixture
def step(tracking, request):
    """A function that runs a step's script as `mlflow run` does, on a run that has begun; returns (process, run)."""
    client = mlflow.MlflowClient()

    def run(script, *arguments, **environment):
        experiment = client.get_experiment_by_name(request.node.name)
        experiment_id = experiment.experiment_id if experiment else client.create_experiment(request.node.name)
        begun = client.create_run(experiment_id).info.run_id
        done = subprocess.run(
            [sys.executable, Path(script).name, *arguments],
            cwd=(ROOT / script).parent,
            env=os.environ | {"MLFLOW_RUN_ID": begun, "MLFLOW_EXPERIMENT_ID": experiment_id} | environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        return done, client.get_run(begun)

    return run


@pytest.mark.parametrize(
    ("script", "arguments", "line"),
    [
        ("lr/lr.py", ["--split", "sorted"], "Invalid value for '--split': 'sorted' is not one of"),
        ("lr/lr.py", [], "this experiment has no finished process_data run to take the data from"),
        ("lr/lr.py", ["--data", "nowhere.csv"], "data=nowhere.csv: there is no file"),
        ("rf/rf.py", ["--max-depth", "-1"], "Invalid value for '--max-depth': -1 is not in the range x>=0."),
        ("rf/sweep.py", ["--max-depth", "5,x"], "Invalid value for '--max-depth': '5,x' is no list of whole numbers"),
        ("keras_nn/keras_nn.py", ["--epochs", "-1"], "Invalid value for '--epochs': -1 is not in the range x>=0."),
    ],
)
def test_step__says_a_mistake_in_one_line_and_marks_its_run(step, script, arguments, line):
    done, run = step(script, *arguments)

    assert done.returncode == 2
    assert done.stderr.startswith(f"Error: {line}"), done.stderr
    assert done.stderr.count("\n") == 1
    assert run.info.status == "FAILED"
    assert f"Error: {run.data.tags['dsgo.error']}\n" == done.stderr


def test_step__says_soon_that_the_tracking_server_is_down():
    """Ten seconds on an idle machine; MLflow alone retries for minutes, beyond the time-out here."""
    uri = f"http://127.0.0.1:{free_port()}"
    environment = os.environ | {"MLFLOW_TRACKING_URI": uri}
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    for command, folder in (
        ([sys.executable, "lr.py"], ROOT / "lr"),
        ([sys.executable, "-m", "mlflow", "run", "lr", "--env-manager", "local", "--experiment-name", "x"], ROOT),
    ):
        done = subprocess.run(
            command,
            cwd=folder,
            env=environment | {"PATH": path},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

        assert done.returncode == 2
        assert done.stderr.splitlines()[-1].startswith(f"Error: no tracking server answers at {uri}: start both stores")
        assert "Traceback" not in done.stderr


def test_step__does_not_wait_for_a_tracking_server_that_accepts_and_says_nothing():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        uri = f"http://127.0.0.1:{silent.getsockname()[1]}"
        done = subprocess.run(
            [sys.executable, "lr.py"],
            cwd=ROOT / "lr",
            env=os.environ | {"MLFLOW_TRACKING_URI": uri},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    assert done.returncode == 2
    assert done.stderr.startswith(f"Error: no tracking server answers at {uri}")


def test_trainer__says_that_the_artifact_store_is_away(small_dataset, tmp_path):
    """The tracking server is up, its artifact store is not: training is done, but nothing can be kept."""
    from dsgo.stores.running import running_stores

    small_dataset.to_parquet(tmp_path / "dataset.parquet")
    with running_stores(tmp_path / "home", free_port(), free_port()) as stores:
        client = mlflow.MlflowClient(stores.tracking_uri)
        run_id = client.create_run("0").info.run_id
        artifact_store = stores._children["artifact store"]
        artifact_store.kill()
        artifact_store.wait(10)
        done = subprocess.run(
            [sys.executable, "lr.py", "--data", str(tmp_path / "dataset.parquet")],
            cwd=ROOT / "lr",
            env=os.environ | {"MLFLOW_TRACKING_URI": stores.tracking_uri, "MLFLOW_RUN_ID": run_id},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        run = client.get_run(run_id)

    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    last = done.stderr.splitlines()[-1]
    assert last.startswith("Error: the stores refused: ")
    assert f"127.0.0.1:{stores.ftp_port}" in last
    assert run.info.status == "FAILED"
    assert f"Error: {run.data.tags['dsgo.error']}" == last
