"""README.md and the chapters in docs/ do what they say: every command is typed as printed, in order, in a fresh clone.

How the pages tell a person, and this test with the comments that are not shown, what a block of code is:

- bash: typed in one terminal after what stands before it. What it prints follows as text, if it is worth a look.
- `<!-- until Ctrl-C, answers at URL -->`, or `says TEXT`: runs in a terminal of its own, to `<!-- Ctrl-C: COMMAND -->`.
- `<!-- fails -->`: ends with an error, which the text shows.
- `<!-- needs: ... -->`: cannot be had here, and so is not run. LEFT_OUT lists them all.
- python, yaml or csv after a line with a path: that file. diff: what `git apply` takes.
- In text, `...` is anything, and a word of NAMES is what people copy from there into later commands.
"""

import contextlib
import itertools
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from dsgo.base.network import free_port
from dsgo.base.places import ROOT
from dsgo.base.processes import APART, kill_tree

CHAPTERS = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").glob("*.md"))
REFERENCE = [
    "dsgo/README.md",
    "dsgo/models/README.md",
    "dsgo/gate/README.md",
    "dsgo/workflow/README.md",
    "process_data/README.md",
]
PAGES = ["README.md", *CHAPTERS, *REFERENCE]
OTHERS = ["CONTRIBUTING.md", "CHANGELOG.md", "1_starting_point/README.md", "server/README.md", "benchmarks/README.md"]
LEFT_OUT = [
    ("internet", "make run"),
    ("internet", "python3 -m venv .venv"),
    ("Windows", "git clone -c core.symlinks=true https://YOUR.GIT/REPOSITORY dsgopipeline"),
    ("internet", "source .venv/bin/activate"),
    ("Windows", '$env:MLFLOW_TRACKING_URI = "http://127.0.0.1:5000"'),
    ("notebooks/ (its own tests run them)", "make notebooks"),
    ("internet", "mlflow run lr --env-manager uv --experiment-name predicting_wind_solar"),
    ("other hosts", "dask scheduler"),
    ("internet", "mlflow run . --env-manager local --experiment-name live -P source=live -P country=DE"),
    (
        "the id of a model (tests/models/test_serving.py serves one)",
        "mlflow models serve -m ftp://guest@127.0.0.1:2121/artifacts/1/models/m-ID/artifacts -p 8003"
        " --env-manager local",
    ),
    ("Docker", "mlflow models build-docker -m models:/BestModel/Production -n bestmodel"),
    ("Spark", "from pyspark.sql.functions import struct"),
    ("a private repository", "export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=http.https://YOUR.GIT/.extraHeader"),
    ("certificates and other hosts", "export DASK_DISTRIBUTED__COMM__TLS__CA_FILE=ca.pem"),
    ("internet", "mlflow run process_data --env-manager local --experiment-name predicting_wind_solar -P source=opsd"),
    ("internet", "mlflow run process_data --env-manager local --experiment-name live -P source=live -P country=DE"),
    ("internet", "python -m dsgo.data.record_answers answers"),
]
NAMES = {"RUN_ID": "[0-9a-f]{32}", "MY_RUN_ID": "[0-9a-f]{32}", "COMMIT": "[0-9a-f]{40}"}
GIT = "https://YOUR.GIT/REPOSITORY"  # git itself is told to take the test's repository for it
# All that is typed otherwise than printed: these ports become free ones, and these commands are told theirs.
PORTS = ["2121", "5000", "8003", "8050", "8786", "8888"]
PORT_OPTIONS = {
    "dsgo demo": "--ftp-port 2121 --mlflow-port 5000 --dashboard-port 8050",
    "python server/ftpserver.py": "--port 2121",
    "mlflow server .*": "--port 5000",
    "dsgo up": "--ftp-port 2121 --mlflow-port 5000",
    "python dashboard/app.py": "--port 8050",
    "jupyter lab": "--port 8888",
    "dask scheduler --host 127.0.0.1 --no-dashboard": "--port 8786",
}
# Bounds for a machine whose cores are busy with something else, where importing MLflow alone can take 40 s.
SECONDS = 600  # that a command may take
ANSWER_SECONDS = 180
CTRL_C_SECONDS = 120  # a server that is still starting its workers ends once they have started


@dataclass(frozen=True)
class Block:
    """A fenced block of a page, or (language "Ctrl-C") the end of what runs."""

    language: str
    content: str
    comment: str  # the one right before it
    file: str  # the path in the line right before it

    @property
    def first_line(self):
        return self.content.splitlines()[0]


def blocks(page):
    """The blocks of a page in order."""
    read = []
    pattern = r"<!-- (?P<ctrl>Ctrl-C: .*?) -->|(?:<!-- (?P<comment>[^\n]*?) -->\n|`(?P<file>[^`\n]+)`:\n\n)?" + (
        r"^```(?P<language>\w*)\n(?P<content>.*?)^```$"
    )
    for match in re.finditer(pattern, (ROOT / page).read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE):
        if match["ctrl"]:
            read.append(Block("Ctrl-C", match["ctrl"].removeprefix("Ctrl-C: "), "", ""))
        else:
            read.append(Block(match["language"], match["content"], match["comment"] or "", match["file"] or ""))
    return read


class Reader:
    """Somebody at a keyboard: one terminal to work in, others for what runs until Ctrl-C."""

    def __init__(self, folder, ports, environment):
        self.home, self.folder, self.ports, self.environment = folder.parent, folder, ports, environment
        self.names: dict[str, str] = {}  # what was copied from the screen
        self.running: dict[str, tuple[subprocess.Popen, Path]] = {}
        self.screen = Path()  # where the last command prints

    def typed(self, text):
        """The text with the copied names put in, on the test's own ports."""
        for name, value in self.names.items():
            text = re.sub(rf"\b{name}\b", value, text)
        for port, own in self.ports.items():
            text = re.sub(rf"(?<=:){port}\b|(?<=-p ){port}\b", str(own), text)
        for command, options in PORT_OPTIONS.items():
            own = re.sub(r"\d+", lambda port: str(self.ports[port[0]]), options)
            text = re.sub(rf"^{command}$", rf"\g<0> {own}", text, flags=re.MULTILINE)
        return text

    def type(self, block):
        """Run a block to its end in the terminal, which keeps its folder and its variables."""
        state, self.screen = self.home / "terminal", self.home / "terminal.log"
        script = f"set -e\n{self.typed(block.content)}\npwd >{state}\nenv -0 >>{state}"
        with self.screen.open("w") as out:
            done = subprocess.run(
                ["bash", "-c", script],
                cwd=self.folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                timeout=SECONDS,
                check=False,
            )
        failed = done.returncode != 0
        assert failed == (block.comment == "fails"), f"{block.content}\n{self.screen.read_text()}"
        if not failed:
            where, _, variables = state.read_text().partition("\n")
            self.folder = Path(where)
            self.environment = dict(item.partition("=")[::2] for item in variables.split("\0") if item)

    def start(self, block):
        """Run a block in a terminal of its own, and wait until it answers."""
        log = self.screen = self.home / f"terminal{len(self.running)}.log"
        with log.open("w") as out:
            script = self.typed(block.content)
            process = subprocess.Popen(
                ["bash", "-c", script],
                cwd=self.folder,
                env=self.environment,
                stdout=out,
                stderr=out,
                **APART,
            )
        self.running[f"{block.content.strip()} #{len(self.running)}"] = (process, log)
        how, what = re.fullmatch(r"until Ctrl-C, (answers at|says) (.*)", block.comment).groups()
        deadline = time.monotonic() + (SECONDS if "demo" in block.content else ANSWER_SECONDS)
        while not (what in log.read_text() if how == "says" else answers(self.typed(what))):
            assert process.poll() is None, f"{block.content}\n{log.read_text()}"
            assert time.monotonic() < deadline, f"{block.content}\n{log.read_text()}"
            time.sleep(0.2)

    def interrupt(self, command):
        """Press Ctrl-C in the terminal of a command: every process in it gets the signal, and has to end."""
        (key,) = [key for key in self.running if key.startswith(command)]
        process, log = self.running.pop(key)
        tree = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
        os.killpg(process.pid, signal.SIGINT)
        _, alive = psutil.wait_procs(tree, CTRL_C_SECONDS)
        for left in alive:
            left.kill()
        assert not alive, f"{command}: after Ctrl-C there is still {alive}\n{log.read_text()}"

    def read(self, text):
        """Hold what is printed against what the page shows; keep the names that people copy."""
        for line in self.typed(text).splitlines():
            pattern = " ".join(re.escape(word) for word in line.split())
            pattern = pattern.replace(r" \.\.\. ", " .*?").replace(r"\.\.\.", ".*?")
            for name in NAMES:
                pattern = re.sub(rf"\b{name}\b", f"(?P<{name}>{NAMES[name]})", pattern)
            deadline = time.monotonic() + 10  # of what runs on, an answer may be there before the line about it
            while not (match := re.search(pattern, re.sub(r"\s+", " ", self.screen.read_text()))):
                assert time.monotonic() < deadline, f"shown:\n{line}\n\nprinted:\n{self.screen.read_text()}"
                time.sleep(0.2)
            self.names |= match.groupdict()

    def write(self, block):
        """Save a file as printed."""
        (self.folder / block.file).write_text(block.content, encoding="utf-8")

    def apply(self, block):
        """Change a file as printed."""
        subprocess.run(
            ["git", "apply", "-"], cwd=self.folder, env=self.environment, input=block.content, text=True, check=True
        )

    def end(self):
        for process, _ in self.running.values():
            kill_tree(process)


def answers(url):
    """Whether somebody answers at a http:// or tcp:// address."""
    host, _, port = url.split("/")[2].partition(":")
    with contextlib.suppress(OSError):
        if url.startswith("tcp:"):
            socket.create_connection((host, int(port)), timeout=2).close()
        else:
            urllib.request.urlopen(url, timeout=2).close()
        return True
    return False


@pytest.fixture
def reader(tmp_path):
    """Somebody in an empty folder, with this environment activated; YOUR.GIT holds the working tree as one commit."""
    git = ["git", "-C", str(ROOT)]
    listed = subprocess.run(
        [*git, "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    tree, folder = tmp_path / "tree", tmp_path / "projects"
    for name in filter(None, listed.split("\0")):
        source = ROOT / name
        if source.is_symlink() or source.exists():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            if source.is_symlink():
                (tree / name).symlink_to(source.readlink())
            else:
                (tree / name).write_bytes(source.read_bytes())
    me = ["-c", "user.name=x", "-c", "user.email=x@example.org"]
    for arguments in (
        ["init", "-q"],
        ["add", "-A"],
        [*me, "commit", "-qm", "x"],
        ["clone", "-q", "--bare", ".", "../git"],
    ):
        subprocess.run(["git", *arguments], cwd=tree, check=True)
    jupyter = tmp_path / "jupyter"
    jupyter.mkdir()
    (jupyter / "jupyter_lab_config.py").write_text("c.ServerApp.open_browser = False\nc.ServerApp.allow_root = True\n")
    folder.mkdir()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")}
    environment |= {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "PYTHONPATH": str(folder / "dsgopipeline"),  # as if this environment were the clone's own
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "COLUMNS": "200",
        "HOME": str(tmp_path),
        "JUPYTER_CONFIG_DIR": str(jupyter),
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.{(tmp_path / 'git').as_uri()}.insteadOf",
        "GIT_CONFIG_VALUE_0": GIT,
    }
    ports = {port: free_port() for port in PORTS}
    someone = Reader(folder, ports, environment)
    yield someone
    someone.end()


@pytest.mark.timeout(2700)
@pytest.mark.skipif(os.name != "posix", reason="the commands are typed in bash")
def test_readme__every_command_does_what_the_pages_say(reader):
    for block in [block for page in PAGES for block in blocks(page)]:
        begun = time.monotonic()
        if block.comment.startswith("needs: "):
            continue
        if block.language == "Ctrl-C":
            reader.interrupt(block.content)
        elif block.language == "bash" and block.comment.startswith("until Ctrl-C"):
            reader.start(block)
        elif block.language == "bash":
            reader.type(block)
        elif block.language == "text":
            reader.read(block.content)
        elif block.language == "diff":
            reader.apply(block)
        else:
            reader.write(block)
        print(f"{time.monotonic() - begun:6.1f} s  {block.language:6} {block.first_line[:100]}")


def test_readme__what_is_not_run_is_listed():
    left_out = [block for page in PAGES for block in blocks(page) if block.comment.startswith("needs: ")]

    assert [(block.comment.removeprefix("needs: "), block.first_line) for block in left_out] == LEFT_OUT


def test_chapters__stand_in_the_readmes_list_and_each_ends_with_the_next():
    listed = re.findall(r"^\d+\. \[.*?\]\((.*?)\)", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert listed == CHAPTERS

    texts = {chapter: (ROOT / chapter).read_text(encoding="utf-8") for chapter in CHAPTERS}
    for number, (chapter, following) in enumerate(itertools.pairwise(CHAPTERS), 1):
        title = texts[following].splitlines()[0].removeprefix("# ").partition(":")[0]
        assert texts[chapter].startswith(f"# {number}. ")
        assert texts[chapter].splitlines()[-1] == f"Next: [{title}]({Path(following).name})"


@pytest.mark.parametrize("page", PAGES)
def test_readme__every_block_of_code_is_one_that_the_test_above_knows(page):
    fences = re.findall(r"^ *```(\w*)\n", (ROOT / page).read_text(encoding="utf-8"), re.MULTILINE)

    read = [block for block in blocks(page) if block.language != "Ctrl-C"]
    assert [language for block in read for language in (block.language, "")] == fences  # each opened and closed
    for block in read:
        known = block.comment == "" or re.match("needs: |fails$|until Ctrl-C, ", block.comment)
        assert known, block.comment
        assert block.language in ("bash", "text", "diff") or block.file or block.comment.startswith("needs: "), block


@pytest.mark.parametrize("page", [*PAGES, *OTHERS])
def test_readme__its_links_and_pictures_lead_somewhere(page):
    text = (ROOT / page).read_text(encoding="utf-8")

    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"https?:", target):
            continue
        path, _, anchor = target.partition("#")
        linked = (ROOT / page).parent / path if path else ROOT / page
        assert linked.exists(), target
        if anchor:
            titles = re.findall(r"^#+ (.*)$", linked.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in [re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles], target
