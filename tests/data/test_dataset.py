import os
from pathlib import Path

import mlflow
import pandas as pd
import pytest

from dsgo.base.errors import UserError
from dsgo.data.dataset import load_dataset, locate

MISSING_RUN = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def experiment(tracking, request, monkeypatch):
    """A fresh experiment on the running stores, active as `mlflow run --experiment-name` makes it."""
    monkeypatch.setenv("MLFLOW_EXPERIMENT_ID", mlflow.create_experiment(request.node.name))


def log_dataset_run(frame, tmp_path, finished=True):
    frame.to_parquet(tmp_path / "dataset.parquet")
    with mlflow.start_run(tags={"dsgo.step": "process_data"}) as run:
        mlflow.log_artifact(tmp_path / "dataset.parquet", "dataset")
    if not finished:
        mlflow.MlflowClient().set_terminated(run.info.run_id, "FAILED")
    return run.info


def test_load_dataset__without_a_name_takes_the_newest_finished_run(small_dataset, tmp_path, experiment):
    log_dataset_run(small_dataset.head(1000), tmp_path)
    newest = log_dataset_run(small_dataset, tmp_path)
    log_dataset_run(small_dataset.head(500), tmp_path, finished=False)

    dataset = load_dataset("")

    assert dataset.run_id == newest.run_id
    pd.testing.assert_frame_equal(dataset.frame, small_dataset, check_freq=False)
    assert dataset.frame.attrs == {"simulated": True, "country": "DE"}


def test_load_dataset__gives_frame_and_run_of_one_dataset_when_a_newer_one_finishes_meanwhile(
    small_dataset, tmp_path, experiment, monkeypatch
):
    first = log_dataset_run(small_dataset, tmp_path)
    search = mlflow.search_runs

    def search_and_finish_another(*args, **kwargs):
        found = search(*args, **kwargs)
        log_dataset_run(small_dataset.head(1000), tmp_path)
        return found

    monkeypatch.setattr(mlflow, "search_runs", search_and_finish_another)

    dataset = load_dataset("")

    assert dataset.run_id == first.run_id
    assert len(dataset.frame) == len(small_dataset)


def test_load_dataset__takes_a_run_id_every_uri_and_every_local_form(small_dataset, tmp_path, experiment, stores):
    run = log_dataset_run(small_dataset, tmp_path)
    small_dataset.to_csv(tmp_path / "dataset.csv")
    path = f"{run.artifact_uri.removeprefix('mlflow-artifacts:/')}/dataset/dataset.parquet"

    for data in (
        run.run_id,
        f"runs:/{run.run_id}/dataset/dataset.parquet",
        f"runs:/{run.run_id}/dataset",
        f"mlflow-artifacts:/{path}",
        f"{stores.ftp_uri}/{path}",
        (tmp_path / "dataset.parquet").as_uri(),
        str(tmp_path / "dataset.parquet"),
        str(tmp_path / "dataset.csv"),
    ):
        pd.testing.assert_frame_equal(load_dataset(data).frame, small_dataset, check_freq=False)


def test_locate__finds_a_relative_path_where_the_step_runs_and_where_mlflow_run_is_typed(tmp_path, monkeypatch):
    repository, step = tmp_path, tmp_path / "process_data"
    step.mkdir()
    (repository / "mine.csv").write_text("in the repository")
    monkeypatch.setattr("dsgo.data.dataset.ROOT", repository)
    monkeypatch.chdir(step)

    assert locate("mine.csv") == (str(repository / "mine.csv"), None)
    (step / "mine.csv").write_text("in the step's folder")
    assert locate("mine.csv") == (str(step / "mine.csv"), None)


def test_load_dataset__says_what_a_wrong_name_lacks(tracking, tmp_path, experiment):
    with mlflow.start_run() as run:
        pass
    (tmp_path / "empty.csv").touch()
    (tmp_path / "text.parquet").write_text("no parquet")
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")

    for data, line in {
        "": "this experiment has no finished process_data run",
        run.info.run_id: f"run {run.info.run_id} has no dataset",
        MISSING_RUN: f"run {MISSING_RUN} has no dataset",
        "runs:/nonsense": "nothing can be downloaded from runs:/nonsense",
        "nowhere.csv": f"data=nowhere.csv: there is no file {Path('nowhere.csv').absolute()}",
        str(tmp_path): f"data={tmp_path}: {tmp_path} is a folder: name a parquet or CSV file in it",
        os.devnull: f"data={os.devnull}: {os.devnull} is a device, not a parquet or CSV file",
        str(tmp_path / "empty.csv"): f"{tmp_path / 'empty.csv'} is empty",
        str(tmp_path / "text.parquet"): f"{tmp_path / 'text.parquet'} has no column utc_timestamp; it has no parquet",
        str(tmp_path / "other.csv"): f"{tmp_path / 'other.csv'} has no column utc_timestamp; it has a, b",
    }.items():
        with pytest.raises(UserError) as error:
            load_dataset(data)
        assert error.value.message.startswith(line), error.value.message


def test_load_dataset__refuses_what_breaks_the_contract(small_dataset, tmp_path):
    in_kw = small_dataset.assign(solar_GW=small_dataset["solar_GW"] * 1e6)
    in_kw.drop(columns="windspeed").to_parquet(tmp_path / "dirty.parquet")

    with pytest.raises(UserError) as error:
        load_dataset(str(tmp_path / "dirty.parquet"))

    assert "solar_GW: is above capacity in GW in 1," in error.value.message
    assert "windspeed: no such column" in error.value.message
    assert "solar_GW: looks like MW or kW" in error.value.message
    assert " breaks the contract in 3 ways: " in error.value.message


def test_locate__names_every_place_looked_at(tmp_path, monkeypatch):
    monkeypatch.setattr("dsgo.data.dataset.ROOT", tmp_path / "repository")
    monkeypatch.chdir(tmp_path)

    with pytest.raises(UserError) as error:
        locate("nope")

    both = f"there is no file {tmp_path / 'nope'} and no file {tmp_path / 'repository' / 'nope'};"
    assert both in error.value.message


def test_dataset__carries_country_and_simulated(small_dataset, tmp_path):
    small_dataset.to_parquet(tmp_path / "dataset.parquet")
    small_dataset.to_csv(tmp_path / "mine.csv")

    made, mine = load_dataset(str(tmp_path / "dataset.parquet")), load_dataset(str(tmp_path / "mine.csv"))

    assert (made.country, made.simulated) == ("DE", True)
    assert (mine.country, mine.simulated) == (None, False)


def test_locate__home_of_no_user_is_refused():
    with pytest.raises(UserError, match=r"^data=~nobody-here/a\.csv: there is no user nobody-here here"):
        locate("~nobody-here/a.csv")
