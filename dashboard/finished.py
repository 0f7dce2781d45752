"""The finished runs of an experiment, and what is known of them."""

from collections.abc import Sequence

import mlflow
from mlflow import MlflowClient
from mlflow.entities import Metric, Run

from dsgo.base import tags
from dsgo.runs.server import find_experiment

CURVES = ["loss", "val_loss", "epoch_mae", "val_epoch_mae"]
Curves = dict[str, dict[str, list[float]]]  # by run id and metric


def finished_runs(name: str) -> tuple[Run, ...]:
    """Return the finished runs of an experiment, the newest first; none where there is no such experiment."""
    client = MlflowClient()
    if (experiment := find_experiment(name)) is None:
        return ()
    runs: list[Run] = []
    token = None
    while token is None or token:
        page = client.search_runs(
            [experiment.experiment_id],
            "attributes.status = 'FINISHED'",
            max_results=1000,
            order_by=["attributes.start_time DESC"],
            page_token=token,
        )
        runs += page
        token = page.token or ""
    return tuple(runs)


def split_of(run: Run) -> str:
    """Return how a trainer's hold-out was chosen: chronological (so it is where a run does not say), random."""
    return run.data.tags.get(tags.SPLIT) or run.data.params.get("split") or "chronological"


def has_model(run: Run) -> bool:
    """Return whether a run has logged a model."""
    return bool(run.outputs and run.outputs.model_outputs)


def judged(runs: Sequence[Run]) -> list[Run]:
    """Return the runs with a model whose errors compare: those of the usual split, that have an error."""
    return [r for r in runs if has_model(r) and split_of(r) == "chronological" and "mae" in r.data.metrics]


def learning_curves(runs: Sequence[Run], known: Curves) -> Curves:
    """Return the learning curves of the newest 50 runs that have some, with those known before."""
    client, found = MlflowClient(), {}
    for run_id in [run.info.run_id for run in runs if "val_loss" in run.data.metrics][:50]:
        if run_id not in known:
            found[run_id] = {name: _in_order(client.get_metric_history(run_id, name)) for name in CURVES}
    return known | found


def _in_order(values: list[Metric]) -> list[float]:
    return [metric.value for metric in sorted(values, key=lambda metric: (metric.step, metric.timestamp))]


def what_carries_the_best(runs: Sequence[Run], known: tuple[str, str]) -> tuple[str, str]:
    """Return the id of the run with the least error and its importance.csv (dsgo/models/importance.py), "" without one.

    `known` is what was found before: it is fetched anew only for another run.
    """
    best = min(judged(runs), key=lambda run: run.data.metrics["mae"], default=None)
    if best is None or best.info.run_id == known[0]:
        return known if best else ("", "")
    run_id = best.info.run_id
    there = "importance.csv" in [item.path for item in MlflowClient().list_artifacts(run_id)]
    return run_id, mlflow.artifacts.load_text(f"runs:/{run_id}/importance.csv") if there else ""
