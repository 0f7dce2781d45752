"""What `mlflow gc` may take: no model that a registered version needs; of a deleted experiment its models' files, too.

MLflow alone deletes with an experiment the records of its models, those of registered versions among them, and leaves
the files of all of them behind.
"""

from typing import Any

import click
from mlflow.entities import LifecycleStage
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
from mlflow.store.model_registry.dbmodels.models import SqlModelVersion
from mlflow.store.tracking.dbmodels.models import SqlExperiment, SqlLoggedModel, SqlRun
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
from mlflow.utils.time import get_current_time_millis

from dsgo.base.errors import UserError


class KeepingStore(SqlAlchemyStore):
    """The store of `mlflow gc`: it refuses before anything is deleted, and leaves no files of models behind."""

    def _get_deleted_runs(self, older_than: int = 0) -> list[str]:
        """Return the deleted runs; UserError if what gc is about to take holds a registered version's model.

        gc asks this before anything else. `older_than` is in milliseconds.
        """
        runs: list[str] = super()._get_deleted_runs(older_than)
        options = click.get_current_context().params
        experiments = self._experiments(older_than, options)
        models = _given(options, "logged_model_ids")
        models = self._get_deleted_logged_models(older_than) if models is None else models
        lost = self._versions_lost(experiments, models, _given(options, "run_ids") or runs)
        if lost:
            raise UserError(
                f"`mlflow gc` would take the model of {'; '.join(lost)}. Nothing was deleted: restore what is deleted "
                "there, or delete the version first"
            )
        return runs

    def _hard_delete_experiment(self, experiment_id: str) -> None:
        with self.ManagedSessionMaker() as session:
            of_it = session.query(SqlLoggedModel).filter(SqlLoggedModel.experiment_id == int(experiment_id))
            locations = [model.artifact_location for model in of_it]
        for location in locations:
            get_artifact_repository(location).delete_artifacts()
        super()._hard_delete_experiment(experiment_id)

    def _experiments(self, older_than: int, options: dict[str, Any]) -> list[int]:
        if given := _given(options, "experiment_ids"):
            return [int(name) for name in given if name.isdecimal()]
        with self.ManagedSessionMaker() as session:
            deleted = session.query(SqlExperiment).filter(SqlExperiment.lifecycle_stage == LifecycleStage.DELETED)
            before = get_current_time_millis() - older_than
            return [one.experiment_id for one in deleted if not older_than or (one.last_update_time or 0) < before]

    def _versions_lost(self, experiments: list[int], models: list[str], runs: list[str]) -> list[str]:
        """Return the registered versions whose model is among these, in words: why, and how to keep it."""
        lost: list[str] = []
        with self.ManagedSessionMaker() as session:
            versions = session.query(SqlModelVersion).order_by(SqlModelVersion.name, SqlModelVersion.version.desc())
            known = {model.model_id: model for model in session.query(SqlLoggedModel)}
            taken = session.query(SqlRun).filter(SqlRun.lifecycle_stage == LifecycleStage.DELETED)
            gone = [run for run in taken if run.run_uuid in runs or run.experiment_id in experiments]
            for version in versions:
                source = version.source or ""  # a deleted version has none
                model = known.get(source.removeprefix("models:/"))
                if model and model.experiment_id in experiments:
                    restore = f"`mlflow experiments restore -x {model.experiment_id}`"
                    why = f"its experiment {model.experiment_id} is deleted, {restore}"
                elif model and model.model_id in models:
                    why = f"its model {model.model_id} is deleted"
                elif any(source.startswith(f"{run.artifact_uri}/") for run in gone):
                    why = "its run is deleted"
                else:
                    continue
                lost.append(f"version {version.version} of {version.name} ({version.current_stage}; {why})")
        return lost


def _given(options: dict[str, Any], name: str) -> list[str] | None:
    return options[name].split(",") if options.get(name) else None
