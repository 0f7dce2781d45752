"""MLflow artifacts on an FTP server: takes the place of MLflow's client for `ftp://` (entry point in pyproject.toml).

MLflow's leaves a half-written file behind whatever breaks, knows no timeout, answers a missing path with an error
that is then retried for minutes, and opens several connections a file. Here a whole folder goes over one connection, a
file is complete or not there at all, and every failure is one line that names the server and never the password.
"""

import ftplib
import os
import posixpath
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit
from uuid import uuid4

from mlflow.entities.file_info import FileInfo
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import (
    ABORTED,
    INVALID_PARAMETER_VALUE,
    PERMISSION_DENIED,
    RESOURCE_DOES_NOT_EXIST,
)
from mlflow.store.artifact.artifact_repo import ArtifactRepository
from mlflow.utils.file_utils import create_tmp_dir

TIMEOUT = 30  # seconds that the server may stay silent before it counts as gone
BLOCK = 256 * 1024  # bytes a read
PARTIAL = ".partial-"  # begins the name of an upload in flight
ANONYMOUS = "anonymous"  # the user of a public server; it is sent no password of ours
WORKSHOP_PASSWORD = "12345"


class FTPArtifactRepository(ArtifactRepository):
    """Artifacts below `ftp://user[:password]@host[:port]/path`.

    The password is the URI's, else the variable DSGO_FTP_PASSWORD, else on loopback the workshop's 12345. The server
    must offer MLSD and MLST (RFC 3659), as pyftpdlib, ProFTPD, Pure-FTPd and FileZilla do.

    Every method raises MlflowException: RESOURCE_DOES_NOT_EXIST for a missing path, PERMISSION_DENIED for a refused
    login or path, ABORTED for a store that is full, down or otherwise unable. A tracking server answers these with 404,
    403 and 409, none of which MLflow's clients retry; its 5xx they would retry for minutes.
    """

    def __init__(self, artifact_uri: str, tracking_uri: str | None = None, registry_uri: str | None = None) -> None:
        """Read the URI; nothing is connected yet."""
        parts = urlsplit(artifact_uri)
        try:
            self.port = parts.port or ftplib.FTP_PORT
        except ValueError:
            message = "an artifact URI's port is not a number; a password in the URI must be percent-encoded"
            raise MlflowException(message, INVALID_PARAMETER_VALUE) from None
        self.host = parts.hostname or "localhost"
        self.user = unquote(parts.username or ANONYMOUS)
        self.root = posixpath.normpath("/" + parts.path.strip("/"))
        self.server = f"ftp://{self.host}:{self.port}"
        self._password = unquote(parts.password) if parts.password else None
        # The base class shows its URI in messages and in its repr, so it gets one without the password.
        login = f"{parts.username}@" if parts.username else ""
        shown = parts._replace(netloc=login + parts.netloc.rpartition("@")[2]).geturl()
        super().__init__(shown, tracking_uri, registry_uri)

    # ---- what MLflow calls

    def log_artifact(self, local_file: str, artifact_path: str | None = None) -> None:
        """Upload one file into the folder `artifact_path`."""
        folder = self._remote(artifact_path)
        with self._connection() as ftp:
            _make_folders(ftp, folder)
            _upload(ftp, Path(local_file), posixpath.join(folder, Path(local_file).name))

    def log_artifacts(self, local_dir: str, artifact_path: str | None = None) -> None:
        """Upload the contents of `local_dir`, empty folders too, into the folder `artifact_path`."""
        top = self._remote(artifact_path)
        with self._connection() as ftp:
            for here, _, names in os.walk(local_dir):
                folder = posixpath.normpath(posixpath.join(top, Path(here).relative_to(local_dir).as_posix()))
                _make_folders(ftp, folder)
                for name in sorted(names):
                    _upload(ftp, Path(here, name), posixpath.join(folder, name))

    def list_artifacts(self, path: str | None = None) -> list[FileInfo]:
        """List the folder `path`, sorted; a file or a missing path gives nothing, as in MLflow's local store."""
        folder = self._remote(path)
        with self._connection() as ftp:
            return self._list(ftp, path) if _kind(ftp, folder) == "dir" else []

    def download_artifacts(self, artifact_path: str | None, dst_path: str | None = None) -> str:
        """Download a file, or a folder with all below it, into `dst_path` (default: a new one); return where it is."""
        target = Path(dst_path or create_tmp_dir()).absolute()
        if not target.is_dir():
            raise MlflowException(f"the destination {target} is not a folder that exists", RESOURCE_DOES_NOT_EXIST)
        with self._connection() as ftp:
            kind = _kind(ftp, self._remote(artifact_path))
            if kind == "dir":
                self._download_folder(ftp, artifact_path, target)
            elif kind == "file":
                self._download(ftp, str(artifact_path), self._create_download_destination(artifact_path, str(target)))
            elif artifact_path:  # a run's root may be missing: it logged nothing
                raise self._missing(artifact_path)
        return self._create_download_destination(artifact_path, str(target)) if artifact_path else str(target)

    def delete_artifacts(self, artifact_path: str | None = None) -> None:
        """Delete a file, or a folder with all below it; what is missing is left so."""
        path = self._remote(artifact_path)
        with self._connection() as ftp:
            kind = _kind(ftp, path)
            if kind == "dir":
                _delete_folder(ftp, path)
            elif kind == "file":
                ftp.delete(path)

    def _download_file(self, remote_file_path: str, local_path: str) -> None:
        with self._connection() as ftp:
            if _kind(ftp, self._remote(remote_file_path)) != "file":
                raise self._missing(remote_file_path)
            self._download(ftp, remote_file_path, local_path)

    # ---- on one connection

    def _list(self, ftp: ftplib.FTP, path: str | None) -> list[FileInfo]:
        entries = [
            FileInfo(posixpath.join(path or "", name), facts["type"] == "dir", _size(facts))
            for name, facts in ftp.mlsd(self._remote(path), ["type", "size"])
            if facts["type"] in ("dir", "file") and not name.startswith(PARTIAL)
        ]
        return sorted(entries, key=lambda entry: entry.path)

    def _download_folder(self, ftp: ftplib.FTP, path: str | None, target: Path) -> None:
        if path:
            Path(self._create_download_destination(path, str(target))).mkdir(parents=True, exist_ok=True)
        for entry in self._list(ftp, path):
            if entry.is_dir:
                self._download_folder(ftp, entry.path, target)
            else:
                self._download(ftp, entry.path, self._create_download_destination(entry.path, str(target)))

    def _download(self, ftp: ftplib.FTP, path: str, local_path: str) -> None:
        partial = Path(f"{local_path}{PARTIAL}{uuid4().hex}")
        try:
            with partial.open("wb") as file:
                ftp.retrbinary(f"RETR {self._remote(path)}", file.write, BLOCK)
            partial.replace(local_path)
        finally:
            partial.unlink(missing_ok=True)

    # ---- paths, connection, errors

    def _remote(self, path: str | None) -> str:
        """Return the server's path of `path`, which must stay below the repository's root."""
        remote = posixpath.normpath(posixpath.join(self.root, path or ""))
        if posixpath.commonpath([self.root, remote]) != self.root or any(ord(char) < 32 for char in remote):
            raise MlflowException(f"invalid artifact path {path!r}", INVALID_PARAMETER_VALUE)
        return remote

    def _missing(self, path: str) -> MlflowException:
        return MlflowException(f"no such artifact: {path!r} in {self.artifact_uri}", RESOURCE_DOES_NOT_EXIST)

    def _find_password(self) -> str:
        if self.user == ANONYMOUS:
            return self._password or "anonymous@"
        password = self._password or os.environ.get("DSGO_FTP_PASSWORD")
        if not password and _is_loopback(self.host):
            password = WORKSHOP_PASSWORD
        if not password:
            raise MlflowException(
                f"no password for {self.user} on the artifact store {self.server}: set the variable DSGO_FTP_PASSWORD",
                PERMISSION_DENIED,
            )
        return password

    @contextmanager
    def _connection(self) -> Iterator[ftplib.FTP]:
        """Give a connection that is logged in; whatever the server or the network answers amiss becomes one line."""
        password = self._find_password()
        ftp = ftplib.FTP(timeout=TIMEOUT)
        try:
            try:
                ftp.connect(self.host, self.port)
            except OSError as error:
                raise MlflowException(
                    f"the artifact store {self.server} does not answer ({error}): is it running?", ABORTED
                ) from error
            ftp.login(self.user, password)
            ftp.voidcmd("TYPE I")  # sizes and files in bytes
            yield ftp
            with suppress(*ftplib.all_errors):
                ftp.quit()
        except ftplib.Error as error:
            code = PERMISSION_DENIED if str(error)[:3] in ("530", "550") else ABORTED
            raise MlflowException(f"the artifact store {self.server} refused: {error}", code) from error
        except (EOFError, ConnectionError, TimeoutError) as error:
            reason = str(error) or "it closed the connection"
            raise MlflowException(f"the artifact store {self.server} broke off: {reason}", ABORTED) from error
        finally:
            ftp.close()


def _is_loopback(host: str) -> bool:
    with suppress(ValueError):
        return ip_address(host).is_loopback
    return host == "localhost"


def _size(facts: dict[str, Any]) -> int | None:
    return int(facts["size"]) if facts["type"] == "file" else None


def _kind(ftp: ftplib.FTP, path: str) -> str | None:
    """Return "dir" or "file", or None where there is nothing."""
    try:
        reply = ftp.sendcmd(f"MLST {path}")
    except ftplib.error_perm as error:
        if str(error).startswith("550"):
            return None
        raise
    facts = dict(fact.lower().split("=", 1) for fact in reply.splitlines()[1].strip().split(" ")[0].split(";") if fact)
    return "file" if facts["type"] == "file" else "dir"  # a root shows itself as cdir in some servers


def _make_folders(ftp: ftplib.FTP, path: str) -> None:
    if path == "/" or _kind(ftp, path) == "dir":
        return
    _make_folders(ftp, posixpath.dirname(path))
    try:
        ftp.mkd(path)
    except ftplib.error_perm:
        if _kind(ftp, path) != "dir":  # else another client made it meanwhile
            raise


def _upload(ftp: ftplib.FTP, file: Path, path: str) -> None:
    """Upload under a temporary name, then rename: to an FTP server a client that died looks like one that is done."""
    partial = posixpath.join(posixpath.dirname(path), f"{PARTIAL}{uuid4().hex}")
    with file.open("rb") as source:
        try:
            try:
                ftp.storbinary(f"STOR {partial}", source, BLOCK)
            except ConnectionError:
                ftp.voidresp()  # the server hung up on the data: this raises its reason, a full disk for one
                raise
            ftp.rename(partial, path)
        except BaseException:
            with suppress(*ftplib.all_errors):
                ftp.delete(partial)
            raise


def _delete_folder(ftp: ftplib.FTP, path: str) -> None:
    for name, facts in list(ftp.mlsd(path, ["type"])):
        if facts["type"] == "dir":
            _delete_folder(ftp, posixpath.join(path, name))
        elif facts["type"] == "file":
            ftp.delete(posixpath.join(path, name))
    if path != "/":
        ftp.rmd(path)
