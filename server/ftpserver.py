"""The artifact store: an FTP server on one folder, for one user.

    python server/ftpserver.py                      # 127.0.0.1:2121, files in server/store, user guest
    DSGO_FTP_PASSWORD=... python server/ftpserver.py --host 0.0.0.0 --passive-ports 60000-60100

The password is the environment variable DSGO_FTP_PASSWORD. Without it the workshop's 12345 serves, on loopback only.
There is no anonymous user, nobody leaves the root (symbolic links that point out of it are refused), and an upload that
breaks off is removed. Ctrl-C or SIGTERM ends the server and every transfer in flight. A mistake (no password, port
taken, root unusable) is one line and exit code 2.
"""

import argparse
import io
import ipaddress
import logging
import os
import signal
import sys
from pathlib import Path
from typing import Any, NoReturn

from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.filesystems import AbstractedFS
from pyftpdlib.handlers import FTPHandler
from pyftpdlib.servers import FTPServer

WORKSHOP_PASSWORD = "12345"
PERMISSIONS = "elrdfmw"  # enter, list, read, delete, rename, make folders, write; not append, chmod or set times


class Upload(io.FileIO):
    """A file being received. Unbuffered, so that a full disk is said while the client still waits for the answer."""

    def write(self, data: Any) -> int:
        """Write all of `data`; a disk that takes only part of it raises OSError at the next attempt."""
        rest = memoryview(data)
        while rest:
            rest = rest[super().write(rest) :]
        return len(data)


class StoreFiles(AbstractedFS):
    """The folder that the server shows."""

    def open(self, filename: str, mode: str) -> Any:
        """Open a file for a download ("rb") or an upload (any other mode)."""
        return super().open(filename, mode) if mode == "rb" else Upload(filename, mode)

    def rename(self, src: str, dst: str) -> None:
        """Rename in one step, over an existing file too (on Windows `os.rename` would refuse)."""
        Path(src).replace(dst)


class StoreHandler(FTPHandler):
    """One client's session."""

    abstracted_fs = StoreFiles
    banner = "Artifact store ready."
    # STOU is the one command whose path pyftpdlib does not hold against the root.
    proto_cmds = {name: command for name, command in FTPHandler.proto_cmds.items() if name != "STOU"}  # noqa: RUF012

    def on_incomplete_file_received(self, file: str) -> None:
        """Remove an upload that broke off, so that nobody takes it for whole."""
        Path(file).unlink(missing_ok=True)
        self.log(f"removed the incomplete {file}")


def is_loopback(host: str) -> bool:
    """Tell whether `host` is this machine alone; an unknown name is not."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def port_range(text: str) -> range:
    """Parse "60000-60100", both ends included."""
    low, _, high = text.partition("-")
    ports = range(int(low), int(high) + 1)
    if not ports or low.startswith("-") or ports[-1] > 65535:
        raise ValueError(text)
    return ports


def fail(message: str) -> NoReturn:
    """End with one line and exit code 2."""
    print(f"Error: {message}", file=sys.stderr)
    raise SystemExit(2)


def end(*_: object) -> NoReturn:
    """End on a signal: pyftpdlib takes SystemExit for the wish to close everything; further signals change nothing."""
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, signal.SIG_IGN)
    raise SystemExit(0)


def main() -> None:
    """Serve until a signal ends it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (127.0.0.1)")
    parser.add_argument("--port", type=int, default=2121, help="port to listen on (2121)")
    parser.add_argument("--root", type=Path, default=Path(__file__).resolve().parent / "store", help="folder to serve")
    parser.add_argument("--user", default="guest", help="the one user's name (guest)")
    parser.add_argument("--passive-ports", type=port_range, metavar="LOW-HIGH", help="for a firewall (any free port)")
    args = parser.parse_args()

    password = os.environ.get("DSGO_FTP_PASSWORD")
    if not password:
        if not is_loopback(args.host):
            fail(f"listening on {args.host} needs a password of your own: set the variable DSGO_FTP_PASSWORD")
        password = WORKSHOP_PASSWORD
    if args.user == "anonymous":
        fail("an anonymous user is not offered (pyftpdlib would let it in with any password): choose another --user")
    try:
        args.root.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        fail(f"the root {args.root} cannot be used ({error.strerror}): choose another --root")

    authorizer = DummyAuthorizer()
    authorizer.add_user(args.user, password, str(args.root), perm=PERMISSIONS)
    StoreHandler.authorizer = authorizer
    StoreHandler.passive_ports = args.passive_ports
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, end)
    try:
        server = FTPServer((args.host, args.port), StoreHandler)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        fail(f"cannot listen on {args.host}:{args.port} ({reason}): end what uses it or choose another --port")
    with server:
        logging.info("artifact store ftp://%s@%s:%d, files in %s", args.user, *server.address, args.root.resolve())
        server.serve_forever()


if __name__ == "__main__":
    main()
