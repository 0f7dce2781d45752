"""Printing for people: a terminal's width counts; a pipe or a log has none, so nothing is wrapped there."""

from rich.console import Console

UNLIMITED = 10_000  # columns: wider than any table


def console() -> Console:
    """Return a console on standard output, which wraps nothing where that is no terminal: an address stays whole."""
    made = Console(highlight=False)
    if not made.file.isatty():  # with FORCE_COLOR, as some logs set it, rich calls them a terminal
        made.width = UNLIMITED
    return made
