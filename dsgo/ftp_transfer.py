"""What a store of artifacts does on one FTP connection: upload and download whole or not at all, list, delete."""

import ftplib
import hashlib
import os
import posixpath
import stat
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE, RESOURCE_DOES_NOT_EXIST

from dsgo.ftp_connection import Connection, Lost, Refused, require

PARTIAL = ".partial-"  # begins the name of a file in flight, on the server and here


class Entry(NamedTuple):
    """What a listing says of one name; `kind` is dir, file or other, `size` is of files alone."""

    name: str
    kind: str
    size: int | None


class Crc32:
    """zlib's CRC-32 with the methods of hashlib."""

    value = 0

    def update(self, data: bytes) -> None:
        """Add a block."""
        self.value = zlib.crc32(data, self.value)

    def hexdigest(self) -> str:
        """Return it as servers write it."""
        return f"{self.value:08x}"


# What servers offer, the strongest first: in the parameters of HASH (draft-bryan-ftp-hash) or as a command of its own.
CHECKSUMS: dict[str, tuple[str, Callable[[], Any]]] = {
    "SHA-256": ("XSHA256", hashlib.sha256),
    "SHA-1": ("XSHA1", hashlib.sha1),
    "MD5": ("XMD5", hashlib.md5),
    "CRC32": ("XCRC", Crc32),
}


def partial_name() -> str:
    """Return a new name for a file in flight."""
    return f"{PARTIAL}{uuid4().hex}"


def kind(connection: Connection, path: str) -> str | None:
    """Return "dir" or "file", or None where there is nothing."""
    folder, file = connection.ask(f"CWD {path}", f"SIZE {path}")
    if folder[0] == "2":
        return "dir"
    if file[0] == "2":
        return "file"
    for reply in (folder, file):
        if reply[:3] not in ("550", "450", "501", "553"):
            require(reply)
    return None


# ---- upload


def make_folders(connection: Connection, folders: list[str]) -> None:
    """Make those folders that are missing, with all above them, in three round trips.

    Raises ftplib's error for one that is refused, Refused where a file is in the way.
    """
    missing = _without(connection, folders)
    if not missing:
        return
    split = [path.split("/") for path in missing]
    steps = sorted({"/".join(parts[:end]) for parts in split for end in range(2, len(parts) + 1)})
    replies = dict(zip(steps, connection.ask(*(f"MKD {step}" for step in steps)), strict=True))
    for path in _without(connection, missing):  # not told by the replies: one that exists is refused as well
        for step in steps:
            if f"{path}/".startswith(f"{step}/") and (what := kind(connection, step)) != "dir":
                if what == "file":
                    raise Refused(replies[step], f"{step} is a file, no folder; choose another path or delete it")
                require(replies[step])
        raise Lost(f"the folder {path} came and went")


def _without(connection: Connection, folders: list[str]) -> list[str]:
    replies = connection.ask(*(f"CWD {folder}" for folder in folders))
    return [folder for folder, reply in zip(folders, replies, strict=True) if reply[0] != "2"]


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
            command, digest = _checksum(connection)
            (passive,) = connection.ask(connection.passive())
            sent = connection.store(passive, partial, file, before.st_size, digest)
            after = os.fstat(file.fileno())
            if sent != before.st_size or (after.st_size, after.st_mtime_ns) != (before.st_size, before.st_mtime_ns):
                message = f"{source} changed while it was uploaded: upload it when nothing writes to it"
                raise MlflowException(message, INVALID_PARAMETER_VALUE)
            _verify(connection, partial, sent, command, digest)
            _rename(connection, partial, target)
        except BaseException:
            connection.discard(partial)
            raise


def _checksum(connection: Connection) -> tuple[str, Any]:
    """Return the command that asks for the best checksum that the server offers, and its empty digest."""
    algorithms = connection.features.get("HASH", "").split(";")
    for name, (command, digest) in CHECKSUMS.items():
        if f"{name}*" in algorithms:  # the one in force
            return "HASH", digest()
        if command in connection.features:
            return command, digest()
    return "", None


def _verify(connection: Connection, path: str, size: int, command: str, digest: Any) -> None:
    """Raise Lost if what the server has is not what was sent."""
    (reply,) = connection.ask(f"SIZE {path}")
    require(reply)
    if int(reply.split()[-1]) != size:
        raise Lost(f"{reply.split()[-1]} of {size} bytes arrived")
    if digest is None:
        return
    folder, name = posixpath.split(path)
    connection.ask(f"CWD {folder}")  # these commands take no path with a space in it
    reply = connection.patient(f"{command} {name}", size)
    words = [word.lower().lstrip("0") for word in reply.split()[1:]]
    if reply[0] == "2" and digest.hexdigest().lstrip("0") not in words:  # some offer it and then refuse
        raise Lost(f"other bytes arrived than were sent ({reply})")


def _rename(connection: Connection, partial: str, target: str) -> None:
    """Give an upload its own name, in place of an older file of that name."""
    _, refusal = connection.ask(f"RNFR {partial}", f"RNTO {target}")
    if refusal[0] == "2":
        return
    what = kind(connection, target)
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
        if size[0] != "2" and kind(connection, self.path) != "file":
            raise MlflowException(f"{self.path} is no file", RESOURCE_DOES_NOT_EXIST)
        require(size)
        whole = int(size.split()[-1])
        with self.partial.open("ab") as file:
            there = file.tell()
            is_same = modified[0] == "2" and [size, modified] == self._version and there <= whole
            if there and not (is_same and self._can_go_on(connection, there)):
                file.truncate(0)
                there = 0
            self._version = [size, modified]
            if there < whole or not whole:
                connection.retrieve(passive, f"RETR {self.path}", file.write)
            received = file.tell()
        if received != whole:
            if received > whole:
                self._version = []
            raise Lost(f"{received} of {whole} bytes of {self.path} came")
        self.partial.replace(self.target)

    def _can_go_on(self, connection: Connection, offset: int) -> bool:
        return connection.ask(f"REST {offset}")[0][0] == "3"


# ---- listing


def listing(connection: Connection, folder: str) -> list[Entry]:
    """List a folder, uploads in flight too. Raises ftplib's error for what is no folder."""
    entries = _mlsd(connection, folder) if "MLST" in connection.features else _nlst(connection, folder)
    unclear = [entry.name for entry in entries if not entry.kind]
    return [entry for entry in entries if entry.kind] + _classify(connection, folder, unclear)


def _lines(connection: Connection, passive: str, command: str) -> list[str]:
    received = bytearray()
    connection.retrieve(passive, command, received.extend)
    return [line.rstrip(b"\r").decode("utf-8", "surrogateescape") for line in received.split(b"\n") if line]


def _mlsd(connection: Connection, folder: str) -> list[Entry]:
    (passive,) = connection.ask(connection.passive())
    entries = []
    for line in _lines(connection, passive, f"MLSD {folder}"):
        text, _, name = line.partition(" ")
        facts = dict(fact.split("=", 1) for fact in text.lower().split(";") if "=" in fact)
        what = facts.get("type", "")
        if what in ("cdir", "pdir") or name in (".", ".."):
            continue
        size = int(facts["size"]) if what == "file" and facts.get("size", "").isdigit() else None
        is_clear = what == "dir" or size is not None
        entries.append(Entry(_plain(name), what if is_clear else "", size))
    return entries


def _nlst(connection: Connection, folder: str) -> list[Entry]:
    """List by the names alone, asked for in the folder itself: as an argument its name might be taken for a pattern."""
    there, passive = connection.ask(f"CWD {folder}", connection.passive())
    require(there)
    names = _names(connection, passive, "NLST -a")  # else names that begin with a dot may be left out
    if "." not in names:  # it knows no such option
        (passive,) = connection.ask(connection.passive())
        names += _names(connection, passive, "NLST")
    plain = {posixpath.basename(name) for name in names} - {"", ".", ".."}
    return [Entry(_plain(name), "", None) for name in sorted(plain)]


def _names(connection: Connection, passive: str, command: str) -> list[str]:
    try:
        return _lines(connection, passive, command)
    except (ftplib.error_perm, ftplib.error_temp) as error:
        if str(error)[:3] not in ("450", "501", "504", "550"):  # how servers say that there are no files, or no option
            raise
        return []


def _classify(connection: Connection, folder: str, names: list[str]) -> list[Entry]:
    """Ask for what a listing left open; what is neither file nor folder (a link to nothing, a pipe) is "other"."""
    paths = [posixpath.join(folder, name) for name in names]
    sizes = connection.ask(*(f"SIZE {path}" for path in paths))
    folders = connection.ask(*(f"CWD {path}" for path in paths))
    entries = []
    for name, size, into in zip(names, sizes, folders, strict=True):
        if into[0] == "2":
            entries.append(Entry(name, "dir", None))
        elif size[0] == "2":
            entries.append(Entry(name, "file", int(size.split()[-1])))
        else:
            entries.append(Entry(name, "other", None))
    return entries


def _plain(name: str) -> str:
    if not name or "/" in name or any(ord(char) < 32 for char in name):
        raise ftplib.error_proto(f"a listing with the name {name!r}, which cannot be")
    return name


# ---- deletion


def delete(connection: Connection, path: str) -> None:
    """Delete a file, or a folder with all below it (of "/" all that is below it); what is missing is left so."""
    what = kind(connection, path)
    if what == "dir":
        _delete_folder(connection, path)
    elif what == "file":
        require(connection.ask(f"DELE {path}")[0])


def _delete_folder(connection: Connection, folder: str) -> None:
    entries = [(entry, posixpath.join(folder, entry.name)) for entry in listing(connection, folder)]
    # A link to a folder lists as a folder: as a file it is deleted itself, and nothing that it points to.
    replies = connection.ask(*(f"DELE {path}" for _, path in entries))
    for (entry, path), reply in zip(entries, replies, strict=True):
        if reply[0] == "2":
            continue
        if entry.kind == "dir":
            _delete_folder(connection, path)
        elif kind(connection, path) is not None:  # else somebody else was quicker
            require(reply)
    if folder != "/":
        (reply,) = connection.ask(f"RMD {folder}")
        if reply[0] != "2" and kind(connection, folder) is not None:
            require(reply)
