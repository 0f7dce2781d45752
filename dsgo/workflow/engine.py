"""Where steps run: as subprocesses of Dask workers, on a cluster or inside this process.

Dask delivers a task at least once: when a worker dies, the task begins again on another. So each try creates a run of
its own, and only the run that the driver is told of counts. A worker ends its step when the driver is gone (its
heartbeat, a tag on the workflow's run, stands still), when the workflow's run has ended, or when it takes too long.
"""

import logging
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from distributed import Client, LocalCluster, get_worker
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from mlflow.projects.utils import load_project

from dsgo.base import tags
from dsgo.base.errors import UserError
from dsgo.base.network import LOOPBACK
from dsgo.base.processes import APART, kill_tree
from dsgo.workflow import tls
from dsgo.workflow.project import Source

HEARTBEAT_SECONDS = 5
SILENCE_SECONDS = 60  # of the driver, until its steps end
CONNECT_SECONDS = 10
STOPPED = "the workflow was ended"
SILENT = f"the workflow's driver was silent for {SILENCE_SECONDS} s"
NOWHERE_ELSE = f"{LOOPBACK}:0"  # Dask has an HTTP server in every scheduler and worker: nobody else is to reach it
PACKAGES = ["dsgo", "mlflow", "numpy", "pandas", "scikit-learn", "skops", "keras", "tensorflow"]


@dataclass(frozen=True)
class Setting:
    """What all jobs of one workflow have in common."""

    source: Source
    tracking_uri: str
    experiment_id: str
    parent_id: str  # the workflow's run
    tries: int  # of a step whose worker dies
    timeout: float  # seconds that a step may take


@dataclass(frozen=True)
class Job:
    """One step as a worker gets it: texts and numbers only."""

    setting: Setting
    step: str
    project: str
    entry: str
    params: dict[str, str]
    tags: dict[str, str]


@dataclass(frozen=True)
class Result:
    """What became of a job: `error` is None if it went well, else one line; `last_lines` are the step's own."""

    run_id: str
    error: str | None = None
    last_lines: list[str] = field(default_factory=list)


@contextmanager
def connect(scheduler: str, most: int, with_git: bool) -> Iterator[Client]:
    """Give a Dask client: of the user's cluster at `scheduler`, else of one inside this process.

    `most` is how many steps the latter runs at once. Raises UserError where no scheduler answers, where it has no
    worker, or where a worker lacks a package (or has another version of it) or, `with_git`, git.
    """
    for name in ("distributed", "distributed.client"):  # what matters of a lost connection, the driver says
        logging.getLogger(name).setLevel(logging.CRITICAL)
    if scheduler:
        tls.require_certificates(scheduler)
        try:
            client = Client(scheduler, timeout=CONNECT_SECONDS)
        except (OSError, ValueError) as error:
            what = "its certificate and ours do not fit" if tls.is_refusal(error) else "no Dask scheduler answers there"
            raise UserError(f"scheduler={scheduler}: {what} ({error})") from None
        with client:
            _check_workers(client, scheduler, with_git)
            yield client
        return
    threads = max(1, min(most, os.cpu_count() or 1))
    with (
        LocalCluster(
            n_workers=1,
            threads_per_worker=threads,
            processes=False,
            dashboard_address=NOWHERE_ELSE,
            worker_dashboard_address=NOWHERE_ELSE,
            silence_logs=False,
        ) as cluster,
        Client(cluster) as client,
    ):
        yield client


def _check_workers(client: Client, scheduler: str, with_git: bool) -> None:
    found: Any = client.get_versions(packages=PACKAGES)
    if not found["workers"]:
        raise UserError(f"scheduler={scheduler}: it has no worker; start one with `dask worker {scheduler}`")
    here = found["client"]["packages"]
    for address, info in found["workers"].items():
        there = info["packages"]
        lacks = [
            f"{name} {here[name]}" + (f" (has {there[name]})" if there.get(name) else "")
            for name in ["python", *PACKAGES]
            if there.get(name) != here[name]
        ]
        if lacks:
            raise UserError(f"worker {address} lacks {', '.join(lacks)}: pip install -r requirements.txt there")
    if with_git:
        for address, git in client.run(shutil.which, "git").items():
            if git is None:
                raise UserError(f"worker {address} lacks git, by which it would get the project: install it there")


def slots(client: Client) -> int:
    """Return how many steps the workers run at once now; at least 1, so that one waits for a worker to come back."""
    return max(1, sum(worker["nthreads"] for worker in client.scheduler_info(n_workers=-1)["workers"].values()))


def cores_by_worker(client: Client) -> dict[str, int]:
    """Return {worker address: cores for each of its steps}: a host's cores shared by all that may run there at once."""
    workers = client.scheduler_info(n_workers=-1)["workers"]
    threads: dict[str, int] = {}
    for worker in workers.values():
        threads[worker["host"]] = threads.get(worker["host"], 0) + worker["nthreads"]
    cores = client.run(os.cpu_count)
    return {address: max(1, (cores[address] or 1) // threads[worker["host"]]) for address, worker in workers.items()}


def execute(job: Job, cores: dict[str, int]) -> Result:
    """Run a job on this worker as a child run of the workflow's. For `Client.submit`; a failed step raises nothing."""
    client = MlflowClient(job.setting.tracking_uri)
    mine = f"tags.`mlflow.parentRunId` = '{job.setting.parent_id}' and tags.`{tags.STEP}` = '{job.step}'"
    tried = client.search_runs([job.setting.experiment_id], mine)
    if len(tried) >= job.setting.tries:
        return Result(tried[0].info.run_id, f"the worker died in mid-step ({len(tried)} times)")
    run_id = client.create_run(job.setting.experiment_id, tags=job.tags, run_name=job.step).info.run_id
    for name, value in job.params.items():
        client.log_param(run_id, name, value)
    with tempfile.TemporaryDirectory(prefix="dsgo-", ignore_cleanup_errors=True) as folder:
        log = Path(folder, "step.log")
        try:
            root = job.setting.source.checkout(Path(get_worker().local_directory))
            error = _run(job, root, run_id, client, log, cores.get(get_worker().address, 1))
        except UserError as problem:
            error = problem.message
        if error is None:
            return Result(run_id)
        if client.get_run(run_id).info.status == "RUNNING":  # it had no time to say so itself
            client.set_tag(run_id, tags.ERROR, error)
            client.set_terminated(run_id, "KILLED" if error in (STOPPED, SILENT) else "FAILED")
        lines = log.read_text(errors="replace").splitlines() if log.exists() else []
        if lines:
            client.log_artifact(run_id, str(log))
    return Result(run_id, error, lines[-30:])


def _run(job: Job, root: Path, run_id: str, client: MlflowClient, log: Path, cores: int) -> str | None:
    """Run the step's command to its end and return None, or one line that says why it failed or was ended."""
    folder = root / job.project
    command = load_project(str(folder)).get_entry_point(job.entry).compute_command(job.params, None)
    with log.open("wb") as file:
        process = subprocess.Popen(
            command,
            shell=True,  # an MLproject's command is written for a shell, and MLflow has quoted its values
            cwd=folder,
            env=_environment(job, run_id, cores),
            stdout=file,
            stderr=file,
            **APART,
        )
    try:
        why = _watch(process, job, client)
    finally:
        kill_tree(process)
    if why:
        return why
    return None if process.returncode == 0 else f"{job.step} ended with exit code {process.returncode}"


def _watch(process: subprocess.Popen, job: Job, client: MlflowClient) -> str | None:
    """Wait for the process; return why it has to be ended, or None when it has ended by itself."""
    begun = last_change = time.monotonic()
    heartbeat = None
    while True:
        with suppress(subprocess.TimeoutExpired):
            process.wait(1)
            return None
        now = time.monotonic()
        if now - begun > job.setting.timeout:
            return f"{job.step} took longer than timeout={job.setting.timeout:g} s"
        with suppress(MlflowException):  # a server that is away for a while counts as silence
            parent = client.get_run(job.setting.parent_id)
            if parent.info.status != "RUNNING":
                return STOPPED
            if parent.data.tags.get(tags.HEARTBEAT) != heartbeat:
                heartbeat, last_change = parent.data.tags.get(tags.HEARTBEAT), now
        if now - last_change > SILENCE_SECONDS:
            return SILENT


def _environment(job: Job, run_id: str, cores: int) -> dict[str, str]:
    threads = ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "LOKY_MAX_CPU_COUNT"]
    threads += ["TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"]
    return os.environ | {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]),
        "MLFLOW_TRACKING_URI": job.setting.tracking_uri,
        "MLFLOW_EXPERIMENT_ID": job.setting.experiment_id,
        "MLFLOW_RUN_ID": run_id,
        "DSGO_PARENT": str(os.getpid()),
        **dict.fromkeys(threads, str(cores)),
    }
