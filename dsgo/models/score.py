"""Scoring a file of any length: read in pieces, predicted, written in pieces, so that memory does not grow with it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO
from uuid import uuid4

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
from mlflow.exceptions import MlflowException
from mlflow.pyfunc import PyFuncModel
from rich.console import Console
from rich.progress import Progress

from dsgo.base.errors import UserError, reason
from dsgo.data.schema import TARGETS, TIME
from dsgo.models import registry
from dsgo.models.loading import load_model

BLOCK = 4 << 20  # bytes of CSV at a time: some 50,000 rows
ROWS = 65536  # of parquet at a time
TIMES = pa.timestamp("us", "UTC")
SCHEMA = pa.schema([(TIME, TIMES), *((name, pa.float64()) for name in TARGETS)])


def score(source: Path, target: Path, model_uri: str | None = None) -> int:
    """Predict every row of a CSV or parquet file into a parquet file; return the number of rows.

    `source` has the columns that the model's signature requires, in the dataset's units, and `utc_timestamp` (ISO 8601
    with Z in a CSV). `target` gets `utc_timestamp`, solar_GW and wind_GW, in the same order: whole, or not at all.
    `model_uri`: the Production version of BestModel unless given. Raises UserError for what is wrong with either file.
    """
    if target.suffix != ".parquet":
        raise UserError(f"{target} must end in .parquet: the predictions are written as parquet")
    if not source.is_file():
        raise UserError(f"there is no file {source}")
    if target.exists() and target.samefile(source):
        raise UserError(f"{target} is the file that is read: give the predictions another name")
    if not target.absolute().parent.is_dir():
        raise UserError(f"there is no folder {target.absolute().parent} to write {target.name} to")
    model = load_model(model_uri or _production_uri())
    names = [TIME, *(name for name in model.metadata.signature.inputs.input_names() if name != TIME)]
    required = {TIME, *model.metadata.signature.inputs.required_input_names()}

    console, rows = Console(stderr=True), 0
    progress = Progress(console=console, transient=True, disable=not console.is_terminal)
    with progress, _replacing(target) as new, source.open("rb") as raw, pq.ParquetWriter(new, SCHEMA) as writer:
        task = progress.add_task(f"scoring {source.name}", total=source.stat().st_size)
        try:
            for batch in _batches(source, raw, names, required):
                writer.write_table(_predict(model, batch, required, rows))
                rows += batch.num_rows
                progress.update(task, completed=raw.tell())
        except (pa.ArrowException, ValueError, TypeError, MlflowException) as error:
            raise UserError(f"{source} cannot be scored: {reason(error)}") from error
    return rows


def _production_uri() -> str:
    return f"models:/{registry.MODEL}/{registry.require_production().version}"


def _batches(source: Path, raw: IO[bytes], names: list[str], required: set[str]) -> Iterator[pa.RecordBatch]:
    """Yield the columns among `names` that the file has, typed; UserError if it lacks a required one."""
    if source.suffix == ".parquet":
        file = pq.ParquetFile(raw, buffer_size=BLOCK)
        yield from file.iter_batches(ROWS, columns=_columns(source, file.schema_arrow.names, names, required))
    else:
        there = _columns(source, list(pd.read_csv(source, nrows=0).columns), names, required)
        types = {name: TIMES if name == TIME else pa.float64() for name in there}
        options = pa.csv.ConvertOptions(column_types=types, include_columns=there)
        yield from pa.csv.open_csv(raw, pa.csv.ReadOptions(block_size=BLOCK), convert_options=options)


def _columns(source: Path, there: list[str], names: list[str], required: set[str]) -> list[str]:
    if missing := [name for name in names if name in required and name not in there]:
        raise UserError(f"{source} has no column {', '.join(missing)}; it has {', '.join(map(str, there[:12]))}")
    return [name for name in names if name in there]


def _predict(model: PyFuncModel, batch: pa.RecordBatch, required: set[str], before: int) -> pa.Table:
    """Return the predictions of a batch, `before` rows into the file; ValueError for a field that is no number."""
    frame = batch.to_pandas(ignore_metadata=True)
    times = pd.DatetimeIndex(frame[TIME])
    frame = frame.drop(columns=TIME).astype("float64")
    usable = {TIME: times.notna()} | {name: np.isfinite(frame[name]) for name in frame}
    for name in required:
        if not usable[name].all():
            raise ValueError(f"row {before + int(np.argmin(usable[name])) + 1:,} has no {name}")
    if times.tz is None:
        raise ValueError(f"{TIME} has no time zone")
    times = times.tz_convert("UTC").as_unit("us")
    frame[TIME] = times.strftime("%Y-%m-%dT%H:%M:%SZ")
    power = pd.DataFrame(model.predict(frame))
    return pa.table([pa.array(times.asi8).cast(TIMES), *(pa.array(power[name]) for name in TARGETS)], schema=SCHEMA)


@contextmanager
def _replacing(target: Path) -> Iterator[Path]:
    """Give a temporary name beside `target`, which it gets in the end, or is removed if anything goes wrong."""
    new = target.with_name(f".{target.name}.{uuid4().hex}")
    try:
        yield new
        new.replace(target)
    finally:
        new.unlink(missing_ok=True)
