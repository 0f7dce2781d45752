"""What several tests need and no fixture can give: the real data's folder, and both stores on free ports."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import click

from dsgo.base.network import free_port
from dsgo.base.places import ROOT
from dsgo.stores.running import Stores, running_stores

SHARED_DATA = ROOT.parent / "shared" / "data"
ECHO = """
import mlflow
from dsgo.base.network import free_port

class Echo(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        return model_input

mlflow.models.set_model(Echo())
"""  # the code of a model that gives back what it is given


@contextlib.contextmanager
def new_stores(home: Path, direct: bool = False) -> Iterator[Stores]:
    """Both stores on free ports; tried again where another test process was quicker to take one."""
    for attempt in range(3):
        with contextlib.ExitStack() as stack:
            try:
                stores = stack.enter_context(running_stores(home, free_port(), free_port(), direct))
            except click.ClickException:
                if attempt == 2:
                    raise
                continue
            yield stores
            return
