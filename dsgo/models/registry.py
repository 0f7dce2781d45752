"""The model registry: versions of BestModel, and their way into Production and back. Only this module moves them.

The stage is the truth; the alias `production` follows it. A version is put into Production by one request, which the
server carries out whole: its stage, and Archived for the version before. What follows (alias, history) may be cut off
by a crash: `production` and `history` do not depend on it, and the next promotion or rollback makes it good. What is
in Production, and what each state of it means, is known to dsgo/models/production.py.
"""

import json
import random
import time
import warnings
from copy import copy
from typing import Any

import mlflow
from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from dsgo.base import tags
from dsgo.base.errors import UserError
from dsgo.models import production as states
from dsgo.models.loading import model_info
from dsgo.models.production import Entry, State, changed, in_production, record

MODEL = states.MODEL
ABOUT = (
    "Hourly solar and wind power (GW, mean over the hour) from weather and installed capacity. Each version is a model "
    "that the gate compared on the hold-out; its description says with what result. Use the one in Production: "
    f"`mlflow models serve -m models:/{MODEL}/Production -p 8003 --env-manager local`. `dsgo history` prints what was "
    f"there, and why; it reads the tags {tags.PRODUCTION}*. `mlflow run . -e rollback` goes back one version."
)
ATTEMPTS = 20  # at a registry that others change at the same time


def versions() -> list[ModelVersion]:
    """Return all versions with their stages and tags, the newest first; none where nothing was ever registered."""
    found = MlflowClient().search_model_versions(f"name = '{MODEL}'")
    return sorted(map(_numbered_by_text, found), key=lambda version: -int(version.version))


def look(known: list[ModelVersion] | None = None) -> State:
    """Return the state of Production (dsgo.models.production.look); `known` are all versions, if asked for already."""
    return states.look(versions() if known is None else known)


def production(known: list[ModelVersion] | None = None) -> ModelVersion | None:
    """Return the version in Production, or None; UserError if there are several. `known` as for `look`."""
    state = look(known)
    if len(state.there) > 1:
        raise UserError(state.said)
    return state.version


def require_production() -> ModelVersion:
    """Return the version in Production; UserError, with what to do, if there is none or several."""
    state = look()
    if state.version is None:
        raise UserError(state.said)
    return state.version


def incumbent() -> ModelVersion | None:
    """Return what a candidate has to beat: the version in Production, or the last that was and is still registered.

    None where nothing ever was. Raises UserError where several are there.
    """
    state = look()
    if len(state.there) > 1:
        raise UserError(state.said)
    return state.last


def version_of(name: str) -> ModelVersion:
    """Return the version with that number; UserError, naming those there are, if there is none."""
    return _named(name, versions())


def register(run_id: str, model_id: str, new_tags: dict[str, Any], description: str) -> ModelVersion:
    """Register a logged model with its tags and Markdown description; one that is there already gets the new tags."""
    client, source = MlflowClient(), f"models:/{model_id}"
    for version in versions():
        if version.source == source:
            for key, value in new_tags.items():
                client.set_model_version_tag(MODEL, version.version, key, str(value))
            return version
    try:
        client.create_registered_model(MODEL, description=ABOUT)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    made = client.create_model_version(
        MODEL, source, run_id, new_tags, description=description, await_creation_for=0, model_id=model_id
    )
    return _numbered_by_text(made)


def stage(version: str) -> None:
    """Put a version into Staging, from where a person may promote it; a version that waited there is archived.

    One that is in Staging or in Production already stays there.
    """
    if version_of(version).current_stage not in ("Staging", "Production"):
        _transition(version, "Staging")


def promote(version: str, why: str, how: str) -> bool:
    """Put a version into Production, archive the one before, move the alias along and keep the reason.

    `how` is "gate", "by hand" or "rollback". Returns False where the version is there already: then nothing changes,
    but for an alias or a history that a crash left behind. Raises UserError for an unknown version and for one whose
    files are gone.
    """
    known = versions()
    target = _named(version, known)
    if files_in_reach(version):
        model_info(f"models:/{MODEL}/{version}")
    there = look(known).there
    if [other.version for other in there] == [version]:
        _settle(version)
        return False
    moved = _transition(version, "Production")
    _settle(version)
    record(Entry(version, changed(moved), None, how, why, target.run_id))
    return True


def files_in_reach(version: str) -> bool:
    """Return whether a version's files can be asked for: not where they pass a tracking server that is not the address.

    So it is with a database's own URI, sqlite:///..., in MLFLOW_TRACKING_URI.
    """
    if mlflow.get_tracking_uri().lower().startswith("http"):
        return True
    return not MlflowClient().get_model_version_download_uri(MODEL, version).startswith("mlflow-artifacts:")


def rollback(why: str) -> tuple[str, str]:
    """Put the last Production version back, called again the one before; return the versions (left, put back).

    Raises UserError where nothing is in Production or nothing was before it. Versions deleted since are passed over.
    """
    state = look()
    if (current := state.version) is None:
        raise UserError(f"there is nothing to roll back: {state.said}")
    earlier = [name for name in before(list(state.history)) if name in {version.version for version in state.known}]
    if not earlier:
        raise UserError(f"version {current.version} has no Production version before it to go back to")
    promote(earlier[-1], why, "rollback")
    return current.version, earlier[-1]


def before(entries: list[Entry]) -> list[str]:
    """Return the versions that rollbacks lead back to, the next one last, from a history (newest first).

    A rollback undoes a promotion, so what it left is not gone back to.

    >>> from datetime import UTC, datetime
    >>> when = datetime(2026, 1, 1, tzinfo=UTC)
    >>> steps = [("1", "gate"), ("2", "gate"), ("3", "gate"), ("2", "rollback")]
    >>> before([Entry(version, when, None, how, "", None) for version, how in reversed(steps)])
    ['1']
    """
    stack: list[str] = []
    for entry in reversed([entry for entry in entries if entry.version]):
        if entry.how in ("rollback", "unrecorded") and entry.version in stack:
            del stack[stack.index(entry.version) + 1 :]
        else:
            stack.append(entry.version)
    return [name for name in stack[:-1] if name != stack[-1]]


def history(known: list[ModelVersion] | None = None) -> list[Entry]:
    """Return what was in Production, from when to when and why, newest first; `known` as for `look`."""
    return list(look(known).history)


def gate_table(version: str) -> list[dict[str, Any]]:
    """Return the gate's table that a version was promoted on (see dsgo/gate/rules.py); empty where none was."""
    table: list[dict[str, Any]] = json.loads(version_of(version).tags.get(tags.TABLE, "[]"))
    return table


def _named(name: str, known: list[ModelVersion]) -> ModelVersion:
    for version in known:
        if version.version == name:
            return version
    numbers = ", ".join(version.version for version in known) or "none yet"
    raise UserError(f"{MODEL} has no version {name}; its versions: {numbers}")


def _numbered_by_text(version: ModelVersion) -> ModelVersion:
    """Return a version whose number is text: over SQLite itself, without a server, MLflow has numbers."""
    version = copy(version)
    version._version = str(version.version)
    return version


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
        there = in_production(versions())
        kept = there[-1].version if there else version
        if len(there) != 1:
            time.sleep(random.uniform(0, 0.1))  # others are at it
            _transition(kept, "Production")
        elif str(client.get_registered_model(MODEL).aliases.get(states.ALIAS)) == kept:
            return
        try:
            client.set_registered_model_alias(MODEL, states.ALIAS, kept)
        except MlflowException as error:
            if "IntegrityError" not in str(error):
                raise
            # Another promotion entered the alias for the first time at this same moment: look again.
    raise UserError(f"the Production version of {MODEL} keeps changing: see `dsgo history`, then try again")
