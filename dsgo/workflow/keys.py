"""Which steps need not run again: a finished run with the same key did the same work.

The key is a digest of everything a step's result depends on, and of nothing else: the files of its project and what
they import of dsgo, the entry point, every parameter as the step will see it, the content of its inputs (of an earlier
step: its key), the requirements, and for some steps what is in Production when their turn comes (Step.state). MLflow's
artifact clients are no part of it: they carry bytes and change none. The key is a tag of the step's run, and so are the
parts that it is made of, for `dsgo why`.
"""

import hashlib
import json
import re
from collections.abc import Iterable
from pathlib import Path

import mlflow
from mlflow.entities import Run
from mlflow.exceptions import MlflowException

from dsgo.base import tags
from dsgo.workflow.imports import PACKAGE, imported
from dsgo.workflow.project import entry_point


def digest(path: Path) -> str:
    """Return the first 16 hexadecimal digits of a file's sha256."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


def files(root: Path, project: str, entry: str) -> dict[str, str]:
    """Return {"file PATH": digest} of a step's own files and of those of dsgo that its scripts import.

    A step in the root's own project (promote) has no folder: its command in MLproject counts, and the module that this
    runs with `-m`. Caches, hidden files and pages of documentation (.md) do not count.
    """
    parts: dict[str, str] = {}
    if project == ".":
        parts["command"] = entry_point(root, project, entry)["command"]
        found = imported(root, [], re.findall(r"-m (\S+)", parts["command"]))
    else:
        own = [path for path in (root / project).rglob("*") if path.is_file() and _counts(path.relative_to(root))]
        found = {*own, *imported(root, [path for path in own if path.suffix in (".py", ".ipynb")])}
    return parts | {f"file {path.relative_to(root).as_posix()}": digest(path) for path in sorted(found)}


def _counts(path: Path) -> bool:
    hidden = any(part.startswith(".") or part == "__pycache__" for part in path.parts)
    return not hidden and path.suffix != ".md" and path.parts[1] != PACKAGE  # a step's link to dsgo is not its own


def key(parts: dict[str, str]) -> str:
    """Return the key that the parts make: their order does not matter, every one of them does.

    >>> key({"param a": "1", "entry point": "main"}) == key({"entry point": "main", "param a": "1"})
    True
    >>> key({"param a": "1"}) == key({"param a": "1.0"})
    False
    """
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]


def as_tags(parts: dict[str, str]) -> dict[str, str]:
    """Return the tags that a step's run carries."""
    return {tags.KEY: key(parts), tags.KEY_PARTS: json.dumps(parts)}


def find(experiment_id: str, wanted: str, outputs: Iterable[str]) -> Run | None:
    """Return the newest finished run with that key whose `outputs` are still in the artifact store, or None."""
    runs = _runs(experiment_id, f"tags.`{tags.KEY}` = '{wanted}'")
    return next((run for run in runs if all(_is_there(run.info.run_id, path) for path in outputs)), None)


def changes(experiment_id: str, step: str, parts: dict[str, str]) -> list[str] | None:
    """Return a line for each part that differs from the step's newest finished run; None if there is no such run."""
    runs = _runs(experiment_id, f"tags.`{tags.STEP}` = '{step}'")
    before = next((json.loads(run.data.tags[tags.KEY_PARTS]) for run in runs if tags.KEY_PARTS in run.data.tags), None)
    if before is None:
        return None
    gone = [f"{name}: gone, was {before[name]}" for name in before if name not in parts]
    new = [f"{name}: new, {parts[name]}" for name in parts if name not in before]
    changed = [
        f"{name}: {before[name]} -> {parts[name]}" for name in parts if parts[name] != before.get(name, parts[name])
    ]
    return changed + new + gone


def _runs(experiment_id: str, condition: str) -> list[Run]:
    return mlflow.MlflowClient().search_runs(
        [experiment_id],
        f"{condition} and attributes.status = 'FINISHED'",
        max_results=50,
        order_by=["attributes.start_time DESC"],
    )


def _is_there(run_id: str, path: str) -> bool:
    folder, _, name = path.rpartition("/")
    try:
        found = mlflow.artifacts.list_artifacts(artifact_uri=f"runs:/{run_id}/{folder}")
    except MlflowException:
        return False
    return any(item.path.rpartition("/")[2] == name for item in found)
