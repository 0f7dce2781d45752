"""Databases of another MLflow: an older one names the command that brings it up to date, a newer one is refused."""

import sqlite3
import subprocess
import sys
from contextlib import closing

import mlflow
import pytest

from dsgo.base.errors import UserError
from dsgo.stores.backup import back_up, restore
from dsgo.stores.running import running_stores
from dsgo.stores.schema import MIGRATIONS, require_current


@pytest.fixture
def home(tmp_path):
    """A home whose database is of this MLflow."""
    (tmp_path / "home" / "store").mkdir(parents=True)
    database = f"sqlite:///{tmp_path}/home/mlruns.db"
    subprocess.run([sys.executable, "-m", "mlflow", "db", "upgrade", database], check=True, capture_output=True)
    return tmp_path / "home"


def migrate(home, revision):
    from alembic import command
    from mlflow.store.db.utils import _get_alembic_config

    config = _get_alembic_config(f"sqlite:///{home}/mlruns.db")
    command.downgrade(config, revision)


def stamp(home, revision):
    with closing(sqlite3.connect(home / "mlruns.db")) as database:
        database.execute("update alembic_version set version_num = ?", [revision])
        database.commit()


def up(home):
    with running_stores(home, 1, 2):
        pass


def test_require_current__passes_where_there_is_none_and_where_it_is_ours(home, tmp_path):
    assert MIGRATIONS.is_dir()
    require_current(tmp_path / "none.db")
    require_current(home / "mlruns.db")


def test_up__on_an_older_database_names_the_command_that_mends_it(home, monkeypatch):
    monkeypatch.setattr("dsgo.stores.running._check_port_free", lambda *_: None)
    migrate(home, "-1")

    with pytest.raises(UserError) as error:
        up(home)

    command = f"mlflow db upgrade sqlite:///{home}/mlruns.db"
    assert error.value.message == (
        f"the database {home}/mlruns.db is of an older MLflow: `{command}` brings it up to date; take a copy before, "
        f"`dsgo backup FOLDER --home {home}`"
    )
    subprocess.run([sys.executable, "-m", *command.split()], check=True, capture_output=True)
    require_current(home / "mlruns.db")


def test_up__on_a_newer_database_is_refused(home, monkeypatch):
    monkeypatch.setattr("dsgo.stores.running._check_port_free", lambda *_: None)
    stamp(home, "f" * 12)

    with pytest.raises(UserError, match=rf"mlruns.db is of a newer MLflow than the {mlflow.__version__} here: install"):
        up(home)


def test_restore__of_a_newer_mlflows_backup_is_refused_and_of_an_older_one_is_not(home, tmp_path):
    migrate(home, "-1")
    back_up(home, tmp_path / "older")
    restore(tmp_path / "older", tmp_path / "from older")
    stamp(home, "f" * 12)
    back_up(home, tmp_path / "newer")

    with pytest.raises(UserError, match="newer is of a newer MLflow"):
        restore(tmp_path / "newer", tmp_path / "from newer")
    assert not (tmp_path / "from newer").exists()
