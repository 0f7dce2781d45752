"""Logins inside addresses (`https://TOKEN@host/...`, `ftp://user:password@host/...`): found, and left out."""

import re

ADDRESS = re.compile(r"\b([a-z][a-z0-9+.-]*)://([^/?#\s\"<>]*)@", re.IGNORECASE)
ADVICE = "leave it out; git takes it from its credential helper, FTP from DSGO_FTP_PASSWORD or ~/.netrc"


def without_login(text: str) -> str:
    """Return a text with the logins of its addresses left out: the password, over HTTP the user too (often a token).

    >>> without_login("https://token@git.example/a and ftp://guest:secret@store.example/b")
    'https://git.example/a and ftp://guest@store.example/b'
    >>> without_login("ssh://git@git.example/a, ftp://guest@store.example, models:/BestModel@production")
    'ssh://git@git.example/a, ftp://guest@store.example, models:/BestModel@production'
    """

    def shorten(found: re.Match[str]) -> str:
        scheme, user = found[1], found[2].partition(":")[0]
        return f"{scheme}://" if scheme.lower().endswith(("http", "https")) or not user else f"{scheme}://{user}@"

    return ADDRESS.sub(shorten, text)


def has_login(text: str) -> bool:
    """Return whether a text holds an address with a login."""
    return without_login(text) != text
