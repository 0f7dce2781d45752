"""The keys of a plan: what MLflow's own multistep example takes for a hit wrongly, or misses."""

import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from dsgo import pipeline
from dsgo.base.errors import UserError
from dsgo.base.places import ROOT
from dsgo.data.sample import write_sample
from dsgo.pipeline import plan_steps
from dsgo.workflow.project import Source

FOLDERS = ["dsgo", "process_data", "lr", "rf", "gbm", "kernel", "keras_nn", "blend", "report", "forecast", "dashboard"]
VALUES = {
    "source": "sample",
    "start": "2013-01-01",
    "end": "2016-12-31",
    "now": "2026-11-20T08:00Z",
    "country": "DE",
    "weather_late": "0/0",
    "power_late": "0/0",
    "models": "all",
    "to": "Production",
    "metric": "mae",
    "margin": "0.005",
}
STEPS = ["process_data", "keras_nn", "rf", "gbm", "kernel", "lr", "blend", "promote", "forecast", "report"]


@pytest.fixture
def root(tmp_path):
    """A copy of the project that a test may change."""
    root = tmp_path / "project"
    root.mkdir()
    for name in FOLDERS:
        shutil.copytree(ROOT / name, root / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("MLproject", "requirements.txt"):
        shutil.copy(ROOT / name, root)
    return root


def keys(root, own=None, **values):
    return {item.step.name: item.key for item in plan_steps(VALUES | values, own or {}, root)}


def changed(before, after):
    return [name for name in before if before[name] != after[name]]


def test_key__is_the_same_in_another_folder(root):
    assert keys(root) == keys(ROOT)


def test_key__a_default_given_explicitly_is_the_same_work(root):
    assert keys(root, {"rf": {"max_depth": "0"}}) == keys(root)


@pytest.mark.parametrize(
    ("own", "steps"),
    [
        ({"rf": {"max_depth": "12"}}, ["rf", "blend", "promote", "forecast", "report"]),
        ({"process_data": {"start": "2014-01-01"}}, STEPS),
        ({"report": {"week": "2016-08-01"}}, ["report"]),
    ],
)
def test_key__a_changed_parameter_changes_its_step_and_what_follows(root, own, steps):
    assert changed(keys(root), keys(root, own)) == steps


@pytest.mark.parametrize(
    ("file", "steps"),
    [
        ("rf/rf.py", ["rf", "blend", "promote", "forecast", "report"]),
        ("keras_nn/learning_curves.py", ["keras_nn", "promote", "forecast", "report"]),
        ("lr/requirements.txt", ["lr", "promote", "forecast", "report"]),
        ("process_data/MLproject", STEPS),
        ("process_data/opsd_download.py", STEPS),
        ("report/weekly/words.py", ["report"]),
        ("dsgo/data/quality.py", STEPS),
        ("dsgo/data/sample.py", STEPS),
        ("dsgo/runs/step.py", STEPS),
        ("dsgo/models/training.py", [*STEPS[1:]]),
        ("dsgo/models/registry.py", ["promote", "forecast", "report"]),
        ("dsgo/gate/promote.py", ["promote", "forecast", "report"]),
        ("dsgo/forecast/band.py", ["forecast", "report"]),
        ("dsgo/data/sample_forecast.py", ["forecast", "report"]),
        ("dsgo/gate/rollback.py", []),
        ("dsgo/artifacts/ftp/control.py", []),
        ("dsgo/stores/running.py", []),
        ("dsgo/workflow/engine.py", []),
        ("dsgo/pipeline.py", []),
        ("dsgo/cli.py", []),
        ("dashboard/app.py", []),
        ("requirements.txt", STEPS),
    ],
)
def test_key__changed_code_reruns_the_steps_that_import_it_and_what_follows(root, file, steps):
    before = keys(root)
    with (root / file).open("a") as text:
        text.write("\n# changed\n")

    assert changed(before, keys(root)) == steps


def test_key__another_default_of_promote_reruns_it_and_one_of_the_workflow_does_not(root):
    before, project = keys(root), root / "MLproject"
    text = project.read_text()
    project.write_text(text.replace("retries: {type: int, default: 1}", "retries: {type: int, default: 2}"))
    assert keys(root) == before

    project.write_text(text.replace('data: {type: string, default: ""}', 'data: {type: string, default: "x.csv"}'))
    assert changed(before, keys(root)) == []  # the workflow gives `data` itself
    project.write_text(text.replace("python -m dsgo.gate.promote", "python -u -m dsgo.gate.promote"))
    assert changed(before, keys(root)) == ["promote", "forecast", "report"]


def test_key__a_row_of_the_table_that_changed_reruns_its_step_and_what_follows(root, monkeypatch):
    before = keys(root)
    new = {"lr": {"seed": "1"}}
    rows = [replace(step, params=step.params | new.get(step.name, {})) for step in pipeline.STEPS]
    monkeypatch.setattr(pipeline, "STEPS", rows)

    assert changed(before, keys(root)) == ["lr", "promote", "forecast", "report"]


SCRIPTS = {
    "process_data": "validate,process_data",
    "lr": "lr",
    "rf": "rf,sweep",
    "gbm": "gbm",
    "kernel": "kernel",
    "keras_nn": "keras_nn",
    "blend": "blend",
    "report": "report",
    "forecast": "forecast",
}
LOADED = r"""
import importlib, sys
from pathlib import Path
for name in sys.argv[1].split(","):
    importlib.import_module(name)
files = {getattr(module, "__file__", None) for name, module in sys.modules.items() if name.split(".")[0] == "dsgo"}
print(*(Path(file).resolve() for file in files if file), sep="\n")
"""


@pytest.mark.parametrize("step", [*SCRIPTS, "promote"])
def test_key__a_step_imported_loads_no_file_of_dsgo_that_its_key_leaves_out(step):
    folder, modules = (ROOT, "dsgo.gate.promote") if step == "promote" else (ROOT / step, SCRIPTS[step])
    done = subprocess.run(
        [sys.executable, "-c", LOADED, modules],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = {Path(line).relative_to(ROOT).as_posix() for line in done.stdout.split("\n") if line}
    item = next(item for item in plan_steps(VALUES, {}) if item.step.name == step)
    counted = {name.removeprefix("file ") for name in item.parts if name.startswith("file dsgo/")}

    assert "dsgo/runs/step.py" in loaded
    # MLflow loads these by their entry points: they carry bytes or refuse, and change no result.
    plugins = ("dsgo/artifacts/", "dsgo/runs/plugins.py")
    assert {name for name in loaded - counted if not name.startswith(plugins)} == set()


def test_key__caches_and_hidden_files_do_not_count(root):
    before = keys(root)
    for name in ("rf/__pycache__/rf.pyc", "dsgo/__pycache__/cache.pyc", "rf/.notes"):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text("x")

    assert keys(root) == before


def test_key__a_page_of_documentation_does_not_count(root):
    before = keys(root)
    for folder in FOLDERS:
        with (root / folder / "README.md").open("a") as page:
            page.write("What is where.\n")

    assert keys(root) == before


def test_key__the_present_counts_for_live_sources_alone(root):
    later = {"now": "2026-11-20T09:00Z"}

    assert keys(root, **later) == keys(root)
    assert changed(keys(root, source="live"), keys(root, source="live", **later)) == STEPS


def test_values_of__takes_the_hour_of_the_present():
    given = dict(VALUES)

    assert pipeline.values_of(given | {"now": "2026-11-20T09:40+01:00"}) == VALUES
    assert pipeline.values_of(given | {"now": ""})["now"].endswith(":00Z")
    with pytest.raises(UserError, match="now=noon must be a time"):
        pipeline.values_of(given | {"now": "noon"})


def test_key__of_a_raw_folder_is_its_content_not_its_path(root, tmp_path):
    write_sample(tmp_path / "one")
    shutil.copytree(tmp_path / "one", tmp_path / "two")

    assert keys(root, source=str(tmp_path / "one")) == keys(root, source=str(tmp_path / "two"))

    with next((tmp_path / "two").glob("weather*")).open("a") as text:
        text.write("\n")
    assert changed(keys(root, source=str(tmp_path / "one")), keys(root, source=str(tmp_path / "two"))) == STEPS


def test_key__of_a_data_file_is_its_content_not_its_path(root, tmp_path):
    for name in ("one.csv", "two.csv", "other.csv"):
        (tmp_path / name).write_text("a" if name == "other.csv" else "b")
    one, two, other = (keys(root, {"lr": {"data": str(tmp_path / f"{name}.csv")}}) for name in ("one", "two", "other"))

    assert one == two
    assert changed(one, other) == ["lr", "promote", "forecast", "report"]
    (root / "beside.csv").write_text("b")
    assert keys(root, {"lr": {"data": "beside.csv"}}) == one
    assert keys(root, {"lr": {"data": "b" * 300}}) != one


def test_plan__leaves_braces_in_a_users_value_as_they_are(root):
    item = plan_steps(VALUES, {"rf": {"seed": "{x}"}}, root)[2]

    assert item.params["seed"].format_map({}) == "{x}"


@pytest.mark.parametrize(
    ("values", "own", "line"),
    [
        ({"models": "lr,svm"}, {}, "models: there is no trainer 'svm'; there are keras_nn, rf, gbm, kernel, lr, blend"),
        ({"models": ""}, {}, "models: there is no trainer ''"),
        ({"models": "lr"}, {"rf": {"seed": "1"}}, "there is no step 'rf'; there are process_data, lr, promote"),
        ({}, {"rf": {"depth": "1"}}, "rf has no parameter 'depth'; it has data, split, features, seed, n_estimators"),
    ],
)
def test_plan__says_what_does_not_exist(root, values, own, line):
    with pytest.raises(UserError) as error:
        plan_steps(VALUES | values, own, root)

    assert error.value.message.startswith(line)


def test_source__says_when_nothing_is_there(tmp_path):
    with pytest.raises(UserError, match="git ls-remote failed"):
        Source.of(str(tmp_path / "nowhere"))


def test_source__clones_a_commit_and_leaves_the_repository_as_it_is(root, tmp_path):
    from dsgo.workflow.project import _git

    repository = ["-C", str(root), "-c", "user.name=x", "-c", "user.email=x@example.org"]
    _git(*repository, "init", "--quiet", "--initial-branch=main")
    _git(*repository, "add", "--all")
    _git(*repository, "commit", "--quiet", "--message", "first")
    (root / "not_committed").touch()
    source = Source.of(root.as_uri())

    there = source.checkout(tmp_path)

    assert there.name == f"dsgo-{source.commit}"
    assert keys(there) == keys(root)
    assert not (there / "not_committed").exists()
    assert _git("-C", str(root), "branch", "--show-current").strip() == "main"
    assert _git("-C", str(root), "remote") == ""
    assert source.checkout(tmp_path) == there
