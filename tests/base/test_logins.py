"""Logins in addresses are found in any text, and nothing else is."""

import pytest

from dsgo.base.logins import has_login, without_login

TOKEN = "ghp_0123456789abcdef"


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (f"https://{TOKEN}@git.example/a.git", "https://git.example/a.git"),
        (f"https://x-access-token:{TOKEN}@git.example/a", "https://git.example/a"),
        (f"https://{TOKEN}:x-oauth-basic@git.example/a", "https://git.example/a"),
        (f"HTTP://jane@home.example:{TOKEN}@git.example:8443/a#lr", "HTTP://git.example:8443/a#lr"),
        (f"git+https://{TOKEN}@git.example/a@main", "git+https://git.example/a@main"),
        (f"ssh://git:{TOKEN}@git.example/a", "ssh://git@git.example/a"),
        (f"ftp://guest:{TOKEN}@store.example:2121/a", "ftp://guest@store.example:2121/a"),
        (f"ftp://:{TOKEN}@store.example/a", "ftp://store.example/a"),
        (
            f"fatal: unable to access 'https://{TOKEN}@git.example/a/': no",
            "fatal: unable to access 'https://git.example/a/': no",
        ),
        (f'{{"a": "https://{TOKEN}@a.example", "b": 1}}', '{"a": "https://a.example", "b": 1}'),
    ],
)
def test_login__is_left_out(text, left):
    assert (without_login(text), has_login(text), has_login(left)) == (left, True, False)


@pytest.mark.parametrize(
    "text",
    [
        "https://git.example/a@b",
        "https://git.example?mail=jane@home.example",
        "git@git.example:a/b.git",
        "ssh://git@git.example/a",
        "ftp://guest@127.0.0.1:2121/artifacts",
        "file:///data/jane@home/a.csv",
        "models:/BestModel@production",
        '{"a": "https://a.example", "b": "jane@home.example"}',
        "",
    ],
)
def test_login__is_not_seen_where_there_is_none(text):
    assert (without_login(text), has_login(text)) == (text, False)
