"""Both stores together: `dsgo up`, the workshop's two terminals, and models fetched from them by every way."""

import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.request

import mlflow
import psutil
import pytest
import requests
from click.testing import CliRunner

from background import IN_BACKGROUND
from dsgo.base.network import free_port
from dsgo.cli import main
from ftp_server import SECRET, environment, wait_until
from shared import ECHO


def log_and_fetch_model(tmp_path, name):
    """Log a small model, register it, load it back by both kinds of URI; return the run."""
    (tmp_path / "echo.py").write_text(ECHO)
    # Not set_experiment, which would stay set for the tests to come in this process.
    with mlflow.start_run(experiment_id=mlflow.create_experiment(name)) as run:
        mlflow.log_text("text", "figures/note.txt")
        mlflow.pyfunc.log_model(
            name="model", python_model=tmp_path / "echo.py", pip_requirements=["mlflow"], registered_model_name=name
        )
    for uri in (f"runs:/{run.info.run_id}/model", f"models:/{name}/1"):
        assert mlflow.pyfunc.load_model(uri).predict([1, 2]) == [1, 2]
        target = tmp_path / uri.replace("/", "_").replace(":", "")
        target.mkdir()
        mlflow.artifacts.download_artifacts(uri, dst_path=str(target))
        assert any(target.rglob("MLmodel"))
    assert mlflow.artifacts.load_text(f"runs:/{run.info.run_id}/figures/note.txt") == "text"
    return run


class Command:
    """A command in a process of its own, its output in a file; `end` ends it with all below it."""

    def __init__(self, output, *arguments, password=None, cwd=None):
        self.output = output
        with output.open("wb") as file:
            self.process = subprocess.Popen(
                [*IN_BACKGROUND, sys.executable, *map(str, arguments)],
                env=environment(password),
                cwd=cwd,
                stdout=file,
                stderr=file,
                start_new_session=True,
            )

    def text(self):
        return self.output.read_text()

    def wait_for(self, text, seconds=150):
        def said():
            assert self.process.poll() is None, self.text()
            return text in self.text()

        wait_until(said, seconds)

    def tree(self):
        process = psutil.Process(self.process.pid)
        return [process, *process.children(recursive=True)]

    def end(self):
        if self.process.poll() is None:
            for process in self.tree():
                process.kill()
        self.process.wait(20)


@pytest.fixture
def run(tmp_path):
    """A function that starts `python` with these arguments."""
    commands = []

    def start(*arguments, **named):
        commands.append(Command(tmp_path / f"output{len(commands)}.txt", *arguments, **named))
        return commands[-1]

    yield start
    for command in commands:
        command.end()


def up(home, ftp_port, mlflow_port, *options):
    return ["-m", "dsgo.cli", "up", "--home", home, "--ftp-port", ftp_port, "--mlflow-port", mlflow_port, *options]


def is_free(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        return probe.connect_ex(("127.0.0.1", port)) != 0


def test_stores__model_comes_back_through_the_tracking_server_by_every_uri(tracking, tmp_path):
    before = len(tracking.log("tracking server").read_text())
    run = log_and_fetch_model(tmp_path, "proxied")
    assert run.info.artifact_uri.startswith("mlflow-artifacts:/")
    # MLflow's own FTP client made the server answer 500 to a missing path, which was retried for four minutes.
    log = tracking.log("tracking server").read_text()[before:]
    assert '" 404' in log
    assert '" 5' not in log


def test_stores__refused_upload_is_told_to_the_client_at_once(tracking):
    with mlflow.start_run(experiment_id="0") as run:
        mlflow.log_text("a file", "name")
        with pytest.raises(requests.HTTPError, match=r"403 .*the artifact store ftp://\S+ refused: 550"):
            mlflow.log_text("a file where a folder would have to be", "name/below.txt")
    assert [file.path for file in mlflow.artifacts.list_artifacts(run_id=run.info.run_id)] == ["name"]


def test_up__own_password_shows_nowhere_and_a_store_that_dies_ends_the_other(run, tmp_path, monkeypatch):
    home, ftp_port, port = tmp_path / "home", free_port(), free_port()
    command = run(*up(home, ftp_port, port), password=SECRET)
    command.wait_for("Ctrl-C")
    assert f"export MLFLOW_TRACKING_URI=http://127.0.0.1:{port}" in command.text()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{port}")
    with mlflow.start_run(experiment_id="0"):
        mlflow.log_text("text", "a.txt")
    processes = command.tree()
    assert len(processes) == 4  # dsgo, the artifact store, mlflow and its one worker

    second = run(*up(home, free_port(), free_port()))
    assert second.process.wait(60) == 0
    assert second.text().strip() == (
        f"the stores of {home} are already up: http://127.0.0.1:{port} (tracking server), "
        f"ftp://guest@127.0.0.1:{ftp_port}/artifacts (artifact store)"
    )

    artifact_store = next(process for process in processes if "ftpserver.py" in " ".join(process.cmdline()))
    assert all(SECRET not in " ".join(process.cmdline()) for process in processes)
    artifact_store.kill()
    assert command.process.wait(60) == 1
    assert "Error: the artifact store ended by itself (exit code " in command.text()
    assert f"{home / 'logs' / 'artifact_store.log'}:" in command.text()
    assert "  | " in command.text()
    assert psutil.wait_procs(processes, 10)[1] == []
    written = [path.read_bytes() for path in home.rglob("*") if path.is_file()]
    assert len(written) > 4
    assert all(SECRET.encode() not in content for content in written)
    with sqlite3.connect(home / "mlruns.db") as database:
        assert database.execute("select artifact_uri from runs").fetchone()[0].startswith("mlflow-artifacts:/0/")


def test_up__direct_with_own_password_and_ends_cleanly_on_sigterm(run, tmp_path, monkeypatch):
    home, ftp_port, port = tmp_path / "home", free_port(), free_port()
    command = run(*up(home, ftp_port, port, "--direct"), password=SECRET)
    command.wait_for("Ctrl-C")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("DSGO_FTP_PASSWORD", SECRET)
    logged = log_and_fetch_model(tmp_path, "direct")
    assert logged.info.artifact_uri.startswith(f"ftp://guest@127.0.0.1:{ftp_port}/artifacts/")
    processes = command.tree()
    command.process.terminate()
    if os.name == "posix":
        assert command.process.wait(60) == 0
        assert command.text().endswith("Both stores have ended.\n")
        assert "Traceback" not in command.text()
        assert psutil.wait_procs(processes, 10)[1] == []
        assert is_free(ftp_port)
        assert is_free(port)


@pytest.mark.parametrize("options", [[], ["--direct"]], ids=["proxied", "direct"])
@pytest.mark.parametrize("password", [None, SECRET], ids=["workshop's password", "own password"])
def test_up__password_is_in_no_uri_log_process_list_or_database(run, tmp_path, monkeypatch, options, password):
    home, ftp_port, port = tmp_path / "home", free_port(), free_port()
    command = run(*up(home, ftp_port, port, *options), password=password)
    command.wait_for("Ctrl-C")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{port}")
    if password:
        monkeypatch.setenv("DSGO_FTP_PASSWORD", password)
    else:
        monkeypatch.delenv("DSGO_FTP_PASSWORD", raising=False)
    logged = log_and_fetch_model(tmp_path, "echo")
    if options:  # a wrong password too is in no log
        monkeypatch.setenv("DSGO_FTP_PASSWORD", "a-wrong-password")
        with pytest.raises(mlflow.exceptions.MlflowException):
            mlflow.artifacts.download_artifacts(f"runs:/{logged.info.run_id}/figures/note.txt")
    client = mlflow.MlflowClient()
    version = client.get_model_version("echo", "1")
    uris = [
        logged.info.artifact_uri,
        client.get_experiment(logged.info.experiment_id).artifact_location,
        client.get_logged_model(version.source.removeprefix("models:/")).artifact_location,
        client.get_model_version_download_uri("echo", "1"),
        version.source,
    ]
    root = f"ftp://guest@127.0.0.1:{ftp_port}/artifacts/" if options else "mlflow-artifacts:/"
    assert [uri.startswith(root) for uri in uris] == [True, True, True, True, False]
    assert len(command.tree()) == 4  # dsgo, the artifact store, mlflow and its one worker
    processes = "\n".join(" ".join(process.cmdline()) for process in command.tree())
    command.end()
    files = [path.read_bytes() for path in home.rglob("*") if path.is_file()]
    assert sum(b"SQLite format 3" in file for file in files) == 1
    assert sum(b"artifact store ftp://127.0.0.1" in file for file in files) == 1
    everything = b"\n".join([*files, *(text.encode() for text in [*uris, processes, command.text()])])
    # The workshop's 12345 may be part of any number: it is looked for where a login has it.
    for secret in ([password] if password else ["guest:12345", "12345@", "PASS 12345"]) + ["a-wrong-password"]:
        assert secret.encode() not in everything


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
@pytest.mark.parametrize("moment", ["up", "starting"])
def test_up__kill_9_leaves_no_child_and_no_port_behind(run, tmp_path, moment):
    home, ftp_port, port = tmp_path / "home", free_port(), free_port()
    command = run(*up(home, ftp_port, port))
    if moment == "up":
        command.wait_for("Ctrl-C")
    else:
        wait_until(lambda: len(command.tree()) >= 3)
    processes = command.tree()
    command.process.kill()
    command.process.wait(20)
    assert psutil.wait_procs(processes, 10)[1] == []
    wait_until(lambda: is_free(ftp_port) and is_free(port), 10)
    own = [
        process for process in psutil.process_iter(["cmdline"]) if str(home) in " ".join(process.info["cmdline"] or [])
    ]
    assert own == []


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
def test_up__after_kill_9_comes_up_on_the_same_ports_and_ends_on_ctrl_c(run, tmp_path):
    home, ftp_port, port = tmp_path / "home", free_port(), free_port()
    first = run(*up(home, ftp_port, port))
    first.wait_for("Ctrl-C")
    left = first.tree()[1:]
    first.process.kill()
    first.process.wait(20)
    second = run(*up(home, ftp_port, port))
    second.wait_for("Ctrl-C")
    assert psutil.wait_procs(left, 10)[1] == []
    processes = second.tree()
    second.process.send_signal(signal.SIGINT)
    assert second.process.wait(60) == 0
    assert psutil.wait_procs(processes, 10)[1] == []


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
def test_up__ctrl_c_while_starting_leaves_no_orphan(run, tmp_path):
    command = run(*up(tmp_path / "home", free_port(), free_port()))
    wait_until(lambda: len(command.tree()) >= 3)
    time.sleep(0.5)
    processes = command.tree()
    command.process.send_signal(signal.SIGINT)
    command.process.wait(60)
    assert psutil.wait_procs(processes, 10)[1] == []


def test_up__store_that_cannot_start_is_named_with_its_last_lines(run, tmp_path):
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "mlruns.db").write_text("no database " * 1000)
    command = run(*up(tmp_path / "home", free_port(), port := free_port()))
    assert command.process.wait(150) == 1
    assert command.text().startswith("Error: the tracking server ended by itself (exit code 1). Its last lines in ")
    assert "file is not a database" in command.text()
    assert is_free(port)


@pytest.mark.parametrize("taken", ["--ftp-port", "--mlflow-port"])
def test_up__port_taken_is_one_line_and_nothing_is_started(taken, tmp_path):
    ports = {"--ftp-port": free_port(), "--mlflow-port": free_port()}
    with socket.create_server(("127.0.0.1", ports[taken])):
        arguments = [str(part) for pair in ports.items() for part in pair]
        result = CliRunner().invoke(main, ["up", "--home", str(tmp_path / "home"), *arguments])
    assert result.exit_code == 2
    assert len(result.stderr.splitlines()) == 1
    assert f"port {ports[taken]} " in result.stderr
    assert taken in result.stderr
    assert not (tmp_path / "home" / "mlruns.db").exists()
    assert list((tmp_path / "home" / "logs").iterdir()) == []


def test_up__same_port_for_both_is_one_line(tmp_path):
    port = str(free_port())
    result = CliRunner().invoke(main, ["up", "--home", str(tmp_path), "--ftp-port", port, "--mlflow-port", port])
    assert result.exit_code == 2
    assert len(result.stderr.splitlines()) == 1


def test_up__home_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "file").touch()
    result = CliRunner().invoke(main, ["up", "--home", str(tmp_path / "file")])
    assert result.exit_code == 2
    result = CliRunner().invoke(main, ["up", "--home", str(tmp_path / "file" / "below")])
    assert result.exit_code == 2
    assert "--home" in result.stderr


def test_workshop__two_terminals_work_as_typed(run, serve, tmp_path, monkeypatch):
    artifact_store, port, home = serve(), free_port(), tmp_path / "server"
    home.mkdir()
    server = run(
        *("-m", "mlflow", "server", "--backend-store-uri", "sqlite:///mlruns.db", "--default-artifact-root"),
        *(f"ftp://guest@127.0.0.1:{artifact_store.port}/artifacts", "--port", port),
        cwd=home,
    )

    def answers():
        assert server.process.poll() is None, server.text()
        try:
            return urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5).status == 200
        except OSError:
            return False

    wait_until(answers, 150)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{port}")
    monkeypatch.delenv("DSGO_FTP_PASSWORD", raising=False)
    logged = log_and_fetch_model(tmp_path, "workshop")
    assert logged.info.artifact_uri.startswith(f"ftp://guest@127.0.0.1:{artifact_store.port}/artifacts/")
    assert (artifact_store.root / "artifacts" / logged.info.experiment_id / logged.info.run_id).is_dir()
