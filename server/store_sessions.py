"""One client's session with the artifact store, plain or with TLS: pyftpdlib's, held to what a store has to promise.

An upload counts as whole only if the data connection ended in order (store_transfers.py), the client is still there
when it did, the size it announced (ALLO), if any, is what came, and all of it is on the disk.
"""

import logging
import re
import select
import socket
from pathlib import Path
from typing import Any

from pyftpdlib.handlers import FTPHandler, TLS_FTPHandler
from store_files import FULL, UNNAMED, StoreFiles, Upload, require_room
from store_guard import GuardedSession
from store_transfers import BROKEN, SecureTransfer, StoreActive, StorePassive, StoreTransfer

logger = logging.getLogger("pyftpdlib")
# STOU's path is not held against the root by pyftpdlib, APPE and REIN lose sight of uploads, the last two change files.
DROPPED = {"STOU", "APPE", "REIN", "SITE CHMOD", "MFMT"}
TRANSFERS = {"STOR", "RETR", "LIST", "NLST", "MLSD"}
NEW_CONNECTION = {"PASV", "EPSV", "PORT", "EPRT", "ABOR"}
NO_ROOM = "452 There is not enough room in the store; nothing was stored."
ABORT = re.compile(rb"(?:^|\n)[\xf0-\xff]*ABOR\r?(?:\n|$)", re.IGNORECASE)  # Telnet's interrupt may come before it


class StoreSession(GuardedSession):
    """A control connection."""

    dtp_handler = StoreTransfer
    active_dtp = StoreActive
    passive_dtp = StorePassive
    abstracted_fs = StoreFiles
    proto_cmds = {name: about for name, about in FTPHandler.proto_cmds.items() if name not in DROPPED}  # noqa: RUF012
    log_cmds_list = ["DELE", "RNFR", "RNTO", "MKD", "RMD", "XMKD", "XRMD"]  # noqa: RUF012

    _in_dtp_queue: Any
    _out_dtp_queue: Any
    _unnamed: Any = ()  # uploads that the client has yet to rename; a set from `on_connect` on, which some do not reach

    def on_connect(self) -> None:
        """Begin the session."""
        super().on_connect()
        self._unnamed = set()

    def on_disconnect(self) -> None:
        """Remove what the client uploaded and did not come to rename."""
        for path in self._unnamed:
            Path(path).unlink(missing_ok=True)

    # ---- commands

    def process_command(self, cmd: str, *args: Any, **kwargs: Any) -> None:
        """Refuse a transfer while another is going on: pyftpdlib would write on into the second one's file.

        One that waits for a data connection is given up when the client aborts or wants a new one: pyftpdlib would
        take that connection for it, and an empty file for whole.
        """
        if cmd in NEW_CONNECTION:
            self._give_up_waiting()
        busy = self.data_channel is not None and self.data_channel.file_obj is not None
        if cmd in TRANSFERS and (busy or self._in_dtp_queue or self._out_dtp_queue):
            self.respond("450 Another transfer is going on.")
        else:
            super().process_command(cmd, *args, **kwargs)

    def _give_up_waiting(self) -> None:
        for file in (self._in_dtp_queue or [None])[0], (self._out_dtp_queue or [None] * 3)[2]:
            if file:
                file.close()
        self._in_dtp_queue = self._out_dtp_queue = None

    def ftp_ALLO(self, line: str) -> None:
        """Take the size of the next upload (RFC 959); one of another size is not kept."""
        digits = line.split(" ")[0]
        if not (digits.isascii() and digits.isdecimal() and len(digits) < 19):
            self.respond("501 ALLO needs a number of bytes.")
            return
        self.fs.expected = int(digits)
        self.respond("200 An upload of another size will not be kept.")

    def ftp_STOR(self, file: str, mode: str = "w") -> str | None:
        """Receive a file if there is room for it."""
        stored = None
        try:
            require_room(self.fs.root, self.fs.min_free, self.fs.expected or 0)
        except OSError:
            self.respond(NO_ROOM)
        else:
            stored = super().ftp_STOR(file, mode)
        self.fs.expected = None
        return stored

    def on_file_received(self, file: str) -> None:
        """Remember an upload that is to be renamed."""
        if UNNAMED.fullmatch(Path(file).name):
            self._unnamed.add(file)

    def ftp_RNTO(self, path: str) -> tuple[str, str] | None:
        """Rename."""
        renamed: tuple[str, str] | None = super().ftp_RNTO(path)
        if renamed:
            self._unnamed.discard(renamed[0])
        return renamed

    def push_dtp_data(self, data: Any, isproducer: bool = False, file: Any = None, cmd: str | None = None) -> None:
        """Send a file byte for byte, for any TYPE."""
        super().push_dtp_data(type(data)(file, "i") if file else data, isproducer, file, cmd)

    def respond(self, resp: str, logfun: Any = logger.debug) -> None:
        """Answer, if the client is still there; for an upload that was not kept with the reason."""
        if self.connected:
            super().respond(getattr(self.data_channel, "refusal", "") or resp, logfun)

    def log_transfer(self, cmd: str, filename: str, receive: bool, completed: bool, elapsed: float, bytes: int) -> None:
        """Log a transfer in one line, the user and the address before it."""
        done = "done" if completed else "not done"
        self.log(f"{cmd} {self.fs.fs2ftp(filename)!r} {done} bytes={bytes} seconds={elapsed:.3f}")

    # ---- uploads

    def keep(self, upload: Upload) -> str:
        """Give an upload its name; return "", or the answer that says why not. Either way it is closed."""
        try:
            if upload.problem:
                raise upload.problem
            if self._hung_up():
                return BROKEN
            if upload.expected not in (None, upload.size):
                return f"426 {upload.size} of {upload.expected} bytes arrived; nothing was stored."
            upload.sync()
            if self._hung_up():  # asked again: a process that is killed closes its connections one after the other
                return BROKEN
            upload.commit()
        except OSError as error:
            return NO_ROOM if error.errno in FULL else f"451 {error.strerror}; nothing was stored."
        finally:
            upload.close()
        return ""

    def _hung_up(self) -> bool:
        """Tell whether the client has closed the control connection, or asks to abort."""
        if hasattr(select, "POLLRDHUP"):  # Linux sees that it is closed behind commands that wait to be read, too
            poll = select.poll()
            poll.register(self.socket.fileno(), select.POLLRDHUP)
            if poll.poll(0):
                return True
        try:
            with socket.fromfd(self.socket.fileno(), self.socket.family, socket.SOCK_STREAM) as control:
                waiting = control.recv(4096, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        except OSError:
            return True
        return not waiting or bool(ABORT.search(waiting))


class SecureSession(StoreSession, TLS_FTPHandler):
    """A control connection that turns to TLS when the client asks for it (AUTH TLS, RFC 4217)."""

    dtp_handler = SecureTransfer
    proto_cmds = {name: about for name, about in TLS_FTPHandler.proto_cmds.items() if name not in DROPPED}  # noqa: RUF012

    def ftp_AUTH(self, line: str) -> None:
        """Begin TLS; what was sent behind AUTH in the clear is thrown away, for anybody could have put it there."""
        super().ftp_AUTH(line)
        self.ac_in_buffer = b""

    def ftp_PROT(self, line: str) -> None:
        """Turn TLS on or off for data connections; off only where plain text is allowed at all."""
        if self.tls_data_required and line.upper() == "C":
            self.respond("534 Data in the clear is not allowed here.")
        else:
            super().ftp_PROT(line)
