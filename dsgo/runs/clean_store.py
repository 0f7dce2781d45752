"""MLflow's client of a tracking server, which stores no login that stands in an address."""

from typing import Any

from mlflow.entities import Param, RunStatus, RunTag
from mlflow.store.tracking.rest_store import RestStore
from mlflow.utils.time import get_current_time_millis

from dsgo.base import tags as names
from dsgo.base.errors import UserError
from dsgo.base.logins import ADVICE, has_login, without_login


class CleanStore(RestStore):
    """A parameter with a login in an address is refused, and its run fails: `mlflow run` has run nothing by then.

    From tags, which MLflow writes by itself (the address of a project among them), the login is left out. All readers
    of a run would have it otherwise, for MLflow changes and deletes no parameter.
    """

    def create_run(self, experiment_id: str, user_id: str, start_time: int, tags: list, run_name: str) -> Any:
        """Create a run."""
        return super().create_run(experiment_id, user_id, start_time, [_clean(tag) for tag in tags], run_name)

    def set_tag(self, run_id: str, tag: RunTag) -> None:
        """Set a tag."""
        super().set_tag(run_id, _clean(tag))

    def log_param(self, run_id: str, param: Param) -> None:
        """Log a parameter; raises UserError for a login."""
        self._require_no_login(run_id, [param])
        super().log_param(run_id, param)

    def log_batch(self, run_id: str, metrics: list, params: list, tags: list) -> None:
        """Log all at once; raises UserError for a login in a parameter, and then nothing is logged."""
        self._require_no_login(run_id, params)
        super().log_batch(run_id, metrics, params, [_clean(tag) for tag in tags])

    def _require_no_login(self, run_id: str, params: list[Param]) -> None:
        for param in params:
            if has_login(str(param.value)):
                error = UserError(f"{param.key}={without_login(str(param.value))} holds a login: {ADVICE}")
                self.set_tag(run_id, RunTag(names.ERROR, error.message))
                self.update_run_info(run_id, RunStatus.FAILED, get_current_time_millis(), None)
                raise error


def _clean(tag: RunTag) -> RunTag:
    return RunTag(tag.key, without_login(str(tag.value)))
