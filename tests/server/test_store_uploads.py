"""The artifact store's promise: an upload is there whole when it was acknowledged, and else not at all."""

import contextlib
import ftplib
import io
import os
import re
import signal
import socket
import struct
import subprocess
import sys

import pytest

from ftp_server import FULL_DISK, SECRET, wait_until

PART = b"x" * 100_000


@pytest.fixture(params=["plain", "tls"])
def store(serve, request):
    """A store with an old file in it, and a function that logs in."""
    server = serve(tls=request.param == "tls")
    server.secure = request.param == "tls"
    server.log_in = server.connect_securely if server.secure else server.connect
    server.log_in().storbinary("STOR file", io.BytesIO(b"old"))
    return server


@contextlib.contextmanager
def half_an_upload(server, ftp, name="file"):
    """Give the data connection of an upload of which PART has arrived."""
    with ftp.transfercmd(f"STOR {name}") as data:
        data.sendall(PART)
        wait_until(lambda: server.in_flight() == [len(PART)])
        yield data


def gone(server):
    wait_until(lambda: server.in_flight() == [])
    assert server.files() == {"file": b"old"}


def test_upload__in_flight_is_not_listed_read_or_named(store):
    ftp = store.log_in()
    with half_an_upload(store, store.log_in()):
        (temporary,) = [path.name for path in store.root.glob(".upload-*")]
        assert re.fullmatch(r"\.upload-[0-9a-f]{32}", temporary)
        assert ftp.nlst() == ["file"]
        assert [name for name, _ in ftp.mlsd()] == ["file"]
        for command in ("SIZE", "MLST", "DELE", "RNFR", "MDTM"):
            with pytest.raises(ftplib.error_perm, match="550"):
                ftp.sendcmd(f"{command} {temporary}")
        with pytest.raises(ftplib.error_perm, match="550"):
            ftp.retrbinary(f"RETR {temporary}", lambda data: None)
        received = io.BytesIO()
        ftp.retrbinary("RETR file", received.write)
        assert received.getvalue() == b"old"


def test_upload__replaces_when_complete(store):
    store.log_in().storbinary("STOR file", io.BytesIO(b"new and longer"))
    assert store.files() == {"file": b"new and longer"}
    assert store.in_flight() == []


def test_upload__client_that_dies_leaves_the_old_file(store):
    """What plain pyftpdlib takes for a finished upload: both connections closed by the kernel, with no reset."""
    ftp = store.log_in()
    with half_an_upload(store, ftp) as data:
        for connection in (ftp.sock, data):  # as a killed process does: no goodbye of FTP or TLS
            socket.socket(fileno=connection.detach()).close()
        gone(store)
    wait_until(lambda: "'/file' not done" in store.log.read_text())  # logged after the file is gone


def test_upload__killed_client_leaves_the_old_file(store, tmp_path):
    script = (
        "import ftplib, ssl, sys, time\n"
        "port, certificate = int(sys.argv[1]), sys.argv[2]\n"
        "context = ssl.create_default_context(cafile=certificate or None)\n"
        "ftp = ftplib.FTP_TLS(context=context) if certificate else ftplib.FTP()\n"
        "ftp.connect('127.0.0.1', port); ftp.login('guest', '12345')\n"
        "if certificate: ftp.prot_p()\n"
        "data = ftp.transfercmd('STOR file'); data.sendall(b'x' * 100_000); time.sleep(60)\n"
    )
    certificate = str(store.certificate) if store.secure else ""
    client = subprocess.Popen([sys.executable, "-c", script, str(store.port), certificate])
    wait_until(lambda: store.in_flight() == [len(PART)])
    client.kill()
    client.wait(20)
    gone(store)


def test_upload__connection_that_is_reset_leaves_the_old_file(store):
    ftp = store.log_in()
    with half_an_upload(store, ftp) as data:
        raw = socket.socket(fileno=data.detach())
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raw.close()
        with pytest.raises(ftplib.error_temp, match="426 The connection broke; nothing was stored"):
            ftp.voidresp()
    gone(store)


def test_upload__tls_that_was_cut_off_leaves_the_old_file(serve):
    server = serve(tls=True)
    ftp = server.connect_securely()
    ftp.storbinary("STOR file", io.BytesIO(b"old"))
    with half_an_upload(server, ftp) as data:
        socket.socket(fileno=data.detach()).close()  # in order for TCP, a truncation for TLS
        with pytest.raises(ftplib.error_temp, match="426 The connection broke; nothing was stored"):
            ftp.voidresp()
    gone(server)


def test_upload__aborted_leaves_the_old_file(store):
    ftp = store.log_in()
    with half_an_upload(store, ftp):
        ftp.putcmd("ABOR")
        gone(store)
    assert ftp.getmultiline().startswith("426")


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere what waits to be read hides the closing")
def test_upload__client_that_dies_behind_a_command_leaves_the_old_file(serve):
    server = serve()
    server.connect().storbinary("STOR file", io.BytesIO(b"old"))
    ftp = server.connect()
    with half_an_upload(server, ftp) as data:
        os.kill(server.process.pid, signal.SIGSTOP)  # so that it finds all at once
        try:
            data.close()
            ftp.putcmd("NOOP")
            ftp.close()
        finally:
            os.kill(server.process.pid, signal.SIGCONT)
        gone(server)


def test_upload__next_command_that_waits_already_does_not_abort(serve):
    server = serve()
    ftp = server.connect()
    with half_an_upload(server, ftp, "first"):
        ftp.putcmd("DELE abor")
    assert ftp.getmultiline().startswith("550")  # pyftpdlib answers at once
    assert ftp.getmultiline().startswith("226")
    assert server.files() == {"first": PART}


@pytest.mark.skipif(sys.platform != "linux", reason="urgent data is sent as Linux does")
def test_upload__aborted_as_telnet_interrupts_leaves_the_old_file(serve):
    server = serve()
    ftp = server.connect()
    ftp.storbinary("STOR file", io.BytesIO(b"old"))
    with half_an_upload(server, ftp):
        ftp.sock.sendall(b"\xff\xf4\xff", socket.MSG_OOB)
        ftp.sock.sendall(b"\xf2ABOR\r\n")
        gone(server)


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
def test_upload__aborted_by_closing_the_data_connection_too_leaves_the_old_file(serve):
    server = serve()
    ftp = server.connect()
    ftp.storbinary("STOR file", io.BytesIO(b"old"))
    with half_an_upload(server, ftp) as data:
        os.kill(server.process.pid, signal.SIGSTOP)  # so that it finds both at once
        try:
            data.close()
            ftp.putcmd("ABOR")
        finally:
            os.kill(server.process.pid, signal.SIGCONT)
        gone(server)


def test_upload__of_another_size_than_announced_leaves_the_old_file(store):
    ftp = store.log_in()
    ftp.voidcmd("ALLO 4")
    with pytest.raises(ftplib.error_temp, match="426 3 of 4 bytes arrived; nothing was stored"):
        ftp.storbinary("STOR file", io.BytesIO(b"new"))
    gone(store)
    ftp.voidcmd("ALLO 3")
    ftp.storbinary("STOR file", io.BytesIO(b"new"))
    ftp.storbinary("STOR other", io.BytesIO(b"a size holds for one upload"))
    assert store.files() == {"file": b"new", "other": b"a size holds for one upload"}


@pytest.mark.parametrize("size", ["", "x", "-1", "\u0664", "9" * 30])
def test_upload__senseless_size_is_refused(serve, size):
    ftp = serve().connect()
    with pytest.raises(ftplib.error_perm, match="501"):
        ftp.sendcmd(f"ALLO {size}")


def test_upload__cannot_be_continued_or_appended_to(store):
    ftp = store.log_in()
    with pytest.raises(ftplib.error_perm, match=r"550 .*send it whole"):
        ftp.storbinary("STOR file", io.BytesIO(b"tail"), rest=1)
    with pytest.raises(ftplib.error_perm, match="500"):
        ftp.storbinary("APPE file", io.BytesIO(b"tail"))
    gone(store)


def test_upload__second_one_in_the_same_session_is_refused_and_the_first_arrives(serve):
    server = serve()
    ftp = server.connect()
    with half_an_upload(server, ftp, "first") as data:
        with pytest.raises(ftplib.error_temp, match="450 Another transfer is going on"):
            ftp.sendcmd("STOR second")
        data.sendall(PART)
    ftp.voidresp()
    assert server.files() == {"first": 2 * PART}


def test_upload__on_a_folder_or_into_a_missing_one_is_refused(store):
    ftp = store.log_in()
    ftp.mkd("folder")
    for path in ("folder", "missing/file"):
        with pytest.raises(ftplib.error_perm, match="550"):
            ftp.storbinary(f"STOR {path}", io.BytesIO(b"x"))
    gone(store)


def test_upload__in_ascii_mode_arrives_and_comes_back_byte_for_byte(store):
    content = b"a\r\nb\nc\rd\r\n\r"
    ftp = store.log_in()
    ftp.voidcmd("TYPE A")
    with ftp.transfercmd("STOR file") as data:
        data.sendall(content)
        if store.secure:
            data.unwrap()
    ftp.voidresp()
    assert store.files() == {"file": content}
    received = io.BytesIO()
    with ftp.transfercmd("RETR file") as data:
        while block := data.recv(1000):
            received.write(block)
    ftp.voidresp()
    assert received.getvalue() == content


def test_upload__name_that_is_no_utf_8_or_holds_a_control_character_is_refused(store):
    ftp = store.log_in()
    for name in (b"caf\xe9", b"two\nlines", b"nul\0", b"bell\x07", b"del\x7f"):
        ftp.sock.sendall(b"MKD " + name + b"\r\n")
        with pytest.raises(ftplib.error_perm, match="501"):
            ftp.voidresp()
    ftp.mkd("caf\u00e9")
    assert [path.name for path in store.root.iterdir() if path.is_dir()] == ["caf\u00e9"]


@pytest.mark.skipif(os.name == "nt", reason="file size limits are POSIX")
@pytest.mark.parametrize("size", [30_000, 3_000_000])
@pytest.mark.parametrize("secure", [False, True], ids=["plain", "tls"])
def test_upload__full_disk_is_said_at_once_and_leaves_nothing(serve, size, secure):
    server = serve(prefix=FULL_DISK, tls=secure)
    ftp = server.connect_securely() if secure else server.connect()
    with pytest.raises(ftplib.error_temp, match="452 There is not enough room in the store; nothing was stored"):
        store_or_ask_why(ftp, "big.bin", size)
    assert server.files() == {}
    ftp.storbinary("STOR small.bin", io.BytesIO(b"x" * 10_000))
    assert server.files() == {"small.bin": b"x" * 10_000}


def store_or_ask_why(ftp, name, size):
    try:
        ftp.storbinary(f"STOR {name}", io.BytesIO(b"x" * size))
    except OSError:  # it closed the data connection while we were sending; the reason is on the other one
        ftp.voidresp()


def test_upload__that_would_leave_too_little_room_is_refused_before_it_begins(serve):
    ftp = serve("--min-free", "9000T").connect()
    with pytest.raises(ftplib.error_temp, match="452 "):
        ftp.storbinary("STOR a", io.BytesIO(b"x"))
    ftp = serve().connect()
    ftp.voidcmd(f"ALLO {10**17}")
    with pytest.raises(ftplib.error_temp, match="452 "):
        ftp.storbinary("STOR a", io.BytesIO(b"x"))
    ftp.storbinary("STOR a", io.BytesIO(b"x"))


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
@pytest.mark.parametrize("name", [signal.SIGINT, signal.SIGTERM])
def test_upload__server_ended_by_a_signal_leaves_the_old_file(store, name):
    with half_an_upload(store, store.log_in()):
        store.process.send_signal(name)
        assert store.process.wait(20) == 0
    gone(store)
    assert "Traceback" not in store.log.read_text()


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
def test_upload__leftovers_of_a_killed_server_are_removed_at_the_next_start(serve):
    server = serve(password=SECRET)
    ftp = server.connect(password=SECRET)
    ftp.mkd("deep")
    with half_an_upload(server, ftp, "deep/file"):
        server.end()
    assert server.in_flight() == [len(PART)]
    (server.root / ".upload-notes").write_text("a user's own")
    server.start()
    server.wait()
    assert server.in_flight() == [12]
    assert server.files() == {".upload-notes": b"a user's own"}
    assert "removed 1 uploads that a crash had left unfinished" in server.log.read_text()


def test_upload__that_its_client_did_not_come_to_rename_goes_with_the_session(store):
    """What a killed client of dsgo left: a whole file under a temporary name, which listed, and stayed for ever."""
    ftp, name = store.log_in(), f".partial-{'0f' * 16}"
    ftp.storbinary(f"STOR {name}", io.BytesIO(b"new"))
    assert store.files() == {"file": b"old", name: b"new"}
    assert ftp.nlst() == ["file"]
    assert [each for each, _ in ftp.mlsd()] == ["file"]
    ftp.close()
    wait_until(lambda: store.files() == {"file": b"old"})
    ftp = store.log_in()
    ftp.storbinary(f"STOR {name}", io.BytesIO(b"new"))
    ftp.rename(name, "file")
    ftp.close()
    store.log_in()
    assert store.files() == {"file": b"new"}


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
def test_upload__not_yet_renamed_is_removed_after_a_kill_of_the_server(serve):
    server = serve()
    server.connect().storbinary(f"STOR .partial-{'0f' * 16}", io.BytesIO(b"new"))
    server.end()
    server.start()
    server.wait()
    assert server.files() == {}


def test_upload__rename_replaces_in_one_step(store):
    ftp = store.log_in()
    ftp.storbinary("STOR new", io.BytesIO(b"new"))
    ftp.rename("new", "file")
    assert store.files() == {"file": b"new"}
