"""A connection to an FTP server with the transfers over it, each on a data connection to the same address."""

import errno
import ftplib
import os
import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, BinaryIO

from dsgo.artifacts.ftp import control
from dsgo.artifacts.ftp.address import Login
from dsgo.artifacts.ftp.control import Control, Lost, reason, require

SLOWEST = 20 << 20  # bytes/s that a server is given to flush what it received, on top of TIMEOUT
BLOCK = 1 << 20  # bytes a read
SENDFILE_BLOCK = 16 << 20  # bytes that the kernel sends on its own


class Connection(Control):
    """A control connection that can transfer; the same exceptions, and the same end by any of them."""

    def __init__(self, login: Login) -> None:
        """Connect and log in."""
        self.stop = threading.Event()  # set by another thread, it ends the transfer in hand
        self._buffer = memoryview(b"")
        self._in_transfer = False
        super().__init__(login)

    def passive(self) -> str:
        """Return the command that asks for a data connection; `store` and `retrieve` take its reply."""
        return "PASV" if self._control.family == socket.AF_INET else "EPSV"

    def _start(self, passive_reply: str, command: str) -> socket.socket:
        """Begin a transfer: the command and the data connection go out together, so that they take one round trip."""
        require(passive_reply)
        peer = self._control.getpeername()
        # The address in the reply is not believed: it is behind a firewall at best, somebody else's at worst.
        is_ipv4 = self._control.family == socket.AF_INET
        port = (ftplib.parse227(passive_reply) if is_ipv4 else ftplib.parse229(passive_reply, peer))[1]
        self.putline(command)
        self._in_transfer = True
        data, problem = None, None
        try:
            data = socket.create_connection((peer[0], port), self.timeout)
        except OSError as error:
            problem = error  # the server may have closed the port because it refuses: its reply says so
        try:
            reply = self.getmultiline()
            if reply[0] != "1":
                self._in_transfer = False
                require(reply)
                raise ftplib.error_reply(reply)
            if data is None:
                raise Lost(reason(problem)) from problem
            if self._context:  # servers ask for the control connection's session, to know who connects
                session = self._control.session  # type: ignore[attr-defined]
                data = self._context.wrap_socket(data, server_hostname=self._login.host, session=session)
        except BaseException as error:
            if data is not None:
                data.close()
            if isinstance(error, OSError):
                raise Lost(reason(error)) from error
            raise
        return data

    def _finish(self, seconds: float) -> None:
        """Read the reply that ends a transfer."""
        self._control.settimeout(seconds)
        try:
            self.voidresp()
        finally:
            self._in_transfer = False
            self._control.settimeout(self.timeout)

    def retrieve(self, passive_reply: str, command: str, write: Callable[[memoryview], Any]) -> None:
        """Give `write` all that the server sends for the command (RETR, MLSD, NLST)."""
        if not self._buffer:
            self._buffer = memoryview(bytearray(BLOCK))
        with self._start(passive_reply, command) as data:
            while True:
                try:
                    size = data.recv_into(self._buffer)
                except OSError as error:
                    raise Lost(reason(error)) from error
                if not size:
                    break
                write(self._buffer[:size])
                self._look_for_stop()
            _end_tls(data)
        self._finish(control.TIMEOUT)

    def store(self, passive_reply: str, path: str, source: BinaryIO, size: int) -> int:
        """Send the first `size` bytes of a file to `path`; return how many there were."""
        sent = 0
        try:
            with self._start(passive_reply, f"STOR {path}") as data:
                if self._context is None and hasattr(os, "sendfile"):
                    while sent < size and (n := data.sendfile(source, sent, min(SENDFILE_BLOCK, size - sent))):
                        sent += n
                        self._look_for_stop()
                else:
                    while sent < size and (block := source.read(min(BLOCK, size - sent))):
                        data.sendall(block)
                        sent += len(block)
                        self._look_for_stop()
                _end_tls(data)
        except OSError as error:
            if not _is_of_network(error):
                raise
            self._finish(control.TIMEOUT)  # the server hung up on the data: this raises its reason, as a full disk
            raise Lost(reason(error)) from error
        self._finish(control.TIMEOUT + size / SLOWEST)
        return sent

    def _look_for_stop(self) -> None:
        if self.stop.is_set():
            raise Lost("it was interrupted")

    def discard(self, path: str) -> None:
        """Delete an upload that will not be completed, as well as the state of the connection allows."""
        with suppress(Lost, ftplib.Error, OSError):
            self._control.settimeout(min(control.TIMEOUT, 5))
            if self._in_transfer:
                self.getmultiline()
            self.ask(f"DELE {path}")


def _end_tls(data: socket.socket) -> None:
    if isinstance(data, ssl.SSLSocket):
        with suppress(OSError):  # some peers close without a word; the size tells whether all came
            data.unwrap()


def _is_of_network(error: OSError) -> bool:
    """Tell an error of a socket from one of a local file."""
    unreachable = (errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ENETDOWN, errno.ENETRESET)
    return isinstance(error, ConnectionError | TimeoutError | ssl.SSLError) or error.errno in unreachable
