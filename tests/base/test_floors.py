"""The floors of CONTRIBUTING.md: imports run downwards only, in no circle, and server/ stands on dsgo.base alone."""

import ast
import sys
from pathlib import Path

import pytest

from dsgo.base.places import ROOT

FLOORS = {
    "cli": 7,
    "demo": 6,
    "pipeline": 5,
    "backtest": 5,
    "gate": 4,
    "forecast": 4,
    "models": 3,
    "workflow": 3,
    "data": 2,
    "runs": 2,
    "stores": 2,
    "artifacts": 2,
    "base": 1,
}
STEPS = ["process_data", "lr", "rf", "gbm", "kernel", "keras_nn", "blend", "report", "forecast"]
SERVER = {"dsgo", "pyftpdlib", "OpenSSL", "cryptography", "mlflow"}


def imports(path: Path) -> set[str]:
    """All dotted names that a file imports, inside functions too; `from a import b` is a.b."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {f"{'.' * node.level}{node.module or ''}.{alias.name}" for alias in node.names}
    return names


def room(name: str) -> str:
    return name.split(".")[1]


def wrong_ways(folder: Path) -> list[str]:
    """Each import in a package that does not lead to a lower floor (or to the same room, base aside), in words."""
    wrong = []
    for path in sorted(folder.rglob("*.py")):
        parts = path.relative_to(folder).with_suffix("").parts
        for name in imports(path):
            if name.startswith("."):
                wrong.append(f"{'/'.join(parts)} imports relatively: {name}")
            if not name.startswith("dsgo.") or parts == ("__init__",):
                continue
            here, there = parts[0], room(name)
            inside = here == there and here != "base"
            if not inside and FLOORS[there] >= FLOORS[here]:
                wrong.append(f"{'/'.join(parts)} imports {name}")
    return wrong


def circles(folder: Path) -> list[list[str]]:
    """Each circle of imports among the modules of a package."""
    modules = {
        ".".join(("dsgo", *path.relative_to(folder).with_suffix("").parts)): path for path in folder.rglob("*.py")
    }
    named = {name: imports(path) for name, path in modules.items() if not name.endswith("__init__")}
    edges = {
        name: {known for known in modules for there in those if there == known or there.startswith(f"{known}.")}
        for name, those in named.items()
    }
    found: list[list[str]] = []

    def walk(name: str, way: list[str]) -> None:
        if name in way:
            found.append([*way[way.index(name) :], name])
        elif name not in done:
            for after in sorted(edges.get(name, ())):
                walk(after, [*way, name])
            done.add(name)

    done: set[str] = set()
    for name in sorted(edges):
        walk(name, [])
    return found


def test_floors__every_file_of_dsgo_has_one_and_imports_only_lower_ones():
    assert {
        path.stem for path in (ROOT / "dsgo").iterdir() if path.stem != "__init__" and path.name != "__pycache__"
    } - {
        "py",  # py.typed
        "README",
    } == set(FLOORS)
    assert wrong_ways(ROOT / "dsgo") == []


def test_floors__there_is_no_circle():
    assert circles(ROOT / "dsgo") == []


def test_floors__an_upward_import_and_a_circle_are_seen(tmp_path):
    for name, text in {
        "base/errors.py": "from dsgo.base import files",
        "base/files.py": "",
        "data/dataset.py": "def f():\n    from dsgo.models.training import log_candidate",
        "models/training.py": "import dsgo.data.dataset",
        "runs/step.py": "from dsgo.data import schema",
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)

    assert wrong_ways(tmp_path) == [
        "base/errors imports dsgo.base.files",
        "data/dataset imports dsgo.models.training.log_candidate",
        "runs/step imports dsgo.data.schema",
    ]
    assert circles(tmp_path) == [["dsgo.data.dataset", "dsgo.models.training", "dsgo.data.dataset"]]


@pytest.mark.parametrize("step", STEPS)
def test_floors__a_step_imports_of_this_repository_only_dsgo_and_its_own_files(step):
    own = {path.stem for path in (ROOT / step).iterdir()}
    others = {path.stem for folder in [*STEPS, "dashboard", "server"] for path in (ROOT / folder).glob("*.py")} - own
    scripts = [path for path in (ROOT / step).rglob("*.py") if "dsgo" not in path.relative_to(ROOT / step).parts]

    assert {
        name for path in scripts for name in imports(path) if name.split(".")[0] in others | set(STEPS) - own
    } == set()


def test_floors__server_stands_on_dsgo_base_pyftpdlib_with_tls_and_mlflow():
    own = {path.stem for path in (ROOT / "server").glob("*.py")}
    files, seen = list((ROOT / "server").glob("*.py")), set()
    while files:
        path = files.pop()
        for name in imports(path):
            top = name.split(".")[0]
            assert top in own | SERVER | set(sys.stdlib_module_names), f"{path.name} imports {name}"
            if top == "dsgo" and name not in seen:
                seen.add(name)
                assert name.startswith("dsgo.base."), f"{path.name} imports {name}"
                files.append(ROOT.joinpath(*name.split(".")[:3]).with_suffix(".py"))  # its own imports are held too

    assert "dsgo.base.store_terms.WORKSHOP_PASSWORD" in seen
