"""What an FTP server has: look, list, make folders and delete, in few round trips and on servers of any habits."""

import ftplib
import posixpath
from typing import NamedTuple

from dsgo.artifacts.ftp.connection import Connection
from dsgo.artifacts.ftp.control import Lost, Refused, require


class Entry(NamedTuple):
    """What a listing says of one name; `kind` is dir, file or other, `size` is of files alone."""

    name: str
    kind: str
    size: int | None


def kind_of(connection: Connection, path: str) -> str | None:
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
            if f"{path}/".startswith(f"{step}/") and (what := kind_of(connection, step)) != "dir":
                if what == "file":
                    raise Refused(replies[step], f"{step} is a file, no folder; choose another path or delete it")
                require(replies[step])
        raise Lost(f"the folder {path} came and went")


def _without(connection: Connection, folders: list[str]) -> list[str]:
    replies = connection.ask(*(f"CWD {folder}" for folder in folders))
    return [folder for folder, reply in zip(folders, replies, strict=True) if reply[0] != "2"]


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
    what = kind_of(connection, path)
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
        elif kind_of(connection, path) is not None:  # else somebody else was quicker
            require(reply)
    if folder != "/":
        (reply,) = connection.ask(f"RMD {folder}")
        if reply[0] != "2" and kind_of(connection, folder) is not None:
            require(reply)
