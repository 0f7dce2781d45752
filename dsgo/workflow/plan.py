"""A plan: the steps of a graph with all that is known before anything runs, their keys above all.

The graph is handed in; no step is known here by its name. Steps pass run ids to each other and nothing else, so a step
may run on any host that reaches the tracking server.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from dsgo.base.errors import UserError
from dsgo.workflow import keys
from dsgo.workflow.project import defaults


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
    # Asked with the workflow's parameters when its turn has come: why it has no use now; "": it has.
    useless: Callable[[dict[str, str]], str] | None = None
    state: Callable[[], dict[str, str]] | None = None  # asked then too: parts of its key that no step before it made
    after: tuple[str, ...] = ()  # steps that it waits for, and runs again after, but that may have failed or no use
    changes_state: bool = False  # its own work may change that state: then what it leaves is what it is known by


@dataclass(frozen=True)
class Planned:
    """A step with all that is known of it: its full parameters as templates, and the parts of its key."""

    step: Step
    params: dict[str, str]
    parts: dict[str, str]

    @property
    def key(self) -> str:
        """The key of the step's work."""
        return keys.key(self.parts)

    def now(self) -> "Planned":
        """Return it with the state that it depends on as that is at this moment, among the parts of its key."""
        return replace(self, parts=self.parts | self.step.state()) if self.step.state else self


def choose(steps: list[Step], models: str) -> list[Step]:
    """Return the graph with the chosen trainers alone ("all", or names with commas between them).

    `candidates` in a step's needs and parameters stands for these. Raises UserError for a trainer that does not exist.
    """
    trainers = [step.name for step in steps if step.trainer]
    chosen = trainers if models == "all" else [name.strip() for name in models.split(",")]
    if unknown := [name for name in chosen if name not in trainers]:
        raise UserError(f"models: there is no trainer {unknown[0]!r}; there are {', '.join(trainers)}")
    for step in steps:
        lacking = [name for name in step.needs if name in trainers and name not in chosen]
        if step.name in chosen and lacking:
            raise UserError(f"models: {step.name} needs {', '.join(lacking)}, too")
    run_ids = ",".join(f"{{{name}}}" for name in chosen)
    return [
        replace(
            step,
            params={name: value.replace("{candidates}", run_ids) for name, value in step.params.items()},
            needs=tuple(chosen) if step.needs == ("candidates",) else step.needs,
        )
        for step in steps
        if not step.trainer or step.name in chosen
    ]


def plan(
    steps: list[Step],
    values: dict[str, str],
    own: dict[str, dict[str, str]],
    root: Path,
    requirements: str,
    content: dict[str, str],
) -> list[Planned]:
    """Return the steps with their keys. Nothing is run and no server asked.

    `values` are the workflow's parameters, `own` those given to single steps, as in {"rf": {"max_depth": "12"}};
    `requirements` is the digest of those of the whole; `content` has what a value counts as in a key, where that is not
    the value itself. Raises UserError for a step or a parameter that does not exist.
    """
    if unknown := [name for name in own if name not in [step.name for step in steps]]:
        raise UserError(f"there is no step {unknown[0]!r}; there are {', '.join(step.name for step in steps)}")
    seen = values | content
    planned: list[Planned] = []
    for step in steps:
        there = defaults(root, step.project, step.entry)
        given = step.params | own.get(step.name, {})
        if unknown := [name for name in given if name not in there]:
            raise UserError(f"{step.name} has no parameter {unknown[0]!r}; it has {', '.join(there)}")
        params = _literal(there) | step.params | _literal(own.get(step.name, {}))
        parts = {"entry point": step.entry}
        parts |= {f"param {name}": _content(root, value.format_map(seen)) for name, value in params.items()}
        parts |= {f"after {name}": seen[name] for name in (*step.needs, *step.after)}
        parts["requirements"] = requirements
        planned.append(Planned(step, params, parts | keys.files(root, step.project, step.entry)))
        seen = seen | {step.name: planned[-1].key}
    return planned


def own_parameters(arguments: tuple[str, ...]) -> dict[str, dict[str, str]]:
    """Return the parameters of single steps, from the `--rf.seed 1` that MLflow makes of `-P rf.seed=1`.

    >>> own_parameters(("--rf.max_depth", "12", "--lr.seed", "1"))
    {'rf': {'max_depth': '12'}, 'lr': {'seed': '1'}}
    """
    found: dict[str, dict[str, str]] = {}
    for name, value in zip(arguments[::2], arguments[1::2], strict=False):
        step, dot, parameter = name.removeprefix("--").partition(".")
        if not dot:
            raise UserError(f"the workflow has no parameter {step!r}; a step's own is given as STEP.{step}")
        found.setdefault(step, {})[parameter] = value
    return found


def _literal(params: dict[str, str]) -> dict[str, str]:
    return {name: value.replace("{", "{{").replace("}", "}}") for name, value in params.items()}


def _content(root: Path, value: str) -> str:
    """Return what a parameter counts as in a key: a file by its content, on any path."""
    with suppress(OSError):  # of a value too long for a file's name
        if (root / value).is_file():  # `root` does not count where the path is absolute
            return keys.digest(root / value)
    return value
