"""Who may use the artifact store: users in a file with salted hashes, and a brake on guessing."""

import hashlib
import hmac
import ipaddress
import json
import secrets
import time
from pathlib import Path
from typing import Any

from pyftpdlib.authorizers import AuthenticationFailed, DummyAuthorizer

from dsgo.base.files import write_whole

RIGHTS = {
    "write": "elrdfmw",  # enter, list, read, delete, rename, make folders, write; not append, chmod or set times
    "read": "elr",
}
SCRYPT = {"n": 2**14, "r": 8, "p": 1}  # 16 MB and some 40 ms a guess
FAILURES, SECONDS = 10, 60  # so many wrong passwords within so long, then the address waits


class UsersError(Exception):
    """The users file cannot be used: the message says why, in one line."""


def hash_password(password: str, salt: bytes) -> str:
    """Return the scrypt hash (RFC 7914) of a password, in hexadecimal."""
    return hashlib.scrypt(password.encode(), salt=salt, **SCRYPT, dklen=32).hex()


def new_user(password: str, rights: str) -> dict[str, str]:
    """Return a user as the file holds it."""
    salt = secrets.token_bytes(16)
    return {"rights": rights, "salt": salt.hex(), "scrypt": hash_password(password, salt)}


def read_users(file: Path) -> dict[str, dict[str, str]]:
    """Return the users in `file` by name; raises UsersError."""
    try:
        users: dict[str, dict[str, str]] = json.loads(file.read_text("utf-8"))
        for user in users.values():
            if user["rights"] not in RIGHTS:
                raise ValueError(f"rights {user['rights']!r}")
            bytes.fromhex(user["salt"] + user["scrypt"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsersError(f"the users file {file} cannot be read ({error!r}): mend it or make it anew") from None
    return users


def write_user(file: Path, name: str, password: str, rights: str) -> None:
    """Add a user, or replace the one of that name; the file is readable by its owner alone and changes in one step."""
    users = read_users(file) if file.exists() else {}
    users[name] = new_user(password, rights)
    write_whole(file, json.dumps(dict(sorted(users.items())), indent=1).encode(), 0o600)


class Users(DummyAuthorizer):
    """pyftpdlib's authorizer on a users file, read again when it changes, or on one user given at the start.

    Only hashes are kept. A password that was right is remembered as a keyed hash of this process, so that a client with
    many connections pays for scrypt once.
    """

    def __init__(self, root: Path, file: Path | None = None, users: dict[str, dict[str, str]] | None = None) -> None:
        """Take the folder that all users share, and either the file or the users."""
        super().__init__()
        self.root, self.file, self.users = str(root.resolve()), file, users or {}
        self._read_at: tuple[int, int] | None = None
        self._key, self._known = secrets.token_bytes(32), dict[str, tuple[str, bytes]]()
        self._nobody = new_user(secrets.token_hex(), "read")
        self.refresh()

    def refresh(self) -> None:
        """Read the file again if it has changed; raises UsersError."""
        if self.file:
            try:
                state = self.file.stat()
            except OSError as error:
                raise UsersError(f"the users file {self.file} cannot be read ({error.strerror})") from None
            if self._read_at != (state.st_mtime_ns, state.st_ino):
                self.users = read_users(self.file)
                self._read_at = (state.st_mtime_ns, state.st_ino)

    def validate_authentication(self, username: str, password: str, handler: Any) -> None:
        """Raise AuthenticationFailed unless this is the user's password; an unknown name takes as long."""
        try:
            self.refresh()
        except UsersError as error:
            handler.logerror(str(error))
            raise AuthenticationFailed("The store cannot read its users.") from None
        user = self.users.get(username, self._nobody)
        seen = hmac.digest(self._key, f"{username}\0{password}".encode(), "sha256")
        stored, digest = self._known.get(username, ("", b""))
        if stored == user["scrypt"] and hmac.compare_digest(digest, seen):
            return
        if not hmac.compare_digest(hash_password(password, bytes.fromhex(user["salt"])), user["scrypt"]):
            raise AuthenticationFailed
        self._known[username] = (user["scrypt"], seen)

    def has_user(self, username: str) -> bool:
        """Tell whether there is such a user."""
        return username in self.users

    def get_home_dir(self, username: str) -> str:
        """Return the root, which all users share."""
        return self.root

    def get_perms(self, username: str) -> str:
        """Return pyftpdlib's letters for what the user may do; a user removed meanwhile may nothing."""
        return RIGHTS[self.users[username]["rights"]] if username in self.users else ""

    def has_perm(self, username: str, perm: str, path: str | None = None) -> bool:
        """Tell whether the user may do `perm`, on any path."""
        return perm in self.get_perms(username)

    def get_msg_login(self, username: str) -> str:
        """Return the answer to a login."""
        return "Welcome."

    def get_msg_quit(self, username: str) -> str:
        """Return the answer to QUIT."""
        return "Goodbye."


def network(address: str) -> str:
    """Return what one host has: the address, of IPv6 its /64.

    >>> network("192.0.2.1"), network("2001:db8::1")
    ('192.0.2.1', '2001:db8::/64')
    """
    ip = ipaddress.ip_address(address.partition("%")[0])
    return str(ipaddress.ip_network((ip, 64), strict=False)) if ip.version == 6 and not ip.ipv4_mapped else address


class Throttle:
    """Counts wrong passwords by host."""

    def __init__(self) -> None:
        """Start with none."""
        self._failures: dict[str, list[float]] = {}

    def failed(self, address: str) -> None:
        """Note a wrong password."""
        self._failures.setdefault(network(address), []).append(time.monotonic())

    def wait(self, address: str) -> int:
        """Return the seconds that this address has to wait before its next try; 0: none."""
        now = time.monotonic()
        self._failures = {
            key: recent
            for key, times in self._failures.items()
            if (recent := [then for then in times if now - then < SECONDS])
        }
        times = self._failures.get(network(address), [])
        return int(times[-FAILURES] + SECONDS - now) + 1 if len(times) >= FAILURES else 0
