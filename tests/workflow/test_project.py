"""A project in a git repository that asks for a login: git finds it by itself, and it shows nowhere."""

import base64
import functools
import http.server
import subprocess
import threading

import pytest

from dsgo.base.errors import UserError
from dsgo.workflow.project import Source

TOKEN = "ghp_0123456789abcdef"
HEADER = "Authorization: Basic " + base64.b64encode(f"x-access-token:{TOKEN}".encode()).decode()


class Private(http.server.SimpleHTTPRequestHandler):
    """Files for those who have the token."""

    def do_GET(self):
        if self.headers.get("Authorization") == HEADER.partition(": ")[2]:
            super().do_GET()
        else:
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="private"')
            self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture(autouse=True)
def no_other_git_settings(monkeypatch, tmp_path):
    for name in ("GIT_ASKPASS", "SSH_ASKPASS", "GIT_CONFIG_COUNT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")


@pytest.fixture
def repository(tmp_path):
    """The address of a repository behind a login, over HTTP."""

    def git(*arguments, folder):
        name = ["-c", "user.name=x", "-c", "user.email=x@example.org"]
        subprocess.run(["git", "-C", str(folder), *name, *arguments], check=True, timeout=60, capture_output=True)

    work = tmp_path / "work"
    work.mkdir()
    (work / "MLproject").write_text("name: private\n")
    for arguments in (["init"], ["add", "--all"], ["commit", "--message", "x"]):
        git(*arguments, folder=work)
    git("clone", "--bare", str(work), str(tmp_path / "served.git"), folder=tmp_path)
    git("update-server-info", folder=tmp_path / "served.git")
    handler = functools.partial(Private, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/served.git"
        server.shutdown()
        thread.join(10)


def set_header(monkeypatch, uri):
    """As dsgo/README.md says it: git's own variables for a header, which shows in no process list."""
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", f"http.{uri}.extraHeader")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", HEADER)


def test_source__login_of_gits_own_configuration_opens_a_private_repository(repository, monkeypatch, tmp_path):
    set_header(monkeypatch, repository)
    source = Source.of(repository)
    assert TOKEN not in repr(source)
    root = source.checkout(tmp_path)
    assert (root / "MLproject").read_text() == "name: private\n"
    assert TOKEN not in (root / ".git" / "config").read_text()


def test_source__credential_helper_opens_a_private_repository(repository, tmp_path):
    (tmp_path / ".gitconfig").write_text("[credential]\n\thelper = store\n")
    login = repository.replace("http://", f"http://x-access-token:{TOKEN}@").replace("/served.git", "")
    (tmp_path / ".git-credentials").write_text(f"{login}\n")
    assert Source.of(repository).commit


def test_source__without_a_login_is_one_line_and_asks_nobody(repository):
    with pytest.raises(UserError, match=r"git ls-remote failed: fatal: could not read .*credential helper") as error:
        Source.of(repository)
    assert len(error.value.message.splitlines()) == 1


@pytest.mark.parametrize("user", [TOKEN, f"x-access-token:{TOKEN}", f"{TOKEN}:x-oauth-basic"])
def test_source__login_in_the_address_is_refused_without_showing_it(repository, user):
    with pytest.raises(UserError, match=r"project=http://127.* holds a login: leave it out; git takes") as error:
        Source.of(repository.replace("http://", f"http://{user}@"))
    assert TOKEN not in error.value.message


def test_source__login_that_git_puts_into_the_address_is_in_no_message(repository, monkeypatch):
    base = repository.removesuffix("/served.git")
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", f"url.{base.replace('http://', f'http://{TOKEN}:wrong@')}.insteadOf")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", base)
    with pytest.raises(UserError, match="git ls-remote failed") as error:
        Source.of(repository)
    assert TOKEN not in error.value.message
