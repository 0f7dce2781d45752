"""The keys of a plan: what MLflow's own multistep example takes for a hit wrongly, or misses."""

import shutil
from pathlib import Path

import pytest

from dsgo.base.errors import UserError
from dsgo.data.sample import write_sample
from dsgo.project import Source
from dsgo.workflow import plan

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ["dsgo", "process_data", "lr", "rf", "keras_nn", "report"]
VALUES = {
    "source": "sample",
    "start": "2013-01-01",
    "end": "2016-12-31",
    "country": "DE",
    "models": "all",
    "to": "Production",
    "metric": "mae",
    "margin": "0.005",
}
STEPS = ["process_data", "keras_nn", "rf", "lr", "promote", "report"]


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


def keys(root, own=None, env_manager="local", **values):
    return {item.step.name: item.key for item in plan(VALUES | values, own or {}, root, env_manager)}


def changed(before, after):
    return [name for name in before if before[name] != after[name]]


def test_key__is_the_same_in_another_folder(root):
    assert keys(root) == keys(ROOT)


def test_key__a_default_given_explicitly_is_the_same_work(root):
    assert keys(root, {"rf": {"max_depth": "10"}}) == keys(root)


@pytest.mark.parametrize(
    ("own", "steps"),
    [
        ({"rf": {"max_depth": "12"}}, ["rf", "promote", "report"]),
        ({"process_data": {"start": "2014-01-01"}}, STEPS),
        ({"report": {"week": "2016-08-01"}}, ["report"]),
    ],
)
def test_key__a_changed_parameter_changes_its_step_and_what_follows(root, own, steps):
    assert changed(keys(root), keys(root, own)) == steps


@pytest.mark.parametrize(
    ("file", "steps"),
    [
        ("rf/rf.py", ["rf", "promote", "report"]),
        ("lr/requirements.txt", ["lr", "promote", "report"]),
        ("process_data/MLproject", STEPS),
        ("dsgo/models/metrics.py", STEPS),
        ("requirements.txt", STEPS),
        ("MLproject", ["promote", "report"]),
    ],
)
def test_key__changed_code_changes_its_step_and_what_follows(root, file, steps):
    before = keys(root)
    with (root / file).open("a") as text:
        text.write("\n# changed\n")

    assert changed(before, keys(root)) == steps


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
    assert changed(one, other) == ["lr", "promote", "report"]
    (root / "beside.csv").write_text("b")
    assert keys(root, {"lr": {"data": "beside.csv"}}) == one
    assert keys(root, {"lr": {"data": "b" * 300}}) != one


def test_plan__leaves_braces_in_a_users_value_as_they_are(root):
    item = plan(VALUES, {"rf": {"seed": "{x}"}}, root, "local")[2]

    assert item.params["seed"].format_map({}) == "{x}"


@pytest.mark.parametrize(
    ("values", "own", "line"),
    [
        ({"models": "lr,svm"}, {}, "models: there is no trainer 'svm'; there are keras_nn, rf, lr"),
        ({"models": ""}, {}, "models: there is no trainer ''"),
        ({"models": "lr"}, {"rf": {"seed": "1"}}, "there is no step 'rf'; there are process_data, lr, promote"),
        ({}, {"rf": {"depth": "1"}}, "rf has no parameter 'depth'; it has data, split, seed, n_estimators"),
    ],
)
def test_plan__says_what_does_not_exist(root, values, own, line):
    with pytest.raises(UserError) as error:
        plan(VALUES | values, own, root, "local")

    assert error.value.message.startswith(line)


def test_source__says_when_nothing_is_there(tmp_path):
    with pytest.raises(UserError, match="git ls-remote failed"):
        Source.of(str(tmp_path / "nowhere"))


def test_source__clones_a_commit_and_leaves_the_repository_as_it_is(root, tmp_path):
    from dsgo.project import _git

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
