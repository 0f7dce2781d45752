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
from dsgo.base.errors import UserError, reason
from dsgo.base.places import ROOT
from dsgo.data.contract import check
from dsgo.data.findings import Findings
from dsgo.data.reader import read
from dsgo.data.schema import COLUMNS, OPTIONAL

ARTIFACT = "dataset/dataset.parquet"  # of a process_data run


@dataclass(frozen=True)
class Dataset:
    """A dataset in memory: the frame (columns: schema.py), where it came from, and the run that made it, if one did."""

    frame: pd.DataFrame
    uri: str
    run_id: str | None

    @property
    def country(self) -> str | None:
        """The country's two letters; None of a file of one's own."""
        country = self.frame.attrs.get("country")
        return country if isinstance(country, str) else None

    @property
    def simulated(self) -> bool:
        """Whether the hours are simulated."""
        return self.frame.attrs.get("simulated") is True

    @property
    def licences(self) -> list[str]:
        """The lines that the sources of live data ask to be shown; none of other data."""
        licences = self.frame.attrs.get("licences", [])
        return [str(line) for line in licences] if isinstance(licences, list) else []


def locate(data: str) -> tuple[str, str | None]:
    """Return (URI or local path, run id or None) of what `data` names; UserError where it names nothing.

    `data` is empty (the newest finished process_data run of the experiment), a run id, a URI that MLflow can download,
    or a local parquet or CSV file; a relative path is looked up in the working directory (the step's own folder) and in
    the repository, where `mlflow run` is typed.
    """
    if not data:
        run_id = newest_run()
        return f"runs:/{run_id}/{ARTIFACT}", run_id
    if re.fullmatch(r"[0-9a-f]{32}", data):
        return f"runs:/{data}/{ARTIFACT}", data
    if re.match(r"[a-z][a-z0-9-]+:/", data):  # at least two letters: C:/ is a Windows drive
        match = re.match(r"runs:/([0-9a-f]{32})/", data)
        return data, match and match[1]
    try:
        here = Path(data).expanduser().absolute()
    except RuntimeError as error:  # of ~NAME
        raise UserError(f"data={data}: there is no user {data.split('/')[0][1:]} here: write the whole path") from error
    places = list(dict.fromkeys([here, ROOT / data]))
    path = next((path for path in places if path.is_file()), None)
    if path is None:
        if folder := next((path for path in places if path.is_dir()), None):
            raise UserError(f"data={data}: {folder} is a folder: name a parquet or CSV file in it")
        if device := next((path for path in places if path.exists()), None):
            raise UserError(f"data={data}: {device} is a device, not a parquet or CSV file")
        raise UserError(
            f"data={data}: there is no file {' and no file '.join(map(str, places))}; give a process_data run id, a "
            "URI, or a parquet or CSV file (absolute, or relative to the repository)"
        )
    return str(path), None


def newest_run(experiment_id: str | None = None) -> str:
    """Return the newest finished process_data run of an experiment, else of the active one; UserError without any."""
    runs = mlflow.search_runs(
        experiment_ids=[experiment_id] if experiment_id else None,  # None: what `mlflow run --experiment-name` sets
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
            raise UserError(f"{what}: {reason(error)}") from error
        if path.is_dir():
            path /= Path(ARTIFACT).name
        if not path.is_file():
            raise UserError(f"{uri} holds no {path.name}")
        yield path


def read_dataset(path: Path) -> tuple[pd.DataFrame, Findings]:
    """Return the dataset in a file, indexed by utc_timestamp (UTC), and all that breaks the contract.

    The frame has the columns of schema.py as float64, and what else the file holds; its attrs have what process_data
    kept beside them: `country` and `simulated`. Raises UserError where the file holds no table of hours
    (`dsgo.data.reader.open_table`).
    """
    frame, found, numbers = read(path, COLUMNS + OPTIONAL)
    check(frame, found, numbers)
    return frame, found


def load_dataset(data: str) -> Dataset:
    """Return the dataset that `data` names; UserError where it breaks the contract."""
    uri, run_id = locate(data)  # once: a run that finishes meanwhile is the newest, too
    with fetch_dataset(uri) as path:
        frame, found = read_dataset(path)
    if lines := found.lines(rows=1):
        ways = f"{len(lines)} way{'s' * (len(lines) > 1)}"
        raise UserError(
            f"{data or uri} breaks the contract in {ways}: {'; '.join(lines[:10])} "
            "(every row: mlflow run process_data -e validate)"
        )
    return Dataset(frame, uri, run_id)
