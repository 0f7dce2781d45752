"""Scoring a file of any length: read in pieces, predicted, written in pieces, so that memory does not grow with it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from mlflow.exceptions import MlflowException
from mlflow.pyfunc import PyFuncModel
from rich.console import Console

from dsgo.base.errors import UserError, reason
from dsgo.data.contract import check_limits
from dsgo.data.findings import Findings, Rows
from dsgo.data.reader import Piece, open_table
from dsgo.data.schema import TARGETS, TIME
from dsgo.models import registry
from dsgo.models.bands import BAND, NO_BAND, has_band, predict_with_band
from dsgo.models.loading import load_model

TIMES = pa.timestamp("us", "UTC")


def score(source: Path, target: Path, model_uri: str | None = None, interval: float | None = None) -> int:
    """Predict every row of a CSV or parquet file into a parquet file; return the number of rows.

    `source` is read as every dataset is (`dsgo.data.reader.open_table`); it has utc_timestamp and the columns that the
    model's signature requires, in the dataset's units. `target` gets utc_timestamp, solar_GW and wind_GW, in the same
    order: whole, or not at all. `model_uri`: the Production version of BestModel unless given. `interval`: the share of
    the hours that a band is to hold, whose ends (BAND) are then written, too. Raises UserError for what is wrong with
    either file, all rows that cannot be scored among it, and for a model that has no band where one is asked for.
    """
    if target.suffix != ".parquet":
        raise UserError(f"{target} must end in .parquet: the predictions are written as parquet")
    if target.exists() and source.exists() and target.samefile(source):
        raise UserError(f"{target} is the file that is read: give the predictions another name")
    if not target.absolute().parent.is_dir():
        raise UserError(f"there is no folder {target.absolute().parent} to write {target.name} to")
    with open_table(source) as table:
        uri = model_uri or _production_uri()
        model = load_model(uri)
        if interval and not has_band(model):
            raise UserError(f"{uri}: {NO_BAND}, or ask without --interval")
        columns = [*TARGETS, *(BAND if interval else [])]
        schema = pa.schema([(TIME, TIMES), *((name, pa.float64()) for name in columns)])
        inputs = model.metadata.signature.inputs
        names, required = [name for name in inputs.input_names() if name != TIME], inputs.required_input_names()
        if missing := [name for name in required if name not in [TIME, *table.names]]:
            raise UserError(f"{source} has no column {', '.join(missing)}; it has {', '.join(table.names[:12])}")

        found, rows = Findings(), 0
        with (
            _replacing(target) as new,
            pq.ParquetWriter(new, schema) as writer,
            Console(stderr=True).status("") as status,
        ):
            for piece in table.pieces(names, found):
                _check(piece, [name for name in required if name != TIME], found)
                rows += len(piece.frame)
                if not found:
                    writer.write_table(_predict(model, piece, source, schema, interval))
                status.update(f"scoring {source.name}: {rows:,} rows")
            if lines := found.lines():
                raise UserError(f"{source} cannot be scored: {'; '.join(lines)}")
    return rows


def _production_uri() -> str:
    return f"models:/{registry.MODEL}/{registry.require_production().version}"


def _check(piece: Piece, required: list[str], found: Findings) -> None:
    """Add the rows in which a required field is empty, or a value is physically impossible."""
    rows = Rows(piece.numbers, pd.DatetimeIndex(piece.frame.index))
    for name in required:
        found.add(name, "is empty", np.isnan(piece.frame[name].to_numpy()), None, rows)
    check_limits(piece.frame, found, rows)


def _predict(model: PyFuncModel, piece: Piece, source: Path, schema: pa.Schema, interval: float | None) -> pa.Table:
    """Return the predictions of a piece in which nothing is wrong; UserError where the model refuses it."""
    times = pd.DatetimeIndex(piece.frame.index)
    given = piece.frame.reset_index(drop=True).assign(**{TIME: times.strftime("%Y-%m-%dT%H:%M:%SZ")})
    try:
        power = predict_with_band(model, given, interval) if interval else pd.DataFrame(model.predict(given))
        values = [pa.array(power[name]) for name in schema.names[1:]]
        return pa.table([pa.array(times.asi8).cast(TIMES), *values], schema=schema)
    except (pa.ArrowException, KeyError, ValueError, TypeError, MlflowException) as error:
        raise UserError(f"{source} cannot be scored: {reason(error)}") from error


@contextmanager
def _replacing(target: Path) -> Iterator[Path]:
    """Give a temporary name beside `target`, which it gets in the end, or is removed if anything goes wrong."""
    new = target.with_name(f".{target.name}.{uuid4().hex}")
    try:
        yield new
        new.replace(target)
    finally:
        new.unlink(missing_ok=True)
