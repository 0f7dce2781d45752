"""Where MLflow finds our tracking stores (entry points in pyproject.toml), in every process of this environment.

MLflow imports this file while it is itself being imported: so functions import what they need of MLflow.
"""

import os
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from mlflow.store.tracking.abstract_store import AbstractStore


def server(store_uri: str, artifact_uri: str | None = None, **_: Any) -> "AbstractStore":
    """Build the store for an http(s) URI; UserError if no server answers there."""
    from dsgo.runs.server import rest_store

    return rest_store(store_uri)


def sqlite(store_uri: str, artifact_uri: str | None = None, **_: Any) -> "AbstractStore":
    """Build the store for an SQLite database; UserError for the one that MLflow begins where no address is set."""
    import click
    from mlflow.tracking import get_tracking_uri, is_tracking_uri_set
    from mlflow.tracking._tracking_service.utils import _get_sqlalchemy_store

    from dsgo.base.errors import UserError
    from dsgo.runs.server import NOT_SET

    if store_uri == get_tracking_uri() and not is_tracking_uri_set():
        raise UserError(NOT_SET)
    command = click.get_current_context(silent=True)
    if command and command.info_name == "gc":
        from dsgo.runs.garbage import KeepingStore

        return KeepingStore(store_uri, artifact_uri or "./mlruns")
    return _get_sqlalchemy_store(store_uri, artifact_uri)


def no_address(store_uri: str, artifact_uri: str | None = None, **_: Any) -> NoReturn:
    """Raise UserError for a tracking URI without http://."""
    from dsgo.base.errors import UserError
    from dsgo.runs.server import tracking_uri

    raise UserError(f"{tracking_uri()} is no address of a tracking server")  # tracking_uri says it better, mostly


def _refuse_what_is_no_address() -> None:
    """Let MLflow's own commands say in a line, too, that MLFLOW_TRACKING_URI lacks http://.

    What stands before its first colon is a scheme to MLflow, and no entry point can be named after any host.
    """
    from mlflow.tracking._tracking_service.utils import _tracking_store_registry as known
    from mlflow.utils.uri import get_uri_scheme

    scheme = get_uri_scheme(os.environ.get("MLFLOW_TRACKING_URI") or "http://")
    if scheme == "" or scheme not in known._registry:
        known.register(scheme, no_address)


_refuse_what_is_no_address()
