"""The driver: runs a plan on an engine, and keeps the books of it on the workflow's run."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from shlex import quote

import click
import mlflow
from distributed import Client, Future, wait
from distributed.client import FuturesCancelledError
from mlflow.entities import Run
from mlflow.exceptions import MlflowException

from dsgo.base import tags
from dsgo.base.processes import interruptible
from dsgo.workflow import engine, keys
from dsgo.workflow.plan import Planned
from dsgo.workflow.progress import View

LOST_SECONDS = 60  # without any worker, until the workflow gives up


class WorkflowError(click.ClickException):
    """Steps failed: shows of each its last lines, and the command that runs it alone. Exit code 1."""


def drive(
    setting: engine.Setting, scheduler: str, planned: list[Planned], values: dict[str, str], cached: bool
) -> None:
    """Run a plan under the workflow's run, which is active; WorkflowError if a step failed.

    Ctrl-C, SIGTERM or SIGHUP ends the steps and marks their runs and the workflow's KILLED.
    """
    close_abandoned(setting)
    side_by_side = max(Counter(item.step.needs for item in planned).values())
    names = [item.step.name for item in planned]
    with (
        interruptible(
            once=True
        ),  # `mlflow run` answers Ctrl-C with a SIGTERM at once, which must not cut off the books
        engine.connect(scheduler, side_by_side, setting.source.commit is not None) as client,
        View(names) as view,
    ):
        driver = Driver(planned, values, setting, client, view, cached)
        try:
            with heartbeat(setting.parent_id):
                driver.run()
        except BaseException as error:
            # Workers see the end of the workflow on its run, and end their steps.
            mlflow.end_run("KILLED" if isinstance(error, KeyboardInterrupt) else "FAILED")
            for run in children(setting):
                close_run(run, "KILLED", engine.STOPPED)
            raise
    if driver.failed:
        raise WorkflowError("\n".join(driver.failures()))


@contextmanager
def heartbeat(run_id: str) -> Iterator[None]:
    """Renew a tag on the workflow's run, by which workers on other hosts know that the driver lives."""
    done = threading.Event()

    def beat() -> None:
        client = mlflow.MlflowClient()
        while not done.is_set():
            try:
                client.set_tag(run_id, tags.HEARTBEAT, f"{time.time():.0f}")
            except MlflowException as error:  # the next one may get through
                print(f"heartbeat: {error}")
            done.wait(engine.HEARTBEAT_SECONDS)

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join(engine.HEARTBEAT_SECONDS)


def children(setting: engine.Setting, condition: str = "") -> list[Run]:
    """Return the child runs of the workflow that still count as running."""
    mine = f"tags.`mlflow.parentRunId` = '{setting.parent_id}' and attributes.status = 'RUNNING'{condition}"
    return list(mlflow.MlflowClient().search_runs([setting.experiment_id], mine))


def close_run(run: Run, status: str, why: str) -> None:
    """Give a run that nobody will finish its last status, and say why in its tag `dsgo.error`."""
    client = mlflow.MlflowClient()
    client.set_tag(run.info.run_id, tags.ERROR, why)
    client.set_terminated(run.info.run_id, status)


def close_abandoned(setting: engine.Setting) -> None:
    """Close the runs of workflows whose driver was killed: their heartbeat is older than any living one's."""
    running = f"tags.`{tags.STEP}` = 'workflow' and attributes.status = 'RUNNING'"
    for run in mlflow.MlflowClient().search_runs([setting.experiment_id], running):
        beat = float(run.data.tags.get(tags.HEARTBEAT, run.info.start_time / 1000))
        if run.info.run_id != setting.parent_id and time.time() - beat > engine.SILENCE_SECONDS:
            for child in children(replace(setting, parent_id=run.info.run_id)):
                close_run(child, "FAILED", "the workflow's driver was killed")
            close_run(run, "FAILED", "the workflow's driver was killed")


@dataclass
class Driver:
    """One execution of a plan: submits what is ready, takes what is done, keeps each step's run id."""

    planned: list[Planned]
    values: dict[str, str]
    setting: engine.Setting
    client: Client
    view: View
    cached: bool  # skip what was done before
    runs: dict[str, str] = field(default_factory=dict)  # step: the run that counts
    failed: dict[str, engine.Result] = field(default_factory=dict)
    skipped: set[str] = field(default_factory=set)
    last_seen: float = 0.0  # monotonic seconds: when there was a worker

    def run(self) -> None:
        """Run the plan to its end; what needs a failed step is skipped, what does not goes on."""
        cores = engine.cores_by_worker(self.client)
        waiting = {item.step.name: item for item in self.planned}
        running: dict[Future, Planned] = {}
        while waiting or running:
            for name, item in list(waiting.items()):
                needs, settled = set(item.step.needs), self.skipped | self.runs.keys() | self.failed.keys()
                if why := self._why_skipped(item):
                    self.skipped.add(name)
                    self.view.show(name, "skipped", why)
                elif not needs <= self.runs.keys() or not settled.issuperset(item.step.after):
                    continue
                elif len(running) >= engine.slots(self.client):
                    continue  # what Dask would only queue must not pass for running
                elif not self._is_cached(item := item.now()):
                    running[self._submit(item, cores)] = item
                del waiting[name]
            for future in self._finished(running):
                self._take(running.pop(future), future)

    def _why_skipped(self, item: Planned) -> str:
        """Return why a step is not to be run: a step before it was not, or its turn has come and it has no use."""
        needs = set(item.step.needs)
        if lacking := needs & (self.failed.keys() | self.skipped):
            return f"without {', '.join(sorted(lacking))}"
        return item.step.useless(self.values) if item.step.useless and needs <= self.runs.keys() else ""

    def _is_cached(self, item: Planned) -> bool:
        run = keys.find(self.setting.experiment_id, item.key, item.step.outputs) if self.cached else None
        if run:
            self._count(item, run, "cached")
        return run is not None

    def _submit(self, item: Planned, cores: dict[str, int]) -> Future:
        step, names = item.step, self.values | self.runs
        source = self.setting.source
        marks = {"mlflow.parentRunId": self.setting.parent_id, tags.STEP: step.name, **keys.as_tags(item.parts)}
        marks |= {"mlflow.source.type": "PROJECT", "mlflow.source.name": f"{source.uri}#{step.project}"}
        marks |= {"mlflow.project.entryPoint": step.entry}
        if source.commit:
            marks["mlflow.source.git.commit"] = source.commit
        params = {name: value.format_map(names) for name, value in item.params.items()}
        job = engine.Job(self.setting, step.name, step.project, step.entry, params, marks)
        self.view.show(step.name, "running")
        return self.client.submit(engine.execute, job, cores, pure=False)

    def _finished(self, running: dict[Future, Planned]) -> list[Future]:
        if not running:
            return []
        now = time.monotonic()
        if self.client.scheduler_info()["workers"] or not self.last_seen:
            self.last_seen = now
        if now - self.last_seen > LOST_SECONDS:
            raise WorkflowError(f"the cluster has had no worker for {LOST_SECONDS} s")
        try:
            return list(wait(list(running), timeout=1, return_when="FIRST_COMPLETED").done)
        except TimeoutError:
            return []
        except FuturesCancelledError:
            raise WorkflowError("the Dask scheduler was lost; run again: what is finished is not redone") from None

    def _take(self, item: Planned, future: Future) -> None:
        name = item.step.name
        error = future.exception()
        result = engine.Result("", f"{type(error).__name__}: {error}") if error else future.result()
        self._end_other_tries(name, "none" if result.error else result.run_id)
        if result.error is None:
            if item.step.changes_state:
                for tag, value in keys.as_tags(item.now().parts).items():
                    mlflow.MlflowClient().set_tag(result.run_id, tag, value)
            self._count(item, mlflow.get_run(result.run_id), "done")
        else:
            self.failed[name] = result
            self.view.show(name, "failed", result.error, self._link(result.run_id))

    def _count(self, item: Planned, run: Run, state: str) -> None:
        name, figure = item.step.name, item.step.figure
        self.runs[name] = run.info.run_id
        mlflow.set_tag(tags.RUN + name, run.info.run_id)
        value = run.data.metrics.get(figure, run.data.tags.get(figure, ""))
        text = f"{value:.3f}".rstrip("0").rstrip(".") if isinstance(value, float) else value
        self.view.show(
            name, state, f"{figure.removeprefix('dsgo.').replace('_', ' ')} {text}", self._link(run.info.run_id)
        )

    def _end_other_tries(self, name: str, taken: str) -> None:
        """Mark what a dead worker left half done."""
        for run in children(self.setting, f" and tags.`{tags.STEP}` = '{name}'"):
            if run.info.run_id != taken:
                close_run(run, "FAILED", "its worker was lost; the step was tried again")

    def _link(self, run_id: str) -> str:
        return f"{self.setting.tracking_uri}/#/experiments/{self.setting.experiment_id}/runs/{run_id}" if run_id else ""

    def failures(self) -> Iterator[str]:
        """Give what a person woken by this wants to read: the step's own last lines, and how to run it alone."""
        for item in self.planned:
            if item.step.name not in self.failed:
                continue
            result = self.failed[item.step.name]
            yield f"{item.step.name} failed: {result.error}"
            yield from (f"  | {line}" for line in result.last_lines)
            entry = "" if item.step.entry == "main" else f" -e {item.step.entry}"
            names = self.values | self.runs
            params = " ".join(f"-P {quote(f'{name}={value.format_map(names)}')}" for name, value in item.params.items())
            yield f"  alone: mlflow run {item.step.project}{entry} --env-manager local {params}"
