"""Who gets into the artifact store, and how far."""

import ftplib
import io
import json
import os
import socket
import stat
import subprocess
import sys
import time

import pytest

from ftp_server import IMPATIENT, SECRET, SERVER, environment, wait_until

sys.path.append(str(SERVER))
import store_users
from store_users import Throttle


def add(file, name, *options, password=SECRET):
    return subprocess.run(
        [sys.executable, SERVER / "ftpserver.py", "--users", file, "adduser", name, *options],
        env=environment(password),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_adduser__keeps_a_salted_hash_and_not_the_password(tmp_path):
    file = tmp_path / "users.json"
    assert add(file, "anna").stdout == f"anna may read and write ({file})\n"
    assert add(file, "ben", "--read-only").stdout == f"ben may read ({file})\n"
    assert SECRET not in file.read_text()
    users = json.loads(file.read_text())
    assert {name: user["rights"] for name, user in users.items()} == {"anna": "write", "ben": "read"}
    assert users["anna"]["scrypt"] != users["ben"]["scrypt"]  # the same password, another salt
    assert list(tmp_path.iterdir()) == [file]
    if os.name == "posix":
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.parametrize("name", ["anonymous", "two\nlines", " space", ""])
def test_adduser__refuses_a_name_that_cannot_be_one(tmp_path, name):
    result = add(tmp_path / "users.json", name)
    assert result.returncode == 2
    assert len(result.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_adduser__without_password_or_terminal_is_one_line(tmp_path):
    result = add(tmp_path / "users.json", "anna", password=None)
    assert result.returncode == 2
    assert result.stderr == (
        "Error: no password for the new user: set the variable DSGO_FTP_PASSWORD, or type it on a terminal\n"
    )


@pytest.mark.parametrize("content", ["", "{", "[]", '{"a": {}}', '{"a": {"rights": "all", "salt": "", "scrypt": ""}}'])
def test_users__file_that_cannot_be_read_is_one_line(tmp_path, content):
    file = tmp_path / "users.json"
    file.write_text(content)
    result = subprocess.run(
        [sys.executable, SERVER / "ftpserver.py", "--users", file, "--root", tmp_path / "root"],
        env=environment(SECRET),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert result.returncode == 2
    assert len(result.stderr.splitlines()) == 1
    assert str(file) in result.stderr


@pytest.fixture
def server(serve, tmp_path):
    """A store with a writer and a reader."""
    add(tmp_path / "users.json", "writer")
    add(tmp_path / "users.json", "reader", "--read-only", password="another")
    return serve()


def test_users__of_the_file_replace_the_workshops_and_change_without_a_restart(server):
    server.connect("writer", SECRET)
    with pytest.raises(ftplib.error_perm, match="530"):
        server.connect("guest", "12345")
    with pytest.raises(ftplib.error_perm, match="530"):
        server.connect("reader", SECRET)
    add(server.users, "writer", password="changed")
    add(server.users, "new")
    server.connect("writer", "changed")
    server.connect("new", SECRET)
    with pytest.raises(ftplib.error_perm, match="530"):
        server.connect("writer", SECRET)
    assert SECRET not in server.log.read_text()


def test_users__file_that_breaks_while_the_store_runs_lets_nobody_in_and_is_logged(server):
    server.users.write_text("{")
    with pytest.raises(ftplib.error_perm, match="530"):
        server.connect("writer", SECRET)
    assert "cannot be read" in server.log.read_text()


def test_users__reader_fetches_and_lists_and_changes_nothing(server):
    server.connect("writer", SECRET).storbinary("STOR a", io.BytesIO(b"text"))
    ftp = server.connect("reader", "another")
    received = io.BytesIO()
    ftp.retrbinary("RETR a", received.write)
    assert received.getvalue() == b"text"
    assert ftp.nlst() == ["a"]
    for refused in (
        lambda: ftp.storbinary("STOR b", io.BytesIO(b"x")),
        lambda: ftp.delete("a"),
        lambda: ftp.mkd("b"),
        lambda: ftp.rename("a", "b"),
        lambda: ftp.voidcmd("SITE CHMOD 777 a"),
        lambda: ftp.voidcmd("MFMT 20200101000000 a"),
    ):
        with pytest.raises(ftplib.error_perm, match=r"5[05]0"):
            refused()
    assert server.files() == {"a": b"text"}


def test_users__one_who_is_removed_may_do_nothing_more(server):
    ftp = server.connect("writer", SECRET)
    users = json.loads(server.users.read_text())
    del users["writer"]
    server.users.write_text(json.dumps(users))
    with pytest.raises(ftplib.error_perm, match="530"):
        server.connect("writer", SECRET)  # whereupon the file is read again
    with pytest.raises(ftplib.error_perm, match="550 Not enough privileges"):
        ftp.storbinary("STOR a", io.BytesIO(b"x"))


@pytest.mark.skipif(sys.platform != "linux", reason="all of 127.0.0.0/8 is this machine on Linux alone")
def test_throttle__after_ten_wrong_passwords_an_address_waits_and_others_do_not(serve):
    server = serve()
    inside = server.connect(source="127.0.0.3")
    tries = [socket.create_connection(("127.0.0.1", server.port), 20, ("127.0.0.3", 0)) for _ in range(10)]
    for connection in tries:
        connection.sendall(b"USER guest\r\nPASS wrong\r\n")
    wait_until(lambda: server.log.read_text().count("failed login") == 10)
    with pytest.raises(ftplib.error_temp, match=r"421 Too many failed logins from your address: try again in \d+ s"):
        server.connect(source="127.0.0.3")  # even with the right password: a guess must not be told from a miss
    assert inside.nlst() == []
    assert server.connect(source="127.0.0.4").nlst() == []
    for connection in tries:
        connection.close()


def test_throttle__forgets_after_a_minute_and_counts_a_64_as_one_host(monkeypatch):
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    throttle = Throttle()
    for number in range(10):
        assert throttle.wait("2001:db8::9") == 0
        throttle.failed(f"2001:db8::{number}")
        now += 1
    assert throttle.wait("2001:db8::ffff") == 51  # the first of the ten is a minute old then
    assert throttle.wait("2001:db8:0:1::1") == 0
    now += 51
    assert throttle.wait("2001:db8::9") == 0


def test_throttle__counts_mapped_addresses_apart():
    throttle = Throttle()
    for _ in range(store_users.FAILURES):
        throttle.failed("::ffff:192.0.2.1")
    assert throttle.wait("::ffff:192.0.2.1") > 0
    assert throttle.wait("::ffff:192.0.2.2") == 0


@pytest.mark.skipif(sys.platform != "linux", reason="all of 127.0.0.0/8 is this machine on Linux alone")
def test_connections__of_one_address_are_bounded_and_another_is_served(serve):
    server = serve()
    idle = [socket.create_connection(("127.0.0.1", server.port), 20, ("127.0.0.3", 0)) for _ in range(150)]
    greetings = [connection.recv(3) for connection in idle]
    assert greetings == [b"220"] * 100 + [b"421"] * 50
    assert server.connect(source="127.0.0.4").nlst() == []
    for connection in idle:
        connection.close()


def test_connections__that_do_not_log_in_are_ended(serve):
    server = serve(prefix=IMPATIENT)
    ftp = server.connect()
    with socket.create_connection(("127.0.0.1", server.port), 60) as stranger:
        assert stranger.recv(100).startswith(b"220")
        assert stranger.recv(100) == b"421 Control connection timed out.\r\n"
        assert stranger.recv(100) == b""
    assert ftp.nlst() == []
