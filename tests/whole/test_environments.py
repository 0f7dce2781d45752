"""A step in an environment of its own, and that each step's requirements hold all that it imports."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import mlflow
import pytest

from dsgo.base.places import ROOT
from dsgo.workflow.project import _git

SCRIPTS = [
    "process_data/process_data.py",
    "process_data/validate.py",
    "rf/sweep.py",
    "keras_nn/keras_nn.py",
    "report/report.py",
    "forecast/forecast.py",
]


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    """The project as it stands here, as a git repository; its URI."""
    root = tmp_path_factory.mktemp("repository") / "project"
    ignore = shutil.ignore_patterns(".venv", ".git", "__pycache__", "store", "mlruns.db", "*.egg-info", "logs")
    shutil.copytree(ROOT, root, symlinks=True, ignore=ignore)
    base = ["-C", str(root), "-c", "user.name=x", "-c", "user.email=x@example.org"]
    for arguments in (["init", "--quiet"], ["add", "--all"], ["commit", "--quiet", "--message", "x"]):
        _git(*base, *arguments)
    return root.as_uri()


def test_mlflow_run__takes_a_step_from_a_git_repository_into_an_environment_of_its_own(
    repository, mlflow_run, tracking, small_dataset, tmp_path, monkeypatch
):
    monkeypatch.setenv("MLFLOW_ENV_ROOT", str(tmp_path / "environments"))
    small_dataset.to_parquet(tmp_path / "dataset.parquet")

    done = mlflow_run(f"{repository}#lr", experiment="uv", env_manager="uv", data=tmp_path / "dataset.parquet")

    assert done.returncode == 0, done.stderr
    client = mlflow.MlflowClient()
    run = client.search_runs([client.get_experiment_by_name("uv").experiment_id])[0]
    assert run.info.status == "FINISHED"
    environment = next((tmp_path / "environments").rglob("site-packages"))
    assert (environment / "sklearn").is_dir()
    assert not (environment / "tensorflow").exists()


# As if nothing but the packages of requirements.txt were installed: a real environment takes a minute for each script.
WITHOUT_THE_REST = """
import re, runpy, sys
from importlib.metadata import packages_distributions
from pathlib import Path

def plain(name):
    return re.sub(r"[-_.]+", "-", name).lower()

required = {plain(line) for line in re.findall(r"^[\\w.-]+", Path("requirements.txt").read_text(), re.MULTILINE)}
owners = {module: {plain(name) for name in names} for module, names in packages_distributions().items()}
absent = {module for module, names in owners.items() if not names & (required | {"dsgo"})}
assert "pytest" in absent

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in absent:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

for name in absent & sys.modules.keys():  # what Python itself imports as it starts
    del sys.modules[name]
sys.meta_path.insert(0, Absent())
sys.path[0] = ""
sys.argv = [sys.argv[1], "--help"]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.mark.parametrize("script", SCRIPTS)
def test_step__its_requirements_hold_all_that_it_imports(script, tmp_path):
    folder, name = Path(script).parts

    (tmp_path / "runs.db").touch()  # a database that is not there is refused
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_THE_REST, name],
        cwd=ROOT / folder,
        env=os.environ | {"MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path}/runs.db"},
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Usage: ")


def test_step__that_imports_what_it_does_not_require_is_found_out(tmp_path):
    (tmp_path / "requirements.txt").write_text("click==8.2.0\n")
    (tmp_path / "step.py").write_text("import click\nimport numpy.linalg\n")

    command = [sys.executable, "-c", WITHOUT_THE_REST, "step.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)

    assert done.stderr.endswith("ModuleNotFoundError: No module named 'numpy'\n")
