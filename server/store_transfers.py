"""The data connections of the artifact store: pyftpdlib's, held to what a store has to promise.

pyftpdlib takes a data connection that closes for the end of the file. Here an upload counts as whole only if the data
connection ended in order and the session (store_sessions.py) finds no fault.
"""

import sys
from typing import Any

from OpenSSL import SSL
from pyftpdlib.handlers import DTPHandler, TLS_DTPHandler
from pyftpdlib.handlers.ftp.dispatchers import ActiveDTP, PassiveDTP
from store_files import Upload
from store_guard import EndsInOrder

STALLED_SECONDS = 60  # without a byte in a transfer
BUFFER = 2**18
BROKEN = "426 The connection broke; nothing was stored."


class StorePassive(PassiveDTP):
    """A port that waits for the client's data connection (PASV, EPSV)."""

    def handle_accepted(self, sock: Any, addr: Any) -> None:
        """Take the client's; a stranger's is closed without an answer, which would be one too many for the client."""
        if addr[0] == self.cmd_channel.remote_ip:
            super().handle_accepted(sock, addr)
        else:
            sock.close()
            self.log(f"closed a data connection of the foreign address {addr[0]}")


class StoreActive(ActiveDTP):
    """A data connection to the client (PORT, EPRT)."""

    def handle_connect(self) -> None:
        """Hand the connection over for good: a later `close` would hit the next owner of its file number."""
        super().handle_connect()
        self._closed = True


class StoreTransfer(EndsInOrder, DTPHandler):
    """A data connection."""

    timeout = STALLED_SECONDS
    ac_in_buffer_size = ac_out_buffer_size = BUFFER
    transfer_finished: bool
    refusal = ""  # the answer to an upload that is not kept, in place of "226 Transfer complete."

    def enable_receiving(self, type: str, cmd: str) -> None:
        """Receive byte for byte, for any TYPE: ASCII mode would change files, and lose a last CR."""
        super().enable_receiving("i", cmd)

    def handle_read_event(self) -> None:
        """Receive; end at once when the file cannot be written."""
        super().handle_read_event()
        if isinstance(self.file_obj, Upload) and self.file_obj.problem and not self.file_obj.closed:
            self.handle_close()

    def close(self) -> None:
        """End the transfer: now an upload takes its name, or leaves nothing."""
        upload = self.file_obj
        if isinstance(upload, Upload) and self.transfer_finished and not upload.closed:
            # To pyftpdlib a connection that was reset, or that TLS did not end, has ended in order.
            broken = isinstance(sys.exception(), (OSError, SSL.SysCallError))
            self.refusal = BROKEN if broken else self.cmd_channel.keep(upload)
            self.transfer_finished = not self.refusal
        super().close()


class SecureTransfer(StoreTransfer, TLS_DTPHandler):
    """A data connection with TLS, which is 1.2 here.

    Over 1.3 a server sends session tickets after the handshake. A client that only writes (lftp) closes with these
    unread, whereupon its system resets the connection and the end of the file is lost (curl's issue 6149).
    """

    context: SSL.Context

    def secure_connection(self, ssl_context: SSL.Context) -> None:
        """Begin TLS, with the context of data connections."""
        super().secure_connection(self.context)

    def send(self, data: Any) -> int:
        """Send; to OpenSSL nothing at all (NLST of an empty folder) is an error, which would end TLS in its midst."""
        return int(super().send(data)) if data else 0

    def handle_error(self) -> None:
        """End a transfer whose TLS broke, with the answer that pyftpdlib leaves out."""
        super().handle_error()
        if self.cmd:
            self.cmd_channel.respond(BROKEN if self.receive else "426 The connection broke.")
