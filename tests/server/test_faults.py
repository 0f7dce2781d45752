"""A few of the faults of benchmarks/faults.py, and that it sees what is torn and lost."""

import re
import subprocess
import sys

import pytest

from dsgo.base.places import ROOT

BENCHMARKS = ROOT / "benchmarks"
sys.path.append(str(BENCHMARKS))
from fault_clients import content, judge  # noqa: E402
from fault_ledger import Count, Ledger  # noqa: E402
from fault_world import KINDS  # noqa: E402

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="file systems and addresses of Linux")


NAMES = ["many/file00", "big/file0"]


def test_faults__tear_and_lose_nothing():
    each = 2
    command = [sys.executable, BENCHMARKS / "faults.py", "--print", "--plain", "0"]
    command += ["--kills", str(each * len(KINDS))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    rows = dict(re.findall(r"^\| (.+?) \| (.+) \|$", done.stdout, re.MULTILINE))
    assert done.returncode == 0, done.stdout + done.stderr
    for kind in KINDS:
        struck, _, _, files, *broken = (int(figure.replace(",", "")) for figure in rows[kind].split(" | "))
        assert struck == each
        assert files >= each  # at least what the next runs uploaded
        assert broken == [0, 0, 0, 0]


@pytest.mark.parametrize("name", NAMES)
def test_judge__tells_whole_from_torn(tmp_path, name):
    old, new = content(name, 1), content(name, 2)
    path = tmp_path / name
    path.parent.mkdir()
    for data, version in (
        (old, 1),
        (new, 2),
        (b"", None),
        (old[:-1], None),
        (new + b"x", None),
        (new[: len(old) // 2] + old[len(old) // 2 :], None),
        (new[:100] + new[200:], None),
        (content("many/file01", 2), None),
    ):
        path.write_bytes(data)
        assert judge(tmp_path) == {name: version}


def test_ledger__counts_each_torn_and_each_lost_file_once():
    ledger = Ledger()
    for name in ("gone", "older", "same", "newer", "torn"):
        ledger.note(name, 5)
    found = {"older": 4, "same": 5, "newer": 6, "torn": None, "torn and never acknowledged": None}
    for _ in range(2):
        ledger.hold(found, 0)
    assert (ledger.count.torn, ledger.count.lost, ledger.count.temporary) == (2, 2, 0)
    ledger.hold({name: 6 for name in found} | {"gone": 5}, 1)
    ledger.hold({}, 0)
    assert (ledger.count.torn, ledger.count.lost, ledger.count.temporary) == (2, 7, 1)
    assert ledger.count.is_broken
    assert not Count(faults=3, files=3, acknowledged=3).is_broken
