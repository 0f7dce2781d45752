"""The tracking server's address, deleted experiments, and what `mlflow gc` takes."""

import os
import re
import subprocess
import sys
from pathlib import Path

import mlflow
import pytest
from click.testing import CliRunner

import live
from dsgo.base.errors import UserError
from dsgo.base.places import ROOT
from dsgo.cli import main
from dsgo.models import registry
from dsgo.runs.server import tracking_uri
from gate_models import empty_registry, log_code
from shared import new_stores

NO_ADDRESS = {
    "": r"MLFLOW_TRACKING_URI is not set: start both stores with `dsgo up`",
    "127.0.0.1:5000": r"MLFLOW_TRACKING_URI=127.0.0.1:5000 begins without http://: set it to http://127.0.0.1:5000$",
    "somewhere:5000": r"MLFLOW_TRACKING_URI=somewhere:5000 begins without http://: set it to http://somewhere:5000$",
    "anna:secret@host:5000": r"MLFLOW_TRACKING_URI=host:5000 begins without http://",
    "/a/folder": r"MLFLOW_TRACKING_URI=/a/folder is no address of a tracking server",
    "file:///a/folder": r"MLFLOW_TRACKING_URI=file:///a/folder is no address of a tracking server",
    "http//127.0.0.1:5000": r"MLFLOW_TRACKING_URI=http//127.0.0.1:5000 is no address of a tracking server",
    "http://": r"MLFLOW_TRACKING_URI=http:// is no address of a tracking server",
    "http://127.0.0.1:port": r"MLFLOW_TRACKING_URI=http://127.0.0.1:port is no address of a tracking server",
    "sqlite:///none.db": r"MLFLOW_TRACKING_URI=sqlite:///none.db: there is no database none.db$",
}
COMMANDS = {
    "history": [sys.executable, "-m", "dsgo.cli", "history"],
    "promote": [sys.executable, "-m", "dsgo.cli", "promote", "1"],
    "score": [sys.executable, "-m", "dsgo.cli", "score", "in.csv", "out.parquet"],
    "why": [sys.executable, "-m", "dsgo.cli", "why", "lr"],
    "step": [sys.executable, str(ROOT / "lr" / "lr.py")],
    "dashboard": [sys.executable, str(ROOT / "dashboard" / "app.py")],
    "mlflow run": [sys.executable, "-m", "mlflow", "run", str(ROOT / "lr"), "--env-manager", "local"],
    "mlflow models serve": [sys.executable, "-m", "mlflow", "models", "serve", "-m", "models:/BestModel/Production"],
}


@pytest.mark.parametrize("uri", NO_ADDRESS)
def test_tracking_uri__that_is_no_address_is_refused(monkeypatch, tmp_path, uri):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)

    with pytest.raises(UserError, match=NO_ADDRESS[uri]):
        tracking_uri()


@pytest.mark.parametrize(
    "uri", ["http://127.0.0.1:5000", "https://anna:secret@host/mlflow", "postgresql+psycopg://h/db"]
)
def test_tracking_uri__that_is_one_passes(monkeypatch, uri):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)

    assert tracking_uri() == uri


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command__without_an_address_says_so_in_a_line_and_writes_nothing(tmp_path, name):
    for uri in ("", "127.0.0.1:5000", "somewhere:5000") if "mlflow" in name else ("",):
        environment = {key: value for key, value in os.environ.items() if key != "MLFLOW_TRACKING_URI"}
        environment |= {"MLFLOW_TRACKING_URI": uri} if uri else {}
        done = subprocess.run(
            COMMANDS[name], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120, check=False
        )

        assert done.returncode == 2, done.stderr
        assert re.match(rf"Error: {NO_ADDRESS[uri]}", done.stderr.splitlines()[-1])
        assert "Traceback" not in done.stderr
        assert list(tmp_path.iterdir()) == []


@pytest.fixture
def deleted(tracking, request):
    """The name and id of a deleted experiment."""
    client = mlflow.MlflowClient()
    experiment = client.create_experiment(request.node.name)
    client.delete_experiment(experiment)
    return request.node.name, experiment


def dashboard(name):
    with pytest.raises(UserError) as error:
        live.Follower(name)._poll(0)
    return f"Error: {error.value.message}"


def run(*command, **environment):
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = os.environ | {"PATH": path} | environment
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr.splitlines()[-1]


MLFLOW_RUN = (sys.executable, "-m", "mlflow", "run", "--env-manager", "local", "--experiment-name")


@pytest.mark.parametrize(
    "entrance",
    [
        lambda name: run(*MLFLOW_RUN, name, "lr"),
        lambda name: run(*MLFLOW_RUN, name, "."),
        lambda name: run(sys.executable, "lr/lr.py", MLFLOW_EXPERIMENT_NAME=name),
        lambda name: CliRunner().invoke(main, ["why", "lr", "--experiment-name", name]).output,
        dashboard,
    ],
    ids=["mlflow run lr", "mlflow run .", "python lr.py", "dsgo why", "dashboard"],
)
def test_deleted_experiment__is_one_line_and_its_advice_works(deleted, entrance):
    name, experiment = deleted

    said = entrance(name)

    command = f"mlflow experiments restore -x {experiment}"
    assert said.startswith(f"Error: the experiment {name} is deleted: `{command}` restores it while the stores are up")
    subprocess.run([sys.executable, "-m", *command.split()], check=True, timeout=60)
    assert mlflow.get_experiment(experiment).lifecycle_stage == "active"


def gc(stores, *options):
    command = [sys.executable, "-m", "mlflow", "gc", "--backend-store-uri", f"sqlite:///{stores.home}/mlruns.db"]
    return subprocess.run([*command, *options], capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture
def own_stores(tmp_path, monkeypatch):
    """Stores of this test's own, where nothing else is deleted."""
    with new_stores(tmp_path / "home") as stores:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", stores.tracking_uri)
        yield stores


def test_gc__keeps_the_model_of_a_registered_version_and_leaves_no_orphans(own_stores):
    client, files = mlflow.MlflowClient(), own_stores.home / "store"
    run_id, model_id = log_code("used")
    log_code("used")  # a model that no version names
    log_code("other")
    registry.promote(registry.register(run_id, model_id, {}, "").version, "first", "gate")
    used, other = (client.get_experiment_by_name(name).experiment_id for name in ("used", "other"))
    client.delete_experiment(used)
    before = {path for path in files.rglob("*") if path.is_file()}

    refused = gc(own_stores)

    assert refused.returncode == 2
    assert refused.stderr.splitlines()[-1].startswith(
        f"Error: `mlflow gc` would take the model of version 1 of BestModel (Production; its experiment {used} is "
        f"deleted, `mlflow experiments restore -x {used}`). Nothing was deleted"
    )
    assert {path for path in files.rglob("*") if path.is_file()} == before
    assert gc(own_stores, "--older-than", "1d").returncode == 0

    client.delete_experiment(other)
    assert gc(own_stores, "--experiment-ids", other).returncode == 0
    assert not [path for path in files.rglob("*") if path.is_file() and f"/{other}/" in path.as_posix()]
    assert mlflow.models.get_model_info("models:/BestModel/Production").model_id == model_id

    empty_registry()
    assert gc(own_stores).returncode == 0
    assert not [path for path in files.rglob("*") if path.is_file()]
