"""A TCP proxy that cuts every connection through it at a given byte: closes it in order, resets it, or falls silent.

It listens on 127.0.0.2, on the store's port and on all its passive ports, and connects to the same port of 127.0.0.1:
FTP clients open data connections to the address of their control connection, and so stay behind the proxy.
"""

import contextlib
import socket
import struct
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection

LISTEN, TARGET = "127.0.0.2", "127.0.0.1"
HOWS = ("closed", "reset", "silent")
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: close sends RST at once


class Proxy:
    """Forwards; after `arm`, cuts all connections once so many further bytes have passed. Later ones pass again."""

    def __init__(self, ports: list[int], tell: Callable[[], None]) -> None:
        """Listen on all these ports; `tell` is called after each cut."""
        self._tell = tell
        self._lock = threading.Lock()
        self._live: set[socket.socket] = set()
        self._cut_off: dict[socket.socket, str] = {}  # how
        self._left: int | None = None
        self._how = ""
        for port in ports:
            listener = socket.create_server((LISTEN, port), backlog=50)
            threading.Thread(target=self._accept, args=(listener, port), daemon=True).start()

    def arm(self, how: str, after: int) -> None:
        """Cut in the way `how` (one of HOWS) when `after` further bytes have passed, whichever way."""
        with self._lock:
            self._how, self._left = how, after

    def _accept(self, listener: socket.socket, port: int) -> None:
        while True:
            client, _ = listener.accept()
            try:
                server = socket.create_connection((TARGET, port), timeout=10)
            except OSError:
                client.close()
                continue
            server.settimeout(None)
            for end in (client, server):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                self._live |= {client, server}
            threading.Thread(target=self._join, args=(client, server), daemon=True).start()

    def _join(self, client: socket.socket, server: socket.socket) -> None:
        ways = [
            threading.Thread(target=self._forward, args=way, daemon=True)
            for way in ((client, server), (server, client))
        ]
        for way in ways:
            way.start()
        for way in ways:
            way.join()
        if self._cut_off.get(client) == "silent":
            return  # both stay open: nobody hears of the end
        with self._lock:
            for end in (client, server):
                self._live.discard(end)
                self._cut_off.pop(end, None)
                end.close()

    def _forward(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                allowed = self._count(len(data))
                if source in self._cut_off:
                    continue
                sink.sendall(data[:allowed])
                if allowed < len(data):
                    self._cut()
            if source not in self._cut_off:
                sink.shutdown(socket.SHUT_WR)

    def _count(self, size: int) -> int:
        """Return how many of `size` bytes may pass."""
        with self._lock:
            if self._left is None:
                return size
            allowed = min(size, self._left)
            self._left -= allowed
            return allowed

    def _cut(self) -> None:
        with self._lock:
            if self._left is None:
                return  # another thread was quicker
            self._left = None
            for end in self._live:
                self._cut_off[end] = self._how
                with contextlib.suppress(OSError):
                    if self._how == "closed":
                        end.shutdown(socket.SHUT_RDWR)
                    elif self._how == "reset":
                        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                        end.shutdown(socket.SHUT_RD)  # says nothing, but ends the thread that reads here
            self._tell()


def serve(ports: list[int], orders: Connection) -> None:
    """Run a proxy, as a process: takes (how, after) from `orders`, answers when it listens and after each cut."""
    proxy = Proxy(ports, lambda: orders.send("cut"))
    orders.send("listening")
    with contextlib.suppress(EOFError):
        while True:
            proxy.arm(*orders.recv())
