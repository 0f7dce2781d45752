"""Running a notebook with papermill and turning it into one HTML file."""

import re
import sys
import warnings
from pathlib import Path
from typing import Any

import click
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbconvert import HTMLExporter
from nbformat import NotebookNode
from plotly.offline import get_plotlyjs
from traitlets import default

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import papermill

START_SECONDS, CELL_SECONDS = 60, 120


class NotebookError(click.ClickException):
    """A cell that failed: its own last lines, without papermill's and the kernel's."""

    exit_code = 1


class _ThisPython(AsyncKernelManager):
    """A kernel of the Python that runs now, even if the user has installed another kernel under the same name."""

    @default("transport_encryption")
    def _encrypt(self) -> str:
        return "auto"

    @property
    def kernel_spec(self) -> KernelSpec:
        argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        encrypted = {"supported_encryption": ["curve"]}  # as ipykernel's own specification says
        return KernelSpec(argv=argv, language="python", display_name="Python 3", metadata=encrypted)


def execute(notebook: Path, parameters: dict[str, Any], scratch: Path) -> NotebookNode:
    """Return the notebook executed in its own folder with `parameters`; the file itself stays as it is.

    Raises NotebookError for a cell that fails, takes more than CELL_SECONDS or ends its kernel, which is always ended.
    What the kernel writes for itself, it writes into `scratch`.
    """
    try:
        return papermill.execute_notebook(
            notebook,
            None,
            parameters,
            kernel_name="python3",
            language="python",
            progress_bar=False,
            cwd=notebook.parent,
            start_timeout=START_SECONDS,
            execution_timeout=CELL_SECONDS,
            kernel_manager_class=_ThisPython,
            shutdown_kernel="immediate",
            # No history, no profile and no start-up file of the user's own IPython.
            extra_arguments=[f"--ipython-dir={scratch}", "--HistoryManager.enabled=False"],
        )
    except papermill.PapermillExecutionError as error:
        frame = re.sub(r"\x1b\[[0-9;]*m", "", error.traceback[-2] if len(error.traceback) > 1 else "").strip()
        what = f"{error.ename}: {error.evalue[:500]}"
        raise NotebookError(f"cell {error.exec_count} of {notebook.name} failed:\n{frame}\n{what}") from error
    except CellTimeoutError as error:
        raise NotebookError(f"a cell of {notebook.name} took more than {CELL_SECONDS} s") from error
    except DeadKernelError as error:
        raise NotebookError(f"the kernel of {notebook.name} ended before its time") from error


def to_html(executed: NotebookNode, template: Path, **resources: Any) -> str:
    """Return an executed notebook as a page without code that needs no network: plotly.js is in it, once.

    `template` is a folder for nbconvert whose index.html.j2 has a comment "plotly.js" in its head; `resources` are what
    it calls `resources`.
    """
    exporter = HTMLExporter(
        template_name=template.name, extra_template_basedirs=[str(template.parent)], exclude_input=True
    )
    body, _ = exporter.from_notebook_node(executed, resources)
    # Put in last: nbconvert parses and rewrites what it exports.
    return str(body).replace("<!-- plotly.js -->", f"<script>{get_plotlyjs()}</script>", 1)
