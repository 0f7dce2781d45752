"""Files over one FTP connection, up and down: whole or not at all, on both sides."""

import os
import posixpath
import stat
from pathlib import Path
from uuid import uuid4

from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE, RESOURCE_DOES_NOT_EXIST

from dsgo.artifacts.ftp.connection import Connection
from dsgo.artifacts.ftp.control import Lost, Refused, require
from dsgo.artifacts.ftp.folders import kind_of
from dsgo.base.store_terms import PARTIAL


def partial_name() -> str:
    """Return a new name for a file in flight."""
    return f"{PARTIAL}{uuid4().hex}"


# ---- upload


def upload(connection: Connection, source: Path, target: str) -> None:
    """Upload a file to `target`, whose folder exists: under a temporary name, which gets its own when all is there.

    Raises MlflowException (INVALID_PARAMETER_VALUE) for what is no regular file or changes meanwhile.
    """
    if not stat.S_ISREG(source.stat().st_mode):
        raise MlflowException(f"{source} is no regular file: it cannot be uploaded", INVALID_PARAMETER_VALUE)
    partial = posixpath.join(posixpath.dirname(target), partial_name())
    with source.open("rb") as file:
        before = os.fstat(file.fileno())
        try:
            (passive,) = connection.ask(connection.passive())
            sent = connection.store(passive, partial, file, before.st_size)
            after = os.fstat(file.fileno())
            if sent != before.st_size or (after.st_size, after.st_mtime_ns) != (before.st_size, before.st_mtime_ns):
                message = f"{source} changed while it was uploaded: upload it when nothing writes to it"
                raise MlflowException(message, INVALID_PARAMETER_VALUE)
            _verify(connection, partial, sent)
            _rename(connection, partial, target)
        except BaseException:
            connection.discard(partial)
            raise


def _verify(connection: Connection, path: str, size: int) -> None:
    """Raise Lost if the server has another number of bytes than were sent."""
    (reply,) = connection.ask(f"SIZE {path}")
    require(reply)
    if int(reply.split()[-1]) != size:
        raise Lost(f"{reply.split()[-1]} of {size} bytes arrived")


def _rename(connection: Connection, partial: str, target: str) -> None:
    """Give an upload its own name, in place of an older file of that name."""
    _, refusal = connection.ask(f"RNFR {partial}", f"RNTO {target}")
    if refusal[0] == "2":
        return
    what = kind_of(connection, target)
    if what == "dir":
        raise Refused(refusal, f"{target} is a folder, no file; choose another name or delete it")
    if what is None:
        require(refusal)
    # This server renames onto no existing file: the older one steps aside, and comes back if that does not help.
    aside = posixpath.join(posixpath.dirname(target), partial_name())
    _, moved, _, renamed = connection.ask(f"RNFR {target}", f"RNTO {aside}", f"RNFR {partial}", f"RNTO {target}")
    if renamed[0] == "2":
        connection.ask(f"DELE {aside}")
        return
    if moved[0] == "2":
        connection.ask(f"RNFR {aside}", f"RNTO {target}")
    require(refusal)


# ---- download


class Download:
    """A file being downloaded to `target`: `attempt` may be called again, and goes on where the last one broke off."""

    def __init__(self, path: str, target: Path) -> None:
        """Nothing is written yet."""
        self.path, self.target = path, target
        self.partial = target.with_name(partial_name())
        self._version: list[str] = []  # the server's size and modification time of what was received so far

    def attempt(self, connection: Connection) -> None:
        """Download, or raise Lost; raises MlflowException (RESOURCE_DOES_NOT_EXIST) for what is no file there."""
        size, modified, passive = connection.ask(f"SIZE {self.path}", f"MDTM {self.path}", connection.passive())
        if size[0] != "2" and kind_of(connection, self.path) != "file":
            raise MlflowException(f"{self.path} is no file", RESOURCE_DOES_NOT_EXIST)
        require(size)
        whole = int(size.split()[-1])
        with self.partial.open("ab") as file:
            there = file.tell()
            is_same = modified[0] == "2" and [size, modified] == self._version and there <= whole
            is_all = is_same and there == whole > 0  # and REST, without the transfer, would be the next file's offset
            if there and not (is_all or (is_same and self._can_go_on(connection, there))):
                file.truncate(0)
            self._version = [size, modified]
            if not is_all:
                connection.retrieve(passive, f"RETR {self.path}", file.write)
            received = file.tell()
        if received != whole:
            if received > whole:
                self._version = []
            raise Lost(f"{received} of {whole} bytes of {self.path} came")
        self.partial.replace(self.target)

    def _can_go_on(self, connection: Connection, offset: int) -> bool:
        return connection.ask(f"REST {offset}")[0][0] == "3"
