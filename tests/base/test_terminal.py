"""Tables in a pipe and on a terminal."""

import os
import subprocess
import sys

import pytest

SCRIPT = """
from rich.table import Table
from dsgo.base.terminal import console
table = Table("why", "link")
table.add_row("word " * 50, "http://127.0.0.1:5000/" + "x" * 200)
console().print(table)
"""


@pytest.mark.parametrize("more", [{}, {"COLUMNS": "40"}, {"FORCE_COLOR": "1"}])
def test_console__wraps_nothing_in_a_pipe(more):
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], env=os.environ | more, capture_output=True, text=True, check=True, timeout=60
    )

    (line,) = [line for line in done.stdout.splitlines() if "word" in line]
    assert line.count("word") == 50
    assert "x" * 200 in line


@pytest.mark.skipif(os.name == "nt", reason="needs a pseudo-terminal")
def test_console__takes_the_width_of_a_terminal():
    ours, theirs = os.openpty()
    environment = os.environ | {"COLUMNS": "60", "TERM": "xterm"}
    process = subprocess.Popen([sys.executable, "-c", SCRIPT], env=environment, stdout=theirs)
    try:
        assert process.wait(60) == 0
        lines = os.read(ours, 100_000).decode().splitlines()
    finally:
        process.kill()
        os.close(ours)
        os.close(theirs)

    assert len(lines) > 8
    assert max(len(line) for line in lines if "word" in line and "\x1b" not in line) <= 60
