"""What a step's scripts import of `dsgo`, found in their text: the files that a change must touch to touch the step."""

import ast
import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

PACKAGE = "dsgo"


def imported(root: Path, scripts: Iterable[Path], modules: Iterable[str] = ()) -> set[Path]:
    """Return the files of the package below `root` that scripts (or `modules`) import, directly or through others.

    An import inside a function counts: it may run. The packages around a module count, for importing it runs them.
    """
    found: set[Path] = set()
    todo = [*modules, *(name for script in scripts for name in _names(script))]
    while todo:
        for path in _files(root, todo.pop()):
            if path not in found:
                found.add(path)
                todo += _names(path)
    return found


def _files(root: Path, name: str) -> Iterator[Path]:
    """Yield the files that importing a dotted name runs: its packages and itself, as far as it names modules."""
    parts = name.split(".")
    for i in range(1, len(parts) + 1):
        path = root.joinpath(*parts[:i])
        for file in (path / "__init__.py", path.with_suffix(".py")):
            if file.is_file():
                yield file


def _names(path: Path) -> list[str]:
    """Return the dotted names of the package that a script or a notebook imports, each attribute as if a module."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".ipynb":
        cells = [cell for cell in json.loads(text)["cells"] if cell["cell_type"] == "code"]
        text = re.sub(r"^\s*[%!].*$", "", "\n".join("".join(cell["source"]) for cell in cells), flags=re.M)
    names = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    return [name for name in names if name.split(".")[0] == PACKAGE]
