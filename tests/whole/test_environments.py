"""Each step in an environment of its own, which holds that step's requirements and nothing else."""

import os
import shutil
import subprocess
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


@pytest.mark.parametrize("script", SCRIPTS)
def test_step__its_requirements_hold_all_that_it_imports(script, tmp_path):
    folder, name = Path(script).parts
    environment = {key: value for key, value in os.environ.items() if key not in ("VIRTUAL_ENV", "PYTHONPATH")}
    command = ["uv", "run", "--quiet", "--no-project", "--isolated", "--with-requirements", "requirements.txt", "--"]

    (tmp_path / "runs.db").touch()  # a database that is not there is refused
    done = subprocess.run(
        [*command, "python", name, "--help"],
        cwd=ROOT / folder,
        env=environment | {"MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path}/runs.db"},
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Usage: ")
