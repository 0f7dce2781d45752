"""What holds for every session with the artifact store before it comes to files: who comes in, and what a command is.

pyftpdlib serves all sessions in one thread, so each must end in order, for all that its client sends or leaves unread.
"""

import sys
import time
import unicodedata
from collections import Counter
from typing import Any

from OpenSSL import SSL
from pyftpdlib.handlers import FTPHandler
from pyftpdlib.ioloop import AsyncChat
from pyftpdlib.servers import FTPServer
from store_users import Throttle, network

LOGIN_SECONDS = 20  # from the connection to the end of the login
IDLE_SECONDS = 300  # between two commands
COMMAND_BYTES = 2048  # pyftpdlib's own bound
UNREAD_ANSWERS = 250  # so many wait for a client that reads none


class EndsInOrder(AsyncChat):
    """A connection of either kind."""

    def handle_close(self) -> None:
        """End it; an error in doing so is logged and ends this connection (`handle_error`), not the server."""
        try:
            super().handle_close()
        except Exception:
            self.handle_error()


class GuardedSession(EndsInOrder, FTPHandler):
    """A control connection with bounds."""

    banner = "Artifact store ready."
    timeout = IDLE_SECONDS
    throttle = Throttle()

    began = 0.0  # monotonic seconds: when the connection was taken
    _answering = False
    _length = 0  # bytes of the command that is arriving
    _login_timer: Any = None

    # ---- coming and going

    def on_connect(self) -> None:
        """Give the client a while to log in."""
        self.began = time.monotonic()
        self._login_timer = self.ioloop.call_later(LOGIN_SECONDS, self._end_stranger, _errback=self.handle_error)

    def _end_stranger(self) -> None:
        if not self.authenticated:
            self.handle_timeout()

    def handle_timeout(self) -> None:
        """End the session; pyftpdlib would wait until the client has read all answers, which may be never."""
        super().handle_timeout()
        if self.connected:
            self.close()

    def add_channel(self, map: Any = None, events: Any = None) -> None:
        """Listen to the client (again, after a wrong password); not if the session has ended meanwhile.

        Its file number may be another session's by then, which nobody would listen to any more.
        """
        if not self._closed:
            super().add_channel(map, events)

    def log_exception(self, instance: Any) -> None:
        """Log an exception; in TLS it is the client's, and worth a line."""
        if isinstance(sys.exception(), SSL.Error):
            self.log("TLS broke.")
        else:
            super().log_exception(instance)

    def push(self, data: str) -> None:
        """Send an answer. It may find the client gone: see `close`."""
        self._answering = True
        try:
            super().push(data)
        except (SSL.Error, OSError):  # broken, or not listened to any more (after QUIT)
            self.close()
        finally:
            self._answering = False

    def close(self) -> None:
        """End the session; commands that were sent ahead are not heard.

        Not during an answer: the command or transfer that gives it goes on as if the session were there.
        """
        self.ac_in_buffer = b""
        if self._answering:
            self.ioloop.call_later(0, self.close, _errback=self.handle_error)
            return
        if self._login_timer and not self._login_timer.cancelled:
            self._login_timer.cancel()
        super().close()

    def ftp_USER(self, line: str) -> None:
        """Take a name, until one has logged in."""
        if self.authenticated:
            self.respond("503 Already logged in.")
        else:
            super().ftp_USER(line)

    def ftp_PASS(self, line: str) -> None:
        """Take a password, unless too many wrong ones came from this address."""
        if wait := self.throttle.wait(self.remote_ip):
            self.respond(f"421 Too many failed logins from your address: try again in {wait} seconds.")
            self.close_when_done()
        else:
            super().ftp_PASS(line)

    def handle_auth_failed(self, msg: str, password: str) -> None:
        """Count a wrong password at once; pyftpdlib answers after a pause, and guesses sent ahead are not heard."""
        self.throttle.failed(self.remote_ip)
        super().handle_auth_failed(msg, password)
        self.ac_in_buffer = b""

    # ---- commands

    def collect_incoming_data(self, data: bytes) -> None:
        """Collect a command; pyftpdlib refuses what is too long, and would take the rest of it for the next one."""
        if self._length <= COMMAND_BYTES:
            super().collect_incoming_data(data)
        self._length += len(data)

    def found_terminator(self) -> None:
        """Take a command, unless it was refused already; end a session that goes on sending and reads no answer."""
        length, self._length = self._length, 0
        if len(self.producer_fifo) > UNREAD_ANSWERS:
            self.log("The client does not read its answers.")
            self.close()
        elif length <= COMMAND_BYTES:
            super().found_terminator()

    def decode(self, bytes: bytes) -> str:
        """Decode a command; what is not UTF-8 becomes one that is refused, not a file of another name."""
        try:
            return bytes.decode()
        except UnicodeDecodeError:  # ABOR comes after Telnet's interrupt, which is no UTF-8
            return "ABOR" if bytes[-4:].upper() == b"ABOR" else "\0"

    def pre_process_command(self, line: str, cmd: str, arg: str) -> None:
        """Refuse control characters: a line break in a name would forge a line of a listing or the log."""
        if any(unicodedata.category(char) == "Cc" for char in line):
            self.respond("501 Commands and names are UTF-8 without control characters.")
        else:
            super().pre_process_command(line, cmd, arg)


class GuardedServer(FTPServer):
    """A server in which strangers, connected and not logged in, keep nobody out."""

    def handle_accepted(self, sock: Any, addr: Any) -> None:
        """Take a connection; where the server is full, a stranger's makes room for it."""
        is_one_too_many = self.ip_map.count(addr[0]) >= self.max_cons_per_ip  # of its address: it will be refused
        if len(self.ioloop.socket_map) >= self.max_cons and not is_one_too_many:
            self._end_a_stranger()
        super().handle_accepted(sock, addr)

    def _end_a_stranger(self) -> None:
        """End the oldest stranger's session of the host that has the most of them: it is the least likely to log in."""
        sessions = [each for each in self.ioloop.socket_map.values() if isinstance(each, GuardedSession)]
        strangers = [each for each in sessions if each.began and not each.authenticated]
        if strangers:
            hosts = Counter(network(each.remote_ip) for each in strangers)
            ended = max(strangers, key=lambda each: (hosts[network(each.remote_ip)], -each.began))
            ended.log("Too many connections: ended this one, which has not logged in.")
            ended.close()
