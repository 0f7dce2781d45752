"""The gate on four years of real data: a forest that saw the hold-out in Production, honest ones, a better model."""

import subprocess
import sys

import mlflow
import pytest
from click.testing import CliRunner
from sklearn.ensemble import RandomForestRegressor

from dsgo.base.places import ROOT
from dsgo.data.dataset import load_dataset
from dsgo.data.schema import TARGETS, WEATHER
from dsgo.gate.promote import main
from dsgo.models import fits, registry
from dsgo.models.trainers import fit_of
from gate_models import empty_registry, experiment_id, log_linear
from shared import SHARED_DATA

EXPERIMENT = "gate_on_real_data"


def forest(hours):
    return RandomForestRegressor(16, max_depth=10, random_state=1, n_jobs=-1).fit(hours[WEATHER], hours[TARGETS])


@pytest.fixture(scope="module")
def runs(stores, mlflow_run, tmp_path_factory):
    """A dataset of real data, a forest that saw the hold-out, an honest one, and a regression: run ids by name."""
    raw = tmp_path_factory.mktemp("raw")
    subprocess.run([sys.executable, str(SHARED_DATA / "make_raw.py"), str(raw)], check=True, timeout=120)
    done = mlflow_run(ROOT / "process_data", experiment=EXPERIMENT, source=raw)
    assert done.returncode == 0, done.stderr
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", stores.tracking_uri)
        data = mlflow.MlflowClient().search_runs([experiment_id(EXPERIMENT)])[0].info.run_id
        frame = load_dataset(data).frame
        empty_registry()
        yield {
            "data": data,
            "peeked": log_linear(frame, data, EXPERIMENT, "peeked", split="random", fit=forest),
            "rf": log_linear(frame, data, EXPERIMENT, "rf", fit=forest),
            "lr": log_linear(frame, data, EXPERIMENT, "lr"),
            "kernel": log_linear(frame, data, EXPERIMENT, "kernel", fit=fit_of("kernel")),
        }
        empty_registry()


def gate(runs, *names, **options):
    arguments = ["--run-ids", ",".join(runs[name] for name in names), "--data", runs["data"]]
    return CliRunner().invoke(main, arguments + [f"--{name}={value}" for name, value in options.items()])


@pytest.mark.realdata
def test_promote__a_forest_that_saw_the_hold_out_blocks_no_honest_candidate(runs, tracking):
    assert "no version of BestModel was in Production yet" in gate(runs, "peeked").output  # it cannot pass itself
    peeked = fits.of_run(mlflow.get_run(runs["peeked"]))["serving"].uri.removeprefix("models:/")
    registry.promote(registry.register(runs["peeked"], peeked, {}, "").version, "moved by hand", "by hand")

    done = gate(runs, "rf", "lr")

    assert done.exit_code == 0, done.output
    assert "version 1 is left out: it learned from hours until 2016-12-31" in done.stdout
    version = registry.production()
    assert version.run_id == runs["rf"]
    assert float(version.tags["gate.mae"]) == pytest.approx(2.03, abs=0.03)
    assert version.tags["dsgo.serving_until"].startswith("2016-12-31T23:00")
    table = {row["rule"]: row for row in registry.gate_table(version.version)}
    apart = table["serving fit: apart from the judged one, GW"]
    assert 0 < apart["figure"] < 0.5 * float(version.tags["gate.mae"])  # an honest refit is far from the limit

    done = gate(runs, "lr", "rf")

    assert "no candidate passes, nothing changes" in done.stdout
    assert registry.production().version == version.version


@pytest.mark.realdata
def test_promote__the_better_model_takes_the_place_of_a_forest_of_the_weather_alone_and_keeps_it(runs, tracking):
    empty_registry()
    assert gate(runs, "rf").exit_code == 0
    forest = registry.production()
    assert forest.run_id == runs["rf"]

    done = gate(runs, "kernel")

    assert done.exit_code == 0, done.output
    version = registry.production()
    assert version.run_id == runs["kernel"]
    assert float(version.tags["gate.mae"]) == pytest.approx(1.178, abs=0.01)
    assert float(version.tags["gate.better_percent"]) == 100

    done = gate(runs, "rf", "lr")

    assert "no candidate passes, nothing changes" in done.stdout
    assert registry.production().version == version.version
