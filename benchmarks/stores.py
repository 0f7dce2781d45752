"""Both stores under load, each killed in the middle: is anything lost that a client was told is kept?

    python benchmarks/stores.py [--clients 8] [--runs 50] [--metrics 20]

Client processes log runs, each with metrics, a small artifact and an end, on `dsgo up`; what is not acknowledged they
do again. After a third of the runs the tracking server is killed (kill -9), after two thirds the artifact store; each
time `dsgo up` ends and is started again, as a supervisor would. Once with artifacts through the tracking server, once
direct.
Then everything acknowledged is asked for, and every file in the store is read. Prints the table for README.md here;
exit code 1 if anything is lost or torn.
"""

import argparse
import json
import multiprocessing
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from typing import Any

import mlflow
import psutil
import requests
from mlflow.exceptions import MlflowException

from dsgo.base.network import free_port
from dsgo.base.processes import APART, kill_tree
from dsgo.base.store_terms import IN_FLIGHT

CALL_SECONDS = 300  # that a call may be tried again, on a machine under load
UP_SECONDS = 180  # that `dsgo up` has to come up
SIZE = 10_000  # bytes of an artifact
STORES = {"tracking server": "mlflow server", "artifact store": "ftpserver.py"}  # and what its command line holds


class Client:
    """Makes calls until they are acknowledged; keeps their seconds and their failures."""

    def __init__(self) -> None:
        """Begin with no call made."""
        self.seconds: list[float] = []
        self.failures: Counter[str] = Counter()

    def __call__(self, call: Callable, *arguments: Any, **named: Any) -> Any:
        """Call until it does not raise and return its result; MlflowException or RequestException past CALL_SECONDS."""
        deadline = time.monotonic() + CALL_SECONDS
        while True:
            begun = time.monotonic()
            try:
                result = call(*arguments, **named)
            except (MlflowException, requests.RequestException) as error:
                if time.monotonic() > deadline:
                    raise
                kind = (
                    "no server"
                    if "Connection refused" in str(error)
                    else "cut off"
                    if "onnection" in str(error)
                    else ""
                )
                self.failures[kind or f"refused ({error})"] += 1
                time.sleep(0.2)
            else:
                self.seconds.append(time.monotonic() - begun)
                return result


def content(name: str) -> bytes:
    """Return what the artifact of this name holds, whole."""
    return random.Random(name).randbytes(SIZE)


def log_runs(number: int, runs: int, metrics: int, experiment: str, folder: Path, done: Synchronized) -> None:
    """Log `runs` runs and write what was acknowledged to a file in `folder`; count finished runs in `done`."""
    client, call, acknowledged = mlflow.MlflowClient(), Client(), {}
    for index in range(runs):
        run_id = call(client.create_run, experiment).info.run_id
        for metric in range(metrics):  # a fixed time, so that a call made twice counts once
            call(client.log_metric, run_id, f"metric{metric}", index + metric / 100, timestamp=metric + 1, step=0)
        artifact = folder / f"client{number}-run{index}.bin"
        artifact.write_bytes(content(artifact.name))
        call(client.log_artifact, run_id, str(artifact), "small")
        call(client.set_terminated, run_id)
        acknowledged[run_id] = {"index": index, "artifact": artifact.name}
        with done:
            done.value += 1
    result = {"runs": acknowledged, "seconds": call.seconds, "failures": call.failures}
    (folder / f"client{number}.json").write_text(json.dumps(result))


class Up:
    """`dsgo up` as a process of its own, started again when one of the stores is killed."""

    def __init__(self, home: Path, direct: bool) -> None:
        """Start it and wait until both stores answer."""
        ports = [free_port(), free_port()]
        self.command = [sys.executable, "-m", "dsgo.cli", "up", "--home", str(home)]
        self.command += ["--ftp-port", str(ports[0]), "--mlflow-port", str(ports[1])] + ["--direct"] * direct
        self.tracking_uri = f"http://127.0.0.1:{ports[1]}"
        self.output, self.log = home.with_suffix(".txt"), home / "logs" / "tracking_server.log"
        self.logged = ""  # by tracking servers before this one: each start begins the log anew
        self.start()

    def start(self) -> None:
        """Start it and wait until both stores answer."""
        with self.output.open("wb") as file:
            self.process = subprocess.Popen(self.command, stdout=file, stderr=file, **APART)
        deadline = time.monotonic() + UP_SECONDS
        while "Ctrl-C ends both" not in self.output.read_text():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"dsgo up did not come up: {self.output.read_text()}")
            time.sleep(0.05)

    def kill_and_restart(self, store: str) -> float:
        """Kill one store with all its processes, start the pair again; return the seconds until both answer."""
        tree = psutil.Process(self.process.pid).children(recursive=True)
        victims = [process for process in tree if STORES[store] in " ".join(process.cmdline())]
        victims += [child for victim in victims for child in victim.children(recursive=True)]
        begun = time.monotonic()
        for process in victims:
            process.kill()
        assert self.process.wait(60) == 1, "dsgo up ends with 1 when a store dies"
        self.logged += self.log.read_text()
        self.start()
        return time.monotonic() - begun

    def end(self) -> None:
        """End it as Ctrl-C does."""
        self.process.terminate()
        try:
            self.process.wait(60)
        finally:
            kill_tree(self.process)


def measure(folder: Path, clients: int, runs: int, metrics: int, direct: bool) -> dict[str, Any]:
    """Bring the stores up in `folder`, load them, kill each, and return what was found afterwards."""
    home, files = folder / "home", folder / "clients"
    files.mkdir(parents=True)
    up = Up(home, direct)
    processes: list[Any] = []
    try:
        os.environ["MLFLOW_TRACKING_URI"] = up.tracking_uri
        experiment = mlflow.MlflowClient().create_experiment("load")
        context = multiprocessing.get_context("spawn")
        done = context.Value("i", 0)
        processes = [
            context.Process(target=log_runs, args=(number, runs, metrics, experiment, files, done))
            for number in range(clients)
        ]
        begun = time.monotonic()
        for process in processes:
            process.start()
        back = {}
        for store, after in (("tracking server", clients * runs // 3), ("artifact store", clients * runs * 2 // 3)):
            while done.value < after:
                assert all(process.exitcode in (None, 0) for process in processes), "a client failed"
                time.sleep(0.01)
            back[store] = up.kill_and_restart(store)
        for process in processes:
            process.join(600)
            assert process.exitcode == 0, "a client failed"
        seconds = time.monotonic() - begun
        results = [json.loads((files / f"client{number}.json").read_text()) for number in range(clients)]
        locked = (up.logged + up.log.read_text()).count("database is locked")
        return look(results, experiment, metrics, home) | {"seconds": seconds, "back": back, "locked": locked}
    finally:
        for process in processes:
            process.kill()
        up.end()


def look(results: list[dict[str, Any]], experiment: str, metrics: int, home: Path) -> dict[str, Any]:
    """Ask for everything acknowledged, read every file of the store, and count."""
    client, seen = mlflow.MlflowClient(), Counter[str]()
    acknowledged = {run_id: run for result in results for run_id, run in result["runs"].items()}
    for run_id, run in acknowledged.items():
        logged = client.get_run(run_id)
        seen["runs"] += logged.info.status == "FINISHED" and logged.info.experiment_id == experiment
        for metric in range(metrics):
            seen["metrics"] += logged.data.metrics.get(f"metric{metric}") == run["index"] + metric / 100
        path = f"small/{run['artifact']}"
        if [file.path for file in client.list_artifacts(run_id, "small")] == [path]:
            seen["artifacts"] += Path(client.download_artifacts(run_id, path)).read_bytes() == content(run["artifact"])
    stored = [path for path in (home / "store").rglob("*") if path.is_file()]
    left = [path for path in stored if path.name.startswith(IN_FLIGHT)]
    seconds = [value for result in results for value in result["seconds"]]
    return {
        "acknowledged": {
            "runs": len(acknowledged),
            "metrics": len(acknowledged) * metrics,
            "artifacts": len(acknowledged),
        },
        "found": dict(seen),
        "torn": sum(path.read_bytes() != content(path.name) for path in set(stored) - set(left)),
        "left": len(left),
        "calls": len(seconds),
        "median": statistics.median(seconds),
        "most": max(seconds),
        "failures": dict(sum((Counter(result["failures"]) for result in results), Counter())),
    }


def table(results: list[dict[str, Any]]) -> dict[str, list[str]]:
    """Return the table's lines: a name and a cell for each result."""
    lines = {
        f"{what}: acknowledged, of these found": [
            f"{result['acknowledged'][what]:,}, {result['found'].get(what, 0):,}" for result in results
        ]
        for what in ("runs", "metrics", "artifacts")
    }
    lines["files that list, torn"] = [f"{result['torn']}" for result in results]
    lines["uploads left over, which do not list"] = [f"{result['left']}" for result in results]
    lines["seconds, of them until both stores were back"] = [
        f"{result['seconds']:.0f}, {' and '.join(f'{value:.1f}' for value in result['back'].values())}"
        for result in results
    ]
    lines["calls a second, over all"] = [f"{result['calls'] / result['seconds']:.0f}" for result in results]
    lines["a call: median, most, ms"] = [f"{1000 * r['median']:.0f}, {1000 * r['most']:,.0f}" for r in results]
    lines["calls that failed and were made again"] = [
        ", ".join(f"{count} {kind}" for kind, count in sorted(result["failures"].items())) or "0" for result in results
    ]
    lines["`database is locked` in the server's log"] = [f"{result['locked']}" for result in results]
    return lines


def main() -> None:
    """Measure both forms and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--runs", type=int, default=50, help="of each client")
    parser.add_argument("--metrics", type=int, default=20, help="of each run")
    args = parser.parse_args()
    os.environ |= {
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",  # what is made again is counted here
        "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
        "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }
    with tempfile.TemporaryDirectory(prefix="dsgo-") as folder:
        results = [
            measure(Path(folder, form), args.clients, args.runs, args.metrics, form == "direct")
            for form in ("proxied", "direct")
        ]
    print(f"{os.cpu_count()} cores\n")
    print(f"| {args.clients} clients, {args.runs} runs each | through the tracking server | `--direct` |")
    print("| --- | --- | --- |")
    for name, cells in table(results).items():
        print(f"| {name} | {' | '.join(cells)} |")
    if any(result["torn"] or result["found"] != result["acknowledged"] for result in results):
        sys.exit("something acknowledged is lost, or a file is torn")


if __name__ == "__main__":
    main()
