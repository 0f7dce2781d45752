"""The folder that holds the MLprojects: this checkout, or a clone of a git repository at a commit."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from filelock import FileLock

from dsgo.base.errors import UserError
from dsgo.base.logins import ADVICE, has_login, without_login

GIT_SECONDS = 300  # a clone that takes longer hangs


@dataclass(frozen=True)
class Source:
    """Where the projects are: a folder that every worker sees, or a git URI with the commit to take."""

    uri: str
    commit: str | None = None  # None: `uri` is a folder, used as it is

    @classmethod
    def of(cls, project: str) -> "Source":
        """Return the source that `-P project=` names: a folder with an MLproject, else a git URI at its HEAD.

        A git repository on this disk is taken as a folder, with what is not committed; as `file://` it is cloned. Git
        finds a login by itself (a credential helper, or a header in its configuration); UserError for one in the URI.
        """
        if has_login(project):
            raise UserError(
                f"project={without_login(project)} holds a login: {ADVICE}. If a run or a log shows it "
                "already, revoke it"
            )
        if (Path(project) / "MLproject").is_file():
            return cls(str(Path(project).absolute()))
        heads = _git("ls-remote", "--", project, "HEAD").split()
        if not heads:
            raise UserError(f"project={project}: the repository has no commit yet")
        return cls(project, heads[0])

    def checkout(self, folder: Path) -> Path:
        """Return the root of the projects; a git source is cloned once into `folder`, never touched where it is."""
        if self.commit is None:
            if not (Path(self.uri) / "MLproject").is_file():
                raise UserError(f"there is no project in {self.uri} here: give the workers a git URI, -P project=URI")
            return Path(self.uri)
        root = folder / f"dsgo-{self.commit}"
        with FileLock(folder / f"dsgo-{self.commit}.lock", timeout=GIT_SECONDS):
            if not root.exists():
                half = root.with_suffix(".half")  # what an interrupted clone leaves is never taken for whole
                _git("clone", "--quiet", "--", self.uri, str(half))
                _git("-C", str(half), "checkout", "--quiet", "--detach", self.commit)
                half.replace(root)
        return root


def _git(*arguments: str) -> str:
    try:
        done = subprocess.run(
            ["git", *arguments],
            capture_output=True,
            text=True,
            timeout=GIT_SECONDS,
            stdin=subprocess.DEVNULL,
            env=os.environ | {"GIT_TERMINAL_PROMPT": "0"},  # a worker has no one to ask
            check=True,
        )
    except FileNotFoundError:
        raise UserError("git is not installed here, and the project is a git repository") from None
    except subprocess.TimeoutExpired:
        raise UserError(f"git {arguments[0]} did not end within {GIT_SECONDS} s") from None
    except subprocess.CalledProcessError as error:
        reason = without_login(error.stderr.strip() or f"exit code {error.returncode}")
        if "could not read" in reason or "Authentication failed" in reason:
            reason += "; set up git's credential helper for this host, here and on each worker"
        raise UserError(f"git {arguments[0]} failed: {reason}") from None
    return done.stdout


def entry_point(root: Path, project: str, entry: str) -> dict[str, Any]:
    """Return an entry point of the MLproject file in `root/project`: its `parameters` and its `command`."""
    points: dict[str, Any] = yaml.safe_load((root / project / "MLproject").read_text(encoding="utf-8"))["entry_points"]
    return points[entry]


def defaults(root: Path, project: str, entry: str) -> dict[str, str]:
    """Return the parameters of an entry point with their defaults, as the texts that its command line gets."""
    parameters = entry_point(root, project, entry).get("parameters", {})
    return {name: str(spec.get("default", "")) for name, spec in parameters.items()}
