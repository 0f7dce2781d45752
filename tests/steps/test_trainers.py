"""The three trainers as a user runs them: `mlflow run` on running stores, with a small dataset."""

import json
import subprocess
import sys
import time

import mlflow
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression

from dsgo.base.places import ROOT
from dsgo.data.schema import CAPACITY, TARGETS, WEATHER
from dsgo.models.metrics import baseline, scores

PARAMS = {"lr": {}, "rf": {"n_estimators": 8, "max_depth": 6}, "keras_nn": {"epochs": 3, "learning_rate": "1e-2"}}
FIGURES = {"predicted_by_temperature.png", "predicted_by_windspeed.png", "error_by_hour_and_month.png"}
EXTRA = {"lr": set(), "rf": {"importances.png"}, "keras_nn": {"learning_curves.png"}}
RELOAD = """
import sys, mlflow, pandas as pd
frame = pd.read_parquet(sys.argv[2])
mlflow.pyfunc.load_model(sys.argv[1]).predict(frame).to_parquet(sys.argv[3])
"""


def of_experiment(name, stores):
    """The runs of an experiment, newest first."""
    client = mlflow.MlflowClient(stores.tracking_uri)
    return client.search_runs([client.get_experiment_by_name(name).experiment_id])


@pytest.fixture(scope="module")
def trained(stores, mlflow_run, small_dataset, tmp_path_factory):
    """A finished run of each trainer by its name, all on the same process_data run."""
    file = tmp_path_factory.mktemp("data") / "dataset.parquet"
    small_dataset.to_parquet(file)
    client = mlflow.MlflowClient(stores.tracking_uri)
    data = client.create_run(client.create_experiment("trainers"), tags={"dsgo.step": "process_data"}).info.run_id
    client.log_artifact(data, str(file), "dataset")
    client.set_terminated(data)
    runs = {}
    for step, params in PARAMS.items():
        done = mlflow_run(ROOT / step, experiment="trainers", **params)
        assert done.returncode == 0, done.stderr
        runs[step] = of_experiment("trainers", stores)[0]
        assert runs[step].data.tags["dsgo.data_run_id"] == data
    return runs


@pytest.mark.parametrize("step", PARAMS)
def test_trainer__logs_its_parameters_and_the_dataset_as_input(trained, step):
    run = trained[step]

    assert run.info.run_name == step
    assert run.info.status == "FINISHED"
    assert run.data.params.items() >= {name: str(value) for name, value in PARAMS[step].items()}.items()
    assert run.data.params["split"] == "chronological"
    source = json.loads(run.inputs.dataset_inputs[0].dataset.source)
    assert source == {"uri": f"runs:/{run.data.tags['dsgo.data_run_id']}/dataset/dataset.parquet"}
    assert run.data.tags["dsgo.simulated"] == "True"


@pytest.mark.parametrize("step", PARAMS)
def test_trainer__logs_its_figures(trained, stores, step):
    client = mlflow.MlflowClient(stores.tracking_uri)

    names = {item.path.removeprefix("figures/") for item in client.list_artifacts(trained[step].info.run_id, "figures")}

    assert names == FIGURES | EXTRA[step]


@pytest.mark.parametrize("step", PARAMS)
def test_trainer__a_fresh_process_loads_the_model_and_gets_the_logged_metrics(
    trained, tracking, small_dataset, tmp_path, step
):
    train, test = small_dataset.loc["2015"], small_dataset.loc["2016"]
    test[WEATHER].to_parquet(tmp_path / "in.parquet")

    uri = f"runs:/{trained[step].info.run_id}/model"
    command = [sys.executable, "-c", RELOAD, uri, str(tmp_path / "in.parquet"), str(tmp_path / "out.parquet")]
    subprocess.run(command, check=True, timeout=120, cwd=tmp_path)
    predicted = pd.read_parquet(tmp_path / "out.parquet")

    assert list(predicted.columns) == TARGETS
    assert predicted.index.equals(test.index)
    assert predicted.to_numpy().min() >= 0
    again = scores(test, predicted, baseline(train, test.index))
    assert {name: trained[step].data.metrics[name] for name in again} == pytest.approx(again, rel=1e-9)


@pytest.mark.parametrize("step", PARAMS)
def test_trainer__fits_twice_and_marks_what_each_fit_learned_from(trained, tracking, small_dataset, step):
    run = trained[step]

    assert run.data.tags["dsgo.trained_until"] == small_dataset.loc["2015"].index[-1].isoformat()
    assert run.data.tags["dsgo.serving_until"] == "2016-12-31T23:00:00+00:00"
    assert run.data.tags["dsgo.split"] == "chronological"
    judged, serving = (mlflow.pyfunc.load_model(f"runs:/{run.info.run_id}/{name}") for name in ("model", "serving"))
    weather = small_dataset.loc["2016", WEATHER]
    apart = (judged.predict(weather) - serving.predict(weather)).abs().to_numpy().mean()
    assert 0 < apart < run.data.metrics["mae"]


def test_trainer__what_serves_learned_from_every_hour(trained, tracking, small_dataset):
    model = mlflow.pyfunc.load_model(f"runs:/{trained['lr'].info.run_id}/serving")
    expected = LinearRegression().fit(small_dataset[WEATHER], small_dataset[TARGETS]).predict(small_dataset[WEATHER])

    assert model.predict(small_dataset[WEATHER]).to_numpy() == pytest.approx(expected.clip(min=0))


@pytest.mark.parametrize("step", PARAMS)
def test_trainer__the_model_holds_no_pickle_and_pins_what_it_needs(trained, tracking, step, tmp_path):
    folder = mlflow.artifacts.download_artifacts(f"runs:/{trained[step].info.run_id}/model", dst_path=tmp_path)
    files = {str(path.relative_to(folder)) for path in tmp_path.rglob("*") if path.is_file()}

    assert not [name for name in files if name.endswith((".pkl", ".pickle", ".joblib"))]
    pinned = (tmp_path / "model" if (tmp_path / "model").exists() else tmp_path) / "requirements.txt"
    assert all("==" in line for line in pinned.read_text().split())


def test_trainer__the_model_takes_raw_columns_with_and_without_time_and_capacity(trained, tracking, small_dataset):
    model = mlflow.pyfunc.load_model(f"runs:/{trained['rf'].info.run_id}/model")
    day = small_dataset.head(24)
    full = day[WEATHER + CAPACITY].assign(utc_timestamp=day.index.strftime("%Y-%m-%dT%H:%M:%SZ"))

    pd.testing.assert_frame_equal(model.predict(full), model.predict(day[WEATHER]))
    with pytest.raises(mlflow.MlflowException, match="windspeed"):
        model.predict(full.drop(columns="windspeed"))


def test_keras_nn__logs_every_epochs_loss_and_mae(trained, tracking):
    client = mlflow.MlflowClient()

    for metric in ("loss", "epoch_mae", "val_loss", "val_epoch_mae"):
        history = client.get_metric_history(trained["keras_nn"].info.run_id, metric)
        assert len(history) == 3
        assert len({point.step for point in history}) == 3


def test_sweep__is_one_parent_with_a_nested_run_for_each_combination(trained, mlflow_run, tracking):
    data = trained["rf"].data.tags["dsgo.data_run_id"]

    done = mlflow_run(
        ROOT / "rf", "sweep", "sweep", data=data, n_estimators="8", max_depth="3,6", min_samples_leaf="1,9"
    )

    assert done.returncode == 0, done.stderr
    *children, parent = sorted(of_experiment("sweep", tracking), key=lambda run: -run.info.start_time)
    assert {run.data.tags["mlflow.parentRunId"] for run in children} == {parent.info.run_id}
    tried = {(run.data.params["max_depth"], run.data.params["min_samples_leaf"]) for run in children}
    assert tried == {("3", "1"), ("3", "9"), ("6", "1"), ("6", "9")}
    same = {"max_depth": "6", "min_samples_leaf": "1"}.items()
    mae = next(run.data.metrics["mae"] for run in children if run.data.params.items() >= same)
    assert mae == pytest.approx(trained["rf"].data.metrics["mae"], rel=1e-9)
    table = mlflow.artifacts.load_dict(f"runs:/{parent.info.run_id}/sweep.json")
    maes = [row[table["columns"].index("mae")] for row in table["data"]]
    assert maes == pytest.approx(sorted(run.data.metrics["mae"] for run in children))


def test_sweep__logs_one_forest_after_another(tracking, small_dataset, tmp_path, monkeypatch):
    # Saving and loading a model parses Python, which Python before 3.11.8 cannot do in two threads at once.
    small_dataset.to_parquet(tmp_path / "dataset.parquet")
    monkeypatch.syspath_prepend(ROOT / "rf")
    import sweep

    logging, most = [], []

    def log_fitted(*_, **__):
        logging.append(1)
        most.append(len(logging))
        time.sleep(0.1)
        logging.pop()
        return {"mae": 1.0, "r2": 1.0, "mae_skill": 1.0}

    monkeypatch.setattr(sweep, "log_fitted", log_fitted)
    options = ["--data", str(tmp_path / "dataset.parquet"), "--n-estimators", "2", "--max-depth", "2,3,4"]
    sweep.main.main([*options, "--min-samples-leaf", "1"], standalone_mode=False)

    assert most == [1, 1, 1]
