"""What the gate sees for itself of a model: it loads it through the stores and lets it predict the hold-out."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from dsgo.base.errors import UserError, reason
from dsgo.data.schema import TARGETS
from dsgo.gate.rules import Evidence, Incumbent, Seen
from dsgo.models import fits
from dsgo.models.loading import load_model
from dsgo.models.metrics import baseline, scores
from dsgo.models.rows import model_input
from dsgo.models.training import JUDGED, SERVING

ENOUGH = 60 * 24  # hours that an incumbent must not have learned from, to be compared with


@dataclass(frozen=True)
class HoldOut:
    """The hours that models are judged on, and what the baseline says of them. GW."""

    test: pd.DataFrame
    naive: pd.DataFrame

    @classmethod
    def of(cls, train: pd.DataFrame, test: pd.DataFrame) -> "HoldOut":
        """Build it from the two parts of a dataset (dsgo.data.hold_out.split_dataset)."""
        return cls(test, baseline(train, pd.DatetimeIndex(test.index)))


def find_candidate(run_id: str) -> tuple[Run, str]:
    """Return a trainer's finished run and the id of its judged model; UserError where it has none to judge."""
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
    if (judged := fits.of_run(run).get(JUDGED)) is None:
        raise UserError(f"run_ids: the run {run_id} ({run.info.run_name}) has logged no model")
    return run, judged.uri.removeprefix("models:/")


def observe_candidate(run: Run, hold_out: HoldOut) -> Evidence:
    """See what a candidate does on the hold-out; what goes wrong is part of the evidence."""
    found = fits.of_run(run)
    judged = observe(found[JUDGED].uri, hold_out.test)
    if SERVING in found:
        serving = observe(found[SERVING].uri, hold_out.test)
    else:
        missing = f"the run has logged no model `{SERVING}`, fitted on every hour: train it again"
        serving = Seen(_nothing(hold_out.test), problem=missing)
    figures = scores(hold_out.test, judged.predicted, hold_out.naive)
    name = run.info.run_name or run.info.run_id
    return Evidence(name, run.info.run_id, judged, serving, figures, found[JUDGED].until, found[JUDGED].doubt)


def observe_incumbent(version: ModelVersion, in_production: bool, test: pd.DataFrame) -> Incumbent:
    """See what a version predicts of the hold-out's hours that it did not learn from.

    Seen is the latest of its fits that learned from no hour of the hold-out: what serves, else the judged one. If there
    is none, it is compared on the hours after those that it learned from, if these are ENOUGH, else left out. Raises
    UserError if it is in Production and does not predict: whether a candidate is better cannot be known then.
    """
    name, run_id, first = f"version {version.version}", version.run_id or "", test.index[0]
    both = fits.of_version(version)
    known = [(fit.until, fit.uri) for fit in both if fit.until is not None]
    if not known:
        why = f"{name} is left out: which hours it learned from is not known ({both[0].doubt})"
        return Incumbent(name, run_id, None, in_production, left_out=why)
    fair = [one for one in known if one[0] < first]
    until, uri = max(fair) if fair else min(known)
    hours = test[test.index > until]
    if len(hours) < ENOUGH:
        why = f"{name} is left out: it learned from hours until {until:%Y-%m-%d %H:%M}, only {len(hours):,} are later"
        return Incumbent(name, run_id, None, in_production, left_out=why)
    seen = observe(uri, hours)
    problem = seen.problem
    if not problem and (missing := int((~np.isfinite(seen.predicted)).any(axis=1).sum())):
        problem = f"it predicts no number for {missing:,} of {len(hours):,} hours"
    if problem and not in_production:
        return Incumbent(name, run_id, None, in_production, left_out=f"{name} is left out: {problem}")
    if problem:
        what = "cannot predict this data" if seen.loaded else "does not load"
        first_look = "`mlflow run process_data -e validate`" if seen.loaded else "are the stores up?"
        raise UserError(
            f"{name}, now in Production, {what}: {problem}. Nothing changes. Look at the data and the stores first "
            f"({first_look}); where the model itself is at fault, `dsgo promote VERSION` puts another there"
        )
    return Incumbent(name, run_id, seen.signature, in_production, seen.predicted)


def observe(uri: str, test: pd.DataFrame) -> Seen:
    """Load a model and let it predict hours with their weather; a problem is part of what was seen."""
    predicted, signature, milliseconds, problem, loaded = _nothing(test), None, float("nan"), "", False
    try:
        model = load_model(uri)
        signature, loaded = model.metadata.signature, True
        predicted = checked(model.predict(model_input(test)), test)
        milliseconds = median_milliseconds(lambda: model.predict(model_input(test.head(1))))
    except Exception as error:  # a model's own code may raise anything: it fails its rules, not the gate
        problem = reason(error)
    return Seen(predicted, signature, milliseconds, problem, loaded)


def checked(answer: object, test: pd.DataFrame) -> pd.DataFrame:
    """Return a model's answer as a frame with TARGETS and the hours' index; UserError where it is of another shape."""
    frame = pd.DataFrame(answer)
    if len(frame) != len(test):
        raise UserError(f"it answers {len(test):,} rows with {len(frame):,}")
    if missing := [name for name in TARGETS if name not in frame]:
        names = ", ".join(map(str, frame.columns[:8]))
        raise UserError(f"its answer has no column {', '.join(missing)}; it has {names}")
    if not frame.index.equals(test.index) and not frame.index.equals(pd.RangeIndex(len(test))):
        raise UserError("its answer has not the index of the rows that it was given")
    return pd.DataFrame(frame[TARGETS].to_numpy("float64"), test.index, TARGETS)


def median_milliseconds(act: Callable[[], object], times: int = 5) -> float:
    """Return how long `act` takes: the median of some calls after one that warms up."""
    act()
    taken = []
    for _ in range(times):
        begun = time.perf_counter()
        act()
        taken.append(1000 * (time.perf_counter() - begun))
    return statistics.median(taken)


def _nothing(test: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(float("nan"), test.index, TARGETS)
