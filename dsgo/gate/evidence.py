"""What the gate sees for itself of a model: it loads it through the stores and lets it predict the hold-out."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd
from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from dsgo.base import tags
from dsgo.base.errors import UserError
from dsgo.data.schema import TARGETS
from dsgo.gate.rules import Evidence
from dsgo.models.loading import first_line, load_model
from dsgo.models.metrics import baseline, scores
from dsgo.models.training import model_input


@dataclass(frozen=True)
class HoldOut:
    """The hours that models are judged on, and what the baseline says of them. GW."""

    test: pd.DataFrame
    naive: pd.DataFrame

    @classmethod
    def of(cls, train: pd.DataFrame, test: pd.DataFrame) -> "HoldOut":
        """Build it from the two parts of a dataset (dsgo.data.dataset.split_dataset)."""
        return cls(test, baseline(train, pd.DatetimeIndex(test.index)))


def find_candidate(run_id: str) -> tuple[Run, str]:
    """Return a trainer's finished run and the id of the model it logged; UserError where it has none to judge."""
    client = MlflowClient()
    try:
        run = client.get_run(run_id)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        raise UserError(f"run_ids: there is no run {run_id} on this tracking server") from error
    if run.info.lifecycle_stage != "active":
        raise UserError(f"run_ids: the run {run_id} is deleted")
    if run.info.status != "FINISHED":
        raise UserError(f"run_ids: the run {run_id} is {run.info.status}, not finished")
    models = client.search_logged_models([run.info.experiment_id], f"source_run_id = '{run_id}' AND name = 'model'")
    if not models:
        raise UserError(f"run_ids: the run {run_id} ({run.info.run_name}) has logged no model")
    return run, models[0].model_id


def observe_candidate(run: Run, model_id: str, hold_out: HoldOut) -> Evidence:
    """See what a candidate does on the hold-out; what goes wrong is part of the evidence."""
    until = run.data.tags.get(tags.TRAINED_UNTIL)
    trained_until = pd.Timestamp(until) if until else None
    return _observe(f"models:/{model_id}", run.info.run_name, run.info.run_id, trained_until, hold_out)


def observe_production(version: ModelVersion, hold_out: HoldOut) -> Evidence:
    """See what the Production version does on the hold-out; UserError if it does not predict."""
    name = f"version {version.version}"
    seen = _observe(f"models:/{version.name}/{version.version}", name, version.run_id or "", None, hold_out)
    problem = seen.problem or ("it predicts NaN" if seen.predicted.isna().to_numpy().any() else "")
    if problem:
        raise UserError(
            f"{name}, now in Production, cannot be compared with: {problem}. Put another there first: "
            "`mlflow run . -e rollback`, or `dsgo promote VERSION`"
        )
    return seen


def median_milliseconds(act: Callable[[], object], times: int = 5) -> float:
    """Return how long `act` takes: the median of some calls after one that warms up."""
    act()
    taken = []
    for _ in range(times):
        begun = time.perf_counter()
        act()
        taken.append(1000 * (time.perf_counter() - begun))
    return statistics.median(taken)


def _observe(uri: str, name: str, run_id: str, trained_until: pd.Timestamp | None, hold_out: HoldOut) -> Evidence:
    test, signature, problem = hold_out.test, None, ""
    predicted, milliseconds = pd.DataFrame(float("nan"), test.index, TARGETS), float("nan")
    try:
        model = load_model(uri)
        signature = model.metadata.signature
        answer = pd.DataFrame(model.predict(model_input(test)))
        predicted = pd.DataFrame(answer[TARGETS].to_numpy("float64"), test.index, TARGETS)
        milliseconds = median_milliseconds(lambda: model.predict(model_input(test.head(1))))
    except Exception as error:  # a model's own code may raise anything: it fails its rules, not the gate
        problem = first_line(error) or repr(error)
    figures = scores(test, predicted, hold_out.naive)
    return Evidence(name, run_id, predicted, figures, milliseconds, signature, trained_until, problem)
