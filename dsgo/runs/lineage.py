"""Where a dataset came from, for MLflow's dataset tracking: MLflow itself has no source for `runs:/` URIs."""

from typing import Any

import mlflow
import pandas as pd
from mlflow.data.dataset_source import DatasetSource
from mlflow.data.pandas_dataset import PandasDataset, from_pandas


class ArtifactSource(DatasetSource):
    """A dataset file that MLflow can download: a URI or a local path."""

    def __init__(self, uri: str) -> None:
        """Take the URI or path."""
        self.uri = uri

    @staticmethod
    def _get_source_type() -> str:
        return "artifact"

    def load(self, **_: Any) -> str:
        """Download the file and return its local path; `mlflow.data.get_source(input).load()` ends here."""
        return mlflow.artifacts.download_artifacts(self.uri)

    @staticmethod
    def _can_resolve(raw_source: Any) -> bool:
        return False  # never guessed from a string: it is always named

    @classmethod
    def _resolve(cls, raw_source: Any) -> "ArtifactSource":
        raise NotImplementedError

    def to_dict(self) -> dict[str, str]:
        """Return what is stored on the run."""
        return {"uri": self.uri}

    @classmethod
    def from_dict(cls, source_dict: dict[str, str]) -> "ArtifactSource":
        """Build it again from what was stored."""
        return cls(source_dict["uri"])


def tracked(frame: pd.DataFrame, uri: str) -> PandasDataset:
    """Return the frame as an MLflow dataset, named "dataset", for `mlflow.log_input`."""
    return from_pandas(frame, source=ArtifactSource(uri), name="dataset")
