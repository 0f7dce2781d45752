"""How fast artifacts go up, come down and list: our client against MLflow's own, through the tracking server, with TLS.

    python benchmarks/store_speed.py             # as root, on Linux; some ten minutes; writes its tables into README.md
    python benchmarks/store_speed.py --rounds 1 --megabytes 50 --print

All clients use the same artifact store, on loopback and over a link of 20 ms (benchmarks/latency.py), in turns, each
round in another order; a figure is the median of nine rounds, or of as many as begin within ten seconds of its own.
"""

import json
import os
import secrets
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import click
from latency import FAR, linked
from rich.console import Console
from rich.progress import track
from sections import write_section

HERE = Path(__file__).resolve().parent
SERVER = HERE.parent / "server" / "ftpserver.py"
CLIENTS = ("dsgo", "mlflow", "tls", "proxied")
JOBS = {
    ("up", "small"): "200 files of 10 kB up",
    ("down", "small"): "200 files of 10 kB down",
    ("up", "big"): "1 file of {} MB up",
    ("down", "big"): "1 file of {} MB down",
    ("list", "list"): "a folder of 1,000 listed",
}
DELAY = 0.010  # seconds each way
ENOUGH = 10  # seconds spent on one figure, after which it is measured no more
GOAL_SMALL, GOAL = 10, 0.9  # times as fast as MLflow's own: many small files at 20 ms, everything everywhere
Seconds = dict[tuple[tuple[str, str], str], list[float]]


class Place:
    """Stores and a measuring client, on loopback or on either side of a slow link."""

    def __init__(self, stack: ExitStack, home: Path, local: Path, is_far: bool) -> None:
        """Start them; `home` gets the stores' files."""
        self.root, self.stack = home / "root", stack
        (home / "mlflow").mkdir(parents=True)
        near, far = linked(stack, DELAY) if is_far else ([], [])
        host = FAR if is_far else "127.0.0.1"
        make = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        make += ["-keyout", "key.pem", "-out", "cert.pem", "-subj", "/CN=benchmark"]
        make += ["-addext", f"subjectAltName=IP:{host}"]
        subprocess.run(make, cwd=home, check=True, capture_output=True)
        self.password = secrets.token_hex(16)  # MLflow's own client can only be given it in a URI, in this process
        environment = os.environ | {
            "DSGO_FTP_PASSWORD": self.password,
            "DSGO_FTP_CA": str(home / "cert.pem"),
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        }
        plain, secure, http = free_ports(3)
        store = [*far, sys.executable, str(SERVER), "--host", host, "--root", str(self.root), "--no-tls-only"]
        store += ["--users", str(home / "users.json")]
        tracking = [*far, sys.executable, "-m", "mlflow", "server", "--host", host, "--port", str(http)]
        tracking += ["--backend-store-uri", f"sqlite:///{home}/mlruns.db", "--workers", "1", "--serve-artifacts"]
        tracking += ["--artifacts-destination", f"ftp://guest@{host}:{plain}/"]
        for name, command in {
            "plain": [*store, "--port", str(plain)],
            "secure": [
                *store,
                "--port",
                str(secure),
                "--tls-cert",
                str(home / "cert.pem"),
                "--tls-key",
                str(home / "key.pem"),
            ],
            "tracking": tracking,
        }.items():
            with (home / f"{name}.log").open("wb") as log:
                self._start(command, cwd=home / "mlflow", env=environment, stdout=log, stderr=log)
        self.client = self._start(
            [*near, sys.executable, str(HERE / "speed_client.py"), str(local)],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.uris = {
            "dsgo": f"ftp://guest@{host}:{plain}/",
            "mlflow": f"ftp://guest:{self.password}@{host}:{plain}/",
            "tls": f"ftps://guest@{host}:{secure}/",
            "proxied": f"http://{host}:{http}/api/2.0/mlflow-artifacts/artifacts",
        }
        for client in ("dsgo", "tls", "proxied"):
            self.round_trip = self.ask(client, "round trip")  # once it answers
        for name in ("small", "big"):
            shutil.copytree(local / name, self.root / name)
        (self.root / "list").mkdir()
        for number in range(1000):
            (self.root / "list" / f"file{number:04}").write_bytes(b"x" * number)

    def _start(self, command: list[str], **options: Any) -> subprocess.Popen[Any]:
        process = subprocess.Popen(command, start_new_session=True, **options)
        self.stack.callback(process.wait)
        self.stack.callback(end_group, process.pid)
        return process

    def ask(self, client: str, what: str, name: str = "", path: str = "") -> float:
        """Have the client do something; return the seconds it took."""
        assert self.client.stdin
        assert self.client.stdout
        kind = "dsgo" if client == "tls" else client
        print(json.dumps([kind, self.uris[client], what, name, path]), file=self.client.stdin, flush=True)
        return float(self.client.stdout.readline())

    def measure(self, client: str, job: tuple[str, str]) -> float:
        """Return the seconds of one of JOBS."""
        what, name = job
        if what != "up":
            return self.ask(client, what, name, name)
        target = f"up{secrets.token_hex(4)}"
        seconds = self.ask(client, what, name, target)
        stored = {path.name: path.stat().st_size for path in (self.root / target).iterdir()}
        assert stored == {path.name: path.stat().st_size for path in (self.root / name).iterdir()}, target
        shutil.rmtree(self.root / target)
        return seconds


def free_ports(number: int) -> list[int]:
    """Return ports that nobody listens on now."""
    with ExitStack() as stack:
        probes = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(number)]
        return [probe.getsockname()[1] for probe in probes]


def end_group(process: int) -> None:
    """Kill a process and what it started."""
    with suppress(ProcessLookupError):
        os.killpg(process, signal.SIGKILL)


def turns(rounds: int) -> list[tuple[tuple[str, str], str]]:
    """Return each job with each client, round after round, the clients in another order each time."""
    orders = [CLIENTS[number % len(CLIENTS) :] + CLIENTS[: number % len(CLIENTS)] for number in range(rounds)]
    return [(job, client) for order in orders for job in JOBS for client in order]


def table(place: str, measured: Seconds, megabytes: int) -> list[str]:
    """Return the lines of one place, in Markdown."""
    lines = []
    for job, about in JOBS.items():
        ours, mlflows, tls, proxied = (statistics.median(measured[job, client]) for client in CLIENTS)
        lines.append(
            f"| {place}, {about.format(megabytes)} | {ours:.2f} | {mlflows:.2f} | **{mlflows / ours:.1f}** "
            f"| {tls:.2f} | {proxied:.2f} | {proxied / ours:.1f} |"
        )
    return lines


def missed(place: str, measured: Seconds) -> list[str]:
    """Return a line for each goal that was missed."""
    lines = []
    for job, about in JOBS.items():
        goal = GOAL_SMALL if place != "loopback" and job[1] == "small" else GOAL
        ratio = statistics.median(measured[job, "mlflow"]) / statistics.median(measured[job, "dsgo"])
        if ratio < goal:
            lines.append(f"missed: {place}, {about.format('')}: {ratio:.2f} times as fast, the goal is {goal}")
    return lines


@click.command()
@click.option("--rounds", default=9, show_default=True)
@click.option("--megabytes", default=500, show_default=True, help="Size of the large file.")
@click.option("--folder", default=None, help="Where the files lie meanwhile, local and stored (the temporary folder).")
@click.option("--print", "only_print", is_flag=True, help="Leave README.md as it is.")
def main(rounds: int, megabytes: int, folder: str | None, only_print: bool) -> None:
    """Measure, print the table and write it into README.md; exit code 1 if a goal is missed."""
    console = Console(stderr=True)
    lines = [
        "| | our client, s | MLflow's own, s | times as fast | ours with TLS, s | through the tracking server, s "
        "| of direct |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    notes: list[str] = []
    for is_far in (False, True):
        with ExitStack() as stack:
            home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="speed-", dir=folder)))
            local = home / "local"
            for name, number, size in (("small", 200, 10_000), ("big", 1, megabytes * 1_000_000)):
                (local / name).mkdir(parents=True)
                for each in range(number):
                    (local / name / f"file{each:03}").write_bytes(os.urandom(size))
            place = Place(stack, home, local, is_far)
            label = f"{place.round_trip * 1000:.0f} ms" if is_far else "loopback"
            measured: Seconds = defaultdict(list)
            steps = track(turns(rounds), label, console=console, disable=not console.is_terminal)
            for job, client in steps:
                times = measured[job, client]
                if sum(times) < ENOUGH:
                    times.append(place.measure(client, job))
            lines += table(label, measured, megabytes)
            notes += missed(label, measured)
    click.echo("\n".join([*lines, "", *notes]))
    if not only_print:
        write_section("store speed", "\n".join(lines))
    raise SystemExit(bool(notes))


if __name__ == "__main__":
    main()
