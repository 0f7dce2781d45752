"""`mlflow run . -e backtest` on the sample's last years, as a user types it."""

import mlflow
import pandas as pd
import pytest

from dsgo.base.places import ROOT
from dsgo.data.sample import simulate

WAYS = ["once", "refitted", "corrected", "calendar", "persistence", "week_ago"]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Two simulated years in a file."""
    frame = simulate().loc["2015":"2016"]
    frame.attrs = {"country": "DE", "simulated": True}
    path = tmp_path_factory.mktemp("data") / "dataset.parquet"
    frame.to_parquet(path)
    return path


@pytest.mark.slow
def test_backtest__lays_the_ways_side_by_side_by_month(mlflow_run, tracking, data, tmp_path):
    done = mlflow_run(ROOT, "backtest", experiment="backtest", data=data, model="lr")

    assert done.returncode == 0, done.stderr
    assert "backtest: mae once" in done.stdout
    experiment = mlflow.get_experiment_by_name("backtest").experiment_id
    run = mlflow.MlflowClient().search_runs([experiment])[0]
    assert run.info.run_name == "backtest"
    path = mlflow.artifacts.download_artifacts(f"runs:/{run.info.run_id}/backtest", dst_path=str(tmp_path))
    table = pd.read_csv(f"{path}/months.csv")
    assert table["way"].unique().tolist() == WAYS
    months = table[table["month"] != "all"]
    assert months.groupby("way").size().to_dict() == dict.fromkeys(WAYS, 12)
    assert months.groupby("way")["hours"].sum().eq(366 * 24).all()
    assert not table[["mae", "nmae", "bias", "coverage_solar", "coverage_wind", "pinball"]].isna().to_numpy().any()
    year = table[table["month"] == "all"].set_index("way")
    assert year["mae"]["corrected"] < 0.6 * year["mae"][["calendar", "persistence", "week_ago"]].min()
    assert run.data.metrics["corrected/mae"] == pytest.approx(year["mae"]["corrected"])
    figures = {item.path for item in mlflow.MlflowClient().list_artifacts(run.info.run_id, "figures")}
    assert figures == {"figures/ageing.png", "figures/error_by_month.png"}
    hours = pd.read_parquet(f"{path}/hours.parquet")
    assert hours["corrected"].index.min() == pd.Timestamp("2016-01-01", tz="UTC")


def test_backtest__says_how_much_data_it_needs(mlflow_run, tracking, data, tmp_path):
    short = pd.read_parquet(data)
    attrs = short.attrs
    short = short.loc["2015-06":]
    short.attrs = attrs
    short.to_parquet(tmp_path / "short.parquet")

    done = mlflow_run(ROOT, "backtest", experiment="backtest", data=tmp_path / "short.parquet")

    assert done.returncode == 1
    assert "a backtest needs 360 or more to learn from" in done.stderr
    assert "Traceback" not in done.stderr.partition("Error: ")[0]
