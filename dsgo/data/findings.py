"""What is wrong with a table: all of it, each kind with its count and its first rows."""

import numpy as np
import pandas as pd

SHOWN = 10  # rows of a kind


class Findings:
    """Kinds of faults in the order found, each with its column, its count of rows and the first ten of them."""

    def __init__(self) -> None:
        """Begin with nothing found."""
        self._rows: dict[tuple[str, str], list[str]] = {}
        self._count: dict[tuple[str, str], int] = {}
        self._whole: list[str] = []

    def __len__(self) -> int:
        """Return the number of kinds."""
        return len(self._whole) + len(self._count)

    def add_column(self, column: str, what: str) -> None:
        """Add what is wrong with a column as a whole."""
        self._whole.append(f"{column}: {what}")

    def add(self, column: str, what: str, wrong: np.ndarray, values: pd.Series | None, rows: "Rows") -> None:
        """Add the rows in which `wrong` is True; `values` (None: not worth showing) and `rows` are as long as it."""
        if not (count := int(np.count_nonzero(wrong))):
            return
        kind = column, what
        shown = self._rows.setdefault(kind, [])
        self._count[kind] = self._count.get(kind, 0) + count
        at = np.flatnonzero(wrong)[: SHOWN - len(shown)]
        for i in at:
            value = "" if values is None else f"{_text(values.iloc[i])} in "
            shown.append(value + rows.name(i))

    def lines(self, rows: int = SHOWN) -> list[str]:
        """Return a line for each kind: column, what, in how many rows, and the first of them with value and time."""
        said = list(self._whole)
        for (column, what), count in self._count.items():
            shown = self._rows[column, what][:rows]
            more = f" and {count - len(shown):,} more" if count > len(shown) else ""
            said.append(f"{column}: {what} in {count:,} row{'s' * (count > 1)}: {', '.join(shown)}{more}")
        return said


class Rows:
    """The rows of a table or of a piece of one: number in the file (from 1, the header aside) and time."""

    def __init__(self, numbers: np.ndarray, times: pd.DatetimeIndex | None = None) -> None:
        """Take the numbers, and the times where they are known (NaT where one is not)."""
        self.numbers, self.times = numbers, times

    def name(self, i: int) -> str:
        """Return how row `i` is called, as in "row 7 (2016-01-01T06:00:00Z)"."""
        if self.times is None or pd.isna(self.times[i]):
            return f"row {self.numbers[i]:,}"
        return f"row {self.numbers[i]:,} ({self.times[i]:%Y-%m-%dT%H:%M:%SZ})"


def _text(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    return f"{value:%Y-%m-%dT%H:%M:%S}" if isinstance(value, pd.Timestamp) else repr(str(value)[:40])
