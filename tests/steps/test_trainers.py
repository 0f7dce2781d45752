"""The trainers as a user runs them: `mlflow run` on running stores, with a small dataset."""

import json
import os
import subprocess
import sys
import time

import mlflow
import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression

from dsgo.base.places import ROOT
from dsgo.data.schema import CAPACITY, TARGETS, WEATHER
from dsgo.models.metrics import baseline, scores
from dsgo.models.rows import model_input

PARAMS = {
    "lr": {},
    "rf": {"n_estimators": 8, "max_depth": 6, "min_samples_leaf": 1},
    "gbm": {"max_iter": 20},
    "kernel": {"components": 50},
    "keras_nn": {"epochs": 3, "learning_rate": "1e-2"},
    "blend": {},
}
FIGURES = {"predicted_by_temperature.png", "predicted_by_windspeed.png", "error_by_hour_and_month.png"}
FIGURES |= {"what_carries_it.png"}
EXTRA = {"keras_nn": {"learning_curves.png"}}
DATA = "dsgo.data_run_id"
RELOAD = """
import sys, mlflow, pandas as pd
frame = pd.read_parquet(sys.argv[1])
for uri, out in zip(sys.argv[2::2], sys.argv[3::2]):
    mlflow.pyfunc.load_model(uri).predict(frame).to_parquet(out)
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
        if step == "blend":
            params = {"run_ids": ",".join(runs[name].info.run_id for name in ("kernel", "gbm", "rf"))}
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

    assert names == FIGURES | EXTRA.get(step, set())


@pytest.fixture(scope="module")
def reloaded(trained, stores, small_dataset, tmp_path_factory):
    """What each judged model predicts of the hold-out in a fresh process, by trainer."""
    folder = tmp_path_factory.mktemp("reloaded")
    model_input(small_dataset.loc["2016"]).to_parquet(folder / "in.parquet")
    command = [sys.executable, "-c", RELOAD, "in.parquet"]
    for step, run in trained.items():
        command += [f"runs:/{run.info.run_id}/model", f"{step}.parquet"]
    environment = os.environ | {"MLFLOW_TRACKING_URI": stores.tracking_uri}
    subprocess.run(command, check=True, timeout=240, cwd=folder, env=environment)
    return {step: pd.read_parquet(folder / f"{step}.parquet") for step in trained}


@pytest.mark.parametrize("step", PARAMS)
def test_trainer__a_fresh_process_loads_the_model_and_gets_the_logged_metrics(trained, reloaded, small_dataset, step):
    train, test, predicted = small_dataset.loc["2015"], small_dataset.loc["2016"], reloaded[step]

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
    weather = model_input(small_dataset.loc["2016"])
    apart = (judged.predict(weather) - serving.predict(weather)).abs().to_numpy().mean()
    assert 0 < apart < run.data.metrics["mae"]


def test_trainer__of_the_weather_alone_is_the_notebooks_and_serves_what_learned_from_every_hour(
    trained, mlflow_run, tracking, small_dataset
):
    done = mlflow_run(ROOT / "lr", experiment="weather", features="weather", data=trained["lr"].data.tags[DATA])
    assert done.returncode == 0, done.stderr
    model = mlflow.pyfunc.load_model(f"runs:/{of_experiment('weather', tracking)[0].info.run_id}/serving")
    expected = LinearRegression().fit(small_dataset[WEATHER], small_dataset[TARGETS]).predict(small_dataset[WEATHER])

    within = np.clip(expected, 0, small_dataset[CAPACITY])
    assert model.predict(model_input(small_dataset)).to_numpy() == pytest.approx(within.to_numpy())
    assert model.predict(small_dataset[WEATHER]).to_numpy() == pytest.approx(
        np.clip(expected, 0, small_dataset[CAPACITY].iloc[-1].to_numpy())
    )


@pytest.mark.parametrize("step", PARAMS)
def test_trainer__gives_a_band_around_each_prediction(trained, tracking, small_dataset, step):
    test = small_dataset.loc["2016"]
    model = mlflow.pyfunc.load_model(f"runs:/{trained[step].info.run_id}/model")

    found = model.predict(model_input(test), params={"interval": 0.8})

    for target, capacity in zip(TARGETS, CAPACITY, strict=True):
        low, high = found[f"{target}_low"], found[f"{target}_high"]
        assert (low >= 0).all()
        assert (low <= found[target]).all()
        assert (found[target] <= high).all()
        assert (high <= test[capacity]).all()
        name = target.removesuffix("_GW")
        inside = test[target].between(low - 1e-9, high + 1e-9)[high > low]
        assert inside.mean() == pytest.approx(trained[step].data.metrics[f"coverage_{name}"])
    night = found["solar_GW_high"] == 0
    assert night.sum() > 500
    wider = model.predict(model_input(test), params={"interval": 0.95})
    assert (wider["wind_GW_high"] >= found["wind_GW_high"]).all()


def test_blend__is_the_mean_of_its_members_by_the_weights_it_learned(trained, tracking, small_dataset):
    weights = mlflow.artifacts.load_dict(f"runs:/{trained['blend'].info.run_id}/weights.json")
    hours = model_input(small_dataset.loc["2016-07-04":"2016-07-10"])

    said = {
        name: mlflow.pyfunc.load_model(f"runs:/{trained[name].info.run_id}/model").predict(hours)
        for name in [*weights, "blend"]
    }

    for target in TARGETS:
        assert sum(share[target] for share in weights.values()) == 1
        mean = sum(said[name][target] * weights[name][target] for name in weights)
        assert said["blend"][target].to_numpy() == pytest.approx(mean.to_numpy(), abs=0.05)


@pytest.mark.parametrize("step", PARAMS)
def test_trainer__the_model_holds_no_pickle_and_pins_what_it_needs(trained, tracking, step, tmp_path):
    folder = mlflow.artifacts.download_artifacts(f"runs:/{trained[step].info.run_id}/model", dst_path=tmp_path)
    files = {str(path.relative_to(folder)) for path in tmp_path.rglob("*") if path.is_file()}

    assert not [name for name in files if name.endswith((".pkl", ".pickle", ".joblib"))]
    pinned = (tmp_path / "model" if (tmp_path / "model").exists() else tmp_path) / "requirements.txt"
    assert all("==" in line for line in pinned.read_text().split())


def test_trainer__the_model_takes_raw_columns_with_and_without_capacity(trained, tracking, small_dataset):
    model = mlflow.pyfunc.load_model(f"runs:/{trained['rf'].info.run_id}/model")
    full = model_input(small_dataset.head(24))
    latest = small_dataset.loc["2015", CAPACITY].iloc[-1]

    pd.testing.assert_frame_equal(model.predict(full.assign(**latest)), model.predict(full.drop(columns=CAPACITY)))
    with pytest.raises(mlflow.MlflowException, match="utc_timestamp"):
        model.predict(full[WEATHER])
    with pytest.raises(mlflow.MlflowException, match="windspeed"):
        model.predict(full.drop(columns="windspeed"))


def test_keras_nn__logs_every_epochs_loss_and_mae(trained, tracking):
    client = mlflow.MlflowClient()

    for metric in ("loss", "epoch_mae", "val_loss", "val_epoch_mae"):
        history = client.get_metric_history(trained["keras_nn"].info.run_id, metric)
        assert len(history) == 3
        assert len({point.step for point in history}) == 3


@pytest.mark.slow
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
