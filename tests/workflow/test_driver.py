"""The driver and the engine for real, on a project whose steps take a moment (tests/helpers/fake_project.py)."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
import warnings

import mlflow
import psutil
import pytest

from background import IN_BACKGROUND
from dsgo import pipeline
from dsgo.base.errors import UserError
from dsgo.base.network import free_port
from dsgo.base.places import ROOT
from dsgo.models import registry
from dsgo.stores.running import running_stores
from dsgo.workflow import driver, engine, keys
from dsgo.workflow.project import _git
from fake_project import write_fake_project
from gate_models import empty_registry, log_code

BOUND = 90  # seconds for anything that should happen soon


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Stores of this module's own: their registry has no Production model."""
    with running_stores(tmp_path_factory.mktemp("home"), free_port(), free_port()) as stores:
        yield stores


@pytest.fixture
def project(tmp_path):
    return write_fake_project(tmp_path / "project")


class Workflow:
    """The workflow of a project in an experiment of its own, started as often as a test likes."""

    def __init__(self, stores, project, name):
        self.client = mlflow.MlflowClient(stores.tracking_uri)
        self.experiment = self.client.create_experiment(name)
        self.project = project
        self.environment = os.environ | {"MLFLOW_TRACKING_URI": stores.tracking_uri, "MLFLOW_EXPERIMENT_NAME": name}

    def start(self, *arguments, project=None):
        command = [
            *IN_BACKGROUND,
            sys.executable,
            "-m",
            "dsgo.pipeline",
            "--project",
            project or str(self.project),
            *arguments,
        ]
        return subprocess.Popen(
            command, cwd=ROOT, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def run(self, *arguments, **options):
        process = self.start(*arguments, **options)
        try:
            out, err = process.communicate(timeout=2 * BOUND)
        finally:
            process.kill()
        return process.returncode, out, err

    def runs(self, step):
        """Runs of a step, the newest first."""
        return self.client.search_runs([self.experiment], f"tags.`dsgo.step` = '{step}'")

    def wait_for(self, step, status="RUNNING", tries=1):
        until(lambda: len([run for run in self.runs(step) if run.info.status == status]) >= tries)

    def processes(self):
        """What runs in the project's folders now."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if str(self.project) in process.cwd():
                    found.append(process)
        return found


def until(condition):
    deadline = time.monotonic() + BOUND
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.2)


@pytest.fixture
def workflow(home, project, request):
    return Workflow(home, project, request.node.name)


def states(out):
    """The last state of each step that the log shows."""
    shown = "waiting|running|done|cached|failed|skipped"
    return dict(re.findall(rf"^(\w+) +({shown})\b", out, re.MULTILINE))


def test_workflow__is_a_tree_of_runs_and_a_second_one_skips_every_step(workflow):
    code, out, err = workflow.run("--to", "none", "--models", "lr,rf")
    assert code == 0, err
    done = {"process_data": "done", "lr": "done", "rf": "done", "promote": "done", "report": "skipped"}
    assert states(out).items() >= done.items()
    parent = workflow.runs("workflow")[0]
    assert parent.info.status == "FINISHED"
    ids = {step: workflow.runs(step)[0] for step in ("process_data", "lr", "rf", "promote")}
    assert {run.data.tags["mlflow.parentRunId"] for run in ids.values()} == {parent.info.run_id}
    assert ids["lr"].data.params["data"] == ids["process_data"].info.run_id
    assert set(ids["promote"].data.params["run_ids"].split(",")) == {ids["lr"].info.run_id, ids["rf"].info.run_id}

    code, out, err = workflow.run("--to", "none", "--models", "lr,rf")
    assert code == 0, err
    assert {state for step, state in states(out).items() if step in ids} == {"cached"}
    assert all(len(workflow.runs(step)) == 1 for step in ids)

    code, out, err = workflow.run("--to", "none", "--models", "lr,rf", "--rf.do", "again")
    assert code == 0, err
    assert {step: states(out)[step] for step in ids} == {
        "process_data": "cached",
        "lr": "cached",
        "rf": "done",
        "promote": "done",
    }

    code, out, err = workflow.run("--to", "none", "--models", "lr", "--cache", "false")
    assert {step: states(out)[step] for step in ("process_data", "lr", "promote")} == dict.fromkeys(
        ("process_data", "lr", "promote"), "done"
    )


@pytest.fixture
def versions(home, monkeypatch):
    """Two versions in no stage, "1" and "2", in a registry that is empty again afterwards."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", home.tracking_uri)
    for _ in range(2):
        registry.register(*log_code("versions"), {}, "")
    yield
    empty_registry()


def ran(out):
    """The steps that were not cached, with their last state."""
    found = states(out)
    return {step: found[step] for step in ("process_data", "lr", "promote", "report") if found[step] != "cached"}


def test_workflow__a_change_of_production_runs_promote_and_report_again_and_nothing_else(workflow, versions):
    again = {"promote": "done", "report": "done"}
    registry.promote("1", "the first", "by hand")
    assert workflow.run("--models", "lr")[0] == 0
    assert ran(workflow.run("--models", "lr")[1]) == {}

    registry.promote("2", "better", "by hand")
    assert ran(workflow.run("--models", "lr")[1]) == again
    assert ran(workflow.run("--models", "lr")[1]) == {}

    registry.rollback("night values are off")  # version 1 was there before, but not since this moment
    assert ran(workflow.run("--models", "lr")[1]) == again

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        mlflow.MlflowClient().transition_model_version_stage(registry.MODEL, "1", "Archived")
    code, out, err = workflow.run("--models", "lr")
    assert ran(out) == {"promote": "done", "report": "skipped"}
    assert "no version of BestModel is in Production" in out
    assert code == 1
    assert re.search(
        r"^Error: nothing went to Production. no version .* `dsgo promote 1` puts it back", err, re.MULTILINE
    )
    assert workflow.runs("workflow")[0].info.status == "FAILED"


def test_workflow__several_in_production_are_said_before_anything_runs(workflow, versions):
    for version in ("1", "2"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            mlflow.MlflowClient().transition_model_version_stage(registry.MODEL, version, "Production")

    code, out, err = workflow.run("--models", "lr")

    assert code == 2
    assert err.startswith("Error: BestModel has versions 2 and 1 in Production: `dsgo promote 2` keeps")
    assert states(out) == {}
    assert workflow.runs("process_data") == []


def test_workflow__what_promote_itself_put_into_production_does_not_make_it_run_again(workflow, versions):
    arguments = ["--models", "lr", "--promote.do", "promote1"]
    assert ran(workflow.run(*arguments)[1]) == dict.fromkeys(["process_data", "lr", "promote", "report"], "done")
    assert registry.production().version == "1"

    assert ran(workflow.run(*arguments)[1]) == {}

    registry.promote("2", "by hand", "by hand")
    before = json.loads(workflow.runs("promote")[0].data.tags["dsgo.key_parts"])
    now = pipeline.in_production()
    assert before["in Production"].startswith("version 1 since ")
    assert now["in Production"].startswith("version 2 since ")
    assert keys.changes(workflow.experiment, "promote", before | now) == [
        f"in Production: {before['in Production']} -> {now['in Production']}"
    ]


def test_workflow__a_failed_step_skips_what_needs_it_and_shows_its_last_lines(workflow):
    code, out, err = workflow.run("--models", "lr,rf", "--rf.do", "fail")

    assert code == 1
    assert states(out).items() >= {"lr": "done", "rf": "failed", "promote": "skipped", "report": "skipped"}.items()
    assert "rf failed: rf ended with exit code 1" in err
    assert "  | there is no wind today" in err
    data = workflow.runs("process_data")[0].info.run_id
    assert f"  alone: mlflow run rf --env-manager local -P do=fail -P data={data}" in err
    assert workflow.runs("workflow")[0].info.status == "FAILED"
    failed = workflow.runs("rf")
    assert [run.info.status for run in failed] == ["FAILED"]  # not tried again
    assert [item.path for item in workflow.client.list_artifacts(failed[0].info.run_id)] == ["step.log"]


def test_workflow__a_step_that_takes_too_long_is_ended(workflow):
    code, _, err = workflow.run("--models", "lr", "--timeout", "8", "--lr.do", "sleep300")

    assert code == 1
    assert "lr failed: lr took longer than timeout=8 s" in err
    assert workflow.runs("lr")[0].info.status == "FAILED"
    assert workflow.runs("lr")[0].data.tags["dsgo.error"] == "lr took longer than timeout=8 s"
    assert workflow.processes() == []


@pytest.mark.skipif(os.name == "nt", reason="sends POSIX signals")
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_workflow__an_interrupt_ends_every_step_and_marks_the_runs_killed(workflow, name):
    process = workflow.start("--models", "lr", "--lr.do", "sleep300")
    try:
        workflow.wait_for("lr")
        until(workflow.processes)
        listening = [one for one in psutil.Process(process.pid).net_connections() if one.status == "LISTEN"]
        process.send_signal(getattr(signal, name))
        process.send_signal(signal.SIGTERM)  # as `mlflow run` does at once
        process.wait(BOUND)
    finally:
        process.kill()

    assert {address.laddr.ip for address in listening} <= {"127.0.0.1"}  # no port that others reach
    assert process.returncode == 130, process.stderr.read()
    assert workflow.runs("lr")[0].info.status == "KILLED"
    assert workflow.runs("workflow")[0].info.status == "KILLED"
    assert workflow.processes() == []


@pytest.mark.skipif(os.name == "nt", reason="sends POSIX signals")
def test_workflow__after_kill_9_no_step_goes_on_and_the_next_one_redoes_nothing_finished(workflow):
    process = workflow.start("--to", "none", "--models", "lr", "--lr.do", "sleep300")
    workflow.wait_for("lr")
    until(workflow.processes)
    process.kill()
    process.wait(BOUND)
    until(lambda: workflow.processes() == [])

    code, out, err = workflow.run("--to", "none", "--models", "lr")

    assert code == 0, err
    assert states(out).items() >= {"process_data": "cached", "lr": "done", "promote": "done"}.items()


def test_driver__closes_the_runs_of_a_workflow_whose_driver_was_killed(workflow, home, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", home.tracking_uri)
    old, new = f"{time.time() - 3600:.0f}", f"{time.time():.0f}"
    parents, children = [], []
    for beat in (old, new):
        tags = {"dsgo.step": "workflow", "dsgo.heartbeat": beat}
        parents.append(workflow.client.create_run(workflow.experiment, tags=tags).info.run_id)
        tags = {"dsgo.step": "lr", "mlflow.parentRunId": parents[-1]}
        children.append(workflow.client.create_run(workflow.experiment, tags=tags).info.run_id)
    source = engine.Source("")

    driver.close_abandoned(engine.Setting(source, home.tracking_uri, workflow.experiment, "none", 1, 1))

    found = [workflow.client.get_run(run_id).info.status for run_id in (*parents, *children)]
    assert found == ["FAILED", "RUNNING", "FAILED", "RUNNING"]


@pytest.fixture
def cluster(tmp_path):
    """A Dask scheduler and two workers as processes with separate folders; (address, the scheduler)."""
    address = f"tcp://127.0.0.1:{free_port()}"
    with contextlib.ExitStack() as stack:

        def start(*arguments, cwd):
            cwd.mkdir()
            log = stack.enter_context((cwd / "log.txt").open("w"))
            command = [sys.executable, "-m", "distributed.cli." + arguments[0], *arguments[1:]]
            process = subprocess.Popen(command, cwd=cwd, stdout=log, stderr=log)
            stack.callback(process.wait, 10)
            stack.callback(process.kill)
            return process

        scheduler = start(
            "dask_scheduler", "--host", address, "--dashboard-address", "127.0.0.1:0", cwd=tmp_path / "scheduler"
        )
        options = ["--nthreads", "1", "--no-dashboard", "--no-nanny", "--host", "127.0.0.1"]
        folders = [tmp_path / name for name in ("one", "two")]
        for cwd in folders:
            start("dask_worker", address, *options, "--local-directory", cwd, cwd=cwd)
        until(lambda: all("Registered to" in (tmp_path / name / "log.txt").read_text() for name in ("one", "two")))
        yield address, scheduler


def worker_of(process):
    """The worker process above a step's."""
    return next(parent for parent in process.parents() if "dask_worker" in " ".join(parent.cmdline()))


def as_git(project):
    base = ["-C", str(project), "-c", "user.name=x", "-c", "user.email=x@example.org"]
    for arguments in (["init", "--quiet"], ["add", "--all"], ["commit", "--quiet", "--message", "x"]):
        _git(*base, *arguments)
    return project.as_uri()


def test_cluster__a_worker_killed_in_mid_step_is_replaced_and_its_half_run_failed(workflow, cluster, tmp_path):
    address, _ = cluster
    uri = as_git(workflow.project)
    workflow.project = tmp_path  # the steps run in clones below the workers' folders
    process = workflow.start("--to", "none", "--models", "lr", "--scheduler", address, "--lr.do", "sleep6", project=uri)
    try:
        workflow.wait_for("lr")
        steps = lambda: [one for one in workflow.processes() if one.cwd().endswith("/lr")]  # noqa: E731
        until(steps)
        clone = steps()[0].cwd()
        worker_of(steps()[0]).kill()
        out, err = process.communicate(timeout=2 * BOUND)
    finally:
        process.kill()

    assert process.returncode == 0, err
    assert str(tmp_path / "one") in clone or str(tmp_path / "two") in clone
    tries = workflow.runs("lr")
    assert [run.info.status for run in tries] == ["FINISHED", "FAILED"]
    assert tries[1].data.tags["dsgo.error"] == "its worker was lost; the step was tried again"
    assert len(workflow.runs("process_data")) == 1
    assert states(out)["promote"] == "done"


def test_cluster__without_retries_a_killed_worker_fails_the_step(workflow, cluster, tmp_path):
    address, _ = cluster
    process = workflow.start("--models", "lr", "--scheduler", address, "--retries", "0", "--lr.do", "sleep300")
    try:
        workflow.wait_for("lr")
        until(workflow.processes)
        worker_of(workflow.processes()[0]).kill()
        _, err = process.communicate(timeout=2 * BOUND)
    finally:
        process.kill()

    assert process.returncode == 1
    assert "lr failed: the worker died in mid-step" in err
    assert [run.info.status for run in workflow.runs("lr")] == ["FAILED"]


def test_cluster__a_scheduler_that_dies_ends_the_workflow_and_its_steps(workflow, cluster):
    address, scheduler = cluster
    process = workflow.start("--models", "lr", "--scheduler", address, "--lr.do", "sleep300")
    try:
        workflow.wait_for("lr")
        until(workflow.processes)
        scheduler.kill()
        _, err = process.communicate(timeout=2 * BOUND)
    finally:
        process.kill()

    assert process.returncode == 1
    assert "Error: the Dask scheduler was lost; run again" in err
    assert "Traceback" not in err
    assert workflow.runs("workflow")[0].info.status == "FAILED"
    assert workflow.runs("lr")[0].info.status == "KILLED"
    until(lambda: workflow.processes() == [])


def test_cluster__a_scheduler_that_is_not_there_is_one_line(workflow):
    address = f"tcp://127.0.0.1:{free_port()}"

    code, _, err = workflow.run("--scheduler", address)

    assert code == 2
    assert err.startswith(f"Error: scheduler={address}: no Dask scheduler answers there")
    assert "Traceback" not in err


def test_cluster__says_which_worker_lacks_what(monkeypatch):
    class Client:  # a second environment without a package is more than a test should build
        def run(self, function, *arguments):
            return {"tcp://10.0.0.7:4000": "/usr/bin/git", "tcp://10.0.0.8:4000": None}

        def get_versions(self, packages):
            here = {name: "1.0" for name in ("python", *packages)}
            there = here | {"skops": None, "mlflow": "0.9"}
            return {"client": {"packages": here}, "workers": {"tcp://10.0.0.7:4000": {"packages": there}}}

    with pytest.raises(
        UserError, match=r"worker tcp://10.0.0.7:4000 lacks mlflow 1.0 \(has 0.9\), skops 1.0: pip install"
    ):
        engine._check_workers(Client(), "tcp://10.0.0.1:8786", with_git=False)
    monkeypatch.setattr(engine, "PACKAGES", [])
    with pytest.raises(UserError, match=r"worker tcp://10.0.0.8:4000 lacks git, by which it would get the project"):
        engine._check_workers(Client(), "tcp://10.0.0.1:8786", with_git=True)
