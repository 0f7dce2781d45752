"""Talking to the tracking server: its address, whether it answers, and whether the experiment is there to write to.

No command of this project works without MLFLOW_TRACKING_URI: MLflow alone would begin a database in the working folder.
"""

import os
import re
from functools import lru_cache, partial
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import mlflow
from mlflow.entities import Experiment, Run
from mlflow.exceptions import MlflowException
from mlflow.utils.credentials import get_default_host_creds
from mlflow.utils.rest_utils import http_request

from dsgo.base.errors import UserError
from dsgo.runs.clean_store import CleanStore

SECONDS = 5  # a server that is up answers /health in milliseconds
NOT_SET = (
    "MLFLOW_TRACKING_URI is not set: start both stores with `dsgo up`, then set it in this terminal as that says: "
    "`export MLFLOW_TRACKING_URI=http://127.0.0.1:5000`"
)
DATABASES = {"sqlite", "postgresql", "mysql", "mssql"}


def tracking_uri() -> str:
    """Return the address in MLFLOW_TRACKING_URI; UserError where it is missing or no address. No server is asked."""
    uri = os.environ.get("MLFLOW_TRACKING_URI", "")  # MLflow's set_tracking_uri sets it, too
    if not uri:
        raise UserError(NOT_SET)
    shown = re.sub(r"[^/@]*@", "", uri)  # without a password
    scheme, _, rest = uri.partition("://")
    try:
        complete = scheme.lower() in ("http", "https") and urlsplit(uri).hostname and urlsplit(uri).port != 0
    except ValueError:  # the port is no number
        complete = False
    if complete or scheme.partition("+")[0] in DATABASES - {"sqlite"}:
        return uri
    if scheme == "sqlite":
        database = unquote(rest.removeprefix("/").partition("?")[0])
        if not Path(database).is_file():
            raise UserError(f"MLFLOW_TRACKING_URI={shown}: there is no database {database}")
        return uri
    if re.fullmatch(r"(?!https?\W)\w[\w.-]*(:\d+)?(/.*)?", shown):
        raise UserError(f"MLFLOW_TRACKING_URI={shown} begins without http://: set it to http://{shown}")
    raise UserError(
        f"MLFLOW_TRACKING_URI={shown} is no address of a tracking server: http://127.0.0.1:5000 would be one"
    )


@lru_cache
def require_server(uri: str) -> None:
    """Return if a tracking server answers at `uri` (asked once a process), else raise UserError within SECONDS."""
    try:
        http_request(get_default_host_creds(uri), "/health", "GET", timeout=SECONDS, max_retries=0)
    except MlflowException as error:
        raise UserError(
            f"no tracking server answers at {uri}: start both stores with `dsgo up`, or set MLFLOW_TRACKING_URI to "
            "the server that you mean"
        ) from error


def require_tracking() -> None:
    """Return if MLFLOW_TRACKING_URI is set and its server answers, else raise UserError; nothing is written."""
    if (uri := tracking_uri()).lower().startswith("http"):
        require_server(uri)


def find_experiment(name: str) -> Experiment | None:
    """Return the experiment of that name, None if there never was one; UserError if it is deleted."""
    found = mlflow.get_experiment_by_name(name)
    if found and found.lifecycle_stage == "deleted":
        raise _deleted(found)
    return found


def _deleted(experiment: Experiment) -> UserError:
    return UserError(
        f"the experiment {experiment.name} is deleted: `mlflow experiments restore -x {experiment.experiment_id}` "
        "restores it while the stores are up, or take another name with --experiment-name"
    )


class TrackingStore(CleanStore):
    """MLflow's store for an http(s) address; a run in a deleted experiment is refused in one line."""

    def create_run(self, experiment_id: str, *args: Any, **kwargs: Any) -> Run:
        """Create a run; UserError if its experiment is deleted."""
        try:
            return super().create_run(experiment_id, *args, **kwargs)
        except MlflowException:
            experiment = self.get_experiment(experiment_id)
            if experiment.lifecycle_stage == "deleted":
                raise _deleted(experiment) from None
            raise


def rest_store(store_uri: str, artifact_uri: str | None = None, **_: Any) -> TrackingStore:
    """Build the store for an http(s) URI after `require_server`, where MLflow alone retries for minutes."""
    require_server(store_uri)
    return TrackingStore(partial(get_default_host_creds, store_uri))
