"""`dsgo backup` and `dsgo restore`: on running stores with runs going on, and cut short at every step."""

import contextlib
import errno
import hashlib
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import mlflow
import pytest
from click.testing import CliRunner
from filelock import FileLock

from background import IN_BACKGROUND
from dsgo.base.errors import UserError
from dsgo.base.network import free_port
from dsgo.cli import main
from dsgo.stores import backup
from dsgo.stores.home import holding
from dsgo.stores.running import running_stores
from ftp_server import FULL_DISK, wait_until
from shared import ECHO

ODD_NAMES = ["plain.txt", "with space/ä 日本.txt", "-dash", "x" * 255, ".hidden", "empty file"]


def content(name):
    """What the artifact of this name holds, whole: some 100 kB that end in its name."""
    return hashlib.sha256(name.encode()).digest() * 3000 + name.encode()


def make_home(home, rows=10):
    """A home as the stores leave it: a database with MLflow's revision table, artifacts, an empty folder."""
    for name in ODD_NAMES:
        (home / "store" / "artifacts" / name).parent.mkdir(parents=True, exist_ok=True)
        (home / "store" / "artifacts" / name).write_bytes(content(name))
    (home / "store" / "artifacts" / "empty file").write_bytes(b"")
    (home / "store" / "artifacts" / "empty").mkdir()
    with contextlib.closing(sqlite3.connect(home / "mlruns.db")) as database, database:
        database.execute("create table alembic_version (version_num)")
        database.execute("insert into alembic_version values ('dc11669786a5')")
        database.execute("create table runs (content blob)")
        database.executemany("insert into runs values (?)", [(bytes(10_000),)] * rows)
    return home


def tree(folder):
    """All below a folder: name to content, None for a folder; without what the lock and the stores' logs leave."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
        if path.relative_to(folder).parts[0] not in ("stores.lock", "logs")
    }


def rows(database):
    with contextlib.closing(sqlite3.connect(database)) as connection:
        return connection.execute("select count(*) from runs").fetchone()[0]


def refused(*arguments):
    """Run dsgo, which must refuse in one line; return the line."""
    result = CliRunner().invoke(main, [*map(str, arguments)])
    assert result.exit_code == 2, result.output
    assert len(result.stderr.splitlines()) == 1
    return result.stderr


@pytest.fixture
def home(tmp_path):
    return make_home(tmp_path / "home")


@pytest.fixture
def made(home, tmp_path):
    """A backup of `home`."""
    backup.back_up(home, tmp_path / "backup")
    return tmp_path / "backup"


# ---- on running stores


class Logger(threading.Thread):
    """Logs runs, one after another, until told to stop; `acknowledged` grows as the stores say yes."""

    def __init__(self, number, experiment):
        super().__init__()
        self.number, self.experiment = number, experiment
        self.acknowledged, self.error, self.stopping = [], None, False
        self.client = mlflow.MlflowClient()

    def run(self):
        try:
            while not self.stopping:
                self.log_run(len(self.acknowledged))
        except Exception as error:
            self.error = error

    def log_run(self, index):
        run_id = self.client.create_run(self.experiment).info.run_id
        for metric in range(5):
            self.client.log_metric(run_id, f"metric{metric}", index + metric / 100)
        name = f"client{self.number}-run{index}.bin"
        with mlflow.utils.file_utils.TempDir() as folder:
            for file, text in ((name, content(name)), ("again.bin", content("again" + str(index % 2)))):
                Path(folder.path(file)).write_bytes(text)
                self.client.log_artifact(run_id, folder.path(file), "small")
            # One file of the first run is written over for as long as runs go on.
            self.client.log_artifact((self.acknowledged or [run_id])[0], folder.path("again.bin"), "small")
        self.client.set_terminated(run_id)
        self.acknowledged.append(run_id)


def test_backup__made_while_runs_go_on_restores_all_that_was_acknowledged(tmp_path, monkeypatch):
    home, again, made = tmp_path / "home", tmp_path / "again", tmp_path / "backup"
    with running_stores(home, free_port(), free_port()) as stores:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", stores.tracking_uri)
        (tmp_path / "echo.py").write_text(ECHO)
        experiment = mlflow.create_experiment("load")
        with mlflow.start_run(experiment_id=experiment):
            mlflow.pyfunc.log_model(
                name="model",
                python_model=tmp_path / "echo.py",
                pip_requirements=["mlflow"],
                registered_model_name="echo",
            )
        loggers = [Logger(number, experiment) for number in range(3)]
        for logger in loggers:
            logger.start()
        try:
            wait_until(lambda: all(len(logger.acknowledged) >= 2 for logger in loggers), 120)
            before = {run_id: (logger, index) for logger in loggers for index, run_id in enumerate(logger.acknowledged)}
            # A process of its own: the threads print too.
            command = [sys.executable, "-m", "dsgo.cli", "backup", made, "--home", home]
            result = subprocess.run(command, capture_output=True, text=True, timeout=120)
            after = sum(len(logger.acknowledged) for logger in loggers)
            wait_until(lambda: sum(len(logger.acknowledged) for logger in loggers) >= after + 3, 120)
        finally:
            for logger in loggers:
                logger.stopping = True
                logger.join()
    assert [logger.error for logger in loggers] == [None] * 3
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith(f"{made}: ")
    assert result.stderr == ""
    shutil.rmtree(home)

    result = CliRunner().invoke(main, ["restore", str(made), "--home", str(again)])
    assert result.exit_code == 0, result.output
    with running_stores(again, free_port(), free_port()) as stores:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", stores.tracking_uri)
        client = mlflow.MlflowClient()
        for run_id, (logger, index) in before.items():
            run = client.get_run(run_id)
            assert run.info.status == "FINISHED"
            assert run.data.metrics == {f"metric{metric}": index + metric / 100 for metric in range(5)}
            name = f"client{logger.number}-run{index}.bin"
            assert [file.path for file in client.list_artifacts(run_id, "small")] == [
                "small/again.bin",
                f"small/{name}",
            ]
            assert Path(client.download_artifacts(run_id, f"small/{name}")).read_bytes() == content(name)
        runs = client.search_runs([experiment], max_results=1000)
        assert len(runs) >= len(before) + 1
        listed = [(run.info.run_id, file) for run in runs for file in client.list_artifacts(run.info.run_id, "small")]
        for run_id, file in listed:
            fetched = Path(client.download_artifacts(run_id, file.path)).read_bytes()
            whole = [content("again0"), content("again1")] if "again" in file.path else [content(Path(file.path).name)]
            assert fetched in whole
        assert mlflow.pyfunc.load_model("models:/echo/1").predict([1, 2]) == [1, 2]
        assert refused("restore", made, "--home", again).startswith(
            f"Error: the stores of {again} are already up: {stores.tracking_uri} (tracking server), "
        )


def test_backup__busy_database_is_copied_at_one_moment(tmp_path):
    # In steps without a transaction of its own, SQLite's backup begins anew after each write: this never ended.
    home = make_home(tmp_path / "home", rows=3000)
    stopping, written = threading.Event(), []

    def write():
        with contextlib.closing(sqlite3.connect(home / "mlruns.db", timeout=60)) as database:
            while not stopping.is_set():
                with database:
                    database.execute("insert into runs values (1)")
                written.append(1)
                time.sleep(0.0005)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        wait_until(lambda: len(written) > 5)
        before = len(written)
        backup.back_up(home, tmp_path / "backup")
        after = len(written) + 1  # one may be in the file and not in the list yet
    finally:
        stopping.set()
        writer.join()
    assert 3000 + before <= rows(tmp_path / "backup" / "mlruns.db") <= 3000 + after


# ---- what is in it


@pytest.mark.parametrize("journal", ["delete", "wal"])
def test_backup__restores_every_name_and_byte_and_leaves_out_uploads_in_flight(home, tmp_path, journal):
    with contextlib.closing(sqlite3.connect(home / "mlruns.db")) as database:
        database.execute(f"pragma journal_mode={journal}")
        database.execute("insert into runs values (1)")
        database.commit()
        before = tree(home / "store")
        (home / "store" / "artifacts" / ".upload-1").write_bytes(b"half")
        (home / "store" / "artifacts" / "with space" / ".partial-2").write_bytes(b"half")
        backup.back_up(home, tmp_path / "backup")
    assert sorted(path.name for path in (tmp_path / "backup").iterdir()) == ["manifest.json", "mlruns.db", "store"]
    manifest = json.loads((tmp_path / "backup" / "manifest.json").read_text())
    assert manifest["database"]["schema_revision"] == "dc11669786a5"
    assert manifest["versions"]["mlflow"] == mlflow.__version__
    assert manifest["empty_folders"] == ["artifacts/empty"]
    assert manifest["files"]["artifacts/-dash"] == {
        "size": len(content("-dash")),
        "sha256": hashlib.sha256(content("-dash")).hexdigest(),
    }
    (tmp_path / "new" / "store").mkdir(parents=True)  # an empty one is no data
    backup.restore(tmp_path / "backup", tmp_path / "new")
    assert tree(tmp_path / "new" / "store") == before
    assert rows(tmp_path / "new" / "mlruns.db") == 11
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["logs", "mlruns.db", "store", "stores.lock"]


def test_backup__artifacts_that_vanish_while_copied_make_it_copy_the_database_anew(home, tmp_path, monkeypatch):
    real, copies = backup.transfer, []

    def delete_then_transfer(source, target=None, advance=lambda _: None):
        copies.append(source.name)
        if source.name == "plain.txt":
            with contextlib.closing(sqlite3.connect(home / "mlruns.db")) as database, database:
                database.execute("delete from runs")
            source.unlink()
        return real(source, target, advance)

    monkeypatch.setattr(backup, "transfer", delete_then_transfer)
    backup.back_up(home, tmp_path / "backup")
    assert rows(tmp_path / "backup" / "mlruns.db") == 0
    assert sorted(copies) == sorted([Path(name).name for name in ODD_NAMES] + ["mlruns.db"])  # the others once
    assert not (tmp_path / "backup" / "store" / "artifacts" / "plain.txt").exists()


def test_backup__gives_up_on_artifacts_that_go_on_vanishing(home, tmp_path, monkeypatch):
    def vanish(*_, **__):
        raise FileNotFoundError

    monkeypatch.setattr(backup, "transfer", vanish)
    assert "went on vanishing" in refused("backup", tmp_path / "backup", "--home", home)
    assert [path.name for path in tmp_path.iterdir()] == ["home"]


# ---- refused


def test_backup__existing_target_is_refused(home, tmp_path):
    (tmp_path / "backup").mkdir()
    assert "is already there" in refused("backup", tmp_path / "backup", "--home", home)
    assert list((tmp_path / "backup").iterdir()) == []


def test_backup__target_among_the_artifacts_is_refused(home):
    before = tree(home)
    assert "among the artifacts" in refused("backup", home / "store" / "backup", "--home", home)
    assert tree(home) == before


def test_backup__home_without_data_is_refused(tmp_path):
    assert "holds no mlruns.db" in refused("backup", tmp_path / "backup", "--home", tmp_path / "none")
    assert list(tmp_path.iterdir()) == []


def test_backup__link_among_the_artifacts_is_refused(home, tmp_path):
    (home / "store" / "link").symlink_to(tmp_path)
    assert "is a link" in refused("backup", tmp_path / "backup", "--home", home)
    assert not (tmp_path / "backup").exists()


def test_backup__damaged_database_is_refused(tmp_path):
    home = make_home(tmp_path / "home", rows=100)
    with (home / "mlruns.db").open("r+b") as file:
        file.seek(20_000)
        file.write(b"damage" * 2000)
    assert "mlruns.db is damaged: " in refused("backup", tmp_path / "backup", "--home", home)
    (home / "mlruns.db").write_text("no database " * 1000)
    assert "file is not a database" in refused("backup", tmp_path / "backup", "--home", home)
    assert [path.name for path in tmp_path.iterdir()] == ["home"]


def flip_a_byte(made):
    with (made / "store" / "artifacts" / "plain.txt").open("r+b") as file:
        file.seek(50_000)
        file.write(b"?")


def cut_the_database(made):
    with (made / "mlruns.db").open("r+b") as file:
        file.truncate(8192)


def lead_outside(made):
    manifest = json.loads((made / "manifest.json").read_text())
    manifest["files"]["../../outside"] = manifest["files"].pop("artifacts/plain.txt")
    (made / "manifest.json").write_text(json.dumps(manifest))


DAMAGE = {
    "plain.txt is not as it was backed up": flip_a_byte,
    "mlruns.db is not as it was backed up": cut_the_database,
    "No such file or directory": lambda made: (made / "store" / "artifacts" / "-dash").unlink(),
    "is no backup: it holds no manifest.json": lambda made: (made / "manifest.json").unlink(),
    "holds no manifest.json that can be read": lambda made: os.truncate(made / "manifest.json", 100),
    "of format 2": lambda made: (made / "manifest.json").write_text('{"format": 2, "files": {}, "empty_folders": []}'),
    "which lies outside": lead_outside,
}


@pytest.mark.parametrize("says", DAMAGE)
def test_restore__damaged_backup_is_refused_before_anything_is_written(made, tmp_path, says):
    DAMAGE[says](made)
    assert says in refused("restore", made, "--home", tmp_path / "new")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("name", ["mlruns.db", "mlruns.db-journal", "mlruns.db-wal", "store/artifacts/0", "store"])
def test_restore__home_with_data_is_refused_and_left_alone(made, tmp_path, name):
    file = tmp_path / "new" / name
    file.parent.mkdir(parents=True)
    file.write_text("mine")
    before = tree(tmp_path / "new")
    assert f"already holds data ({name.split('/')[0]})" in refused("restore", made, "--home", tmp_path / "new")
    assert tree(tmp_path / "new") == before


def test_restore__home_whose_stores_are_coming_up_is_refused(made, tmp_path):
    (tmp_path / "new").mkdir()
    with FileLock(tmp_path / "new" / "stores.lock"):
        assert "already up: starting: end them first" in refused("restore", made, "--home", tmp_path / "new")
    assert tree(tmp_path / "new") == {}


# ---- cut short

KILLED = """
import os, signal, sys
from pathlib import Path
from dsgo.stores import backup

name, source, target, last = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4])
count = 0

def dying(real):
    def step(*arguments, **named):
        global count
        count += 1
        if count == last:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*arguments, **named)
    return step

for owner, name_ in ((os, "fsync"), (Path, "mkdir"), (Path, "rename"), (Path, "replace"), (Path, "rmdir")):
    setattr(owner, name_, dying(getattr(owner, name_)))
getattr(backup, name)(source, target)
"""


def killed_at_each_step(function, source, target):
    """Run a function of the backup on fresh targets, killed before its 1st, 2nd, ... step on the disk; yield each."""
    for last in range(1, 200):
        folder = target.with_name(f"{target.name}{last}") / target.name
        folder.parent.mkdir()
        ended = subprocess.run([sys.executable, "-c", KILLED, function, source, folder, str(last)], timeout=60)
        yield folder
        if ended.returncode == 0:
            assert last > 8  # it did die at each step before
            return
        assert ended.returncode == -signal.SIGKILL
    raise AssertionError("it never came to an end")


def small_home(home):
    home = make_home(home)
    for name in ODD_NAMES[1:]:
        (home / "store" / "artifacts" / name).unlink()
    return home


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
def test_backup__killed_at_any_step_is_whole_or_not_there(tmp_path):
    home = small_home(tmp_path / "home")
    whole = []
    for made in killed_at_each_step("back_up", home, tmp_path / "backup"):
        if made.exists():
            new = made.with_name("new")
            backup.restore(made, new)
            assert tree(new / "store") == tree(home / "store")
            assert rows(new / "mlruns.db") == 10
        whole.append(made.exists())
    assert whole == sorted(whole)
    assert whole[-1]
    assert not whole[-3]  # the name is given last but one: after it only the folder's entry goes to the disk


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
def test_restore__killed_at_any_step_is_whole_or_not_there(tmp_path):
    home = small_home(tmp_path / "home")
    made = tmp_path / "backup"
    backup.back_up(home, made)
    whole = []
    for new in killed_at_each_step("restore", made, tmp_path / "new"):
        with holding(new):  # what `dsgo up` and the next `dsgo restore` begin with
            there = tree(new)
        if not there:
            backup.restore(made, new)
        assert tree(new) == {path: data for path, data in tree(made).items() if path != "manifest.json"}
        whole.append(bool(there))
    assert whole == sorted(whole)
    assert len(set(whole)) == 2


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(errno.ENOSPC, "No space left on device")])
@pytest.mark.parametrize("function", ["back_up", "restore"])
def test_backup_and_restore__broken_off_at_any_step_leave_nothing(tmp_path, monkeypatch, error, function):
    source, target = small_home(tmp_path / "home"), tmp_path / "folder" / "target"
    if function == "restore":
        backup.back_up(source, tmp_path / "made")
        source = tmp_path / "made"
    real, steps, break_at = os.fsync, [], 0

    def fsync(descriptor):
        steps.append(descriptor)
        if len(steps) == break_at:
            raise error
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    getattr(backup, function)(source, target)
    before_it_is_whole = len(steps) - 1  # the last is of the name that it gets when it is whole
    assert before_it_is_whole > 5
    for break_at in range(1, before_it_is_whole + 1):  # noqa: B007 (fsync reads it)
        shutil.rmtree(target.parent)
        steps.clear()
        with pytest.raises((KeyboardInterrupt, UserError)) as raised:
            getattr(backup, function)(source, target)
        assert isinstance(raised.value, KeyboardInterrupt) or "No space left on device" in raised.value.message
        assert (tree(target) if target.exists() else {}) == {}
        assert [path.name for path in target.parent.iterdir()] in ([], ["target"])


@pytest.mark.skipif(os.name == "nt", reason="a limit on a file's size stands in for the full disk")
def test_backup__full_disk_is_one_line_and_leaves_nothing(home, tmp_path):
    ended = subprocess.run(
        [*FULL_DISK, sys.executable, "-m", "dsgo.cli", "backup", tmp_path / "backup", "--home", home],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ended.returncode == 2
    assert ended.stderr.startswith(f"Error: no backup of {home} was made: ")
    assert len(ended.stderr.splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["home"]


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_backup__ended_by_a_signal_leaves_nothing(tmp_path, name):
    home = small_home(tmp_path / "home")
    (home / "store" / "big").write_bytes(b"")
    os.truncate(home / "store" / "big", 20_000_000_000)  # holes: it takes no room here, and a minute to read
    command = [*IN_BACKGROUND, sys.executable, "-m", "dsgo.cli", "backup", tmp_path / "backup", "--home", home]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        wait_until(lambda: list(tmp_path.glob(".backup.unfinished-*/store/big")), 60)
        process.send_signal(getattr(signal, name))
        assert process.wait(60) != 0
        assert "Traceback" not in process.stderr.read()
    finally:
        process.kill()
        process.wait(20)
        process.stderr.close()
    assert [path.name for path in tmp_path.iterdir()] == ["home"]


@pytest.mark.parametrize(
    "spoilt",
    [{"database": None}, {"files": {"a": {"size": "1", "sha256": ""}}}, {"files": []}, {"empty_folders": [1]}],
    ids=str,
)
def test_restore__manifest_of_other_types_is_no_backup(spoilt, tmp_path):
    part = {"size": 1, "sha256": "", "schema_revision": ""}
    manifest = {"format": 1, "made": "", "database": part, "files": {}, "empty_folders": []} | spoilt
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))

    assert "is no backup" in refused("restore", tmp_path, "--home", tmp_path / "home")
    assert not (tmp_path / "home").exists()
