"""What an artifact URI says about its server, and the login that belongs to it: no password is shown anywhere."""

import ftplib
import netrc
import os
import posixpath
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE, PERMISSION_DENIED
from mlflow.store.artifact.host_policy import host_addressed_uri_targets, is_tracking_server_process

from dsgo.base.network import is_loopback
from dsgo.base.store_terms import WORKSHOP_PASSWORD

ANONYMOUS = "anonymous"  # the user of a public server; it is sent no password of ours


@dataclass(frozen=True)
class Login:
    """Who connects to which server, and how: connections with the same login are shared."""

    tls: bool
    host: str
    port: int
    user: str
    password: str = field(repr=False)
    ca: str | None  # PEM file of the only authority that is trusted; None: those of the system

    @property
    def server(self) -> str:
        """How messages name the server."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'ftps' if self.tls else 'ftp'}://{host}:{self.port}"


class Address:
    """An artifact URI, read: `ftp[s]://[user[:password]@]host[:port][/path]`, each part percent-encoded where needed.

    `root` is the folder on the server, `shown` the URI without its password. Raises MlflowException
    (INVALID_PARAMETER_VALUE) for a URI that cannot be meant.
    """

    def __init__(self, uri: str) -> None:
        """Read the URI; nothing is connected."""
        try:
            parts = urlsplit(uri)
            self.port = parts.port or ftplib.FTP_PORT
        except ValueError:  # its text may hold the password
            message = "an artifact URI's host or port cannot be read; a password in the URI must be percent-encoded"
            raise MlflowException(message, INVALID_PARAMETER_VALUE) from None
        if parts.query or parts.fragment:
            message = "an artifact URI of FTP ends with its path: write ? as %3F and # as %23"
            raise MlflowException(message, INVALID_PARAMETER_VALUE)
        self.tls = parts.scheme == "ftps"
        self.host = parts.hostname or "localhost"
        self.root = posixpath.normpath("/" + unquote(parts.path).strip("/"))
        self._user = unquote(parts.username) if parts.username else None
        self._password = unquote(parts.password) if parts.password else None
        login = f"{parts.username}@" if parts.username else ""
        self.shown = parts._replace(netloc=login + parts.netloc.rpartition("@")[2]).geturl()
        _require_own_host(self.shown)

    def login(self) -> Login:
        """Return the login: the URI's password, else DSGO_FTP_PASSWORD, else ~/.netrc, else on loopback the workshop's.

        DSGO_FTP_PASSWORD is taken for the store it belongs to alone (`_is_own_store`). A URI without a user takes the
        user that ~/.netrc has for the host, else it is anonymous. Raises MlflowException: PERMISSION_DENIED if no
        password is found, INVALID_PARAMETER_VALUE for a DSGO_FTP_HOST that cannot be read.
        """
        own = os.environ.get("DSGO_FTP_PASSWORD")
        user, password = self._user, self._password or (own if own and _is_own_store(self.host, self.port) else None)
        if user is None or (user != ANONYMOUS and not password):
            entry = _netrc_entry(self.host)
            if entry and user in (None, entry[0]):
                user, password = entry
        if user in (None, ANONYMOUS):
            user, password = ANONYMOUS, self._password or "anonymous@"
        if not password and is_loopback(self.host):
            password = WORKSHOP_PASSWORD
        login = Login(self.tls, self.host, self.port, user, password or "", os.environ.get("DSGO_FTP_CA") or None)
        if not password:
            variables = "DSGO_FTP_PASSWORD and DSGO_FTP_HOST"
            if own:
                variables = f"DSGO_FTP_HOST to {self.host}, if DSGO_FTP_PASSWORD belongs to that store"
            raise MlflowException(
                f"no password for {user} on the artifact store {login.server}: write it into ~/.netrc, or set "
                f"{variables}",
                PERMISSION_DENIED,
            )
        return login


def _is_own_store(host: str, port: int) -> bool:
    """Return whether DSGO_FTP_PASSWORD belongs to the store at `host` and `port`.

    That is the one that DSGO_FTP_HOST names (HOST or HOST:PORT). Without the variable it is any on loopback, and in a
    tracking server the one that the server was started with. An address of somebody else's making gets no password.
    """
    if named := os.environ.get("DSGO_FTP_HOST"):
        try:
            parts = urlsplit(f"//{named}")
            own_host, own_port = parts.hostname, parts.port
            if not own_host or parts.netloc != named or "@" in named:
                raise ValueError(named)
        except ValueError:
            message = f"DSGO_FTP_HOST={named} is no host: write HOST or HOST:PORT, without ftp://"
            raise MlflowException(message, INVALID_PARAMETER_VALUE) from None
        return own_host == host and own_port in (None, port)
    return is_loopback(host) or (host, port) in [(each.hostname, each.port or ftplib.FTP_PORT) for each in _served()]


def _served() -> list[SplitResult]:
    """Return the artifact stores that this process was started with; none if it is no tracking server."""
    if not is_tracking_server_process():
        return []
    from mlflow.server.constants import ARTIFACT_ROOT_ENV_VAR, ARTIFACTS_DESTINATION_ENV_VAR

    uris = [os.environ.get(name, "") for name in (ARTIFACT_ROOT_ENV_VAR, ARTIFACTS_DESTINATION_ENV_VAR)]
    return [urlsplit(uri) for uri in uris if uri.startswith(("ftp:", "ftps:"))]


def _netrc_entry(host: str) -> tuple[str, str] | None:
    """Return the user and password that the file NETRC (default ~/.netrc) has for a host."""
    path = os.environ.get("NETRC")
    try:
        entry = netrc.netrc(path).authenticators(host)
    except FileNotFoundError:
        return None
    except (netrc.NetrcParseError, OSError, UnicodeDecodeError) as error:  # its text may hold part of a password
        line = f", line {error.lineno}" if isinstance(error, netrc.NetrcParseError) and error.lineno else ""
        reason = "is readable by others" if "permissive" in str(error) else "cannot be read"
        raise MlflowException(
            f"the file {path or Path('~/.netrc').expanduser()} {reason}{line}: mend it",
            PERMISSION_DENIED,
        ) from None
    return (entry[0], entry[2]) if entry and entry[0] and entry[2] else None


def _require_own_host(uri: str) -> None:
    """Hold a tracking server to the hosts that it was started with, as MLflow does for ftp:// but not for ftps://.

    Otherwise anybody who may create an experiment could make the server send its password to a host of their own.
    """
    if not uri.startswith("ftps:") or not is_tracking_server_process():
        return
    from mlflow.environment_variables import MLFLOW_ALLOWED_HOST_ADDRESSED_ARTIFACT_SCHEMES

    own = [each.geturl().replace("ftps:", "ftp:", 1) for each in _served() if each.scheme == "ftps"]
    targets = [host_addressed_uri_targets(each) for each in own]
    if host_addressed_uri_targets(uri.replace("ftps:", "ftp:", 1)) in targets:
        return
    if "ftps" not in {scheme.lower() for scheme in MLFLOW_ALLOWED_HOST_ADDRESSED_ARTIFACT_SCHEMES.get()}:
        raise MlflowException(
            f"this tracking server connects to no artifact store but its own, and {uri} is another: set "
            f"{MLFLOW_ALLOWED_HOST_ADDRESSED_ARTIFACT_SCHEMES.name}=ftps on the server to allow it",
            INVALID_PARAMETER_VALUE,
        )
