"""The states of Production: one version, nothing (yet, or any more), several. Only this module knows them.

Whatever depends on what is in Production calls `look`, which says what is so and what to do, and keeps what it sees: a
move that no command of this project made (in MLflow's UI, a version deleted) enters the history when it is first seen.

The history is a tag on the registered model for each change of Production. Its key holds the server's time of the
change, so that writers at the same moment lose nothing, and it stays when a version is deleted.
"""

import json
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from dsgo.base import tags

MODEL = "BestModel"
ALIAS = "production"
WORKFLOW = "`mlflow run . --env-manager local`"
MOMENT = timedelta(milliseconds=1)  # the server's clock counts these


@dataclass(frozen=True)
class Entry:
    """A time in which a version was in Production, or none was."""

    version: str  # empty: nothing was there
    since: datetime  # UTC
    until: datetime | None  # None: it is so now
    how: str  # gate, by hand, rollback, or unrecorded: moved in MLflow's UI, or by a command that broke off
    why: str
    run_id: str | None


@dataclass(frozen=True)
class State:
    """What is in Production at one moment, and what was."""

    there: tuple[ModelVersion, ...]  # in Production, the last to come at the end
    known: tuple[ModelVersion, ...]  # all versions, the newest first
    history: tuple[Entry, ...]  # newest first
    alias: str | None  # the version that the alias names

    @property
    def version(self) -> ModelVersion | None:
        """The version in Production; None where there is none, or more than one."""
        return self.there[0] if len(self.there) == 1 else None

    @property
    def last(self) -> ModelVersion | None:
        """The last version that was or is in Production and is still registered; None where there is none."""
        known = {version.version: version for version in self.known}
        return next((known[entry.version] for entry in self.history if entry.version in known), None)

    @property
    def alias_off(self) -> bool:
        """Whether the alias does not name the one version in Production."""
        return self.version is not None and self.alias != self.version.version

    @property
    def to_do(self) -> bool:
        """Whether something is not as it should be, so that `said` names a command."""
        return self.version is None or self.alias_off

    @property
    def exact(self) -> str:
        """What is there and since which second: another text after each change."""
        if len(self.there) > 1:
            return f"versions {' and '.join(version.version for version in reversed(self.there))}"
        if not self.history:
            return "nothing yet"
        what = f"version {self.version.version}" if self.version else "nothing"
        return f"{what} since {self.history[0].since:%Y-%m-%d %H:%M:%S} UTC"

    @property
    def title(self) -> str:
        """What is so, in a few words."""
        if self.version is None:
            return "Several versions are in Production" if self.there else "Nothing is in Production"
        return f"The alias {ALIAS} is off" if self.alias_off else f"Version {self.version.version} is in Production"

    @property
    def said(self) -> str:
        """What is so and, where it is not as it should be, the command that mends it, in one sentence."""
        if len(self.there) > 1:
            first, *others = (version.version for version in reversed(self.there))
            names = f"{', '.join([first, *others[:-1]])} and {others[-1]}"
            return (
                f"{MODEL} has versions {names} in Production: `dsgo promote {first}` keeps version {first} and "
                f"archives the rest; name another to keep that one"
            )
        if version := self.version:
            entry = self.history[0]
            said = f"version {version.version} of {MODEL} is in Production since {when(entry.since)} ({entry.how})"
            if self.alias_off:
                names = f"names version {self.alias}" if self.alias else "is not set"
                said += f", but the alias {ALIAS} {names}: `dsgo promote {version.version}` sets it"
            return said
        if not self.history:
            waiting = next((v for v in self.known if v.current_stage == "Staging"), None) or next(
                iter(self.known), None
            )
            by_hand = f", or `dsgo promote {waiting.version}` puts a registered version there" if waiting else ""
            return f"no version of {MODEL} was in Production yet: the workflow promotes one ({WORKFLOW}){by_hand}"
        gone = next(entry.version for entry in self.history if entry.version)
        said = (
            f"no version of {MODEL} is in Production since {when(self.history[0].since)}; the last was version {gone}"
        )
        if self.last is None:
            return f"{said}, deleted since: the workflow promotes another ({WORKFLOW})"
        if self.last.version == gone:
            return f"{said}: `dsgo promote {gone}` puts it back"
        return f"{said}, deleted since: `dsgo promote {self.last.version}` puts the one before it back"


def when(moment: datetime) -> str:
    """Return a time to the minute.

    >>> when(datetime(2026, 1, 2, 3, 4, tzinfo=UTC))
    '2026-01-02 03:04 UTC'
    """
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def look(known: list[ModelVersion]) -> State:
    """Return the state of Production, from all versions (`registry.versions`), and keep what was not seen before."""
    there = in_production(known)
    events, alias = _recorded()
    unseen = _unseen(known, there, events)
    for event in unseen:
        with suppress(MlflowException):  # who may only read sees it all the same, and the next to look keeps it
            record(event)
    events += unseen
    ends = [event.since for event in events[1:]] + [None]
    entries = [replace(event, until=end) for event, end in zip(events, ends, strict=False)][::-1]
    for version in there:  # of several, each is still there
        last = next(entry for entry in entries if entry.version == version.version)
        entries[entries.index(last)] = replace(last, until=None)
    return State(tuple(there), tuple(known), tuple(entries), alias)


def in_production(known: list[ModelVersion]) -> list[ModelVersion]:
    """Return the versions in Production, the last to come at the end."""
    there = [version for version in known if version.current_stage == "Production"]
    return sorted(there, key=lambda version: (changed(version), int(version.version)))


def changed(version: ModelVersion) -> datetime:
    """Return when a version last changed its stage (or its description), by the server's clock."""
    return datetime.fromtimestamp((version.last_updated_timestamp or 0) / 1000, UTC)


def record(entry: Entry) -> None:
    """Add a change of Production to the history. What was only seen gives way to what the command itself recorded."""
    value = {"version": entry.version, "how": entry.how, "why": entry.why[:2000], "run_id": entry.run_id}
    seen = ".seen" if entry.how == "unrecorded" else ""
    key = f"{tags.PRODUCTION}{entry.since.isoformat(timespec='milliseconds')}.v{entry.version or 0}{seen}"
    MlflowClient().set_registered_model_tag(MODEL, key.replace("+00:00", "Z"), json.dumps(value))


def _recorded() -> tuple[list[Entry], str | None]:
    """Return the recorded changes of Production, oldest first, and the version that the alias names."""
    try:
        model = MlflowClient().get_registered_model(MODEL)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return [], None
    found: dict[tuple[datetime, int], Entry] = {}
    for key, text in sorted(model.tags.items(), reverse=True):  # ".v1" comes after ".v1.seen" and takes its place
        if key.startswith(tags.PRODUCTION):
            since = datetime.fromisoformat(key.removeprefix(tags.PRODUCTION).rpartition(".v")[0])
            entry = Entry(since=since, until=None, **json.loads(text))
            found[since, int(entry.version or 0)] = entry
    alias = model.aliases.get(ALIAS)
    return [found[key] for key in sorted(found)], None if alias is None else str(alias)


def _unseen(known: list[ModelVersion], there: list[ModelVersion], events: list[Entry]) -> list[Entry]:
    """Return the changes that led to what is in Production and are not among `events` (oldest first)."""
    found: list[Entry] = []
    last = events[-1] if events else None
    left = next((version for version in known if last and version.version == last.version), None)
    for version in there:
        came = changed(version)
        if last and last.version == version.version:
            continue
        if len(there) > 1 and any(e.version == version.version and e.since >= came for e in events):
            continue  # it came before the others
        if last and left and left not in there and last.since < changed(left) < came:
            found.append(_nothing(changed(left), f"version {left.version} left in MLflow's UI"))
        if last:  # moves in the same millisecond may be recorded out of order
            came = max(came, last.since + MOMENT)
        why = "moved in MLflow's UI, or by a command that broke off"
        last, left = Entry(version.version, came, None, "unrecorded", why, version.run_id), None
        found.append(last)
    if not there and last and last.version:
        if left:
            found.append(
                _nothing(max(changed(left), last.since + MOMENT), f"version {left.version} left in MLflow's UI")
            )
        else:
            why = f"version {last.version} was deleted: when is not known, seen first at this time"
            now = datetime.now(UTC)  # kept to the millisecond, so said to the millisecond
            seen = now.replace(microsecond=now.microsecond // 1000 * 1000)
            found.append(_nothing(max(seen, last.since + MOMENT), why))
    return found


def _nothing(since: datetime, why: str) -> Entry:
    return Entry("", since, None, "unrecorded", why, None)
