"""The control connection to an FTP server: ftplib's, with TLS, several commands at a time and bounded waits."""

import ftplib
import selectors
import socket
import ssl
from contextlib import suppress
from functools import lru_cache

from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import ABORTED, PERMISSION_DENIED

from dsgo.artifacts.ftp.address import Login

TIMEOUT = 30  # seconds that the server may stay silent before it counts as gone
BATCH = 8000  # bytes of commands sent before their replies are read: they fit any socket's buffer
TLS_BATCH = 1000  # proftpd waits for ever for the rest of a TLS record that is longer than its own buffer of 1024


class Lost(Exception):
    """The connection broke, or the server fell silent or closes it: the same request may succeed on another one."""


class Unreachable(Lost):
    """No connection could be made."""


class Refused(ftplib.error_perm):
    """A refusal whose cause is known: `advice` says it, and what to do."""

    def __init__(self, reply: str, advice: str) -> None:
        """Take the server's reply and the advice."""
        super().__init__(reply)
        self.advice = advice


class Control(ftplib.FTP):
    """A connection that is logged in, in binary mode. Any exception leaves it unusable: close it.

    Raises Lost, or ftplib's errors for what the server refuses (`ask` returns refusals instead).
    """

    def __init__(self, login: Login) -> None:
        """Connect and log in; also raises MlflowException (PERMISSION_DENIED) for a certificate that is not trusted."""
        super().__init__(timeout=TIMEOUT)
        self._login = login
        self._context = _tls_context(login.ca) if login.tls else None
        try:
            self._open()
        except BaseException:
            self.close()
            raise

    def _open(self) -> None:
        login = self._login
        try:
            self._control: socket.socket = socket.create_connection((login.host, login.port), self.timeout)
        except OSError as error:
            raise Unreachable(reason(error)) from error
        self._control.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._control.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)  # it is silent as long as a transfer takes
        self._listen()
        try:
            self.voidresp()
            if self._context:
                self._encrypt(self._context)
            self._log_in()
        except Lost as error:
            raise Unreachable(str(error)) from error

    def _listen(self) -> None:
        self.sock = self._control  # as ftplib calls it
        self.file = self._control.makefile("r", encoding="utf-8", errors="replace", newline="\n")

    def _encrypt(self, context: ssl.SSLContext) -> None:
        try:
            self.voidcmd("AUTH TLS")
            self._control = context.wrap_socket(self._control, server_hostname=self._login.host)
        except ssl.SSLCertVerificationError as error:
            raise MlflowException(
                f"the certificate of the artifact store {self._login.server} is not trusted ({error.verify_message}): "
                "set the variable DSGO_FTP_CA to the PEM file of its authority, or of itself",
                PERMISSION_DENIED,
            ) from error
        except ftplib.error_perm as error:
            raise MlflowException(
                f"the artifact store {self._login.server} offers no TLS ({error}): have it set up there, or use ftp://",
                ABORTED,
            ) from error
        except OSError as error:
            raise Unreachable(reason(error)) from error
        self._listen()  # what came before TLS is forgotten with the old reader

    def _log_in(self) -> None:
        login = self._login
        reply = self.sendcmd(f"USER {login.user}")
        if reply[0] == "3":
            reply = self.sendcmd(f"PASS {login.password}")
        if reply[0] != "2":
            raise ftplib.error_reply(reply)
        commands = ["FEAT", "TYPE I", *(("PBSZ 0", "PROT P") if login.tls else ())]
        feat, *rest = self.ask(*commands)
        for each in rest:
            require(each)
        lines = [line.split(maxsplit=1) for line in feat.split("\n")[1:-1]]
        self.features = {line[0].upper(): line[1] if line[1:] else "" for line in lines if line}
        if "UTF8" in self.features:
            self.ask("OPTS UTF8 ON")  # some speak it only when asked; those that always do may refuse

    # ---- commands and replies

    def ask(self, *commands: str) -> list[str]:
        """Send the commands together, a round trip for all of them; return the replies, refusals too."""
        replies: list[str] = []
        while len(replies) < len(commands):
            batch: list[str] = []
            size = 0
            for command in commands[len(replies) :]:
                size += len(command.encode("utf-8", "surrogateescape")) + 2
                if batch and size > (TLS_BATCH if self._context else BATCH):
                    break
                batch.append(command)
            self._send(batch)
            replies += [self.getmultiline() for _ in batch]
        for reply in replies:
            if reply.startswith("421"):
                raise Lost(reply)
        return replies

    def putline(self, line: str) -> None:
        """Send a line; ftplib sends all its commands through this."""
        self._send([line])

    def _send(self, lines: tuple[str, ...] | list[str]) -> None:
        if any(ord(char) < 32 for line in lines for char in line):
            raise ValueError("a control character in an FTP command")
        # What came as bytes that are no UTF-8 goes back as the same bytes.
        data = b"".join(line.encode("utf-8", "surrogateescape") + b"\r\n" for line in lines)
        try:
            self._control.sendall(data)
        except OSError as error:
            raise Lost(reason(error)) from error

    def getline(self) -> str:
        """Read a line; ftplib reads all replies through this."""
        try:
            return super().getline()
        except (OSError, EOFError) as error:
            raise Lost(reason(error)) from error

    # ---- between uses

    def is_usable(self) -> bool:
        """Tell whether the server has neither closed the idle connection nor said anything on it."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._control, selectors.EVENT_READ)
            return not selector.select(0)

    def hang_up(self) -> None:
        """Say goodbye without waiting for the answer, and close."""
        with suppress(Lost, OSError):
            self.putline("QUIT")
        self.close()


def require(reply: str) -> None:
    """Raise ftplib's error for a reply that refuses."""
    if reply[0] == "4":
        raise ftplib.error_temp(reply)
    if reply[0] not in "123":
        raise ftplib.error_perm(reply)


@lru_cache
def _tls_context(ca: str | None) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=ca)
    except OSError as error:
        reason = "holds no certificate" if isinstance(error, ssl.SSLError) else error.strerror
        message = f"the file {ca} of the variable DSGO_FTP_CA cannot be used ({reason}): name a PEM file"
        raise MlflowException(message, PERMISSION_DENIED) from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def reason(error: BaseException | None) -> str:
    """Return the words for a network error."""
    if isinstance(error, TimeoutError):
        return f"it said nothing for {TIMEOUT} s"
    return str(error) or "it closed the connection"
