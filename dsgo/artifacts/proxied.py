"""Artifacts through the tracking server (`mlflow-artifacts:/`): MLflow's client, but no name is changed on the way."""

import os
import posixpath
from pathlib import Path

from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE
from mlflow.store.artifact.mlflow_artifacts_repo import MlflowArtifactsRepository

LOST = "?#%"  # begin, in the URL that MLflow's client builds of a name without quoting it, something else


class ProxiedArtifactRepository(MlflowArtifactsRepository):
    """MLflow's own, which refuses a name that would arrive as another one (to delete another file, too), unsent.

    Raises MlflowException (INVALID_PARAMETER_VALUE).
    """

    def log_artifact(self, local_file: str, artifact_path: str | None = None) -> None:
        """Upload one file into the folder `artifact_path`."""
        _check(posixpath.join(artifact_path or "", Path(local_file).name))
        super().log_artifact(local_file, artifact_path)

    def log_artifacts(self, local_dir: str, artifact_path: str | None = None) -> None:
        """Upload the files below `local_dir` into the folder `artifact_path`; MLflow leaves out empty folders."""
        for here, _, names in os.walk(local_dir):
            for name in names:
                _check(posixpath.join(artifact_path or "", Path(here, name).relative_to(local_dir).as_posix()))
        super().log_artifacts(local_dir, artifact_path)

    def delete_artifacts(self, artifact_path: str | None = None) -> None:
        """Delete a file, or a folder with all below it."""
        _check(artifact_path or "")
        super().delete_artifacts(artifact_path)

    def download_artifacts(self, artifact_path: str, dst_path: str | None = None) -> str:
        """Download a file, or a folder with all below it."""
        _check(artifact_path or "")
        return super().download_artifacts(artifact_path, dst_path)

    def _download_file(self, remote_file_path: str, local_path: str) -> None:
        _check(remote_file_path)
        super()._download_file(remote_file_path, local_path)


def _check(path: str) -> None:
    if found := [char for char in LOST if char in path]:
        raise MlflowException(
            f"the artifact name {path!r} holds {' and '.join(found)}, which does not pass a tracking server: choose a "
            "name without it",
            INVALID_PARAMETER_VALUE,
        )
