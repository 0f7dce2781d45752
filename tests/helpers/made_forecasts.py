"""Runs of the step `forecast` with hours that a test can check by hand."""

import tempfile
from pathlib import Path

import mlflow
import pandas as pd

from dsgo.data.schema import TARGETS
from gate_models import experiment_id

HOUR = pd.Timedelta(hours=1)


def hours_from(frame, issued, off):
    """A week from `issued`: what came (after the end of `frame`: a week before) times `off`; the band +-20% of that."""
    index = pd.date_range(issued, periods=168, freq="h", name="utc_timestamp")
    week = frame.reindex(index).fillna(frame.reindex(index - pd.Timedelta(days=7)).set_axis(index))
    table = pd.DataFrame({"issued": issued, "lead": range(1, 169)}, index)
    for target in TARGETS:
        said = week[target].to_numpy() * off
        capacity = f"{target.removesuffix('_GW')}_capacity_GW"
        table[target], table[capacity], table[f"{target}_reach"] = said, week[capacity].to_numpy(), 0.2 * said
        table[f"{target}_low"], table[f"{target}_high"] = 0.8 * said, 1.2 * said
    return table


def log_forecast(frame, issued, experiment, data_run_id, off=1.1, hindcasts=0, simulated=True):
    """A finished run of the step: a forecast and hindcasts of the days before; returns its id."""
    client = mlflow.MlflowClient()
    tags = {"dsgo.step": "forecast", "dsgo.issued": f"{issued:%Y-%m-%dT%H:%MZ}", "dsgo.version": "1"}
    tags |= {"dsgo.weather": "simulated", "dsgo.country": "DE", "dsgo.simulated": str(simulated)}
    tags |= {"dsgo.data_run_id": data_run_id, "dsgo.licences": "none"}
    run_id = client.create_run(experiment_id(experiment), tags=tags).info.run_id
    with tempfile.TemporaryDirectory() as folder:
        hours_from(frame, issued, off).to_parquet(Path(folder, "forecast.parquet"))
        if hindcasts:
            before = [hours_from(frame, issued - pd.Timedelta(days=k), off) for k in range(hindcasts, 0, -1)]
            pd.concat(before).to_parquet(Path(folder, "hindcasts.parquet"))
        client.log_artifacts(run_id, folder, "forecast")
    client.set_terminated(run_id)
    return run_id
