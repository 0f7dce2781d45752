"""Who may ask the dashboard: a browser that opened it, not another web page in the same browser.

A page elsewhere can have a browser send requests here, by a name that it lets point to this machine (DNS rebinding) or
across sites. Both say so in their headers, as https://fetch.spec.whatwg.org and https://www.w3.org/TR/fetch-metadata
have it, and are refused.
"""

import re
from urllib.parse import urlsplit

import flask

from dsgo.base.network import is_loopback

HOST = re.compile(r"(?:\[([0-9a-f:.]+)\]|([^][:/@,\s]+))(?::\d*)?")
HEADERS = {
    "X-Frame-Options": "DENY",
    "Content-Security-Policy": "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
}


def host_of(text: str) -> str:
    """Return the name or address in a Host header, in lower case; empty where there is none.

    >>> host_of("LocalHost:8050"), host_of("[::1]:8050"), host_of("a,b")
    ('localhost', '::1', '')
    """
    match = HOST.fullmatch(text.lower())
    return (match[1] or match[2]) if match else ""


def add_guard(server: flask.Flask, hosts: list[str]) -> None:
    """Answer on loopback's names and on `hosts` only (names or addresses, a port behind them), and never across sites.

    Anything else gets 403 and one line. Every answer says that no other page may frame it or guess its type.
    """
    origins = {host.lower() for host in hosts}
    named = {host_of(host) or host for host in origins}

    def refuse() -> flask.Response | None:
        request = flask.request
        name = host_of(request.headers.get("Host", ""))
        if not (is_loopback(name) or name in named):
            return _refusal(
                "the dashboard has another name: start it with --allowed-hosts NAME to have it answer there"
            )
        origin = request.headers.get("Origin")
        if origin and urlsplit(origin).netloc not in {request.headers["Host"].lower(), *origins}:
            return _refusal("another web page asks")
        opens = request.method in ("GET", "HEAD") and request.headers.get("Sec-Fetch-Mode") == "navigate"
        if request.headers.get("Sec-Fetch-Site") in ("cross-site", "same-site") and not opens:
            return _refusal("another web page asks")
        return None

    def add_headers(response: flask.Response) -> flask.Response:
        response.headers.update(HEADERS)
        return response

    server.before_request(refuse)
    server.after_request(add_headers)


def _refusal(reason: str) -> flask.Response:
    return flask.Response(f"Refused: {reason}.\n", 403, mimetype="text/plain")
