"""The folder that holds what both stores keep, and the lock that says who works on it.

store/ (artifacts), mlruns.db (runs and registry), logs/, stores.lock (held by the process that runs the stores or
restores a backup; the operating system lets it go when that process ends) and stores.json (who runs them).
"""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from dsgo.base.errors import UserError

FILES = "store"
DATABASE = "mlruns.db"
RESTORED = "restored"  # a backup copied whole into the home, from which `holding` puts both into their places


class AlreadyUpError(UserError):
    """The stores of this home run already; `tracking_uri` is where (empty while they start)."""

    def __init__(self, home: Path, state: dict[str, Any]) -> None:
        """Take what stores.json says."""
        self.tracking_uri = state.get("tracking_uri", "")
        where = f"{self.tracking_uri} (tracking server), {state['ftp_uri']} (artifact store)" if state else "starting"
        super().__init__(f"the stores of {home} are already up: {where}")


@contextmanager
def holding(home: Path) -> Iterator[None]:
    """Make the home if it is not there and hold its lock; a restore that was cut short in its last step is finished.

    Raises AlreadyUpError if somebody else holds it, UserError if the folder cannot be used.
    """
    try:
        (home / "logs").mkdir(parents=True, exist_ok=True)
        lock = FileLock(home / "stores.lock", timeout=0)
        lock.acquire()
        put_into_place(home)
    except Timeout:
        raise AlreadyUpError(home, read_state(home)) from None
    except OSError as error:
        raise UserError(f"the folder {home} cannot hold the stores ({error.strerror}): choose another --home") from None
    try:
        yield
    finally:
        lock.release()


def put_into_place(home: Path) -> None:
    """Move what a restore copied whole to where the stores look for it, the database last. For the lock's holder.

    What a restore that was killed had not copied whole is removed.
    """
    for unfinished in home.glob(f".{RESTORED}.unfinished-*"):
        shutil.rmtree(unfinished)
    restored = home / RESTORED
    if restored.is_dir():
        for name in (FILES, DATABASE):
            if (restored / name).exists():  # else it was moved before the restore was cut short
                if name == FILES and (home / FILES).is_dir():
                    (home / FILES).rmdir()  # it is empty: a home with data is not restored into
                (restored / name).replace(home / name)
        restored.rmdir()


def read_state(home: Path) -> dict[str, Any]:
    """Return what stores.json says of who runs the stores; {} where nobody does."""
    try:
        state: dict[str, Any] = json.loads((home / "stores.json").read_text())
    except FileNotFoundError:
        return {}
    return state
