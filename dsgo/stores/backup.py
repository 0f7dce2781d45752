"""Both stores copied while runs go on, and put back: `dsgo backup`, `dsgo restore`.

A backup is a folder that holds mlruns.db, store/ and manifest.json, which lists what is in it with SHA-256 digests. The
database is copied first, in one transaction, then the artifacts: a client uploads a file before it says that its run or
model is finished, so what the copied database calls finished is among the files. Files and runs of the seconds that
copying takes may be in it or not. The artifact store replaces a file whole, so each is copied in one of its versions;
uploads in flight are left out.
"""

import json
import os
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from dsgo.base.errors import UserError
from dsgo.base.files import Advance, sync, transfer, written_whole
from dsgo.base.store_terms import IN_FLIGHT
from dsgo.stores.home import DATABASE, FILES, RESTORED, AlreadyUpError, holding, put_into_place
from dsgo.stores.schema import is_older

MANIFEST = "manifest.json"
FORMAT = 1  # of the manifest
ROUNDS = 5
PAGES = 2000  # of the database a step: 8 MB
LOCK_SECONDS = 60  # to wait for a writer of the database

Manifest = dict[str, Any]


def back_up(home: Path, target: Path) -> Manifest:
    """Copy a home's database and artifacts into the new folder `target`: whole, or not at all; return the manifest.

    The stores may be up. If artifacts vanish while they are copied (`mlflow gc`), the database is copied anew, and
    what has changed of the files. Raises UserError if `target` is there, the home holds no data, the database is
    damaged, a link lies among the artifacts, or the disk refuses.
    """
    if not (home / DATABASE).is_file():
        raise UserError(f"{home} holds no {DATABASE}: name the folder of the stores' data with --home")
    if target.resolve().is_relative_to((home / FILES).resolve()):
        raise UserError(f"{target} lies among the artifacts: choose another folder")
    if os.path.lexists(target):
        raise UserError(f"{target} is already there: a backup goes into a new folder")
    with _one_line(f"no backup of {home} was made"), written_whole(target) as new:
        copied: dict[str, dict[str, Any]] = {}
        seen: dict[str, tuple[int, ...]] = {}
        for _ in range(ROUNDS):
            before, _ = _walk(home / FILES)  # what is gone after the database was copied has vanished too
            made = datetime.now(UTC).isoformat(timespec="seconds")
            revision = _copy_database(home / DATABASE, new / DATABASE)
            files, empty = _walk(home / FILES)
            changed = {path: state for path, state in (before | files).items() if seen.get(path) != state}
            vanished = False
            with _progress("artifacts", sum(state[0] for state in changed.values())) as advance:
                for path in sorted(changed):
                    try:
                        (new / FILES / path).parent.mkdir(parents=True, exist_ok=True)
                        copied[path] = transfer(home / FILES / path, new / FILES / path, advance)
                        seen[path] = changed[path]
                    except FileNotFoundError:
                        vanished = vanished or path not in copied
            if not vanished:
                break
        else:
            raise UserError(f"artifacts of {home} went on vanishing while they were copied: back up after `mlflow gc`")
        for path in [".", *empty]:
            (new / FILES / path).mkdir(parents=True, exist_ok=True)
        manifest = {
            "format": FORMAT,
            "made": made,
            "versions": {name: version(name) for name in ("dsgo", "mlflow")}
            | {"python": sys.version.split()[0], "sqlite": sqlite3.sqlite_version},
            "database": {"schema_revision": revision, **transfer(new / DATABASE)},
            "files": copied,
            "empty_folders": empty,
        }
        (new / MANIFEST).write_text(json.dumps(manifest, indent=1), encoding="ascii")
        sync(new / MANIFEST)
    return manifest


def restore(source: Path, home: Path) -> Manifest:
    """Put a backup into `home`: whole, or not at all; return its manifest.

    Everything is checked against the manifest before anything is written. Raises UserError if the backup is not whole
    or not as it was made, if a newer MLflow made it, if the home holds data, if its stores are up, or the disk refuses.
    """
    manifest = _read_manifest(source)
    is_older(manifest["database"]["schema_revision"], f"the backup {source}")  # one of a newer MLflow is refused
    if home.exists():  # said before the long check
        with _free_home(home):
            pass
    parts = {DATABASE: manifest["database"]} | {f"{FILES}/{path}": file for path, file in manifest["files"].items()}
    size = sum(part["size"] for part in parts.values())
    with _one_line(f"restoring {source} into {home} failed"):
        with _progress("checking", size) as advance:
            for path, part in parts.items():
                _check(source / path, part, transfer(source / path, advance=advance))
        _check_database(source / DATABASE)
        with _free_home(home):
            with written_whole(home / RESTORED) as new, _progress("restoring", size) as advance:
                for path in (".", *manifest["empty_folders"]):
                    (new / FILES / path).mkdir(parents=True, exist_ok=True)
                for path, part in parts.items():
                    (new / path).parent.mkdir(parents=True, exist_ok=True)
                    _check(source / path, part, transfer(source / path, new / path, advance))
            put_into_place(home)  # killed before the end of this, the next process with the lock does it
    return manifest


def summary(manifest: Manifest) -> str:
    """Return in a few words what a backup holds."""
    size = sum(file["size"] for file in manifest["files"].values())
    return (
        f"{len(manifest['files']):,} artifacts of {size / 1e6:,.1f} MB, runs and registry of "
        f"{manifest['database']['size'] / 1e6:,.1f} MB, as of {manifest['made']}"
    )


def _walk(top: Path) -> tuple[dict[str, tuple[int, ...]], list[str]]:
    """Return size, time and number of each file below `top` by its path, and the folders that hold nothing."""
    files: dict[str, tuple[int, ...]] = {}
    empty = []
    for here, folders, names in os.walk(top):
        folder = Path(here)
        for name in names + folders:
            path = folder / name
            if path.is_symlink():
                raise UserError(f"{path} is a link: a backup takes files and folders only")
            if name in names and not name.startswith(IN_FLIGHT):
                try:
                    state = path.stat()
                except FileNotFoundError:  # deleted this moment
                    continue
                files[path.relative_to(top).as_posix()] = (state.st_size, state.st_mtime_ns, state.st_ino)
        if not folders and all(name.startswith(IN_FLIGHT) for name in names):
            empty.append(folder.relative_to(top).as_posix())
    return files, empty


def _copy_database(source: Path, target: Path) -> str:
    """Copy by SQLite's online backup, check the copy and return the revision of its schema."""
    target.unlink(missing_ok=True)
    with (
        closing(sqlite3.connect(f"{source.as_uri()}?mode=rw", uri=True, timeout=LOCK_SECONDS)) as database,
        closing(sqlite3.connect(target)) as copy,
        _progress("database", source.stat().st_size) as advance,
    ):
        # In one transaction: else each write of the server makes the backup begin anew, on busy stores for ever.
        # Writers wait meanwhile, some 2 s a GB; MLflow gives them 20 s.
        database.execute("BEGIN")
        page = database.execute("PRAGMA page_size").fetchone()[0]
        database.execute("SELECT 1 FROM sqlite_master").fetchone()
        database.backup(copy, pages=PAGES, progress=lambda *_: advance(PAGES * page))
        database.rollback()
        copy.execute("PRAGMA journal_mode = DELETE")  # one file, even if the source has more
    return _check_database(target)


def _check_database(path: Path) -> str:
    """Return the revision of MLflow's schema; UserError for a damaged database."""
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro&immutable=1", uri=True)) as database:
        if (faults := database.execute("PRAGMA integrity_check(1)").fetchone()[0]) != "ok":
            raise UserError(f"the database {path.name} is damaged: {faults}")
        revision = database.execute("SELECT version_num FROM alembic_version").fetchone()
        if revision is None:
            raise UserError(f"the database {path.name} is still being set up: try again")
        return revision[0]


def _read_manifest(source: Path) -> Manifest:
    try:
        manifest: Manifest = json.loads((source / MANIFEST).read_text(encoding="ascii"))
        form, paths = manifest["format"], [*manifest["files"], *manifest["empty_folders"]]
        if form == FORMAT:
            parts = [manifest["database"], *manifest["files"].values()]
            whole = all(type(part["size"]) is int and type(part["sha256"]) is str for part in parts)
            if not whole or {type(text) for text in (*paths, manifest["database"]["schema_revision"])} != {str}:
                raise ValueError("of other types")
            manifest["made"]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise UserError(f"{source} is no backup: it holds no {MANIFEST} that can be read") from None
    if form != FORMAT:
        raise UserError(f"{source} has a backup of format {form}, this dsgo reads {FORMAT}: use the one that made it")
    for path in paths:
        if ".." in Path(path).parts or Path(path).anchor:
            raise UserError(f"{source} names {path}, which lies outside: it is no backup that dsgo made")
    return manifest


def _check(path: Path, expected: dict[str, Any], found: dict[str, Any]) -> None:
    if found != {name: expected[name] for name in found}:
        raise UserError(f"{path} is not as it was backed up: the backup is damaged")


@contextmanager
def _free_home(home: Path) -> Iterator[None]:
    """Hold a home that is free to take a backup; UserError if its stores are up or it holds data."""
    with ExitStack() as stack:
        try:
            stack.enter_context(holding(home))
        except AlreadyUpError as error:
            raise UserError(f"{error.message}: end them first, or choose another --home") from None
        # Journals too: SQLite would play them into the database restored.
        there = [name for end in ("", "-journal", "-wal", "-shm") if (home / (name := DATABASE + end)).exists()]
        store = home / FILES
        if store.is_symlink() or (store.exists() and (not store.is_dir() or any(store.iterdir()))):
            there.append(FILES)
        if there:
            raise UserError(f"{home} already holds data ({', '.join(there)}): move it away or choose another --home")
        yield


@contextmanager
def _one_line(what: str) -> Iterator[None]:
    """Turn what the disk or the database refuses into a UserError."""
    try:
        yield
    except (OSError, sqlite3.Error) as error:
        raise UserError(f"{what}: {error}") from error


@contextmanager
def _progress(what: str, size: int) -> Iterator[Advance]:
    """Give a function that moves a bar of `size` bytes on; quiet in a log."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(what, total=size)
        yield lambda step: progress.advance(task, step)
