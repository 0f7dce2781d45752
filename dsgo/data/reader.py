"""The one reader of tables of hours: parquet or CSV, as it is or packed, told by content, not by name."""

import csv
import io
import itertools
import json
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from dsgo.base.errors import UserError, reason
from dsgo.data.columns import typed
from dsgo.data.findings import Findings, Rows
from dsgo.data.packed import unpacked
from dsgo.data.schema import TIME

BLOCK = 4 << 20  # bytes of CSV at a time: some 50,000 rows
ROWS = 65536  # of parquet at a time
UNNAMED = ["", "Unnamed: 0", "__index_level_0__", "index"]  # what pandas calls an index without a name


class Piece(NamedTuple):
    """Some rows of a table: float64 columns indexed by utc_timestamp, and the rows' numbers in the file."""

    frame: pd.DataFrame
    numbers: np.ndarray


class Table:
    """A file being read: the names of its columns and what pandas kept beside them; its rows come in pieces."""

    def __init__(self, file: IO[bytes], path: Path) -> None:
        """Take an open file and look at its header; UserError where it is no table or has no utc_timestamp."""
        self.path, self.attrs = path, dict[str, Any]()
        self._file = file
        self._parquet: pq.ParquetFile | None = None
        begin = file.read(2**20)
        file.seek(0)
        if not begin:
            raise UserError(f"{path} is empty")
        if begin[:4] == b"PAR1":
            self._parquet = pq.ParquetFile(file, buffer_size=BLOCK)
            schema = self._parquet.schema_arrow
            self.names, first = list(schema.names), [pa.types.is_timestamp(kind) for kind in schema.types]
            kept = json.loads((schema.metadata or {}).get(b"pandas", b"{}")).get("attributes", {})
            self.attrs = kept if isinstance(kept, dict) else {}
        else:
            self.names, self._delimiter, first = _header(begin, path)
            self._header_alone = len(begin.strip().splitlines()) < 2
        self._time = TIME
        if TIME not in self.names:
            index = [name for name, is_time in zip(self.names, first, strict=False) if is_time and name in UNNAMED]
            if not index:
                held = ", ".join(name or "(unnamed)" for name in self.names[:12])
                raise UserError(f"{path} has no column {TIME}; it has {held}")
            self._time = index[0]

    def pieces(self, names: list[str], found: Findings, others: bool = False) -> Iterator[Piece]:
        """Yield all rows of the columns `names`, as far as these are there; what is wrong with a field goes to `found`.

        With `others`, every other column comes along as it is. One piece at least, of no rows in a table without any.
        """
        beside = [name for name in self.names if others and name not in [TIME, *names, *UNNAMED]]
        wanted = [self._time, *(name for name in names if name in self.names and name != TIME), *dict.fromkeys(beside)]
        if doubled := [name for name in wanted if self.names.count(name) > 1]:
            raise UserError(f"{self.path} has more than one column {', '.join(doubled)}")
        skipped: list[int] = []
        done, no_rows = 0, pa.RecordBatch.from_pydict({name: pa.array([], pa.string()) for name in wanted})
        for batch in itertools.chain(self._batches(wanted, found, skipped), [no_rows]):
            if batch.num_rows == 0 and (done or batch is not no_rows):
                continue
            raw = batch.to_pandas(ignore_metadata=True).rename(columns={self._time: TIME})
            at = np.arange(done, done + len(raw)) + 1
            numbers = at + np.searchsorted(np.array(skipped) - np.arange(len(skipped)), at, side="right")
            frame = typed(raw, names, found, numbers)
            yield Piece(frame.assign(**{name: raw[name].to_numpy() for name in beside}), numbers)
            done += len(raw)

    def _batches(self, wanted: list[str], found: Findings, skipped: list[int]) -> Iterator[pa.RecordBatch]:
        if self._parquet:
            yield from self._parquet.iter_batches(ROWS, columns=wanted)
            return
        if self._header_alone:
            return

        def skip(row: Any) -> str:
            skipped.append(row.number - 1)  # the header is line 1
            what = f"has {row.actual_columns} fields, where the header has {row.expected_columns}"
            found.add("line", what, np.ones(1, bool), None, Rows(np.array(skipped[-1:])))
            return "skip"

        read = pa.csv.ReadOptions(use_threads=False, block_size=BLOCK, column_names=_distinct(self.names), skip_rows=1)
        convert = pa.csv.ConvertOptions(
            column_types=dict.fromkeys(wanted, pa.string()), include_columns=wanted, strings_can_be_null=True
        )
        parse = pa.csv.ParseOptions(delimiter=self._delimiter, invalid_row_handler=skip)
        yield from pa.csv.open_csv(self._file, read, parse, convert)


@contextmanager
def open_table(path: Path) -> Iterator[Table]:
    """Open a parquet or CSV file, as it is or in a gzip or zip, told by its content.

    Raises UserError, also while it is read, where it is none of these, is broken, is empty or has no column
    utc_timestamp (an unnamed index of times counts as one).
    """
    with unpacked(path) as file, tempfile.TemporaryFile() as copy:
        packed = not isinstance(file, io.BufferedReader)
        try:
            if packed and file.read(4) == b"PAR1":  # it is read from its end: in a gzip that means from its beginning
                file.seek(0)
                shutil.copyfileobj(file, copy)
                copy.seek(0)
                yield Table(copy, path)
            else:
                file.seek(0)
                yield Table(file, path)
        except (pa.ArrowException, UnicodeError) as error:
            raise UserError(f"{path} is no parquet or CSV file: {reason(error)}") from error


def read(path: Path, names: list[str]) -> tuple[pd.DataFrame, Findings, np.ndarray]:
    """Return a table, what is wrong with the fields of its columns `names`, and its rows' numbers.

    The frame is indexed by utc_timestamp (UTC); `names`, as far as they are there, are float64, and so is any other
    column that holds nothing but numbers. Its attrs are those that pandas kept. UserError as `open_table`.
    """
    found = Findings()
    with open_table(path) as table:
        pieces = list(table.pieces(names, found, others=True))
    frame = pd.concat([piece.frame for piece in pieces])
    for name in frame.select_dtypes(exclude=["datetime", "datetimetz", "timedelta"]).columns.difference(names):
        with suppress(ValueError, TypeError):
            frame[name] = pd.to_numeric(frame[name]).astype("float64")
    frame.attrs = table.attrs
    return frame, found, np.concatenate([piece.numbers for piece in pieces])


def _header(begin: bytes, path: Path) -> tuple[list[str], str, list[bool]]:
    """Return a CSV's column names, what separates them, and of each whether its first field looks like a time."""
    if begin[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise UserError(f"{path} is text in UTF-16: save it as UTF-8")
    lines = begin.splitlines()[:2]
    if b"\0" in begin[:1000]:
        raise UserError(f"{path} is no parquet or CSV file, nor a gzip or zip of one")
    try:
        head, first = (lines[0].decode("utf-8-sig"), lines[1].decode() if lines[1:] else "")
        delimiter = next((mark for mark in ",;\t" if mark in head), ",")
        names, fields = (next(csv.reader([line], delimiter=delimiter), []) for line in (head, first))
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is no parquet or CSV file, or its text is not in UTF-8") from error
    except (csv.Error, IndexError) as error:
        raise UserError(f"{path} is no parquet or CSV file, nor a gzip or zip of one") from error
    times = [bool(re.match(r"\s*\d{4}-?\d\d-?\d\d", field)) and not field.isdigit() for field in fields]
    return [name.strip() for name in names], delimiter, times


def _distinct(names: list[str]) -> list[str]:
    """Return the names with a number after each that stood before, which pyarrow needs.

    >>> _distinct(["a", "b", "a"])
    ['a', 'b', 'a#2']
    """
    return [f"{name}#{names[: i + 1].count(name)}" if name in names[:i] else name for i, name in enumerate(names)]
