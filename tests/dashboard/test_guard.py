"""Requests that another web page makes a browser send to the dashboard: a real one, asked over HTTP."""

import http.client
import subprocess
import sys

import pytest

from dashboard_page import APP, running_dashboard
from dsgo.base.network import free_port
from ftp_server import environment

ENVIRONMENT = environment()
CALLBACK = "/_dash-update-component"
PATHS = ["/", "/explore.csv", "/assets/style.css", "/_dash-layout", "/nothing"]


@pytest.fixture(scope="module")
def dashboard(tmp_path_factory):
    """The port of a dashboard that answers for dash.example too; its tracking server is not up."""
    folder, port = tmp_path_factory.mktemp("dashboard"), free_port()
    nowhere = f"http://127.0.0.1:{free_port()}"
    options = ["--allowed-hosts", "dash.example, Dash2.example:8443"]
    with running_dashboard(port, nowhere, ENVIRONMENT, folder / "log.txt", options=options):
        yield port


def ask(port, path="/", method="GET", body=None, **headers):
    """Send a request with exactly these headers (`Sec_Fetch_Site` is Sec-Fetch-Site); return status, headers, text."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.putrequest(method, path, skip_host=True)
        for name, value in ({"Host": f"127.0.0.1:{port}"} | headers).items():
            if value is not None:
                connection.putheader(name.replace("_", "-"), value)
        if body:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body.encode() if body else None)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read().decode(errors="replace")
    finally:
        connection.close()


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example:8050", "localhost.evil.example", "", None, "a b"]
)
@pytest.mark.parametrize("path", PATHS)
def test_host__that_is_foreign_is_refused_everywhere(dashboard, path, host):
    status, _, text = ask(dashboard, path, Host=host)
    assert status in (400, 403)
    assert len(text.splitlines()) == 1 or status == 400
    assert "Sun" not in text


@pytest.mark.parametrize(
    "host", ["127.0.0.1:{}", "localhost:{}", "LOCALHOST", "[::1]:{}", "dash.example", "dash2.example:1"]
)
def test_host__of_loopback_or_named_is_answered(dashboard, host):
    assert ask(dashboard, "/", Host=host.format(dashboard))[0] == 200


CROSS = [
    {"Origin": "http://evil.example"},
    {"Origin": "null"},
    {"Origin": "http://127.0.0.1:1"},  # another server of this machine
    {"Origin": "https://evil.example", "Content_Type": "application/x-www-form-urlencoded"},
    {"Sec_Fetch_Site": "cross-site"},
    {"Sec_Fetch_Site": "same-site", "Sec_Fetch_Mode": "no-cors"},
    {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate"},  # a form
]


@pytest.mark.parametrize("headers", CROSS)
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_cross_site__request_is_refused(dashboard, headers, method):
    status, _, text = ask(dashboard, CALLBACK, method, body="{}", **headers)
    assert (status, text) == (403, "Refused: another web page asks.\n")


def test_cross_site__fetch_reads_nothing_and_a_link_opens_a_page(dashboard):
    for path in PATHS:
        assert ask(dashboard, path, Origin="http://evil.example")[0] == 403
        assert ask(dashboard, path, Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="no-cors")[0] == 403
        assert ask(dashboard, path, "OPTIONS", Origin="http://evil.example")[0] == 403
    assert ask(dashboard, "/", Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="navigate")[0] == 200


def test_own_page__is_answered(dashboard):
    for host, origin in [
        (f"127.0.0.1:{dashboard}", f"http://127.0.0.1:{dashboard}"),
        ("dash.example", "https://dash.example"),
        (f"127.0.0.1:{dashboard}", "https://dash2.example:8443"),  # through a proxy
    ]:
        headers = {"Host": host, "Origin": origin, "Sec_Fetch_Site": "same-origin"}
        assert ask(dashboard, "/_dash-layout", "POST", "{}", **headers)[0] == 405  # past the guard
        assert ask(dashboard, "/_dash-layout", **headers)[0] == 200


@pytest.mark.parametrize("path", PATHS)
def test_headers__keep_other_pages_from_framing_and_guessing(dashboard, path):
    for host in (f"localhost:{dashboard}", "evil.example"):
        headers = ask(dashboard, path, Host=host)[1]
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["Content-Security-Policy"] == "frame-ancestors 'none'"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "same-origin"


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (["--host", "0.0.0.0"], "--host 0.0.0.0 lets others in: say under which names, with --allowed-hosts NAME,NAME"),
        (
            ["--allowed-hosts", "http://a"],
            "--allowed-hosts: 'http://a' is no name: write NAME or NAME:PORT, without http://",
        ),
    ],
)
def test_options__that_cannot_be_meant_are_one_line(options, line):
    command = [sys.executable, str(APP), "--port", str(free_port()), *options]
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (2, f"Error: {line}\n")
