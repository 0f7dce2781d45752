"""Where MLflow finds our registry store (entry point in pyproject.toml): models:/BestModel/Production says what is so.

MLflow alone serves the newest where several versions are in Production, and where none is, ends in a traceback.
"""

from functools import partial
from typing import Any

from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from mlflow.store.model_registry.rest_store import RestStore
from mlflow.utils.credentials import get_default_host_creds

from dsgo.base.errors import UserError


class RegistryStore(RestStore):
    """MLflow's registry over http(s); who asks for the Production version gets the one, or is told what to do."""

    def get_latest_versions(self, name: str, stages: list[str] | None = None) -> list[ModelVersion]:
        """Return the newest version in each stage; UserError where Production is asked for and has none, or several."""
        from dsgo.models import registry

        problem, found = None, []
        try:
            found = super().get_latest_versions(name, stages)
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            problem = error
        if name == registry.MODEL and [stage.title() for stage in stages or []] == ["Production"]:
            state = registry.look()
            if state.version is None:
                raise UserError(state.said)
        if problem:
            raise problem
        return found


def server(store_uri: str, **_: Any) -> RegistryStore:
    """Build the store for an http(s) URI."""
    return RegistryStore(partial(get_default_host_creds, store_uri))
