"""How the whole stands at one look: model, data, error and coverage, each good, warning or alarm with its limit."""

from datetime import UTC, datetime

import mlflow
import pandas as pd
from mlflow.exceptions import MlflowException

from dsgo.base.errors import UserError
from dsgo.base.status import Status, age_status, coverage_status, error_status
from dsgo.data.dataset import load_dataset, newest_run
from dsgo.data.schema import TARGETS
from dsgo.forecast import record
from dsgo.models import registry
from dsgo.models.intervals import SHARE
from dsgo.models.production import State
from dsgo.runs.server import find_experiment

WEEKS = pd.Timedelta(weeks=4)
LEAST = 7 * 24  # hours that have come until error and coverage are judged
NOT_KNOWN = "not known: no forecasts of seven days have come yet"
Lights = dict[str, Status | None]  # model, data, error, coverage; None: not known yet


def lights(
    state: State,
    newest: pd.Timestamp,
    live: bool,
    laid: pd.DataFrame,
    hold_out: dict[str, float],
    now: datetime,
) -> Lights:
    """Return how model, data, error and coverage stand.

    `newest` is the data's last hour, `laid` forecasts beside what came (record.lay_beside), of which the last four
    weeks count; `hold_out` the Production model's mean absolute error there by target, in GW. The error is that of the
    first day ahead. Of two targets the one that stands worse is told.
    """
    late = laid[laid.index > newest - WEEKS]
    return {
        "model": _model(state),
        "data": age_status(newest, now, live),
        "error": _error(late[late["lead_day"] == 1], hold_out),
        "coverage": _coverage(late),
    }


def _model(state: State) -> Status:
    if state.version is None:
        return Status("alarm", state.said)
    return Status("warning", state.said) if state.to_do else Status("good", f"version {state.version.version}")


def _error(first_day: pd.DataFrame, hold_out: dict[str, float]) -> Status | None:
    found = []
    for target, part in first_day.groupby("target"):
        error = float((part["said"] - part["came"]).abs().mean())
        if len(part) >= LEAST and (status := error_status(error, hold_out.get(str(target)))):
            words = f"{_name(target)}, a day ahead: {status.words}"
            found.append((error / hold_out[str(target)], Status(status.level, words)))
    return max(found, key=lambda one: one[0])[1] if found else None


def _coverage(late: pd.DataFrame) -> Status | None:
    enough = late.groupby("target").filter(lambda part: len(part) >= LEAST) if len(late) else late
    if enough.empty:
        return None
    table = record.figures(enough.assign(all=0), "all").dropna(subset=["coverage"])
    found = []
    for row in table.to_dict("records"):
        status = coverage_status(row["coverage"], SHARE)
        words = f"{_name(row['target'])}, last four weeks: {status.words}"
        found.append((abs(row["coverage"] - SHARE), Status(status.level, words)))
    return max(found, key=lambda one: one[0])[1] if found else None


def _name(target: object) -> str:
    return str(target).removesuffix("_GW")


def hold_out_of(metrics: dict[str, float]) -> dict[str, float]:
    """Return by target the error in GW that a trainer's run has as a metric."""
    names = {target: f"mae_{_name(target)}" for target in TARGETS}
    return {target: metrics[name] for target, name in names.items() if name in metrics}


def check(experiment_name: str) -> Lights:
    """Return how an experiment stands now. Raises UserError where it does not exist or has no dataset."""
    experiment = find_experiment(experiment_name)
    if experiment is None:
        raise UserError(f"there is no experiment {experiment_name}: name one with --experiment-name")
    dataset, state = load_dataset(newest_run(experiment.experiment_id)), registry.look()
    newest = dataset.frame.index[-1]
    made = record.forecasts(experiment.experiment_id, dataset.country, dataset.simulated)
    late = [one for one in made if one.issued > newest - WEEKS - pd.Timedelta(days=7)]
    laid = record.lay_beside(record.collect(late or made[:1]), dataset.frame)
    metrics: dict[str, float] = {}
    if state.version and state.version.run_id:
        try:
            metrics = mlflow.get_run(state.version.run_id).data.metrics
        except MlflowException:  # deleted since: its error is not known
            metrics = {}
    return lights(state, newest, bool(dataset.licences), laid, hold_out_of(metrics), datetime.now(UTC))
