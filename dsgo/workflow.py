"""The workflow: the graph of all steps, with what each is given, and the command that runs it.

Adding a trainer is one folder and one line in STEPS. Steps pass run ids to each other and nothing else, so a step
may run on any host that reaches the tracking server. Run it with `mlflow run . --env-manager local`; a step's own
parameters are given as `-P rf.max_depth=12`.
"""

import tempfile
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import click
import mlflow

from dsgo import cache
from dsgo.base.errors import UserError
from dsgo.data.opsd import find_pair
from dsgo.gate.rules import METRICS
from dsgo.project import Source, defaults
from dsgo.runs.step import run_step, start_run

ROOT = Path(__file__).resolve().parents[1]
VALUES = ["source", "start", "end", "country", "models", "to", "metric", "margin"]  # parameters that steps are given


@dataclass(frozen=True)
class Step:
    """A row of the graph. In `params`, {name} is a parameter of the workflow or the run id of an earlier step."""

    name: str
    project: str  # folder of the MLproject
    params: dict[str, str]
    needs: tuple[str, ...]
    outputs: tuple[str, ...]  # artifacts without which a finished run does not count
    figure: str = "mae"  # the metric or tag that the terminal shows
    entry: str = "main"
    trainer: bool = False  # one of those that the workflow's parameter `models` chooses from


DATA, MODEL = "dataset/dataset.parquet", "model/MLmodel"
RAW = {"source": "{source}", "start": "{start}", "end": "{end}", "country": "{country}"}
ON_DATA = {"data": "{process_data}"}
GATE = {"run_ids": "{candidates}", "to": "{to}", "metric": "{metric}", "margin": "{margin}"}  # candidates: all trainers

STEPS = [
    #    step            project         parameters      needs              outputs
    Step("process_data", "process_data", RAW, (), (DATA,), "rows"),
    # Trainers with the longest first: where cores are few, the last to begin decides when all have ended.
    Step("keras_nn", "keras_nn", ON_DATA, ("process_data",), (MODEL,), trainer=True),
    Step("rf", "rf", ON_DATA, ("process_data",), (MODEL,), trainer=True),
    Step("lr", "lr", ON_DATA, ("process_data",), (MODEL,), trainer=True),
    Step("promote", ".", ON_DATA | GATE, ("candidates",), ("gate.json",), "dsgo.promoted_version", "promote"),
    Step("report", "report", ON_DATA, ("promote",), ("report/report.html",), "dsgo.week"),
]
TRAINERS = [step.name for step in STEPS if step.trainer]


def graph(models: list[str]) -> list[Step]:
    """Return the steps with the chosen trainers alone, `candidates` standing for these."""
    run_ids = ",".join(f"{{{name}}}" for name in models)
    return [
        replace(
            step,
            params={name: value.replace("{candidates}", run_ids) for name, value in step.params.items()},
            needs=tuple(models) if step.needs == ("candidates",) else step.needs,
        )
        for step in STEPS
        if not step.trainer or step.name in models
    ]


@dataclass(frozen=True)
class Planned:
    """A step with all that is known beforehand: its full parameters as templates, and the parts of its key."""

    step: Step
    params: dict[str, str]
    parts: dict[str, str]

    @property
    def key(self) -> str:
        """The key of the step's work."""
        return cache.key(self.parts)


def plan(values: dict[str, str], own: dict[str, dict[str, str]], root: Path, env_manager: str) -> list[Planned]:
    """Return the chosen steps with their keys. Nothing is run and no server asked.

    `values` are the workflow's parameters, `own` those given to single steps, as in {"rf": {"max_depth": "12"}}.
    Raises UserError for a trainer, a step or a parameter that does not exist.
    """
    models = TRAINERS if values["models"] == "all" else [name.strip() for name in values["models"].split(",")]
    if unknown := [name for name in models if name not in TRAINERS]:
        raise UserError(f"models: there is no trainer {unknown[0]!r}; there are {', '.join(TRAINERS)}")
    steps = graph(models)
    if unknown := [name for name in own if name not in [step.name for step in steps]]:
        raise UserError(f"there is no step {unknown[0]!r}; there are {', '.join(step.name for step in steps)}")
    requirements = {} if env_manager == "uv" else {"requirements": cache.digest(root / "requirements.txt")}
    seen = values | {"source": _raw_content(values["source"])}  # in keys, files count by what is in them
    planned: list[Planned] = []
    for step in steps:
        there = defaults(root, step.project, step.entry)
        given = step.params | own.get(step.name, {})
        if unknown := [name for name in given if name not in there]:
            raise UserError(f"{step.name} has no parameter {unknown[0]!r}; it has {', '.join(there)}")
        params = _literal(there) | step.params | _literal(own.get(step.name, {}))
        keys = {f"param {name}": _content(root, value.format_map(seen)) for name, value in params.items()}
        after = {f"after {name}": seen[name] for name in step.needs}
        parts = {"entry point": step.entry, **keys, **after, **requirements, **cache.files(root, step.project)}
        planned.append(Planned(step, params, parts))
        seen = seen | {step.name: planned[-1].key}
    return planned


def _literal(params: dict[str, str]) -> dict[str, str]:
    return {name: value.replace("{", "{{").replace("}", "}}") for name, value in params.items()}


def _raw_content(source: str) -> str:
    """Return what a source counts as in a key: a folder by what is in it."""
    if source in ("sample", "opsd"):
        return source
    return " ".join(cache.digest(file) for file in find_pair(Path(source)))


def _content(root: Path, value: str) -> str:
    """Return what a parameter counts as in a key: a file by what is in it, whatever its path."""
    with suppress(OSError):  # of a value too long for a file's name
        if (root / value).is_file():  # `root` does not count where the path is absolute
            return cache.digest(root / value)
    return value


@click.command(context_settings={"ignore_unknown_options": True})
@click.option("--source", default="sample", help="sample, opsd, or a folder (see process_data).")
@click.option("--start", default="2013-01-01")
@click.option("--end", default="2016-12-31")
@click.option("--country", default="DE")
@click.option("--models", default="all", help="Trainers, with commas between them.")
@click.option("--to", type=click.Choice(["Production", "Staging", "none"]), default="Production")
@click.option("--metric", type=click.Choice(METRICS), default="mae", help="By which the gate compares.")
@click.option("--margin", type=click.FloatRange(0, 1, max_open=True), default=0.005, help="To beat Production by.")
@click.option("--scheduler", default="", help="Address of a Dask cluster's scheduler; nothing: inside this process.")
@click.option("--project", default="", help="Git URI of this project, for workers that do not see this folder.")
@click.option("--env-manager", type=click.Choice(["local", "uv"]), default="local", help="Environment of each step.")
@click.option("--retries", type=click.IntRange(min=0), default=1, help="New tries of a step whose worker died.")
@click.option("--timeout", type=click.FloatRange(min=1), default=3600, help="Seconds that a step may take.")
@click.option("--cache", "use_cache", type=bool, default=True, help="Skip a step whose work was done before.")
@click.argument("own", nargs=-1, type=click.UNPROCESSED)
def main(
    scheduler: str,
    project: str,
    env_manager: str,
    retries: int,
    timeout: float,
    use_cache: bool,
    own: tuple[str, ...],
    **parameters: str | float,
) -> None:
    """Plan, then run what has to be run."""
    from dsgo.driver import drive  # imports Dask: not for `dsgo why`
    from dsgo.engine import Setting

    with start_run("workflow") as parent, tempfile.TemporaryDirectory(prefix="dsgo-") as folder:
        source, values = Source.of(project or str(ROOT)), {name: str(parameters[name]) for name in VALUES}
        planned = plan(values, own_parameters(own), source.checkout(Path(folder)), env_manager)
        ids = (parent.info.experiment_id, parent.info.run_id)
        setting = Setting(source, env_manager, mlflow.get_tracking_uri(), *ids, retries + 1, timeout)
        drive(setting, scheduler, planned, values, use_cache)


def own_parameters(arguments: tuple[str, ...]) -> dict[str, dict[str, str]]:
    """Return the parameters of single steps, from the `--rf.seed 1` that MLflow makes of `-P rf.seed=1`.

    >>> own_parameters(("--rf.max_depth", "12", "--lr.seed", "1"))
    {'rf': {'max_depth': '12'}, 'lr': {'seed': '1'}}
    """
    found: dict[str, dict[str, str]] = {}
    names, values = arguments[::2], arguments[1::2]
    for name, value in zip(names, values, strict=False):
        step, dot, parameter = name.removeprefix("--").partition(".")
        if not dot:
            raise UserError(f"the workflow has no parameter {step!r}; a step's own is given as STEP.{step}")
        found.setdefault(step, {})[parameter] = value
    return found


def why(step: str, params: tuple[str, ...], experiment_name: str) -> list[str]:
    """Return a line for each part of a step's key that changed since its last finished run in the experiment.

    `params` are "name=value" texts, as `mlflow run .` takes them. Raises UserError for a step that does not exist.
    """
    given = dict(param.partition("=")[::2] for param in params)
    arguments = [part for name, value in given.items() for part in (f"--{name}", value)]
    with main.make_context("workflow", arguments) as context:
        values = {name: str(context.params[name]) for name in VALUES}
        planned = plan(values, own_parameters(context.params["own"]), ROOT, context.params["env_manager"])
    item = next((item for item in planned if item.step.name == step), None)
    if item is None:
        raise UserError(f"there is no step {step!r}; there are {', '.join(item.step.name for item in planned)}")
    experiment = mlflow.get_experiment_by_name(experiment_name)
    found = cache.changes(experiment.experiment_id, step, item.parts) if experiment else None
    if found is None:
        return [f"{step} has no finished run in {experiment_name}"]
    return found or [f"{step}: nothing changed since its last finished run"]


if __name__ == "__main__":
    run_step(main)
