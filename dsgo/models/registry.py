"""The model registry: which version of BestModel is in Production, since when, and why. Only this module speaks to it.

The stage is the truth; the alias `production` follows it. A version is put into Production by one request, which the
server carries out whole: its stage, and Archived for the version before. What follows (alias, history) may be cut off
by a crash: `production` and `history` do not depend on it, and the next promotion or rollback makes it good.

The history is a tag on the registered model for each change of Production. Its key holds the server's time of the
change, so that writers at the same moment lose nothing, and it stays when a version is deleted.
"""

import json
import random
import time
import warnings
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from dsgo.base import tags
from dsgo.base.errors import UserError
from dsgo.models.loading import model_info

MODEL = "BestModel"
ALIAS = "production"
ATTEMPTS = 20  # at a registry that others change at the same time


@dataclass(frozen=True)
class Entry:
    """A version's time in Production."""

    version: str
    since: datetime  # UTC
    until: datetime | None  # None: it is there now
    how: str  # gate, by hand, rollback, or unrecorded: moved in MLflow's UI, or by a command that broke off
    why: str
    run_id: str | None


def versions() -> list[ModelVersion]:
    """Return all versions with their stages and tags, the newest first; none where nothing was ever registered."""
    found = MlflowClient().search_model_versions(f"name = '{MODEL}'")
    return sorted(found, key=lambda version: -int(version.version))


def production() -> ModelVersion | None:
    """Return the version in Production, or None. UserError if there are two, as only moves by hand can leave them."""
    there = _in_production()
    if len(there) > 1:
        names = " and ".join(version.version for version in there)
        raise UserError(
            f"{MODEL} has versions {names} in Production: `dsgo promote VERSION` keeps that one and archives the rest"
        )
    return there[0] if there else None


def version_of(name: str) -> ModelVersion:
    """Return the version with that number; UserError, naming those there are, if there is none."""
    known = versions()
    for version in known:
        if version.version == name:
            return version
    numbers = ", ".join(version.version for version in known) or "none yet"
    raise UserError(f"{MODEL} has no version {name}; its versions: {numbers}")


def register(run_id: str, model_id: str, new_tags: dict[str, Any], description: str) -> ModelVersion:
    """Register a logged model with its tags and Markdown description; one that is there already gets the new tags."""
    client, source = MlflowClient(), f"models:/{model_id}"
    for version in versions():
        if version.source == source:
            for key, value in new_tags.items():
                client.set_model_version_tag(MODEL, version.version, key, str(value))
            return version
    try:
        client.create_registered_model(MODEL)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    return client.create_model_version(
        MODEL, source, run_id, new_tags, description=description, await_creation_for=0, model_id=model_id
    )


def stage(version: str) -> None:
    """Put a version into Staging, from where a person may promote it; a version that waited there is archived.

    One that is in Staging or in Production already stays there.
    """
    if version_of(version).current_stage not in ("Staging", "Production"):
        _transition(version, "Staging")


def promote(version: str, why: str, how: str = "gate") -> None:
    """Put a version into Production, archive the one before, move the alias along and keep the reason.

    Nothing changes, but for an alias or a history that a crash left behind, where the version is there already. Raises
    UserError for an unknown version and for one whose files are gone.
    """
    target = version_of(version)
    model_info(f"models:/{MODEL}/{version}")
    there = _in_production()
    for unrecorded in _unrecorded(there, _events()):
        _record(unrecorded)
    if [other.version for other in there] != [version]:
        moved = _transition(version, "Production")
        since = _changed(moved)
        _settle(version)
        _record(Entry(version, since, None, how, why, target.run_id))
    else:
        _settle(version)


def rollback(why: str) -> tuple[str, str]:
    """Put the last Production version back, called again the one before; return the versions (left, put back).

    Raises UserError where nothing is in Production or nothing was before it. Versions deleted since are passed over.
    """
    if (current := production()) is None:
        raise UserError(f"no version of {MODEL} is in Production: there is nothing to roll back")
    known = {version.version for version in versions()}
    earlier = [name for name in before(history()) if name in known]
    if not earlier:
        raise UserError(f"version {current.version} has no Production version before it to go back to")
    promote(earlier[-1], why, "rollback")
    return current.version, earlier[-1]


def before(entries: list[Entry]) -> list[str]:
    """Return the versions that rollbacks lead back to, the next one last, from a history (newest first).

    A rollback undoes a promotion, so what it left is not gone back to.

    >>> when = datetime(2026, 1, 1, tzinfo=UTC)
    >>> steps = [("1", "gate"), ("2", "gate"), ("3", "gate"), ("2", "rollback")]
    >>> before([Entry(version, when, None, how, "", None) for version, how in reversed(steps)])
    ['1']
    """
    stack: list[str] = []
    for entry in reversed(entries):
        if entry.how in ("rollback", "unrecorded") and entry.version in stack:
            del stack[stack.index(entry.version) + 1 :]
        else:
            stack.append(entry.version)
    return [name for name in stack[:-1] if name != stack[-1]]


def history() -> list[Entry]:
    """Return what was in Production, from when to when and why, newest first."""
    there = [found] if (found := production()) else []
    events = _events()
    events += _unrecorded(there, events)
    ends = [event.since for event in events[1:]] + [None if there else _left(events)]
    entries = [Entry(e.version, e.since, end, e.how, e.why, e.run_id) for e, end in zip(events, ends, strict=False)]
    return entries[::-1]


def gate_table(version: str) -> list[dict[str, Any]]:
    """Return the gate's table that a version was promoted on (see dsgo/gate/rules.py); empty where none was."""
    table: list[dict[str, Any]] = json.loads(version_of(version).tags.get(tags.TABLE, "[]"))
    return table


def _in_production() -> list[ModelVersion]:
    return [version for version in versions() if version.current_stage == "Production"]


def _transition(version: str, to: str) -> ModelVersion:
    with warnings.catch_warnings():
        # Stages are deprecated, and this project's subject: the alias beside them is the way on.
        warnings.filterwarnings("ignore", ".*transition_model_version_stage", FutureWarning)
        return MlflowClient().transition_model_version_stage(MODEL, version, to, archive_existing_versions=True)


def _settle(version: str) -> None:
    """Make the registry agree with itself after that version's promotion: one version in Production, the alias on it.

    SQLite reads before it locks: of two transitions in the same few milliseconds both versions can end in Production,
    or, each archived by the other, none. The later is kept, or `version` put back; each writer looks again
    afterwards, so the last one to write has seen the last state.
    """
    client = MlflowClient()
    for _ in range(ATTEMPTS):
        there = sorted(_in_production(), key=lambda one: (_changed(one), int(one.version)))
        kept = there[-1].version if there else version
        if len(there) != 1:
            time.sleep(random.uniform(0, 0.1))  # others are at it
            _transition(kept, "Production")
        elif client.get_registered_model(MODEL).aliases.get(ALIAS) == kept:
            return
        try:
            client.set_registered_model_alias(MODEL, ALIAS, kept)
        except MlflowException as error:
            if "IntegrityError" not in str(error):
                raise
            # Another promotion entered the alias for the first time at this same moment: look again.
    raise UserError(f"the Production version of {MODEL} keeps changing: see `dsgo history`, then try again")


def _record(entry: Entry) -> None:
    value = {"version": entry.version, "how": entry.how, "why": entry.why[:2000], "run_id": entry.run_id}
    key = f"{tags.PRODUCTION}{entry.since.isoformat(timespec='milliseconds')}.v{entry.version}"
    MlflowClient().set_registered_model_tag(MODEL, key.replace("+00:00", "Z"), json.dumps(value))


def _events() -> list[Entry]:
    """Return the recorded changes of Production, oldest first."""
    try:
        known = MlflowClient().get_registered_model(MODEL).tags
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return []
    found = []
    for key, text in known.items():
        if key.startswith(tags.PRODUCTION):
            since = datetime.fromisoformat(key.removeprefix(tags.PRODUCTION).rpartition(".v")[0])
            found.append(Entry(since=since, until=None, **json.loads(text)))
    return sorted(found, key=lambda entry: (entry.since, int(entry.version)))


def _unrecorded(there: list[ModelVersion], events: list[Entry]) -> list[Entry]:
    """Return the change that brought what is in Production, where `events` (oldest first) do not end with it."""
    if len(there) != 1 or (events and events[-1].version == there[0].version):
        return []
    since = _changed(there[0])
    if events:  # moves in the same millisecond may be recorded out of order
        since = max(since, events[-1].since + timedelta(milliseconds=1))
    why = "moved in MLflow's UI, or by a command that broke off"
    return [Entry(there[0].version, since, None, "unrecorded", why, there[0].run_id)]


def _left(events: list[Entry]) -> datetime | None:
    """Return when the last version left Production with none after it, as far as its own last change tells."""
    times = [_changed(v) for v in versions() if events and v.version == events[-1].version]
    return times[0] if times else None


def _changed(version: ModelVersion) -> datetime:
    """Return when a version last changed its stage (or its description), by the server's clock."""
    return datetime.fromtimestamp((version.last_updated_timestamp or 0) / 1000, UTC)
