"""Children that end with their parent: killed with -9, the parent leaves nothing behind."""

import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from dsgo.base.processes import ending_with_parent
from ftp_server import wait_until

# A parent that starts a child, which starts a grandchild; it says their numbers and waits.
CHILD = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import time; time.sleep(600)'])"
PARENT = (
    "import subprocess, sys, time; sys.path.insert(0, sys.argv[1]);"
    "from dsgo.base.processes import APART, ending_with_parent;"
    "subprocess.Popen(ending_with_parent(*sys.argv[2:]), **APART); time.sleep(600)"
)


@pytest.fixture
def script(tmp_path):
    (tmp_path / "beside.py").write_text(CHILD)
    (tmp_path / "child.py").write_text("import beside")
    return tmp_path


@pytest.mark.parametrize("how", ["script", "module"])
def test_child__and_what_it_started_end_when_the_parent_is_killed(script, how):
    arguments = [str(script / "child.py")] if how == "script" else ["-m", "beside"]
    root = str(Path(__file__).parents[2])
    parent = psutil.Popen([sys.executable, "-c", PARENT, root, *arguments], cwd=script)
    try:
        below = wait_until(lambda: len(found := parent.children(recursive=True)) == 2 and found)
    finally:
        parent.kill()
    parent.wait(20)
    assert psutil.wait_procs(below, 10)[1] == []


def test_child__gets_its_arguments_and_its_exit_code_comes_back(tmp_path):
    (tmp_path / "child.py").write_text("import sys; print(sys.argv[1:], __name__); sys.exit(7)")
    command = ending_with_parent(str(tmp_path / "child.py"), "-m", "two words")
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (7, "['-m', 'two words'] __main__\n", "")


def test_child__of_a_parent_that_is_gone_already_ends_at_once():
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait(60)
    script = f"import time; from dsgo.base.processes import end_with; end_with({gone.pid}); time.sleep(600)"
    assert subprocess.run([sys.executable, "-c", script], timeout=60, check=False).returncode == 143


def test_child__of_a_parent_that_lives_goes_on():
    script = f"import time; from dsgo.base.processes import end_with; end_with({psutil.Process().pid}); time.sleep(2)"
    assert subprocess.run([sys.executable, "-c", script], timeout=60, check=False).returncode == 0
