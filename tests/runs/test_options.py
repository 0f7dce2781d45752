"""A step's parameters stand in its MLproject and in click: the same names, defaults and types."""

import re

import click
import pytest
import yaml

from dsgo.base.places import ROOT
from scripts import command_of

FOLDERS = [".", "process_data", "lr", "rf", "gbm", "kernel", "keras_nn", "blend", "report", "forecast"]
KINDS = {click.types.IntParamType: "int", click.types.FloatParamType: "float"}


def entry_points():
    for folder in FOLDERS:
        points = yaml.safe_load((ROOT / folder / "MLproject").read_text(encoding="utf-8"))["entry_points"]
        for name, point in points.items():
            yield pytest.param(folder, point, id=f"{folder} {name}")


@pytest.mark.parametrize(("folder", "point"), entry_points())
def test_parameters__of_mlproject_and_click_are_the_same_in_name_default_and_type(folder, point):
    command = command_of(folder, re.match(r"python (?:-m )?([\w.]+?)(?:\.py)?(?= |$)", point["command"].strip())[1])
    options = {option.opts[0].removeprefix("--").replace("-", "_"): option for option in command.params}
    options.pop("own", None)  # the workflow's STEP.NAME, which MLproject cannot list

    declared = {
        name: (spec["type"], "" if spec["default"] is None else str(spec["default"]).lower())
        for name, spec in point["parameters"].items()
    }
    kinds = {
        name: next((KINDS[k] for k in KINDS if isinstance(option.type, k)), "string")
        for name, option in options.items()
    }

    assert declared == {name: (kinds[name], str(option.default).lower()) for name, option in options.items()}


@pytest.mark.parametrize(("folder", "point"), entry_points())
def test_parameters__of_mlproject_are_all_given_to_the_command_under_their_names(folder, point):
    given = dict(re.findall(r"--([\w-]+) \{(\w+)\}", point["command"]))

    assert {name.replace("-", "_"): value for name, value in given.items()} == {
        name: name for name in point["parameters"]
    }
