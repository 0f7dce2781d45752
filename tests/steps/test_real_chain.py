"""The whole chain on four years of real data: the scores that the notebooks' way of working had."""

import subprocess
import sys

import mlflow
import pytest

from dsgo.base.places import ROOT
from shared import SHARED_DATA

R2_TOLERANCE = 0.005


@pytest.fixture(scope="module")
def chain(stores, mlflow_run, tmp_path_factory):
    """A function that runs a trainer with a split on the real dataset and returns the run's metrics."""
    raw = tmp_path_factory.mktemp("raw")
    subprocess.run([sys.executable, str(SHARED_DATA / "make_raw.py"), str(raw)], check=True, timeout=120)
    client = mlflow.MlflowClient(stores.tracking_uri)

    def newest():
        experiment = client.get_experiment_by_name("real_chain").experiment_id
        return client.search_runs([experiment], max_results=1)[0]

    done = mlflow_run(ROOT / "process_data", experiment="real_chain", source=raw)
    assert done.returncode == 0, done.stderr
    assert newest().data.metrics.items() >= {"rows": 35012, "hours_missing": 52, "hours_doubled": 4}.items()

    def train(step, split):
        done = mlflow_run(ROOT / step, experiment="real_chain", split=split, features="weather")
        assert done.returncode == 0, done.stderr
        assert newest().info.run_name == step
        return newest().data.metrics

    return train


@pytest.mark.slow
@pytest.mark.realdata
@pytest.mark.parametrize(
    ("step", "split", "r2", "mae"),
    [
        ("lr", "random", 0.836, 1.70),
        ("rf", "random", 0.867, 1.46),
        ("lr", "chronological", 0.766, None),
        ("rf", "chronological", 0.782, None),
    ],
)
def test_chain__scores_on_real_data_what_the_notebooks_did(chain, step, split, r2, mae):
    metrics = chain(step, split)

    assert metrics["r2"] == pytest.approx(r2, abs=R2_TOLERANCE)
    if mae:
        assert metrics["mae"] == pytest.approx(mae, abs=0.025)


@pytest.mark.realdata
def test_chain__the_neural_network_reaches_r2_0_855_on_real_data(chain):
    assert chain("keras_nn", "random")["r2"] >= 0.855
