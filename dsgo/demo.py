"""`dsgo demo`: the whole way, on stores of its own: stores, workflow, models compared, report, dashboard."""

import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import mlflow
from mlflow.entities import Run
from mlflow.exceptions import ExecutionException
from rich.console import Console
from rich.table import Table

from dsgo.base import tags
from dsgo.base.network import LOOPBACK
from dsgo.base.places import ROOT
from dsgo.base.processes import APART, ending_with_parent, kill_tree
from dsgo.pipeline import TRAINERS
from dsgo.stores.running import StoreError, Stores

EXPERIMENT = "predicting_wind_solar"
DASHBOARD_SECONDS = 60  # until it must answer


def run_demo(stores: Stores, console: Console) -> None:
    """Run the workflow on the sample, then show its models compared and where everything is.

    Raises StoreError if the workflow fails, which has said why by then.
    """
    os.environ["MLFLOW_TRACKING_URI"] = stores.tracking_uri
    # The entry points say `python`: that has to be this environment's, activated or not.
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    os.environ["MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR"] = "false"  # for one file
    os.environ["DSGO_PARENT"] = str(os.getpid())  # the workflow ends when this process does (dsgo.runs.step)
    try:
        done = mlflow.projects.run(str(ROOT), experiment_name=EXPERIMENT, env_manager="local")
    except ExecutionException as error:
        raise StoreError(f"the workflow failed: {error}") from None
    counted = mlflow.get_run(done.run_id).data.tags
    runs = [mlflow.get_run(counted[tags.RUN + name]) for name in TRAINERS]
    console.print(comparison(runs, stores.tracking_uri))
    report = mlflow.artifacts.download_artifacts(
        f"runs:/{counted[tags.RUN + 'report']}/report/report.html", dst_path=str(stores.home)
    )
    console.print(f"report           {report}", soft_wrap=True)
    console.print(f"tracking server  {stores.tracking_uri}\nartifact store   {stores.ftp_uri}")


def comparison(runs: list[Run], tracking_uri: str) -> Table:
    """Return a table of finished trainer runs, the best first: hold-out mae in GW, r2, skill, seconds, page of each."""
    simulated = any(run.data.tags.get(tags.SIMULATED) == "True" for run in runs)
    table = Table(title=f"Hold-out: the last 365 days{' (simulated data)' if simulated else ''}")
    for name in ("model", "mae, GW", "r2", "skill", "seconds"):
        table.add_column(name, justify="left" if name == "model" else "right")
    table.add_column("link", overflow="fold")
    for run in sorted(runs, key=lambda run: run.data.metrics["mae"]):
        figures = [f"{run.data.metrics[name]:.3f}" for name in ("mae", "r2", "mae_skill")]
        seconds = f"{(run.info.end_time - run.info.start_time) / 1000:.0f}"
        link = f"{tracking_uri}/#/experiments/{run.info.experiment_id}/runs/{run.info.run_id}"
        table.add_row(run.info.run_name, *figures, seconds, link)
    return table


@contextmanager
def running_dashboard(stores: Stores, port: int) -> Iterator[str]:
    """Start the dashboard as a child process, give its address once it answers, and always end it.

    Raises StoreError with its last log lines if it does not come up.
    """
    address, log = f"http://{LOOPBACK}:{port}", stores.log("dashboard")
    with log.open("wb") as file:
        child = subprocess.Popen(
            ending_with_parent(str(ROOT / "dashboard" / "app.py"), "--port", str(port)),
            stdout=file,
            stderr=file,
            **APART,
        )
    try:
        deadline = time.monotonic() + DASHBOARD_SECONDS
        while not _answers(address):
            if child.poll() is not None or time.monotonic() > deadline:
                last = log.read_text(errors="replace").splitlines()[-10:]
                raise StoreError("\n".join([f"the dashboard did not come up. Its last lines in {log}:", *last]))
            time.sleep(0.2)
        yield address
    finally:
        child.terminate()
        with suppress(subprocess.TimeoutExpired):
            child.wait(5)
        kill_tree(child)


def _answers(address: str) -> bool:
    with suppress(OSError), urllib.request.urlopen(address, timeout=2) as response:
        return response.status == 200
    return False
