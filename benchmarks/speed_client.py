"""The measuring side of store_speed.py: does what each line of its input says and answers with the seconds it took.

A process of its own, since it may have to run in another network namespace. A line is the JSON of (client, URI, what,
name of the local folder, path on the store); connections are opened within the time measured, imports before it.
"""

import json
import os
import socket
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from mlflow.entities import FileInfo
from mlflow.store.artifact.artifact_repo import ArtifactRepository
from mlflow.store.artifact.ftp_artifact_repo import FTPArtifactRepository as MlflowsOwn
from mlflow.store.artifact.http_artifact_repo import HttpArtifactRepository

from dsgo.artifacts.ftp import pool
from dsgo.artifacts.ftp.repository import FTPArtifactRepository

CLIENTS = {"dsgo": FTPArtifactRepository, "mlflow": MlflowsOwn, "proxied": HttpArtifactRepository}


def round_trip(uri: str) -> float:
    """Wait until a server answers; return how long a connection takes to be made, in seconds: one round trip."""
    address = (urlsplit(uri).hostname or "", urlsplit(uri).port or 0)
    deadline, times = time.monotonic() + 120, list[float]()
    while len(times) < 5:
        begun = time.perf_counter()
        try:
            socket.create_connection(address, timeout=10).close()
        except ConnectionRefusedError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)
        else:
            times.append(time.perf_counter() - begun)
    return min(times)


def measure(work: Callable[[], Any]) -> float:
    """Return the seconds that `work` takes, from no connection to the last answer."""
    pool.close_all()
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def main() -> None:
    """Answer line by line until the input ends; argument: the folder with the local files (small/, big/)."""
    local = Path(sys.argv[1])
    for line in sys.stdin:
        client, uri, what, name, path = json.loads(line)
        seconds = WORK[what](CLIENTS[client](uri), local / name, path) if what in WORK else round_trip(uri)
        print(json.dumps(seconds), flush=True)


def upload(store: ArtifactRepository, local: Path, path: str) -> float:
    """Upload a folder."""
    return measure(lambda: store.log_artifacts(str(local), path))


def download(store: ArtifactRepository, local: Path, path: str) -> float:
    """Download a folder, and see that all is there; what is local is as large."""
    with tempfile.TemporaryDirectory(dir=local.parent) as target:
        seconds = measure(lambda: store.download_artifacts(path, target))
        got, wanted = (
            {each.name: each.stat().st_size for each in each.iterdir()} for each in (Path(target, path), local)
        )
    assert got == wanted, path
    return seconds


def list_folder(store: ArtifactRepository, local: Path, path: str) -> float:
    """List a folder of 1,000 files, whose sizes are 0 to 999."""
    files = list[FileInfo]()  # through the tracking server an empty file has no size
    seconds = measure(lambda: files.extend(store.list_artifacts(path)))
    assert sorted(each.file_size or 0 for each in files) == list(range(1000))
    return seconds


WORK = {"up": upload, "down": download, "list": list_folder}

if __name__ == "__main__":
    os.environ["MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR"] = "false"
    main()
