"""The files of the artifact store: an upload takes its name when it is whole and on the disk, or never.

An upload in flight has a name that TEMPORARY describes, beside its target. No client can list, read or name such a
file, and what a crash left of them is removed at the next start. So it is with UNNAMED, the names that dsgo's client
uploads to before it renames, except that clients can name them.
"""

import errno
import io
import os
import re
import shutil
import uuid
from pathlib import Path
from typing import Any, ClassVar

from pyftpdlib.exceptions import FilesystemError
from pyftpdlib.filesystems import AbstractedFS

from dsgo.base.store_terms import PARTIAL, UPLOAD

TEMPORARY = re.compile(re.escape(UPLOAD) + "[0-9a-f]{32}")
UNNAMED = re.compile(re.escape(PARTIAL) + "[0-9a-f]{32}")
FLUSH_BYTES = 16 * 2**20  # so much is written between two looks at the disk: bounds a flush, and so the others' wait
FULL = {errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)}


class Upload(io.FileIO):
    """A file being received: `commit` gives it its name, `close` without it leaves nothing.

    Unbuffered, so that a full disk is said while the client still waits for the answer. A failed write is kept in
    `problem` and ends all further ones, for pyftpdlib has no answer to an error here that works with TLS too.
    """

    in_flight: ClassVar[set[Path]] = set()  # the temporary files of this process

    def __init__(self, target: str, min_free: int, expected: int | None = None) -> None:
        """Create the temporary file beside `target`; raises OSError, also for a target that is a folder.

        `expected` is the size that the client announced, and `min_free` what is to be left free on the disk, in bytes.
        """
        self.target = Path(target).parent.resolve() / Path(target).name
        self.min_free, self.expected = min_free, expected
        self.temporary = self.target.with_name(f"{UPLOAD}{uuid.uuid4().hex}")
        self.size, self._looked = 0, 0
        self.problem: OSError | None = None
        if self.target.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        super().__init__(self.temporary, "xb")
        self.in_flight.add(self.temporary)
        self.name = target  # what pyftpdlib's log and hooks are to speak of

    def write(self, data: Any) -> int:
        """Write all of `data`, or keep the reason in `problem`."""
        rest = memoryview(data)
        try:
            while rest and not self.problem:
                written = super().write(rest)
                self.size, rest = self.size + written, rest[written:]
                if self.size - self._looked >= FLUSH_BYTES:
                    self._looked = self.size
                    self.sync()
                    require_room(self.target.parent, self.min_free)
        except OSError as error:
            self.problem = error
        return len(data)

    def sync(self) -> None:
        """Bring what is written to the disk; raises OSError."""
        os.fsync(self.fileno())

    def commit(self) -> None:
        """Take the target's name, after `sync`, and close; raises OSError, and then the target is as before."""
        try:
            super().close()
            self.temporary.replace(self.target)
            if not UNNAMED.fullmatch(self.target.name):  # its rename will do it
                flush_folder(self.target.parent)
        finally:
            self.close()

    def close(self) -> None:
        """Close, and remove what has not been committed."""
        super().close()
        self.temporary.unlink(missing_ok=True)
        self.in_flight.discard(self.temporary)


class StoreFiles(AbstractedFS):
    """The folder that the server shows: no temporary files, and nothing that a symbolic link has outside."""

    min_free = 0  # bytes that uploads leave free on the disk
    expected: int | None = None  # bytes that the client announced for its next upload

    def validpath(self, path: str) -> bool:
        """Tell whether a client may name this path."""
        return not TEMPORARY.fullmatch(os.path.basename(path)) and super().validpath(path)  # noqa: PTH119

    def open(self, filename: str, mode: str) -> Any:
        """Open for a download ("rb") or an upload ("wb"); nothing else is offered, and only regular files."""
        if mode == "wb":
            return Upload(filename, self.min_free, self.expected)
        if mode != "rb":
            raise FilesystemError("An upload cannot be continued or appended to: send it whole")
        if Path(filename).exists() and not Path(filename).is_file():  # a folder; or a pipe, which would block
            raise FilesystemError("Not a file")
        return super().open(filename, mode)

    def listdir(self, path: str) -> list[str]:
        """List a folder, without temporary files and without links that leave the root."""
        with os.scandir(path) as entries:
            return [
                entry.name
                for entry in entries
                if not is_in_flight(entry.name) and (not entry.is_symlink() or self.validpath(entry.path))
            ]

    def mkdir(self, path: str) -> None:
        """Make a folder, on the disk too."""
        super().mkdir(path)
        flush_folder(Path(path).parent)

    def rename(self, src: str, dst: str) -> None:
        """Rename in one step, over an existing file too (on Windows `os.rename` would refuse).

        Not a folder into which an upload is going on, which would leave its temporary file there, nor what has come
        to lie behind a link since it was named (RNFR).
        """
        if any(Path(src).resolve() in temporary.parents for temporary in Upload.in_flight):
            raise FilesystemError("An upload into this folder is going on")
        if not self.validpath(src):
            raise FilesystemError("No such file or directory")
        Path(src).replace(dst)
        flush_folder(Path(dst).parent)


def is_in_flight(name: str) -> bool:
    """Tell whether a file of this name has yet to get its own."""
    return bool(TEMPORARY.fullmatch(name) or UNNAMED.fullmatch(name))


def require_room(folder: Path, min_free: int, size: int = 0) -> None:
    """Raise OSError (ENOSPC) if `size` more bytes would leave less than `min_free` free."""
    if shutil.disk_usage(folder).free - size < min_free:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def flush_folder(folder: Path) -> None:
    """Bring a folder's names to the disk (POSIX; Windows does so by itself)."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def remove_leftovers(root: Path) -> int:
    """Remove the temporary files that a crash left below `root`; return how many. Before the server starts."""
    found = [Path(folder, name) for folder, _, names in os.walk(root) for name in names if is_in_flight(name)]
    for path in found:
        path.unlink(missing_ok=True)
    return len(found)
