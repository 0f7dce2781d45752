"""Opening a file as it is or packed (gzip, zip): told by its first bytes, never by its name."""

import gzip
import re
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from dsgo.base.errors import UserError


@contextmanager
def unpacked(path: Path, member: str = r".*") -> Iterator[BinaryIO]:
    """Open a file for reading; of a gzip what is in it, of a zip the one file whose name matches `member`.

    Raises UserError where the file cannot be read, is a folder or a device, or where its archive is broken or has no
    such file.
    """
    if path.is_dir():
        raise UserError(f"{path} is a folder: name a file in it")
    if not path.exists():
        raise UserError(f"there is no file {path}")
    if not path.is_file():
        raise UserError(f"{path} is a device, not a file")
    try:
        with path.open("rb", buffering=2**17) as file:
            magic = file.read(4)
            file.seek(0)
            if magic == b"PK\x03\x04":
                with zipfile.ZipFile(file) as archive, archive.open(_member(path, archive, member)) as content:
                    yield cast(BinaryIO, content)
            elif magic[:2] == b"\x1f\x8b":
                with gzip.open(file) as content:
                    yield cast(BinaryIO, content)
            else:
                yield file
    except (OSError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise UserError(f"{path} cannot be read: {error}") from error


def _member(path: Path, archive: zipfile.ZipFile, pattern: str) -> zipfile.ZipInfo:
    files = [item for item in archive.infolist() if not item.is_dir() and not item.filename.startswith("__MACOSX/")]
    if any(item.filename == "xl/workbook.xml" for item in files):
        raise UserError(f"{path} is an Excel workbook: save its sheet as CSV")
    found = [item for item in files if re.fullmatch(rf"(.*/)?{pattern}", item.filename)]
    if len(found) != 1:
        held = ", ".join(item.filename for item in files[:5]) or "nothing"
        what = "one file" if pattern == r".*" else f"one {pattern.partition('(')[0]}.csv"
        raise UserError(f"{path} must hold {what}, it holds {held}")
    if found[0].flag_bits & 1:
        raise UserError(f"{path} is locked with a password: unpack it first")
    return found[0]
