"""The schema of MLflow's database: whether this MLflow can use it."""

import sqlite3
from contextlib import closing
from importlib.metadata import distribution
from pathlib import Path

from alembic.script import ScriptDirectory
from alembic.util import CommandError

from dsgo.base.errors import UserError

MLFLOW = distribution("mlflow")  # not imported: that takes seconds
MIGRATIONS = Path(str(MLFLOW.locate_file("mlflow/store/db_migrations")))


def is_older(revision: str, what: str) -> bool:
    """Return whether a schema's revision is older than this MLflow's; UserError if it is a newer MLflow's."""
    known = ScriptDirectory(str(MIGRATIONS))
    try:
        known.get_revision(revision)
    except CommandError:
        raise UserError(
            f"{what} is of a newer MLflow than the {MLFLOW.version} here: install the one that wrote it, or a later"
        ) from None
    return revision != known.get_current_head()


def require_current(database: Path) -> None:
    """Return if this MLflow can use the database, or there is none yet; UserError, with what to do, if it cannot."""
    if not database.is_file():
        return
    try:
        with closing(sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            revision = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.Error:  # not set up yet, or damaged: the tracking server says which
        return
    if revision and is_older(revision[0], f"the database {database}"):
        raise UserError(
            f"the database {database} is of an older MLflow: `mlflow db upgrade sqlite:///{database}` brings it up to "
            f"date; take a copy before, `dsgo backup FOLDER --home {database.parent}`"
        )
