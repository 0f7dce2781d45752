"""MLflow itself on our artifact repositories: garbage collection, ftps, names that go through the tracking server."""

import contextlib
import os
import subprocess
import sys
import time

import mlflow
import pytest
import requests
from mlflow.exceptions import MlflowException
from mlflow.store.artifact.mlflow_artifacts_repo import MlflowArtifactsRepository

from dsgo.artifacts.proxied import ProxiedArtifactRepository
from dsgo.base.network import free_port
from dsgo.base.processes import APART, kill_tree
from foreign_servers import make_certificate
from ftp_server import SECRET, wait_until
from odd_server import odd_server
from shared import new_stores


class Echo(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input: list[str]) -> list[str]:
        return model_input


def log_run(experiment="0"):
    """One run with a file and a model."""
    with mlflow.start_run(experiment_id=experiment) as run:
        mlflow.log_text("text", "deep/er/a b.txt")
        model = mlflow.pyfunc.log_model(name="model", python_model=Echo(), pip_requirements=["mlflow"])
    return run.info.run_id, model


def files(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def collect_garbage(home, tracking_uri):
    command = [sys.executable, "-m", "mlflow", "gc", "--backend-store-uri", f"sqlite:///{home}/mlruns.db"]
    environment = os.environ | {"MLFLOW_TRACKING_URI": tracking_uri}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize("direct", [False, True], ids=["proxied", "direct"])
def test_gc__frees_the_files_of_deleted_runs_and_models_and_no_others(tmp_path, monkeypatch, direct):
    monkeypatch.delenv("DSGO_FTP_PASSWORD", raising=False)
    with new_stores(tmp_path / "home", direct) as stores:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", stores.tracking_uri)
        store = tmp_path / "home" / "store"
        kept, _ = log_run()
        before = files(store)
        gone, model = log_run()
        client = mlflow.MlflowClient()
        client.delete_run(gone)
        client.delete_logged_model(model.model_id)
        assert len(files(store)) > len(before)
        result = collect_garbage(tmp_path / "home", stores.tracking_uri)
        assert result.returncode == 0, result.stderr
        assert f"Run with ID {gone} has been permanently deleted." in result.stdout
        assert files(store) == before
        assert not [path for path in store.rglob("*") if path.name == "artifacts" and gone in path.as_posix()]
        assert [info.path for info in client.list_artifacts(kept)] == ["deep"]


def http_answers(url):
    with contextlib.suppress(requests.ConnectionError):
        return requests.get(url, timeout=5).ok


def test_ftps__serves_mlflow_as_the_root_of_artifacts_and_behind_its_proxy(tmp_path, monkeypatch):
    certificate, key = make_certificate(tmp_path)
    port = free_port()
    monkeypatch.setenv("DSGO_FTP_PASSWORD", SECRET)
    monkeypatch.setenv("DSGO_FTP_CA", str(certificate))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{port}")
    with odd_server(tmp_path / "root", tls=(certificate, key)) as server:
        root = f"ftps://guest@127.0.0.1:{server.port}"
        command = [sys.executable, "-m", "mlflow", "server", "--port", str(port), "--workers", "1"]
        command += [
            "--backend-store-uri",
            f"sqlite:///{tmp_path}/mlruns.db",
            "--default-artifact-root",
            f"{root}/direct",
        ]
        command += ["--serve-artifacts", "--artifacts-destination", f"{root}/proxied"]
        with (tmp_path / "log").open("wb") as log:
            environment = os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
            mlflow_server = subprocess.Popen(command, stdout=log, stderr=log, env=environment, cwd=tmp_path, **APART)
        try:
            wait_until(lambda: http_answers(f"http://127.0.0.1:{port}/health"), 120)
            behind = mlflow.create_experiment("behind the proxy", "mlflow-artifacts:/behind")
            for experiment, folder in (("0", "direct/0"), (behind, "proxied/behind")):
                run, model = log_run(experiment)
                assert (server.root / folder / run / "artifacts/deep/er/a b.txt").read_text() == "text"
                assert mlflow.artifacts.load_text(f"runs:/{run}/deep/er/a b.txt") == "text"
                for uri in (f"runs:/{run}/model", model.model_uri):
                    assert mlflow.pyfunc.load_model(uri).predict(["back"]) == ["back"]
                version = mlflow.register_model(model.model_uri, f"Model{experiment}").version
                assert mlflow.pyfunc.load_model(f"models:/Model{experiment}/{version}").predict(["x"]) == ["x"]
                shown = f"http://127.0.0.1:{port}/get-artifact?run_uuid={run}&path=deep/er/a%20b.txt"
                assert requests.get(shown, timeout=20).text == "text"
            foreign = mlflow.create_experiment("foreign", "ftps://guest@192.0.2.1/x")
            with mlflow.start_run(experiment_id=foreign) as run:
                refused = f"http://127.0.0.1:{port}/get-artifact?run_uuid={run.info.run_id}&path=x"
            assert "connects to no artifact store but its own" in requests.get(refused, timeout=20).text
            assert SECRET not in (tmp_path / "log").read_text()
            assert SECRET.encode() not in (tmp_path / "mlruns.db").read_bytes()
        finally:
            kill_tree(mlflow_server)


@pytest.fixture
def proxied(tracking):
    """MLflow's own client and ours on the same folder of a tracking server, and that folder."""
    uri = f"mlflow-artifacts:/names-{time.monotonic_ns()}"
    folder = tracking.home / "store" / "artifacts" / uri.rpartition("/")[2]
    return MlflowArtifactsRepository(uri), ProxiedArtifactRepository(uri), folder


@pytest.mark.parametrize(("name", "arrives"), [("q?m", "q"), ("h#ash", "h"), ("per%20cent", "per cent")])
def test_proxied__name_that_mlflows_client_changes_is_refused(proxied, tmp_path, name, arrives):
    own, ours, folder = proxied
    (tmp_path / "local").mkdir()
    (tmp_path / "local" / "first.txt").touch()
    (tmp_path / "local" / name).touch()
    for log in (
        lambda: ours.log_artifact(str(tmp_path / "local" / name)),
        lambda: ours.log_artifact(str(tmp_path / "local" / "first.txt"), f"a/{name}"),
        lambda: ours.log_artifacts(str(tmp_path / "local")),
        lambda: ours.log_artifacts(str(tmp_path / "local"), name),
        lambda: ours.delete_artifacts(name),
        lambda: ours.download_artifacts(name, str(tmp_path)),
    ):
        with pytest.raises(MlflowException, match="does not pass a tracking server: choose a name without it") as error:
            log()
        assert error.value.error_code == "INVALID_PARAMETER_VALUE"
        assert repr(name)[1:-1] in error.value.message
    assert not folder.exists()
    own.log_artifact(str(tmp_path / "local" / name))
    assert files(folder) == [arrives]


def test_proxied__every_way_of_logging_is_held_to_it(tracking, tmp_path):
    figure = pytest.importorskip("matplotlib.figure").Figure()
    with mlflow.start_run(experiment_id="0") as run:
        for log in (
            lambda: mlflow.log_text("text", "what?.txt"),
            lambda: mlflow.log_dict({}, "50%/a.json"),
            lambda: mlflow.log_figure(figure, "#1.png"),
        ):
            with pytest.raises(MlflowException, match="does not pass a tracking server"):
                log()
        mlflow.log_text("text", "plain; +&=@,'().txt")
    assert [info.path for info in mlflow.MlflowClient().list_artifacts(run.info.run_id)] == ["plain; +&=@,'().txt"]


def test_proxied__step_with_such_a_name_ends_with_one_line(tracking, tmp_path):
    (tmp_path / "step.py").write_text(
        "import click, mlflow\n"
        "from dsgo.runs.step import run_step, start_run\n"
        "@click.command()\n"
        "def main():\n"
        "    with start_run('odd'):\n"
        "        mlflow.log_text('text', 'what?.txt')\n"
        "run_step(main)\n"
    )
    result = subprocess.run(
        [sys.executable, tmp_path / "step.py"], capture_output=True, text=True, timeout=60, check=False
    )
    assert result.returncode == 2
    (line,) = [line for line in result.stderr.splitlines() if line.startswith("Error: ")]
    assert "the artifact name 'what?.txt' holds ?" in line
    assert "Traceback" not in result.stderr


def test_proxied__missing_path_is_not_found_at_once(tracking, tmp_path):
    started = time.monotonic()
    with pytest.raises(MlflowException, match="404"):
        ProxiedArtifactRepository("mlflow-artifacts:/0").download_artifacts("not/there", str(tmp_path))
    assert time.monotonic() - started < 10  # it was minutes
    url = f"{tracking.tracking_uri}/api/2.0/mlflow-artifacts/artifacts/not/there"
    assert requests.get(url, timeout=20).json()["error_code"] == "RESOURCE_DOES_NOT_EXIST"
