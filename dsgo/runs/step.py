"""What every step script does around its own work: `run_step(main)` is its last line."""

import os
import sys

import click
import mlflow
import requests
from mlflow.exceptions import MlflowException

from dsgo.base import tags
from dsgo.base.errors import UserError, refused_paths
from dsgo.base.processes import end_with, hear_ctrl_c
from dsgo.runs.server import require_tracking

UNITS = "Power and errors (mae, rmse, bias) are in GW, energy in GWh, r2 and shares between 0 and 1, times in UTC."
_about = ""  # what the step's script says of itself
_project_run: str | None = None  # the run that `mlflow run` began; mlflow.start_run takes the variable away


def run_step(command: click.Command) -> None:
    """Run a step's command; a user's mistake ends it with one line, exit code 2 and a FAILED run tagged `dsgo.error`.

    A mistake is a UserError, a parameter that click refuses, or a store that refuses or does not answer. Anything else
    is a fault of the code and keeps its traceback.
    """
    global _about, _project_run
    _about = (command.callback.__globals__["__doc__"] or "") if command.callback else ""
    hear_ctrl_c()
    _project_run = os.environ.get("MLFLOW_RUN_ID")
    if parent := os.environ.get("DSGO_PARENT"):  # set by the workflow and the demo: no orphan goes on computing
        end_with(int(parent))
    # MLflow's patience (7 retries, minutes) hides a store that is down or full; 3 retries last some 15 seconds.
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "3")
    if not sys.stderr.isatty():
        os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    try:
        require_tracking()
        with refused_paths():
            command.main(standalone_mode=False)
    except click.ClickException as error:
        sys.exit(_fail(error))
    except MlflowException as error:
        sys.exit(_fail(UserError(f"the stores refused or did not answer: {error}")))
    except requests.HTTPError as error:  # what a store refuses through the tracking server
        is_json = "json" in error.response.headers.get("Content-Type", "")
        why = error.response.json()["message"] if is_json else error
        sys.exit(_fail(UserError(f"the stores refused: {why}")))
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)


def start_run(step: str) -> mlflow.ActiveRun:
    """Start the step's run, or take up the one that `mlflow run` began (its parameters are on it), under its name.

    Its description in MLflow's UI is the docstring of the step's script: what goes in, what comes out, how to run it.
    """
    about = {"mlflow.note.content": f"{_about.strip()}\n\n{UNITS}"} if _about else {}
    return mlflow.start_run(tags={tags.STEP: step, "mlflow.runName": step} | about)


def _fail(error: click.ClickException) -> int:
    """Show the message, leave it on the run and return the exit code."""
    message = error.format_message()
    print(f"Error: {message}", file=sys.stderr)
    last = mlflow.last_active_run()
    run_id = last.info.run_id if last else _project_run
    if run_id:
        try:
            client = mlflow.MlflowClient()
            client.set_tag(run_id, tags.ERROR, message[:5000])
            client.set_terminated(run_id, "FAILED")
        except (MlflowException, click.ClickException) as problem:
            print(f"The run {run_id} could not be marked FAILED: {problem}", file=sys.stderr)
    return error.exit_code
