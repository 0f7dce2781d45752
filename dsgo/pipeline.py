"""The pipeline: the table of all steps, with what each is given, and the command that runs it.

Adding a trainer is one folder and one line in STEPS. Run it with `mlflow run . --env-manager local`; a step's own
parameters are given as `-P rf.max_depth=12`.
"""

import tempfile
from pathlib import Path
from typing import Any

import click
import mlflow

from dsgo.base import tags
from dsgo.base.errors import UserError
from dsgo.base.places import ROOT
from dsgo.data import live
from dsgo.data.opsd import find_pair
from dsgo.models import registry
from dsgo.runs import options
from dsgo.runs.server import find_experiment
from dsgo.runs.step import run_step, start_run
from dsgo.workflow import keys
from dsgo.workflow.plan import Planned, Step, choose, own_parameters, plan
from dsgo.workflow.project import Source

DATA, MODELS = "dataset/dataset.parquet", ("model/MLmodel", "serving/MLmodel")
RAW = {name: f"{{{name}}}" for name in ("source", "start", "end", "now", "country", "weather_late", "power_late")}
ON_DATA = {"data": "{process_data}"}
BLEND = {"run_ids": "{kernel},{gbm},{rf}"}
GATE = {"run_ids": "{candidates}", "to": "{to}", "metric": "{metric}", "margin": "{margin}"}  # candidates: all trainers
VALUES = [*RAW, "models", "to", "metric", "margin"]  # parameters that steps are given


def nothing_to_report_on(_: dict[str, str]) -> str:
    """Return why there is nothing to report on, with what to do; empty where one version is in Production."""
    state = registry.look()
    return "" if state.version else state.said


def no_week_ahead(values: dict[str, str]) -> str:
    """Return why no week can be forecast: there is no weather forecast for the source, or nothing in Production."""
    if values["source"] not in ("sample", *live.SOURCES):
        return f"source={values['source']} has no weather forecast"
    return nothing_to_report_on(values)


def in_production() -> dict[str, str]:
    """Return what is in Production and since when, in words: a move by hand, a promotion or a rollback changes it."""
    return {"in Production": registry.look().exact}


STEPS = [
    #    step            project         parameters      needs              outputs
    Step("process_data", "process_data", RAW, (), (DATA,), "rows"),
    # Trainers with the longest first: where cores are few, the last to begin decides when all have ended.
    Step("keras_nn", "keras_nn", ON_DATA, ("process_data",), MODELS, trainer=True),
    Step("rf", "rf", ON_DATA, ("process_data",), MODELS, trainer=True),
    Step("gbm", "gbm", ON_DATA, ("process_data",), MODELS, trainer=True),
    Step("kernel", "kernel", ON_DATA, ("process_data",), MODELS, trainer=True),
    Step("lr", "lr", ON_DATA, ("process_data",), MODELS, trainer=True),
    Step("blend", "blend", ON_DATA | BLEND, ("kernel", "gbm", "rf"), MODELS, trainer=True),
    Step(
        *("promote", ".", ON_DATA | GATE, ("candidates",), ("gate.json",), tags.PROMOTED_VERSION, "promote"),
        state=in_production,
        changes_state=True,
    ),
    Step(
        *("forecast", "forecast", ON_DATA, ("promote",), ("forecast/forecast.parquet",), tags.ISSUED),
        useless=no_week_ahead,
        state=in_production,
    ),
    Step(
        *("report", "report", ON_DATA, ("promote",), ("report/report.html",), tags.WEEK),
        useless=nothing_to_report_on,
        state=in_production,
        after=("forecast",),  # it begins with next week, where there is a forecast
    ),
]
TRAINERS = [step.name for step in STEPS if step.trainer]


def values_of(parameters: dict[str, Any]) -> dict[str, str]:
    """Return what steps are given of the workflow's parameters; `now` is the hour in which it began."""
    values = {name: str(parameters[name]) for name in VALUES}
    return values | {"now": f"{live.present(values['now']):%Y-%m-%dT%H:%MZ}"}


def plan_steps(values: dict[str, str], own: dict[str, dict[str, str]], root: Path = ROOT) -> list[Planned]:
    """Return the plan of the chosen steps (see dsgo.workflow.plan.plan, also for what it raises).

    `values` has the workflow's parameters, `own` those of single steps; `root` is the folder of the MLprojects.
    """
    source = values["source"]
    content = {} if source in live.SOURCES else {"now": ""}  # the present does not count elsewhere
    if source not in ("sample", "opsd", *live.SOURCES):
        content["source"] = " ".join(map(keys.digest, find_pair(Path(source))))
    requirements = keys.digest(root / "requirements.txt")
    return plan(choose(STEPS, values["models"]), values, own, root, requirements, content)


@click.command(context_settings={"ignore_unknown_options": True})
@options.raw
@click.option("--models", default="all", help="Trainers, with commas between them.")
@options.gate
@click.option("--scheduler", default="", help="Address of a Dask cluster's scheduler; nothing: inside this process.")
@click.option("--project", default="", help="Git URI of this project, for workers that do not see this folder.")
@click.option("--retries", type=click.IntRange(min=0), default=1, help="New tries of a step whose worker died.")
@click.option("--timeout", type=click.FloatRange(min=1), default=3600, help="Seconds that a step may take.")
@click.option("--cache", "use_cache", type=bool, default=True, help="Skip a step whose work was done before.")
@click.argument("own", nargs=-1, type=click.UNPROCESSED)
def main(
    scheduler: str,
    project: str,
    retries: int,
    timeout: float,
    use_cache: bool,
    own: tuple[str, ...],
    **parameters: str | float,
) -> None:
    """Plan, then run what has to be run."""
    from dsgo.workflow.driver import WorkflowError, drive  # imports Dask: not for `dsgo why`
    from dsgo.workflow.engine import Setting

    with start_run("workflow") as parent, tempfile.TemporaryDirectory(prefix="dsgo-") as folder:
        registry.production()  # several there: said before hours of training, not after
        source, values = Source.of(project or str(ROOT)), values_of(parameters)
        planned = plan_steps(values, own_parameters(own), source.checkout(Path(folder)))
        ids = (parent.info.experiment_id, parent.info.run_id)
        setting = Setting(source, mlflow.get_tracking_uri(), *ids, retries + 1, timeout)
        drive(setting, scheduler, planned, values, use_cache)
        if values["to"] == "Production" and not (state := registry.look()).version:
            gate = mlflow.get_run(parent.info.run_id).data.tags[tags.RUN + "promote"]
            concluded = mlflow.get_run(gate).data.tags.get(tags.CONCLUSION, "it says nothing")
            raise WorkflowError(f"nothing went to Production. {state.said}. The gate: {concluded}")


def why(step: str, params: tuple[str, ...], experiment_name: str) -> list[str]:
    """Return a line for each part of a step's key that changed since its last finished run in the experiment.

    `params` are "name=value" texts, as `mlflow run .` takes them. Raises UserError for a step that does not exist.
    """
    given = dict(param.partition("=")[::2] for param in params)
    arguments = [part for name, value in given.items() for part in (f"--{name}", value)]
    with main.make_context("workflow", arguments) as context:
        values = values_of(context.params)
        planned = plan_steps(values, own_parameters(context.params["own"]), ROOT)
    item = next((item for item in planned if item.step.name == step), None)
    if item is None:
        raise UserError(f"there is no step {step!r}; there are {', '.join(item.step.name for item in planned)}")
    experiment = find_experiment(experiment_name)
    found = keys.changes(experiment.experiment_id, step, item.now().parts) if experiment else None
    if found is None:
        return [f"{step} has no finished run in {experiment_name}"]
    return found or [f"{step}: nothing changed since its last finished run"]


if __name__ == "__main__":
    run_step(main)
