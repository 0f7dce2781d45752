"""Loopback and free ports. Servers listen on loopback unless told otherwise."""

import random
import socket
from contextlib import suppress
from ipaddress import ip_address

LOOPBACK = "127.0.0.1"


def is_loopback(host: str) -> bool:
    """Return whether a host (a name or an address) is this machine's loopback, which nobody else reaches.

    >>> is_loopback("localhost"), is_loopback("127.0.0.2"), is_loopback("::1"), is_loopback("example.org")
    (True, True, True, False)
    """
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def free_port() -> int:
    """Return a port of loopback that nobody listens on now.

    It is below those that systems give to outgoing connections (from 32768 on, or higher), so no such connection takes
    it before it is used. Raises OSError where none of a hundred is free.
    """
    for port in random.sample(range(20_000, 32_000), 100):
        with suppress(OSError), socket.socket() as probe:
            probe.bind((LOOPBACK, port))
            return port
    raise OSError("no free port was found")
