"""What a person sees of a running workflow: a table that lives on a terminal, a line for each change in a log."""

import time
from dataclasses import dataclass
from types import TracebackType

from rich.live import Live
from rich.table import Table

from dsgo.base.terminal import console

STYLES = {"running": "cyan", "done": "green", "cached": "green", "failed": "bold red", "skipped": "yellow"}


@dataclass
class Row:
    """A step's line: `figure` and `link` are empty until there is something to show."""

    state: str = "waiting"
    begun: float = 0.0
    seconds: float | None = None
    figure: str = ""
    link: str = ""


class View:
    """A context manager around the workflow; `show` is told of each change of a step's state."""

    def __init__(self, steps: list[str]) -> None:
        """Take the names of the steps in the order to show them."""
        self.console = console()
        self.rows = {name: Row() for name in steps}
        # A terminal gets a moving table; a log must stay readable.
        self._live = Live(get_renderable=self._table, console=self.console) if self.console.is_terminal else None

    def __enter__(self) -> "View":
        """Begin to draw."""
        if self._live:
            self._live.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Draw a last time and give the terminal back."""
        if self._live:
            self._live.__exit__(kind, error, traceback)

    def show(self, name: str, state: str, figure: str = "", link: str = "") -> None:
        """Take up a step's new state: waiting, running, done, cached, failed or skipped."""
        row = self.rows[name]
        if state == "running":
            row.begun = time.monotonic()
        elif row.begun:
            row.seconds = time.monotonic() - row.begun
        row.state, row.figure, row.link = state, figure, link or row.link
        if not self._live:
            parts = [f"{name:<13} {state:<8}", f"{row.seconds:5.1f} s" if row.seconds is not None else "", figure, link]
            self.console.print("  ".join(part for part in parts if part), markup=False, soft_wrap=True)

    def _table(self) -> Table:
        table = Table(box=None, padding=(0, 2))
        for column in ("step", "state", "seconds", "figure", "run"):
            table.add_column(column, justify="right" if column == "seconds" else "left", overflow="fold")
        for name, row in self.rows.items():
            seconds = row.seconds
            if row.state == "running":
                seconds = time.monotonic() - row.begun
            state = f"[{STYLES.get(row.state, 'dim')}]{row.state}[/]"
            table.add_row(name, state, "" if seconds is None else f"{seconds:.0f}", row.figure, row.link)
        return table
