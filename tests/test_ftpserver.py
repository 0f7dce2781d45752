"""The artifact store as its users start it: a process of its own, spoken to over FTP."""

import ftplib
import io
import os
import shutil
import signal
import subprocess
import sys

import pytest
from ftp_server import FULL_DISK, SECRET, SERVER, Server, environment, wait_until


def run_to_its_end(*options, password=None):
    return subprocess.run(
        [sys.executable, SERVER / "ftpserver.py", *options],
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
def test_ftpserver__without_a_password_refuses_any_address_but_loopback(host, tmp_path, free_port):
    result = run_to_its_end("--host", host, "--port", str(free_port()), "--root", tmp_path)
    assert result.returncode == 2
    assert result.stderr.splitlines() == [
        f"Error: listening on {host} needs a password of your own: set the variable DSGO_FTP_PASSWORD"
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


def test_ftpserver__default_root_lies_beside_it_wherever_it_is_started(tmp_path, free_port):
    shutil.copy(SERVER / "ftpserver.py", tmp_path)
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
    elif verb in ("RETR", "MLSD", "NLST"):
        ftp.retrbinary(f"{verb} {path}", lambda data: None)
    else:
        ftp.voidcmd(f"{verb} {path}")


@pytest.fixture(scope="module")
def leaving(tmp_path_factory, free_port):
    """One server for all ways out: its root holds links to the folder around it."""
    outside = tmp_path_factory.mktemp("outside")
    (outside / "secret.txt").write_text("secret")
    (outside / "root").mkdir()
    (outside / "root" / "link").symlink_to(outside)
    (outside / "root" / "file_link").symlink_to(outside / "secret.txt")
    server = Server(free_port(), outside / "root", log=outside / "ftp.log").wait()
    yield outside, server.connect()
    server.end()


def test_ftpserver__passive_ports_are_kept_to(serve, free_port):
    port = free_port()
    ftp = serve("--passive-ports", f"{port}-{port}").connect()
    assert ftp.makepasv()[1] == port


@pytest.mark.parametrize("text", ["9-3", "x-y", "60000", "1-99999", "-5-9"])
def test_ftpserver__senseless_passive_ports_are_refused(text):
    result = run_to_its_end(f"--passive-ports={text}")
    assert result.returncode == 2
    assert "passive-ports" in result.stderr


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
@pytest.mark.parametrize("name", [signal.SIGINT, signal.SIGTERM])
def test_ftpserver__signal_ends_it_and_removes_the_upload_in_flight(serve, name):
    server = serve()
    ftp = server.connect()
    ftp.voidcmd("TYPE I")
    with ftp.transfercmd("STOR half.bin") as upload:
        upload.sendall(b"x" * 100_000)
        wait_until(lambda: (server.root / "half.bin").exists() and (server.root / "half.bin").stat().st_size == 100_000)
        server.process.send_signal(name)
        assert server.process.wait(20) == 0
    assert list(server.root.iterdir()) == []
    assert "Traceback" not in server.log.read_text()


def test_ftpserver__aborted_upload_is_removed(serve):
    server = serve()
    ftp = server.connect()
    ftp.voidcmd("TYPE I")
    with ftp.transfercmd("STOR half.bin") as upload:
        upload.sendall(b"x" * 100_000)
        wait_until(lambda: (server.root / "half.bin").exists() and (server.root / "half.bin").stat().st_size == 100_000)
        ftp.putcmd("ABOR")
        wait_until(lambda: not (server.root / "half.bin").exists())


def test_ftpserver__rename_replaces(serve):
    server = serve()
    ftp = server.connect()
    for name in ("old", "new"):
        ftp.storbinary(f"STOR {name}", io.BytesIO(name.encode()))
    ftp.rename("new", "old")
    assert (server.root / "old").read_text() == "new"


@pytest.mark.skipif(os.name == "nt", reason="file size limits are POSIX")
@pytest.mark.parametrize("size", [30_000, 3_000_000])
def test_ftpserver__full_disk_is_said_at_once_and_leaves_nothing(serve, size):
    server = serve(prefix=FULL_DISK)
    ftp = server.connect()
    with pytest.raises(ftplib.error_temp, match=r"426 .*transfer aborted"):
        store_or_ask_why(ftp, "big.bin", size)
    wait_until(lambda: list(server.root.iterdir()) == [])
    ftp.storbinary("STOR small.bin", io.BytesIO(b"x" * 10_000))
    assert (server.root / "small.bin").stat().st_size == 10_000


def store_or_ask_why(ftp, name, size):
    try:
        ftp.storbinary(f"STOR {name}", io.BytesIO(b"x" * size))
    except ConnectionError:  # it closed the data connection while we were sending; the reason is on the other one
        ftp.voidresp()
