"""The load test of benchmarks/stores.py, small: what clients were told is kept outlives the stores' deaths."""

import os
import subprocess
import sys

import pytest

from dsgo.base.places import ROOT

BENCHMARK = ROOT / "benchmarks" / "stores.py"


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
def test_stores__killed_under_load_lose_nothing_that_was_acknowledged():
    ended = subprocess.run(
        [sys.executable, BENCHMARK, "--clients", "2", "--runs", "4", "--metrics", "20"],
        capture_output=True,
        text=True,
        timeout=580,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in ended.stdout.splitlines() if "|" in line]
    table = {name: values for name, *values in cells}
    assert table["runs: acknowledged, of these found"] == ["8, 8"] * 2
    assert table["metrics: acknowledged, of these found"] == ["160, 160"] * 2
    assert table["artifacts: acknowledged, of these found"] == ["8, 8"] * 2
    assert table["files that list, torn"] == ["0"] * 2
    # It did hurt: calls broke off and were made again.
    assert all("no server" in failures for failures in table["calls that failed and were made again"])
