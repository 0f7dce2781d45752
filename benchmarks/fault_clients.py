"""The clients of faults.py: processes that transfer without end and note what was acknowledged, and the next run.

A file's bytes follow from its name and version, so that any file can be judged alone: whole, and how old, or torn.
"""

import contextlib
import ftplib
import hashlib
import os
import random
import shutil
import subprocess
import time
from collections.abc import Callable, Iterable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from mlflow.store.artifact import ftp_artifact_repo
from mlflow.store.artifact.artifact_repo import ArtifactRepository

from dsgo.artifacts.ftp import control
from dsgo.artifacts.ftp.repository import FTPArtifactRepository

os.environ["MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR"] = "false"
SMALL = [f"many/file{number:02}" for number in range(40)]
BIG = [f"big/file{number}" for number in range(3)]
SILENCE = 1  # seconds after which our client gives up a silent server: its own 30 would make the benchmark long
TEMPORARY = (".upload-", ".partial-")


def content(name: str, version: int) -> bytes:
    """Return a file's bytes: its version, then what follows from name and version, the length too.

    A big one repeats a block whose length is a prime, so that no part of it can be missing unseen.
    """
    chance = random.Random(f"{name} {version}")
    size = chance.randint(4_000_000, 40_000_000) if name.startswith("big") else chance.randint(1, 60_000)
    block = hashlib.shake_128(f"{name} {version}".encode()).digest(min(size, 65_521))
    return version.to_bytes(8, "big") + (block * (size // len(block) + 1))[:size]


def version_of(name: str, data: bytes) -> int | None:
    """Return which version a file is, whole; None: torn."""
    version = int.from_bytes(data[:8], "big")
    return version if data == content(name, version) else None


def repository(client: str, uri: str) -> ArtifactRepository:
    """Return MLflow's own client, or ours (also for what foreign clients stored)."""
    if client == "mlflow":
        return ftp_artifact_repo.FTPArtifactRepository(uri)
    return FTPArtifactRepository(uri)


def uploader(client: str, uri: str, home: Path) -> Callable[[Path, str], Any]:
    """Return a function that uploads the files in a local folder to a folder of the store."""
    parts = urlsplit(uri)
    if client == "curl":
        netrc = home / "netrc"
        netrc.write_text(f"machine {parts.hostname} login {parts.username} password {parts.password}\n")
        options = [
            "curl",
            "--silent",
            "--fail",
            "--ftp-create-dirs",
            "--netrc-file",
            str(netrc),
            "--connect-timeout",
            "5",
        ]

        def by_curl(local: Path, folder: str) -> None:
            files = ",".join(str(path) for path in sorted(local.iterdir()))
            target = f"ftp://{parts.hostname}:{parts.port}{parts.path}/{folder}/"
            subprocess.run([*options, "-T", f"{{{files}}}", target], check=True, stdout=subprocess.DEVNULL)

        return by_curl
    if client == "lftp":

        def by_lftp(local: Path, folder: str) -> None:
            files = " ".join(str(path) for path in sorted(local.iterdir()))
            script = (
                f"set net:max-retries 2; set net:timeout 5; set ftp:ssl-allow no; set cmd:fail-exit yes; "
                f"open --env-password -u {parts.username} ftp://{parts.hostname}:{parts.port}; "
                f"mkdir -p -f {parts.path}/{folder}; put -O {parts.path}/{folder} {files}"
            )
            environment = os.environ | {"LFTP_PASSWORD": parts.password or ""}
            subprocess.run(["lftp", "-c", script], check=True, env=environment, capture_output=True)

        return by_lftp
    store = repository(client, uri)

    def by_repository(local: Path, folder: str) -> None:
        files = list(local.iterdir())
        if len(files) == 1:
            store.log_artifact(str(files[0]), folder)
        else:
            store.log_artifacts(str(local), folder)

    return by_repository


def write_files(names: Iterable[str], version: int, folder: Path) -> None:
    """Write these files of a version into a new folder, without the folders of their names."""
    folder.mkdir(parents=True)
    for name in names:
        (folder / Path(name).name).write_bytes(content(name, version))


def upload_on(client: str, uri: str, home: Path, first: int, seed: str, busy: Any, stop: Any) -> None:
    """Upload new versions of files until `stop`; each line in home/journal is a file and version acknowledged.

    `busy` is 1 while a transfer is under way. What fails is written to home/errors and not tried again.
    """
    os.setsid()  # so that curl and lftp are killed with it
    control.TIMEOUT = SILENCE
    chance, version = random.Random(seed), first
    store = uploader(client, uri, home)
    with (home / "journal").open("ab", buffering=0) as journal, (home / "errors").open("a") as errors:
        while not stop.is_set():
            version += 1
            names = [chance.choice(BIG)] if chance.random() < 0.5 else chance.sample(SMALL, 12)
            local = home / f"upload{version}"
            write_files(names, version, local)
            busy.value = 1
            try:
                store(local, names[0].split("/")[0])
            except Exception as error:
                errors.write(f"{type(error).__name__}: {error}\n")
                time.sleep(0.05)
            else:
                journal.write("".join(f"{name} {version}\n" for name in names).encode())
            busy.value = 0
            shutil.rmtree(local)


def fill(client: str, uri: str, home: Path) -> None:
    """Upload the first version of every file."""
    for names in (SMALL, BIG):
        folder = names[0].split("/")[0]
        write_files(names, 1, home / folder)
        repository(client, uri).log_artifacts(str(home / folder), folder)


def download_on(client: str, uri: str, home: Path, first: int, seed: str, busy: Any, stop: Any) -> None:
    """Download until `stop`; home/downloads gets a line for each file that is there then: its name, whole or torn."""
    os.setsid()
    control.TIMEOUT = SILENCE
    chance, store = random.Random(seed), repository(client, uri)
    with (home / "downloads").open("a") as journal, (home / "errors").open("a") as errors:
        for number in range(first, first + 100_000):
            if stop.is_set():
                return
            target = home / f"download{number}"
            target.mkdir()
            busy.value = 1
            try:
                store.download_artifacts(chance.choice([*BIG, "many"]), str(target))
            except Exception as error:
                errors.write(f"{type(error).__name__}: {error}\n")
                time.sleep(0.05)
            busy.value = 0
            for name, version in judge(target).items():
                journal.write(f"{name} {'torn' if version is None else 'whole'}\n")
            shutil.rmtree(target)


def judge(folder: Path) -> dict[str, int | None]:
    """Return the version of each file below a folder (None: torn)."""
    paths = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    return {name: version_of(name, path.read_bytes()) for name, path in paths.items()}


def next_run(client: str, uri: str, home: Path, number: int, answer: Connection) -> None:
    """Do what the next user does: upload, list and download all; sends what is there, or a text that says what failed.

    What is there: the version of each file (None: torn), and how many temporary files a plain listing shows.
    """
    try:
        store, target, name = repository(client, uri), home / f"all{number}", f"next/run{number}"
        local = home / f"next{number}"
        write_files([name], number, local)
        store.log_artifact(str(local / f"run{number}"), "next")
        listed, folders = dict[str, int | None](), [""]
        while folders:
            for info in store.list_artifacts(folders.pop() or None):
                if info.is_dir:
                    folders.append(info.path)
                else:
                    listed[info.path] = info.file_size
        target.mkdir()
        store.download_artifacts("", str(target))
        versions = judge(target)
        sizes = {path: (target / path).stat().st_size for path in versions}
        if sizes != listed:
            raise ValueError(f"listed and downloaded differ: {sorted(sizes.items() ^ listed.items())}")
        if versions[name] != number:
            raise ValueError("what was just uploaded is another")
        answer.send((versions, temporary_files(uri)))
    except Exception as error:
        answer.send(f"{type(error).__name__}: {error}")
    finally:
        for folder in (local, target):
            shutil.rmtree(folder, ignore_errors=True)


def temporary_files(uri: str) -> int:
    """Count the temporary files that an FTP client which knows nothing of them is shown."""
    parts, names = urlsplit(uri), list[str]()
    with ftplib.FTP(timeout=10) as ftp:
        ftp.connect(parts.hostname or "", parts.port or 0)
        ftp.login(parts.username or "", parts.password or "")
        for folder in ("", "/many", "/big", "/next"):
            with contextlib.suppress(ftplib.error_perm):  # nothing was stored there yet
                names += [Path(name).name for name in ftp.nlst(f"{parts.path}{folder}")]
    return sum(name.startswith(TEMPORARY) for name in names)
