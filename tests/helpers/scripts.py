"""A step's script as a module."""

import importlib
import importlib.util

import pytest

from dsgo.base.places import ROOT


def load_script(folder, name):
    """Load the script `name` of a step's folder from its file.

    `import process_data` would not do: where doctests are in it, pytest itself holds that folder as a package.
    """
    spec = importlib.util.spec_from_file_location(f"{name}_script", ROOT / folder / f"{name}.py")
    script = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / folder))  # as Python has it when it runs the script
        spec.loader.exec_module(script)
    return script


def command_of(folder, name):
    """The click command of an MLproject's entry point: `python NAME.py` in a step's folder, `python -m NAME` in "."."""
    module = importlib.import_module(name) if folder == "." else load_script(folder, name)
    return module.main
