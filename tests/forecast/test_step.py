"""The step on running stores, day after day, and what `dsgo verify` says of it."""

import subprocess
import sys

import mlflow
import pandas as pd
import pytest

from dsgo.data.schema import TARGETS
from dsgo.forecast import record
from dsgo.models import fits, registry
from gate_models import empty_registry, experiment_id, log_dataset, log_linear

EXPERIMENT = "next week"


@pytest.fixture(scope="module")
def days(dataset):
    """The sample until the end of each of two days."""
    return [dataset.frame["2014" : f"2016-12-{day}"] for day in (28, 29)]


@pytest.fixture(scope="module")
def production(stores, days):
    """A version in Production that learned from the first of `days`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", stores.tracking_uri)
        empty_registry()
        run = mlflow.get_run(log_linear(days[0], log_dataset(days[0], EXPERIMENT), EXPERIMENT))
        registry.register(run.info.run_id, fits.of_run(run)["serving"].uri.removeprefix("models:/"), {}, "")
        registry.promote("1", "for the test", "by hand")
        yield run
        empty_registry()


def newest():
    client = mlflow.MlflowClient()
    return client.search_runs([experiment_id(EXPERIMENT)], "tags.`dsgo.step` = 'forecast'")[0]


def test_forecast__is_kept_as_a_run_with_all_that_it_was_made_of_and_verified_a_day_later(
    days, production, tracking, mlflow_run
):
    data_run = log_dataset(days[0], EXPERIMENT)
    done = mlflow_run("forecast", experiment=EXPERIMENT, hindcasts=30)

    assert done.returncode == 0, done.stderr
    assert "forecast: 2016-12-29T00:00Z, version 1, simulated weather: solar " in done.stdout
    run = newest()
    assert {name: run.data.tags[f"dsgo.{name}"] for name in ("issued", "version", "weather", "data_run_id")} == {
        "issued": "2016-12-29T00:00Z",
        "version": "1",
        "weather": "simulated",
        "data_run_id": data_run,
    }
    assert {"solar_GWh", "wind_GWh", "nmae_wind_day_1", "coverage_wind_day_7"} <= run.data.metrics.keys()
    (made,) = record.forecasts(run.info.experiment_id, "DE", True)
    hours, before = made.hours(), made.hindcasts()
    assert hours["lead"].tolist() == list(range(1, 169))
    assert hours.index[0] == hours["issued"].iloc[0] == pd.Timestamp("2016-12-29", tz="UTC")
    assert before["issued"].nunique() == 30
    for target in TARGETS:
        assert (hours[f"{target}_low"] >= 0).all()
        assert (hours[f"{target}_low"] <= hours[target]).all()
        assert (hours[target] <= hours[f"{target}_high"]).all()
        assert (hours[f"{target}_high"] <= hours[f"{target.removesuffix('_GW')}_capacity_GW"]).all()

    log_dataset(days[1], EXPERIMENT)
    done = mlflow_run("forecast", experiment=EXPERIMENT, hindcasts=30)

    assert done.returncode == 0, done.stderr
    second, first = record.forecasts(run.info.experiment_id, "DE", True)
    assert (second.issued - first.issued, first.run_id) == (pd.Timedelta(days=1), made.run_id)
    collected = record.collect([second, first])
    assert collected[~collected["hindcast"]]["issued"].nunique() == 2
    assert collected[collected["hindcast"]]["issued"].max() == first.issued - pd.Timedelta(days=1)
    pd.testing.assert_frame_equal(
        collected[collected["issued"] == first.issued].drop(columns="hindcast"), hours, check_freq=False
    )

    command = [sys.executable, "-m", "dsgo.cli", "verify", "--experiment-name", EXPERIMENT]
    said = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout.splitlines()
    assert said[0].startswith("1 forecast and 29 hindcasts (made later, as they would have been) against what came")
    assert len(said) == 1 + 1 + 14 + 1
    assert said[-1].startswith("share of installed capacity, mean absolute error, the first day ahead: solar ")


def test_forecast__of_data_without_a_weather_forecast_is_one_line_and_the_last_one_stands(
    days, production, tracking, mlflow_run, tmp_path
):
    frame = days[0].copy()
    frame.attrs = {}
    frame.to_parquet(tmp_path / "mine.parquet")

    done = mlflow_run("forecast", experiment=EXPERIMENT, data=tmp_path / "mine.parquet")

    assert done.returncode != 0
    assert "Error: there is no weather forecast for this data: source=sample has" in done.stderr
    assert "No forecast was made before" in done.stderr  # of this data
    assert "Traceback" not in done.stderr
    assert newest().info.status == "FAILED"


def test_forecast__by_a_model_that_saw_what_comes_is_refused(days, production, tracking, mlflow_run, dataset, tmp_path):
    early = dataset.frame["2014":"2015-06-30"]
    early.attrs = dataset.frame.attrs
    early.to_parquet(tmp_path / "early.parquet")

    done = mlflow_run("forecast", experiment=EXPERIMENT, data=tmp_path / "early.parquet")

    assert "Error: version 1 has learned from hours after 2015-07-01T00:00Z, where the data ends" in done.stderr
