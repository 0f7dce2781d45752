"""The artifact store: an FTP server on one folder, with TLS and users of its own.

    python server/ftpserver.py                      # 127.0.0.1:2121, files in server/store, user guest
    python server/ftpserver.py adduser NAME         # from then on the users are those in server/users.json
    python server/ftpserver.py --host 0.0.0.0 --tls-cert cert.pem --tls-key key.pem --passive-ports 60000-60100
    python server/ftpserver.py --check              # is the store that runs healthy?

Without a users file there is one user, guest. The password is the environment variable DSGO_FTP_PASSWORD; without it
the workshop's 12345 serves, on loopback only. README.md in this folder says what the store promises. Ctrl-C or SIGTERM
ends the server and every transfer in flight. A mistake (no password, no certificate, port taken, root unusable) is one
line and exit code 2.
"""

import argparse
import getpass
import logging
import os
import signal
import sys
from pathlib import Path
from typing import NoReturn

from OpenSSL import SSL
from store_check import check
from store_files import StoreFiles, remove_leftovers
from store_guard import GuardedServer
from store_sessions import SecureSession, StoreSession
from store_tls import TlsError, context
from store_transfers import SecureTransfer
from store_users import Users, UsersError, new_user, write_user

from dsgo.base.network import is_loopback
from dsgo.base.store_terms import FTP_PORT, USER, WORKSHOP_PASSWORD

HERE = Path(__file__).resolve().parent
# An address cannot take all connections. Two of them need a file more, and the process some 24 for itself.
FILES, CONNECTIONS, CONNECTIONS_PER_ADDRESS = 1024, 600, 100


def port_range(text: str) -> range:
    """Parse "60000-60100", both ends included."""
    low, _, high = text.partition("-")
    ports = range(int(low), int(high) + 1)
    if not ports or low.startswith("-") or ports[-1] > 65535:
        raise ValueError(text)
    return ports


def size(text: str) -> int:
    """Parse a size in bytes, as "500M" or "2G" (1024 each).

    >>> size("2K")
    2048
    """
    factor = {"K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}.get(text[-1:].upper())
    number = float(text[:-1] if factor else text) * (factor or 1)
    if not 0 <= number < 2**63:
        raise ValueError(text)
    return int(number)


def connections() -> int:
    """Return how many connections the system lets this process hold; its limit is raised first where it is low.

    With one too many, pyftpdlib would stop listening for good.
    """
    try:
        import resource
    except ImportError:
        return 500  # Windows: `select` takes 512
    soft, hard = (
        FILES if limit == resource.RLIM_INFINITY else limit for limit in resource.getrlimit(resource.RLIMIT_NOFILE)
    )
    if soft < FILES:
        soft = min(FILES, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    return min(CONNECTIONS, CONNECTIONS * (soft - 24) // (FILES - 24))


def fail(message: str) -> NoReturn:
    """End with one line and exit code 2."""
    print(f"Error: {message}", file=sys.stderr)
    raise SystemExit(2)


def end(*_: object) -> NoReturn:
    """End on a signal: pyftpdlib takes SystemExit for the wish to close everything; further signals change nothing."""
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, signal.SIG_IGN)
    raise SystemExit(0)


def parse() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (127.0.0.1)")
    parser.add_argument("--port", type=int, default=FTP_PORT, help="port to listen on (2121)")
    parser.add_argument("--root", type=Path, default=HERE / "store", help="folder to serve (server/store)")
    parser.add_argument("--users", type=Path, default=HERE / "users.json", help="users file (server/users.json)")
    parser.add_argument("--user", default=USER, help="the one user's name where there is no users file (guest)")
    parser.add_argument("--passive-ports", type=port_range, metavar="LOW-HIGH", help="for a firewall (any free port)")
    parser.add_argument("--min-free", type=size, default="256M", help="room to leave free on the disk (256M)")
    parser.add_argument("--tls-cert", type=Path, metavar="PEM", help="certificate, with its chain")
    parser.add_argument("--tls-key", type=Path, metavar="PEM", help="its private key")
    parser.add_argument(
        "--tls-only", action=argparse.BooleanOptionalAction, help="refuse plain text (wherever it is not loopback)"
    )
    parser.add_argument("--check", action="store_true", help="log in to the store that runs there, store, fetch, end")
    commands = parser.add_subparsers(dest="command", metavar="[adduser NAME]")
    add = commands.add_parser("adduser", help="add a user, or give one another password")
    add.add_argument("name")
    add.add_argument("--read-only", action="store_true", help="for hosts that serve models")
    return parser.parse_args()


def main() -> None:
    """Serve until a signal ends it, or do what the options say instead."""
    args = parse()
    if args.command == "adduser":
        add_user(args)
    elif args.check:
        password = os.environ.get("DSGO_FTP_PASSWORD") or (WORKSHOP_PASSWORD if is_loopback(args.host) else None)
        problem = check(args.host, args.port, args.user, password, args.tls_cert, wants_tls(args))
        print(problem or f"the artifact store at {args.host}:{args.port} is healthy")
        raise SystemExit(1 if problem else 0)
    else:
        serve(args)


def wants_tls(args: argparse.Namespace) -> bool:
    """Tell whether plain text is refused: as asked, else wherever the address is not loopback."""
    return bool(args.tls_only if args.tls_only is not None else not is_loopback(args.host))


def add_user(args: argparse.Namespace) -> None:
    """Add a user to the users file; the password is DSGO_FTP_PASSWORD, or asked for."""
    if args.name == "anonymous" or not args.name.isprintable() or args.name.strip() != args.name or not args.name:
        fail(f"{args.name!r} cannot be a user's name")
    password = os.environ.get("DSGO_FTP_PASSWORD")
    if not password:
        if not sys.stdin.isatty():
            fail("no password for the new user: set the variable DSGO_FTP_PASSWORD, or type it on a terminal")
        password = getpass.getpass(f"Password for {args.name}: ")
        if not password or getpass.getpass("Again: ") != password:
            fail("the two are not the same, or empty: nothing was changed")
    try:
        write_user(args.users, args.name, password, "read" if args.read_only else "write")
    except (OSError, UsersError) as error:
        fail(f"{error}")
    print(f"{args.name} may {'read' if args.read_only else 'read and write'} ({args.users})")


def find_users(args: argparse.Namespace) -> Users:
    """Return who may log in: the users file's, else the one user."""
    if args.users.exists():
        return Users(args.root, args.users)
    if args.user == "anonymous":
        fail("an anonymous user is not offered: choose another --user")
    password = os.environ.get("DSGO_FTP_PASSWORD")
    if not password:
        if not is_loopback(args.host):
            fail(f"listening on {args.host} needs a password of your own: set the variable DSGO_FTP_PASSWORD")
        password = WORKSHOP_PASSWORD
    return Users(args.root, users={args.user: new_user(password, "write")})


def find_session(args: argparse.Namespace) -> type[StoreSession]:
    """Return the kind of session: with TLS if there is a certificate, without it if that is allowed."""
    certificate, key = args.tls_cert, args.tls_key or args.tls_cert
    if certificate:
        SecureSession.ssl_context = context(certificate, key)
        SecureTransfer.context = context(certificate, key, SSL.TLS1_2_VERSION)
        SecureSession.tls_control_required = SecureSession.tls_data_required = wants_tls(args)
        return SecureSession
    if wants_tls(args):
        fail(
            f"listening on {args.host} needs TLS: give --tls-cert and --tls-key (for a trial see server/README.md), or "
            "--no-tls-only where nobody can listen in"
        )
    return StoreSession


def serve(args: argparse.Namespace) -> None:
    """Serve until a signal ends it."""
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, end)
    try:
        args.root.mkdir(parents=True, exist_ok=True)
        users, session = find_users(args), find_session(args)
        logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
        if removed := remove_leftovers(args.root):
            logging.info("removed %d uploads that a crash had left unfinished", removed)
    except OSError as error:
        fail(f"the root {args.root} cannot be used ({error.strerror}): choose another --root")
    except (UsersError, TlsError) as error:
        fail(f"{error}")
    StoreFiles.min_free = args.min_free
    session.authorizer = users
    session.passive_ports = args.passive_ports
    GuardedServer.max_cons, GuardedServer.max_cons_per_ip = connections(), CONNECTIONS_PER_ADDRESS
    try:
        server = GuardedServer((args.host, args.port), session)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        fail(f"cannot listen on {args.host}:{args.port} ({reason}): end what uses it or choose another --port")
    with server:
        scheme = "ftp" if session is StoreSession else "ftps" if wants_tls(args) else "ftp and ftps"
        names = ", ".join(f"{name} ({user['rights']})" for name, user in users.users.items())
        logging.info("artifact store %s://%s:%d", scheme, *server.address)
        logging.info("files in %s, users: %s", args.root.resolve(), names)
        server.serve_forever()


if __name__ == "__main__":
    main()
