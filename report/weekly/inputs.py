"""What a report speaks of besides the data: the model, loaded and described, and what processing found in the data."""

import re
from typing import Any

import mlflow
import pandas as pd
from mlflow.entities import Run
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from mlflow.pyfunc import PyFuncModel

from dsgo.base import tags
from dsgo.data.countries import COUNTRIES
from dsgo.data.dataset import Dataset
from dsgo.gate.rules import figure_text
from dsgo.models import fits, registry
from dsgo.models.intervals import SHARE
from dsgo.models.loading import load_model, model_info
from dsgo.models.words import why_there

PRODUCTION = f"models:/{registry.MODEL}/Production"


def find_model(uri: str) -> tuple[PyFuncModel, dict[str, Any]]:
    """Load the model that `uri` names and say which it is.

    The description: name, simulated (whether it learned from such data), run_id, trained_until (ISO 8601 or None),
    facts (name -> text), gate (the rows of its gate's table: rule, figure as text, limit, verdict). Raises UserError
    where nothing is in Production or `uri` names no model.
    """
    if uri == PRODUCTION:  # settled once, so that a promotion meanwhile cannot mix two versions
        # What serves has learned from the hours of the report: its judged fit looks back.
        uri = fits.past_uri(registry.require_production())
    info = model_info(uri)
    names = {uri, f"models:/{info.model_id}"}
    known = registry.versions()
    version = next((v for v in known if {v.source, f"models:/{v.name}/{v.version}", fits.past_uri(v)} & names), None)
    try:
        run = mlflow.get_run(info.run_id) if info.run_id else None
    except MlflowException:  # deleted since, or the model is a folder from elsewhere
        run = None
    return load_model(uri), {
        "name": _name(uri, version, run),
        "simulated": run is not None and run.data.tags.get(tags.SIMULATED) == "True",
        "run_id": info.run_id,
        "trained_until": run.data.tags.get(tags.TRAINED_UNTIL) if run else None,
        "facts": _facts(uri, version, run),
        "gate": [
            [row["rule"], figure_text(row["figure"]), row["limit"], row["verdict"]]
            for row in (registry.gate_table(version.version) if version else [])
        ],
    }


def find_place(dataset: Dataset) -> str:
    """Return what a report's title names: the data's country; of data without one, its file's name."""
    if country := dataset.country:
        return COUNTRIES[country].name if country in COUNTRIES else country
    return re.split(r"[/\\]", dataset.uri)[-1]


def find_quality(run_id: str | None) -> dict[str, Any] | None:
    """Return the quality.json of a process_data run; None where there is no run or it has none."""
    path = "dataset/quality.json"
    if run_id is None or path not in {item.path for item in mlflow.MlflowClient().list_artifacts(run_id, "dataset")}:
        return None
    content: dict[str, Any] = mlflow.artifacts.load_dict(f"runs:/{run_id}/{path}")
    return content


def _name(uri: str, version: ModelVersion | None, run: Run | None) -> str:
    if version:
        return f"{version.name}, version {version.version}"
    return f"{run.info.run_name}, run {run.info.run_id[:8]}" if run else uri


def _facts(uri: str, version: ModelVersion | None, run: Run | None) -> dict[str, str]:
    facts: dict[str, str] = {"Model": uri}
    if version:
        facts["Model"] = f"{version.name}, version {version.version}"
        history = registry.history()
        period = next((e for e in history if e.version == version.version and e.until is None), None)
        if period:
            facts["In Production since"] = f"{period.since:%Y-%m-%d %H:%M} UTC"
            facts["Put there by"] = {"gate": "the gate"}.get(period.how, period.how)
            name, why = why_there(history, period)
            facts[name] = why
        else:
            facts["Stage"] = str(version.current_stage)
    if run is None:
        return facts | {"Trained by": "a run that is not on this tracking server any more"}
    facts["Trained by"] = f"{run.info.run_name}, run {run.info.run_id}"
    if version and tags.JUDGED in version.tags and tags.SERVING_UNTIL in version.tags:
        until = pd.Timestamp(version.tags[tags.SERVING_UNTIL])
        facts["Serves"] = f"the same recipe, fitted on hours until {until:%Y-%m-%d %H:%M} UTC; this report looks back"
    if tags.TRAINED_UNTIL in run.data.tags:
        facts["Learned from hours until"] = f"{pd.Timestamp(run.data.tags[tags.TRAINED_UNTIL]):%Y-%m-%d %H:%M} UTC"
    metrics = run.data.metrics
    if {"mae_solar", "mae_wind", "mae_skill"} <= metrics.keys():
        facts["On its hold-out"] = (
            f"mean absolute error {metrics['mae_solar']:.2f} GW (solar) and {metrics['mae_wind']:.2f} GW (wind), "
            f"{metrics['mae_skill']:.0%} less than knowing only month and hour"
        )
    if {"coverage_solar", "coverage_wind"} <= metrics.keys():
        facts["Its band there"] = (
            f"of {SHARE:.0%} held {metrics['coverage_solar']:.0%} of the hours of daylight (solar) and "
            f"{metrics['coverage_wind']:.0%} of all hours (wind)"
        )
    return facts
