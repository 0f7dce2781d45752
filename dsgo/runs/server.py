"""Talking to the tracking server: MLflow's own client, but a server that is down is said within seconds."""

import os
from functools import lru_cache, partial
from typing import Any

from mlflow.exceptions import MlflowException
from mlflow.utils.credentials import get_default_host_creds
from mlflow.utils.rest_utils import http_request

from dsgo.base.errors import UserError
from dsgo.runs.clean_store import CleanStore

SECONDS = 5  # a server that is up answers /health in milliseconds


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
    """Return if MLFLOW_TRACKING_URI is set and its server answers, else raise UserError: a notebook's first line."""
    uri = os.environ.get("MLFLOW_TRACKING_URI", "")
    if not uri:
        raise UserError(
            "MLFLOW_TRACKING_URI is not set: start both stores with `dsgo up`, set it as that says, and start Jupyter "
            "in the same terminal"
        )
    if uri.startswith("http"):
        require_server(uri)


def rest_store(store_uri: str, artifact_uri: str | None = None, **_: Any) -> CleanStore:
    """Build MLflow's store for an http(s) URI after `require_server`, where MLflow alone retries for minutes.

    Registered in pyproject.toml, so that it serves `mlflow run` and every other MLflow client of this environment.
    """
    require_server(store_uri)
    return CleanStore(partial(get_default_host_creds, store_uri))
