"""Getting the dataset that a `data` parameter names."""

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import mlflow
import pandas as pd
from mlflow.exceptions import MlflowException

from dsgo.base import tags
from dsgo.base.errors import UserError
from dsgo.base.places import ROOT
from dsgo.data.schema import TIME

ARTIFACT = "dataset/dataset.parquet"  # of a process_data run


@dataclass(frozen=True)
class Dataset:
    """A dataset in memory: the frame (columns: schema.py), where it came from, and the run that made it, if one did."""

    frame: pd.DataFrame
    uri: str
    run_id: str | None


def locate(data: str) -> tuple[str, str | None]:
    """Return (URI or local path, run id or None) of what `data` names; UserError where it names nothing.

    `data` is empty (the newest finished process_data run of the experiment), a run id, a URI that MLflow can download,
    or a local parquet or CSV file; a relative path is looked up in the working directory (the step's own folder) and in
    the repository, where `mlflow run` is typed.
    """
    if not data:
        run_id = _newest_run()
        return f"runs:/{run_id}/{ARTIFACT}", run_id
    if re.fullmatch(r"[0-9a-f]{32}", data):
        return f"runs:/{data}/{ARTIFACT}", data
    if re.match(r"[a-z][a-z0-9-]+:/", data):  # at least two letters: C:/ is a Windows drive
        match = re.match(r"runs:/([0-9a-f]{32})/", data)
        return data, match and match[1]
    path = next((path for path in (Path(data).absolute(), ROOT / data) if path.is_file()), None)
    if path is None:
        raise UserError(
            f"data={data}: there is no file {Path(data).absolute()}; give a process_data run id, a URI, or a parquet "
            "or CSV file (absolute, or relative to the repository)"
        )
    return str(path), None


def _newest_run() -> str:
    runs = mlflow.search_runs(  # of the active experiment, which `mlflow run --experiment-name` sets
        filter_string=f"tags.`{tags.STEP}` = 'process_data' and attributes.status = 'FINISHED'",
        max_results=1,
        order_by=["attributes.start_time DESC"],
        output_format="list",
    )
    if not runs:
        raise UserError(
            "this experiment has no finished process_data run to take the data from: run process_data first, "
            "or name the data with -P data=..."
        )
    return runs[0].info.run_id


@contextmanager
def fetch_dataset(data: str) -> Iterator[Path]:
    """Yield the local parquet or CSV file that `data` names (see `locate`); a download is removed afterwards.

    Raises UserError where the run, the URI or the file holds no dataset.
    """
    uri, run_id = locate(data)
    if Path(uri).is_file():
        yield Path(uri)
        return
    with tempfile.TemporaryDirectory(prefix="dsgo-") as folder:
        try:
            path = Path(mlflow.artifacts.download_artifacts(uri, dst_path=folder))
        except (MlflowException, OSError) as error:
            what = f"run {run_id} has no dataset" if run_id else f"nothing can be downloaded from {uri}"
            raise UserError(f"{what}: {str(error).splitlines()[0]}") from error
        if path.is_dir():
            path /= Path(ARTIFACT).name
        if not path.is_file():
            raise UserError(f"{uri} holds no {path.name}")
        yield path


def read_dataset(path: Path) -> pd.DataFrame:
    """Read a parquet or CSV file into a frame indexed by utc_timestamp (UTC); its content is not checked here.

    Raises UserError where the file is neither, is empty, or has no utc_timestamp with a time zone.
    """
    if not path.stat().st_size:
        raise UserError(f"{path.name} is empty")
    try:
        frame = pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path)
    except (ValueError, OSError) as error:  # pyarrow's and pandas's parse errors are both ValueErrors
        raise UserError(f"{path.name} is no parquet or CSV file: {str(error).splitlines()[0]}") from error
    if TIME in frame.columns:
        frame = frame.set_index(TIME)
    if frame.index.name != TIME:
        raise UserError(f"{path.name} has no column {TIME}; it has {', '.join(map(str, frame.columns[:8]))}")
    if not isinstance(frame.index, pd.DatetimeIndex):
        try:
            frame.index = pd.to_datetime(frame.index)
        except (ValueError, TypeError) as error:
            raise UserError(f"{path.name}: {TIME} holds no timestamps: {str(error).splitlines()[0]}") from error
    if frame.index.tz is None:
        raise UserError(f"{path.name}: {TIME} has no time zone; write it as ISO 8601 with Z or +00:00")
    frame.index = frame.index.tz_convert("UTC")
    return frame


def load_dataset(data: str) -> Dataset:
    """Return the dataset that `data` names; UserError where it breaks the contract."""
    from dsgo.data.contract import violations

    uri, run_id = locate(data)  # once: a run that finishes meanwhile is the newest, too
    with fetch_dataset(uri) as path:
        frame = read_dataset(path)
    if found := violations(frame):
        raise UserError(
            f"the data breaks the contract: {'; '.join(found[:3])} (all: mlflow run process_data -e validate)"
        )
    return Dataset(frame, uri, run_id)
