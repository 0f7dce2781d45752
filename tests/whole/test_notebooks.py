"""The notebooks of 1_starting_point and of notebooks/: how they are stored, and all of them run on real stores."""

import contextlib
import difflib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import mlflow
import nbformat
import papermill
import psutil
import pytest

from dsgo.base.errors import UserError
from dsgo.base.network import free_port
from dsgo.base.notebook import NotebookError, execute
from dsgo.base.places import ROOT
from dsgo.runs.server import require_tracking
from dsgo.stores.running import running_stores

FOLDERS = ["1_starting_point", "notebooks"]
STORED = sorted(path.relative_to(ROOT).as_posix() for folder in FOLDERS for path in (ROOT / folder).rglob("*.ipynb"))
STORED = [name for name in STORED if ".ipynb_checkpoints" not in name]
TRACKED = [name for name in STORED if name.startswith("notebooks")]
TWINS = ["model_linreg.ipynb", "model_rf.ipynb", "model_keras.ipynb"]
MARK = "# <- new"


def code(path):
    """The lines of a notebook's code cells, without indentation and empty lines."""
    cells = nbformat.read(path, as_version=4).cells
    lines = [line.strip() for cell in cells if cell.cell_type == "code" for line in cell.source.splitlines()]
    return [line for line in lines if line]


def run_all(folder, tracking_uri):
    """`python notebooks/run_all.py` in a copy of the repository."""
    environment = os.environ | {"MLFLOW_TRACKING_URI": tracking_uri}
    command = [sys.executable, str(folder / "notebooks" / "run_all.py")]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=500, check=False
    )


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """Both folders as a fresh clone holds them."""
    folder = tmp_path_factory.mktemp("clone")
    listed = subprocess.run(["git", "ls-files", *FOLDERS], cwd=ROOT, capture_output=True, text=True, check=True)
    for name in listed.stdout.split("\n")[:-1]:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, folder / name)
    return folder


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Stores of this module's own: the notebooks' experiments are empty, and nothing is in Production."""
    with running_stores(tmp_path_factory.mktemp("home"), free_port(), free_port()) as stores:
        yield stores


@pytest.fixture(scope="module")
def client(home):
    return mlflow.MlflowClient(home.tracking_uri)


@pytest.fixture(scope="module")
def refused(home, copy):
    """What run_all.py says before there is a model in Production."""
    return run_all(copy, home.tracking_uri)


@pytest.fixture(scope="module")
def processed(home, client, refused, mlflow_run):
    """The process_data run of a pipeline with one trainer, whose model is in Production (`refused` came before)."""

    def step(project, entry="main", **params):
        done = mlflow_run(project, entry, "predicting_wind_solar", tracking_uri=home.tracking_uri, **params)
        assert done.returncode == 0, done.stderr
        experiment = client.get_experiment_by_name("predicting_wind_solar").experiment_id
        return client.search_runs([experiment], max_results=1)[0].info.run_id

    data = step(ROOT / "process_data", start="2015-01-01")
    step(ROOT, "promote", run_ids=step(ROOT / "lr"))
    return data


@pytest.fixture(scope="module")
def executed(home, copy, processed):
    """All notebooks executed by run_all.py: their names and the executed copies."""
    done = run_all(copy, home.tracking_uri)
    assert done.returncode == 0, done.stdout + done.stderr
    out = copy / "build" / "notebooks"
    return {path.relative_to(out).as_posix(): nbformat.read(path, as_version=4) for path in out.rglob("*.ipynb")}


@pytest.fixture(scope="module")
def logged(executed, client):
    """The runs that the notebooks logged, by name."""
    experiment = client.get_experiment_by_name("notebooks").experiment_id
    return {run.info.run_name: run for run in client.search_runs([experiment])}


def outputs(notebook):
    return [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]


def text(notebook):
    """Everything that a notebook printed or showed as text."""
    shown = [output.get("text", "") + output.get("data", {}).get("text/html", "") for output in outputs(notebook)]
    return "\n".join(shown)


def charts(notebook):
    """Its plotly figures."""
    key = "application/vnd.plotly.v1+json"
    return [output.data[key] for output in outputs(notebook) if key in output.get("data", {})]


@pytest.mark.parametrize("name", STORED)
def test_notebook__is_stored_without_outputs_and_without_traces_of_who_ran_it(name):
    notebook = json.loads((ROOT / name).read_text(encoding="utf-8"))

    assert notebook["metadata"] == {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    for cell in notebook["cells"]:
        assert cell["metadata"] == {}
        assert cell.get("outputs", []) == []
        assert cell.get("execution_count") is None
    assert [cell["id"] for cell in notebook["cells"]] == [f"cell-{i}" for i in range(len(notebook["cells"]))]


@pytest.mark.parametrize("name", TWINS)
def test_tracked_notebook__is_its_twin_with_a_few_marked_lines(name):
    before, after = code(ROOT / "1_starting_point" / name), code(ROOT / "notebooks" / name)

    difference = list(difflib.ndiff(before, after, linejunk=None))
    gone = [line[2:] for line in difference if line.startswith("- ")]
    new = [line[2:] for line in difference if line.startswith("+ ")]
    assert [line for line in new if not line.endswith(MARK)] == []
    assert new == [line for line in after if MARK in line]  # and nothing old is marked
    assert len(new) <= 18
    assert len(gone) == 1
    assert "germany.csv" in gone[0]  # the path alone


@pytest.mark.parametrize("name", TRACKED)
def test_tracked_notebook__asks_for_the_tracking_server_in_its_first_cell(name):
    cells = [cell for cell in nbformat.read(ROOT / name, as_version=4).cells if cell.cell_type == "code"]

    assert re.search(r"^require_tracking\(\)", cells[0].source, re.MULTILINE)
    assert "MLFLOW_TRACKING_URI" not in "".join(cell.source for cell in cells)


def test_tracked_notebook__stops_with_one_line_where_no_server_answers(monkeypatch, tmp_path):
    uri = f"http://127.0.0.1:{free_port()}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)

    with pytest.raises(NotebookError, match=f"UserError: no tracking server answers at {uri}") as caught:
        execute(ROOT / "notebooks" / "compare_runs.ipynb", {}, tmp_path)

    cause = caught.value.__cause__
    assert isinstance(cause, papermill.PapermillExecutionError)
    assert cause.exec_count == 1
    (line,) = cause.traceback
    assert line.startswith(f"Error: no tracking server answers at {uri}: start both stores with `dsgo up`")


def test_require_tracking__says_that_mlflow_tracking_uri_is_not_set(monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)

    with pytest.raises(UserError, match=r"^MLFLOW_TRACKING_URI is not set: start both"):
        require_tracking()


def test_run_all__says_that_nothing_is_in_production(refused):
    assert refused.returncode == 2
    assert refused.stderr.startswith("Error: no version of BestModel was in Production yet: the workflow promotes one")
    assert refused.stderr.count("\n") == 1


def test_run_all__runs_every_notebook(executed):
    assert sorted(executed) == STORED


def test_run_all__leaves_the_tree_as_it_was(executed, copy):
    """germany.csv among it, which make_processed_data.ipynb wrote anew."""
    files = [path for path in copy.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    names = {path.relative_to(copy).as_posix() for path in files}
    old = {name for name in names if (ROOT / name).is_file() and not name.startswith(("build", "1_starting_point/raw"))}

    assert [name for name in old if (copy / name).read_bytes() != (ROOT / name).read_bytes()] == []
    added = sorted(names - old)
    assert "1_starting_point/raw/weather_data.csv" in added
    ignored = subprocess.run(
        ["git", "check-ignore", "--no-index", *added], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert ignored.stdout.split() == added


def test_run_all__leaves_no_process(executed, home):
    left = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.environ().get("MLFLOW_TRACKING_URI") == home.tracking_uri:
                left.append(process.cmdline())
    assert left == []


def test_notebooks__use_nothing_deprecated(executed):
    said = {name: output.text for name in executed for output in outputs(executed[name]) if output.get("name")}

    assert {name: line for name, line in said.items() if re.search("deprecat|FutureWarning", line, re.IGNORECASE)} == {}


def test_tracked_notebooks__log_what_their_twins_print(executed, logged):
    printed = text(executed["1_starting_point/model_linreg.ipynb"])
    rmse, mae, r2 = re.search(r"rmse ([\d.]+) GW, mae ([\d.]+) GW, r2 ([\d.]+)", printed).groups()

    metrics = logged["lr"].data.metrics
    assert {name: f"{value:.3f}" for name, value in metrics.items()} == {"rmse": rmse, "mae": mae, "r2": r2}
    assert all(run.data.params["split"] == "random" for run in logged.values())


def test_model_linreg__logs_data_figure_and_model(logged, client):
    run = logged["lr"]

    assert [item.path for item in client.list_artifacts(run.info.run_id)] == ["predicted.png"]
    (data,) = run.inputs.dataset_inputs
    assert json.loads(data.dataset.source) == {"uri": "../1_starting_point/germany.csv"}
    assert json.loads(data.dataset.profile)["num_rows"] == 35016
    assert len(run.outputs.model_outputs) == 1


def test_model_rf__logs_a_run_for_each_forest(logged):
    forests = [run for name, run in logged.items() if name.startswith("rf ")]

    settings = {(run.data.params["max_depth"], run.data.params["min_samples_leaf"]) for run in forests}
    assert settings == {(depth, leaf) for depth in ("5", "10", "15") for leaf in ("1", "10", "50")}
    assert all({"rmse", "mae", "r2"} <= run.data.metrics.keys() for run in forests)
    assert {run.data.params["n_estimators"] for run in forests} == {"20"}


def test_model_keras__logs_every_epoch_by_itself(logged, client):
    run = logged["keras_nn"]

    assert len(client.get_metric_history(run.info.run_id, "val_loss")) == 10
    assert run.data.params["optimizer_name"] == "adam"
    assert {"rmse", "mae", "r2"} <= run.data.metrics.keys()


def test_tracked_notebooks__log_models_without_pickle(logged, home, monkeypatch, tmp_path):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", home.tracking_uri)
    monkeypatch.setenv("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    for name in ("lr", "rf depth 5 leaf 50", "keras_nn"):
        (model,) = logged[name].outputs.model_outputs
        folder = mlflow.artifacts.download_artifacts(f"models:/{model.model_id}", dst_path=str(tmp_path / name))
        kinds = {path.suffix for path in Path(folder).rglob("*") if path.is_file()}
        assert kinds & {".skops", ".keras"}
        assert not kinds & {".pkl", ".pickle", ".joblib"}


def test_compare_runs__draws_the_curves_and_the_sweep_that_mlflow_holds(executed, logged, client):
    curves, parallel, heat = charts(executed["notebooks/compare_runs.ipynb"])

    history = client.get_metric_history(logged["keras_nn"].info.run_id, "val_loss")
    (hold_out,) = [trace for trace in curves["data"] if trace["name"].endswith("hold-out")]
    assert hold_out["x"] == list(range(1, 11))
    assert hold_out["y"] == [point.value for point in history]
    assert [axis["label"] for axis in parallel["data"][0]["dimensions"]][:3] == [
        "max_depth",
        "min_samples_leaf",
        "mae, GW",
    ]
    assert heat["layout"]["title"]["text"] == "Mean absolute error on the random split, GW"


def test_compare_runs__lays_the_random_split_beside_the_chronological_one(executed, logged, client):
    experiment = client.get_experiment_by_name("predicting_wind_solar").experiment_id
    (pipeline,) = client.search_runs([experiment], "tags.`dsgo.step` = 'lr'")

    table = text(executed["notebooks/compare_runs.ipynb"])
    row = re.search(r"<th>lr</th>\s*<td>([\d.]+)</td>\s*<td>([\d.]+)</td>", table).groups()
    assert [float(value) for value in row] == [round(run.data.metrics["r2"], 3) for run in (logged["lr"], pipeline)]
    best = min((run for run in logged.values()), key=lambda run: run.data.metrics["mae"])
    assert re.search(rf"<td>{best.info.run_name}</td>\s*<td>{best.data.metrics['mae']:.3f}</td>", table)


def test_get_prod_model__shows_the_lineage_back_to_the_raw_data(executed, client, processed):
    shown = text(executed["notebooks/get_prod_model.ipynb"])
    version = client.get_model_version_by_alias("BestModel", "production")

    for part in (f"BestModel {version.version}", version.run_id, processed, "source=sample, 2015-01-01 to 2016-12-31"):
        assert part in shown


def test_get_prod_model__gets_the_same_month_over_http(executed):
    said = text(executed["notebooks/get_prod_model.ipynb"])
    assert "720 hours over HTTP, equal to the same version loaded here: True" in said
