"""The artifact store as its users start it: a process of its own, spoken to over FTP."""

import ftplib
import io
import os
import re
import shutil
import subprocess
import sys

import pytest

from dsgo.base.network import free_port
from ftp_server import SECRET, SERVER, Server, environment, wait_until


def run_to_its_end(*options, password=None):
    return subprocess.run(
        [sys.executable, SERVER / "ftpserver.py", "--users", "no/such/file", *options],
        env=environment(password),
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_ftpserver__serves_the_workshops_user_on_loopback(serve):
    server = serve()
    ftp = server.connect()
    ftp.mkd("/artifacts")
    ftp.storbinary("STOR /artifacts/a.txt", io.BytesIO(b"text\n"))
    assert (server.root / "artifacts" / "a.txt").read_bytes() == b"text\n"
    assert dict(ftp.mlsd("/artifacts"))["a.txt"]["size"] == "5"


def test_ftpserver__password_of_the_environment_replaces_the_workshops_and_is_not_logged(serve):
    server = serve(password=SECRET)
    server.connect(password=SECRET).quit()
    with pytest.raises(ftplib.error_perm, match="530"):
        server.connect(password="12345")
    assert SECRET not in server.log.read_text()
    assert "12345" not in server.log.read_text()


def test_ftpserver__knows_no_anonymous_user(serve):
    with pytest.raises(ftplib.error_perm, match="530"):
        serve().connect("anonymous", "me@example.org")
    result = run_to_its_end("--user", "anonymous")
    assert result.returncode == 2
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize("host", ["0.0.0.0", "", "::", "store.example.org"])
def test_ftpserver__without_a_password_refuses_any_address_but_loopback(host, tmp_path):
    result = run_to_its_end("--host", host, "--port", str(free_port()), "--root", tmp_path)
    assert result.returncode == 2
    assert result.stderr.splitlines() == [
        f"Error: listening on {host} needs a password of your own: set the variable DSGO_FTP_PASSWORD"
    ]


@pytest.mark.parametrize("host", ["0.0.0.0", "", "::", "store.example.org"])
def test_ftpserver__without_tls_refuses_any_address_but_loopback(host, tmp_path):
    result = run_to_its_end("--host", host, "--port", str(free_port()), "--root", tmp_path, password=SECRET)
    assert result.returncode == 2
    assert result.stderr.splitlines() == [
        f"Error: listening on {host} needs TLS: give --tls-cert and --tls-key (for a trial see server/README.md), or "
        "--no-tls-only where nobody can listen in"
    ]


def test_ftpserver__port_taken_is_one_line(serve):
    server = serve()
    result = run_to_its_end("--port", str(server.port), "--root", server.root)
    assert result.returncode == 2
    assert len(result.stderr.splitlines()) == 1
    assert f"127.0.0.1:{server.port}" in result.stderr


def test_ftpserver__root_that_is_a_file_is_one_line(tmp_path):
    (tmp_path / "file").touch()
    result = run_to_its_end("--root", tmp_path / "file")
    assert result.returncode == 2
    assert len(result.stderr.splitlines()) == 1


def test_ftpserver__default_root_lies_beside_it_wherever_it_is_started(tmp_path):
    for module in SERVER.glob("*.py"):
        shutil.copy(module, tmp_path)
    port = free_port()
    with (tmp_path / "log").open("wb") as log:
        command = [sys.executable, "ftpserver.py", "--port", str(port)]
        process = subprocess.Popen(command, cwd=tmp_path, env=environment(), stderr=log)
    try:
        wait_until(lambda: (tmp_path / "store").is_dir())
    finally:
        process.kill()
        process.wait(20)


@pytest.mark.parametrize(
    "command",
    [
        ("RETR", "link/secret.txt"),
        ("RETR", "../secret.txt"),
        ("STOR", "link/new.txt"),
        ("STOU", "link/new.txt"),
        ("STOR", "file_link"),
        ("DELE", "link/secret.txt"),
        ("MKD", "link/folder"),
        ("RMD", "link"),
        ("MLSD", "link"),
        ("NLST", "link"),
        ("CWD", "link"),
        ("RNFR", "link/secret.txt"),
        ("SIZE", "link/secret.txt"),
        ("MDTM", "link/secret.txt"),
        ("MLST", "link/secret.txt"),
        ("STAT", "link/secret.txt"),
        ("LIST", "link"),
        ("APPE", "file_link"),
        ("SITE", "CHMOD 777 file_link"),
        ("MFMT", "20200101000000 file_link"),
        ("RNFR", "../../etc/hostname"),
        ("RETR", "/root/../../secret.txt"),
    ],
    ids=" ".join,
)
@pytest.mark.skipif(os.name == "nt", reason="symbolic links need a privilege on Windows")
def test_ftpserver__nobody_leaves_the_root(leaving, command):
    outside, ftp = leaving
    with pytest.raises(ftplib.error_perm):  # a reply 5xx
        send(ftp, *command)
    assert {path.name for path in outside.iterdir()} == {"root", "secret.txt", "ftp.log"}
    assert (outside / "secret.txt").read_text() == "secret"


def send(ftp, verb, path):
    if verb in ("STOR", "STOU"):
        ftp.storbinary(f"{verb} {path}", io.BytesIO(b"x"))
    elif verb in ("RETR", "MLSD", "NLST", "LIST"):
        ftp.retrbinary(f"{verb} {path}", lambda data: None)
    else:
        ftp.voidcmd(f"{verb} {path}")


@pytest.fixture(scope="module")
def leaving(tmp_path_factory):
    """One server for all ways out: its root holds links to the folder around it."""
    outside = tmp_path_factory.mktemp("outside")
    (outside / "secret.txt").write_text("secret")
    (outside / "root").mkdir()
    (outside / "root" / "link").symlink_to(outside)
    (outside / "root" / "file_link").symlink_to(outside / "secret.txt")
    server = Server(free_port(), outside / "root", log=outside / "ftp.log").wait()
    yield outside, server.connect()
    server.end()


def test_ftpserver__passive_ports_are_kept_to(serve):
    port = free_port()
    ftp = serve("--passive-ports", f"{port}-{port}").connect()
    assert ftp.makepasv()[1] == port


@pytest.mark.parametrize("text", ["9-3", "x-y", "60000", "1-99999", "-5-9"])
def test_ftpserver__senseless_passive_ports_are_refused(text):
    result = run_to_its_end(f"--passive-ports={text}")
    assert result.returncode == 2
    assert "passive-ports" in result.stderr


def test_ftpserver__links_that_leave_the_root_are_not_listed(leaving):
    _, ftp = leaving
    assert ftp.nlst("/") == []
    assert [name for name, _ in ftp.mlsd("/")] == []


def test_ftpserver__logs_one_line_a_transfer_with_user_path_bytes_and_seconds(serve):
    server = serve(password=SECRET)
    ftp = server.connect(password=SECRET)
    ftp.storbinary("STOR a b.txt", io.BytesIO(b"12345678"))
    ftp.retrbinary("RETR a b.txt", lambda data: None)
    wait_until(lambda: "RETR" in server.log.read_text())
    lines = [line for line in server.log.read_text().splitlines() if "a b.txt" in line]
    assert [re.sub(r"^.*(?=-\[)|\d\.\d{3}$", "", line) for line in lines] == [
        "-[guest] STOR '/a b.txt' done bytes=8 seconds=",
        "-[guest] RETR '/a b.txt' done bytes=8 seconds=",
    ]


def test_ftpserver__check_finds_a_running_store_healthy_and_leaves_nothing(serve):
    server = serve()
    result = run_to_its_end("--check", "--port", str(server.port))
    assert (result.returncode, result.stdout) == (0, f"the artifact store at 127.0.0.1:{server.port} is healthy\n")
    assert server.files() == {}


def test_ftpserver__check_says_in_one_line_what_a_store_cannot_do(serve):
    port = free_port()
    result = run_to_its_end("--check", "--port", str(port))
    assert result.returncode == 1
    assert f"127.0.0.1:{port} is not healthy: cannot connect" in result.stdout
    server = serve("--min-free", "9000T")
    result = run_to_its_end("--check", "--port", str(server.port))
    assert result.returncode == 1
    assert "is not healthy: cannot store a file (452 " in result.stdout
    assert len(result.stdout.splitlines()) == 1
