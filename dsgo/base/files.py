"""Files and folders that are on disk, whole, when a function here returns, or are not there at all."""

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

BLOCK = 1 << 20  # bytes a read
Advance = Callable[[int], None]  # is told the bytes that are done


@contextmanager
def written_whole(target: Path) -> Iterator[Path]:
    """Give a new folder beside `target`, which gets that name if the block ends well, and else goes.

    The block sees to the files in it (`transfer`). A process that is killed leaves `.NAME.unfinished-...` behind.
    """
    new = target.with_name(f".{target.name}.unfinished-{uuid4().hex[:8]}")
    new.mkdir(parents=True)
    try:
        yield new
        for here, _, _ in os.walk(new):
            sync(Path(here))
        new.rename(target)
        sync(target.parent)
    finally:
        shutil.rmtree(new, ignore_errors=True)


def transfer(source: Path, target: Path | None = None, advance: Advance = lambda _: None) -> dict[str, Any]:
    """Read a file, copying it to `target` if given; return its `size` in bytes and its `sha256`."""
    digest, size = hashlib.sha256(), 0
    with ExitStack() as stack:
        reader = stack.enter_context(source.open("rb"))
        writer = stack.enter_context(target.open("wb")) if target else None
        while block := reader.read(BLOCK):
            digest.update(block)
            size += len(block)
            if writer:
                writer.write(block)
            advance(len(block))
        if writer:
            writer.flush()
            os.fsync(writer.fileno())
    return {"size": size, "sha256": digest.hexdigest()}


def sync(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on disk; Windows has no such call for folders."""
    if path.is_dir() and os.name == "nt":
        return
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_whole(path: Path, content: bytes, mode: int = 0o644) -> None:
    """Write a small file of these permissions in one step: other processes see the old one or the new one."""
    new = path.with_name(f"{path.name}.new")
    new.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
