"""MLflow artifacts on an FTP server: takes the place of MLflow's client for `ftp://` and adds `ftps://`.

(Entry points in pyproject.toml.) A file is complete or not there at all, on both sides; connections are reused and
files go over several of them at a time; every failure is one line that names the server and never the password.
Beside it: address.py reads the URI, control.py and connection.py speak FTP, transfer.py and folders.py say what
about files and folders, pool.py keeps connections and tries again.
"""

import ftplib
import os
import posixpath
import sys
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from mlflow.entities.file_info import FileInfo
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE, RESOURCE_DOES_NOT_EXIST
from mlflow.store.artifact.artifact_repo import ArtifactRepository
from mlflow.utils.file_utils import ArtifactProgressBar, create_tmp_dir

from dsgo.artifacts.ftp import transfer
from dsgo.artifacts.ftp.address import Address
from dsgo.artifacts.ftp.connection import Connection
from dsgo.artifacts.ftp.folders import Entry, delete, kind_of, listing, make_folders
from dsgo.artifacts.ftp.pool import Pool, pool_of
from dsgo.artifacts.ftp.transfer import Download
from dsgo.base.store_terms import PARTIAL


class FTPArtifactRepository(ArtifactRepository):
    """Artifacts below `ftp[s]://user[:password]@host[:port]/path`; ftps is explicit TLS (RFC 4217).

    The password is the URI's, else on the store that DSGO_FTP_HOST names (default: loopback) the variable
    DSGO_FTP_PASSWORD, else that of ~/.netrc, else on loopback the workshop's 12345. DSGO_FTP_CA names the PEM file of a
    private certificate. The server must know SIZE (RFC 3659).

    Every method raises MlflowException: RESOURCE_DOES_NOT_EXIST for a missing path, PERMISSION_DENIED for a refused
    login or path, INVALID_PARAMETER_VALUE for a path that cannot be, ABORTED for a store that is full, down or unable.
    A tracking server answers these with 404, 403, 400 and 409, none of which MLflow's clients retry; its 5xx they
    would retry for minutes.
    """

    def __init__(self, artifact_uri: str, tracking_uri: str | None = None, registry_uri: str | None = None) -> None:
        """Read the URI; nothing is connected yet."""
        self._address = Address(artifact_uri)
        self.root = self._address.root
        # The base class shows its URI in messages and in its repr, so it gets one without the password.
        super().__init__(self._address.shown, tracking_uri, registry_uri)

    # ---- what MLflow calls

    def log_artifact(self, local_file: str, artifact_path: str | None = None) -> None:
        """Upload one file into the folder `artifact_path`."""
        folder = self._remote(artifact_path)
        target = self._remote(artifact_path, Path(local_file).name)

        def work(connection: Connection) -> None:
            make_folders(connection, [folder])
            transfer.upload(connection, Path(local_file), target)

        self._pool().run(f"store {target}", work)

    def log_artifacts(self, local_dir: str, artifact_path: str | None = None) -> None:
        """Upload the contents of `local_dir`, empty folders too, into the folder `artifact_path`."""
        folders, files = [], []
        for here, names in _walk(Path(local_dir)):
            path = posixpath.join(artifact_path or "", here.relative_to(local_dir).as_posix())
            folders.append(self._remote(path))
            files += [(here / name, self._remote(path, name)) for name in names]
        pool = self._pool()
        pool.run(f"make the folder {folders[0]}", lambda connection: make_folders(connection, folders))
        with _progress("Uploading artifacts", len(files)) as done:
            pool.run_each("store {0[1]}", lambda connection, each: transfer.upload(connection, *each), files, done)

    def list_artifacts(self, path: str | None = None) -> list[FileInfo]:
        """List the folder `path`, sorted; a file or a missing path gives nothing, as in MLflow's local store."""
        folder = self._remote(path)
        entries = self._pool().run(f"list {folder}", lambda connection: _list(connection, folder))
        infos = [FileInfo(posixpath.join(path or "", name), kind == "dir", size) for name, kind, size in entries]
        return sorted(infos, key=lambda info: info.path)

    def download_artifacts(self, artifact_path: str | None, dst_path: str | None = None) -> str:
        """Download a file, or a folder with all below it, into `dst_path` (default: a new one); return where it is."""
        target = Path(dst_path or create_tmp_dir()).absolute()
        if not target.is_dir():
            raise MlflowException(f"the destination {target} is not a folder that exists", RESOURCE_DOES_NOT_EXIST)
        remote = self._remote(artifact_path)
        kind = self._pool().run(f"find {remote}", lambda connection: kind_of(connection, remote))
        if kind is None and artifact_path:  # a run's root may be missing: it logged nothing
            raise self._missing(artifact_path)
        folders, files = self._tree(artifact_path or "") if kind == "dir" else ([], [])
        if kind == "file":
            files = [str(artifact_path)]
        for folder in folders:
            Path(self._create_download_destination(folder, str(target))).mkdir(parents=True, exist_ok=True)
        self._download(files, [self._create_download_destination(file, str(target)) for file in files])
        return self._create_download_destination(artifact_path, str(target)) if artifact_path else str(target)

    def delete_artifacts(self, artifact_path: str | None = None) -> None:
        """Delete a file, or a folder with all below it; what is missing is left so."""
        path = self._remote(artifact_path)
        self._pool().run(f"delete {path}", lambda connection: delete(connection, path))

    def _download_file(self, remote_file_path: str, local_path: str) -> None:
        self._download([remote_file_path], [local_path])

    @property
    def max_workers(self) -> int:
        """The threads of the base class, which are not used here."""
        return 1

    # ---- steps of these

    def _tree(self, path: str) -> tuple[list[str], list[str]]:
        """Return all folders (not the top one if it is the root) and all files below a folder."""
        folders, files, level = [path] if path else [], [], [path]
        while level:
            paths = [self._remote(folder) for folder in level]
            listings = self._pool().run_each("list {}", _list, paths, lambda: None)
            below = [
                (posixpath.join(folder, entry.name), entry.kind)
                for folder, entries in zip(level, listings, strict=True)
                for entry in sorted(entries)
            ]
            level = [each for each, kind in below if kind == "dir"]
            folders += level
            files += [each for each, kind in below if kind == "file"]
        return folders, files

    def _download(self, files: list[str], targets: list[str]) -> None:
        downloads = [Download(self._remote(file), Path(target)) for file, target in zip(files, targets, strict=True)]
        try:
            with _progress("Downloading artifacts", len(files)) as done:
                self._pool().run_each(
                    "read {.path}", lambda connection, download: download.attempt(connection), downloads, done
                )
        finally:
            for download in downloads:
                download.partial.unlink(missing_ok=True)

    def _pool(self) -> Pool:
        return pool_of(self._address.login())

    def _remote(self, path: str | None, name: str | None = None) -> str:
        """Return the server's path of `path` (of `name` in it), which must stay below the repository's root."""
        remote = posixpath.normpath(posixpath.join(self.root, path or ""))
        full = posixpath.join(remote, name) if name is not None else remote
        try:
            full.encode()
            if any(unicodedata.category(char) == "Cc" for char in full):
                raise ValueError("it holds a control character")
            if posixpath.commonpath([self.root, remote]) != self.root:
                raise ValueError("it is outside the store's folder")
            if any(part.startswith(PARTIAL) for part in full.split("/")):
                raise ValueError(f"{PARTIAL} begins the names of files in flight")
        except ValueError as error:
            reason = "it is not unicode" if isinstance(error, UnicodeError) else error
            shown = posixpath.join(path or "", name or "")
            raise MlflowException(
                f"invalid artifact path {shown!r} ({reason}): choose another", INVALID_PARAMETER_VALUE
            ) from None
        return full

    def _missing(self, path: str) -> MlflowException:
        return MlflowException(f"no such artifact: {path!r} in {self.artifact_uri}", RESOURCE_DOES_NOT_EXIST)


def _list(connection: Connection, folder: str) -> list[Entry]:
    """List the files and folders in a folder, without those in flight; a file or nothing there gives nothing."""
    try:
        entries = listing(connection, folder)
    except ftplib.error_perm:
        if kind_of(connection, folder) == "dir":
            raise
        return []
    return [entry for entry in entries if entry.kind != "other" and not entry.name.startswith(PARTIAL)]


def _walk(folder: Path, above: tuple[Path, ...] = ()) -> Iterator[tuple[Path, list[str]]]:
    """Yield a folder and the names of its files, then so for all below it; links are followed, a circle is refused."""
    real = folder.resolve(strict=True)
    if real in above:
        raise MlflowException(f"{folder} is a link to a folder that it is in: remove it", INVALID_PARAMETER_VALUE)
    entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    yield folder, [entry.name for entry in entries if not entry.is_dir()]
    for entry in entries:
        if entry.is_dir():
            yield from _walk(Path(entry.path), (*above, real))


@contextmanager
def _progress(what: str, files: int) -> Iterator[Callable[[], None]]:
    """Give a function to call after each file; it shows progress where somebody looks."""
    if files < 2 or not sys.stderr.isatty():
        yield lambda: None
        return
    with ArtifactProgressBar.files(what, files) as bar:
        yield bar.update
