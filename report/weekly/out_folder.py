"""A folder that a step's files go to besides its MLflow run (`-P out=DIR`)."""

import shutil
from pathlib import Path

from dsgo.base.errors import UserError


def make_folder(folder: Path) -> Path:
    """Make a folder if it is not there and return it; UserError, early, where that cannot be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"out={folder}: no folder can be made there: {error.strerror}") from error
    return folder


def copy_whole(source: Path, folder: Path) -> Path:
    """Copy all files of one folder into another, each whole or not at all, and return that; UserError if it refuses."""
    try:
        for file in source.iterdir():
            part = folder / f"{file.name}.part"
            shutil.copyfile(file, part)
            part.replace(folder / file.name)
    except OSError as error:
        raise UserError(f"out={folder}: {error.filename} cannot be written: {error.strerror}") from error
    return folder
