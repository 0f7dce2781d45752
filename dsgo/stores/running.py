"""Both stores as child processes: the artifact store (server/ftpserver.py) and MLflow's tracking server in front of it.

    with running_stores(home) as stores:
        print(stores.tracking_uri)
        stores.watch()  # until one dies or Ctrl-C

By default clients get artifacts through the tracking server (`mlflow-artifacts:/`), so that no client and no run's URI
holds the store's password: it goes to both children by the variable DSGO_FTP_PASSWORD, never on a command line. With
`direct` new experiments have `ftp://` roots instead, without a password. If the home has a users file
(server/README.md), guest must be one of them, for that is who the tracking server is.

The home folder is described in dsgo/stores/home.py.
"""

import json
import os
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import click
import psutil

from dsgo.base.errors import UserError
from dsgo.base.files import write_whole
from dsgo.base.network import LOOPBACK
from dsgo.base.places import ROOT
from dsgo.base.processes import APART, ending_with_parent
from dsgo.base.store_terms import FTP_PORT, USER
from dsgo.stores.home import DATABASE, FILES, holding, read_state
from dsgo.stores.schema import require_current

SERVER = ROOT / "server"
MLFLOW_PORT = 5000
START_SECONDS = 120  # until both must answer: 5 on an idle laptop, many times that on a machine under load
END_SECONDS = 5  # that a child has to end by itself before it is killed


class StoreError(click.ClickException):
    """A store did not come up, or died: says which, and shows its last log lines. Exit code 1."""


@dataclass
class Stores:
    """The two stores of one home, running."""

    home: Path
    ftp_port: int
    mlflow_port: int
    direct: bool
    _children: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def tracking_uri(self) -> str:
        """What MLFLOW_TRACKING_URI takes."""
        return f"http://{LOOPBACK}:{self.mlflow_port}"

    @property
    def ftp_uri(self) -> str:
        """The root of all artifacts, without the password."""
        return f"ftp://{USER}@{LOOPBACK}:{self.ftp_port}/artifacts"

    def log(self, name: str) -> Path:
        """Return the log file of "artifact store" or "tracking server"; each start begins it anew."""
        return self.home / "logs" / f"{name.replace(' ', '_')}.log"

    def check(self) -> None:
        """Raise StoreError if a store has died."""
        for name, child in self._children.items():
            if child.poll() is not None:
                raise self._error(f"the {name} ended by itself (exit code {child.returncode})", name)

    def watch(self) -> None:
        """Block until a store dies (StoreError) or a signal comes."""
        while True:
            self.check()
            time.sleep(0.2)

    def _error(self, message: str, name: str) -> StoreError:
        log = self.log(name)
        last = log.read_text(errors="replace").splitlines()[-10:]
        return StoreError("\n".join([f"{message}. Its last lines in {log}:", *(f"  | {line}" for line in last)]))

    def _commands(self) -> dict[str, list[str]]:
        database = f"sqlite:///{DATABASE}"
        return {
            "artifact store": [
                *(str(SERVER / "ftpserver.py"), "--host", LOOPBACK, "--port", str(self.ftp_port)),
                *("--root", str(self.home / FILES)),
                *("--users", str(self.home / "users.json"), "--user", USER),
            ],
            "tracking server": [
                *("-m", "mlflow", "server", "--host", LOOPBACK, "--port", str(self.mlflow_port)),
                *("--backend-store-uri", database, "--registry-store-uri", database),
                *("--default-artifact-root", self.ftp_uri if self.direct else "mlflow-artifacts:/"),
                # Given in both forms, so that runs made in the other one stay readable.
                *("--serve-artifacts", "--artifacts-destination", self.ftp_uri),
                # One worker: two or more add 40 ms to every request on a kept connection.
                *("--workers", "1"),
            ],
        }

    def _strangers(self) -> dict[str, str]:
        """What the tracking server takes from web pages, by MLflow's own variables; those of the environment win."""
        names = ["localhost", LOOPBACK, "[::1]"]
        ports = ["localhost:*", f"{LOOPBACK}:*", "[[]::1]:*"]  # any, for a tunnel has another; "[[]" is fnmatch's "["
        return {
            "MLFLOW_SERVER_ALLOWED_HOSTS": ",".join([*names, *ports]),
            "MLFLOW_SERVER_CORS_ALLOWED_ORIGINS": self.tracking_uri,
            "MLFLOW_SERVER_X_FRAME_OPTIONS": "SAMEORIGIN",
        }

    def _start(self) -> None:
        environment = (
            self._strangers()
            | os.environ
            | {
                "MLFLOW_DISABLE_TELEMETRY": "true",
                "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
                "PYTHONUNBUFFERED": "1",
            }
        )
        environment.pop("MLFLOW_TRACKING_URI", None)  # the server is nobody's client
        environment.pop("DSGO_FTP_HOST", None)  # here DSGO_FTP_PASSWORD is that of the store beside the server
        for name, command in self._commands().items():
            with self.log(name).open("wb") as log:
                self._children[name] = subprocess.Popen(
                    ending_with_parent(*command),
                    cwd=self.home,
                    env=environment,
                    stdout=log,
                    stderr=log,
                    **APART,
                )
            self._write_state()

    def _wait_until_both_answer(self) -> None:
        answers = {
            "artifact store": lambda: _ftp_answers(self.ftp_port),
            "tracking server": lambda: _http_answers(f"{self.tracking_uri}/health"),
        }
        deadline = time.monotonic() + START_SECONDS
        for name, answered in answers.items():
            while not answered():
                self.check()
                if time.monotonic() > deadline:
                    raise self._error(f"the {name} did not answer within {START_SECONDS} s", name)
                time.sleep(0.1)
        self.check()  # who answered is ours: with its port taken, our child would have ended
        self._write_state()

    def _write_state(self) -> None:
        tree = [(process.pid, process.create_time()) for process in self._tree()]
        state = {"tracking_uri": self.tracking_uri, "ftp_uri": self.ftp_uri, "processes": tree}
        write_whole(self.home / "stores.json", json.dumps(state).encode())

    def _tree(self) -> list[psutil.Process]:
        found = []
        for child in self._children.values():
            with suppress(psutil.NoSuchProcess):
                process = psutil.Process(child.pid)
                found += [process, *process.children(recursive=True)]
        return found

    def _end(self) -> None:
        tree = self._tree()
        try:
            # The tracking server first: what it is just doing needs the artifact store.
            for child in reversed(self._children.values()):
                child.terminate()
                with suppress(subprocess.TimeoutExpired):
                    child.wait(END_SECONDS)
        finally:  # a second Ctrl-C lands here and kills at once
            _kill(tree)
            _end_leftovers(self.home)  # a grandchild that lost its parent is in no tree any more
            for child in self._children.values():
                child.wait()


@contextmanager
def running_stores(
    home: Path = SERVER, ftp_port: int = FTP_PORT, mlflow_port: int = MLFLOW_PORT, direct: bool = False
) -> Iterator[Stores]:
    """Start both stores, wait until both answer, give them, and always end both.

    Raises, before anything is started, AlreadyUpError if this home's stores run already and UserError if a port is
    taken, the home cannot be used or its database is of another MLflow; StoreError if a store does not come up within
    START_SECONDS. What an earlier process that was killed left running here is ended first.
    """
    home = Path(home).absolute()
    with holding(home):
        _end_leftovers(home)
        if ftp_port == mlflow_port:
            raise UserError(f"both stores cannot use port {ftp_port}: give --ftp-port or --mlflow-port another")
        _check_port_free(ftp_port, "--ftp-port")
        _check_port_free(mlflow_port, "--mlflow-port")
        require_current(home / DATABASE)
        stores = Stores(home, ftp_port, mlflow_port, direct)
        try:
            stores._start()
            stores._wait_until_both_answer()
            yield stores
        finally:
            stores._end()


def _end_leftovers(home: Path) -> None:
    """End what stores.json names and still runs, then remove it. The caller holds the lock."""
    processes = []
    for pid, created in read_state(home).get("processes", []):
        with suppress(psutil.NoSuchProcess):
            process = psutil.Process(pid)
            if abs(process.create_time() - created) < 1:  # else the number has gone to somebody else
                processes += [*process.children(recursive=True), process]
    _kill(processes)
    (home / "stores.json").unlink(missing_ok=True)


def _kill(processes: list[psutil.Process]) -> None:
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(processes, END_SECONDS)


def _check_port_free(port: int, option: str) -> None:
    with socket.socket() as probe:
        if os.name == "posix":  # as the servers do: a port whose last connections linger counts as free
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError as error:
            raise UserError(f"port {port} cannot be used ({error.strerror}): choose another with {option}") from None


def _ftp_answers(port: int) -> bool:
    try:
        with socket.create_connection((LOOPBACK, port), timeout=2) as connection:
            return connection.recv(3) == b"220"
    except OSError:
        return False


def _http_answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as response:
            return response.status == 200
    except OSError:
        return False
