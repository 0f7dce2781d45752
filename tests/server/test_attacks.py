"""Attacks on the artifact store, a real process: nobody gets in or out of the root, and the others are still served."""

import contextlib
import ftplib
import io
import os
import random
import re
import socket
import ssl
import struct
import sys
import time
from pathlib import Path

import psutil
import pytest

from dsgo.base.network import free_port
from ftp_server import IMPATIENT, Server, wait_until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="all of 127.0.0.0/8 is this machine on Linux alone")

CANARY = b"the canary outside the root"
HOME, OTHER = "127.0.0.1", "127.0.0.3"
LOGIN_SECONDS = 20  # that the store gives a stranger


def snapshot(folder, without=()):
    """All that lies below `folder`: links, folders and files with their content."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if not any(path == skip or skip in path.parents for skip in without):
            name = str(path.relative_to(folder))
            content = path.read_bytes() if path.is_file() and not path.is_symlink() else b""
            found[name] = (oct(path.lstat().st_mode), str(path.readlink()) if path.is_symlink() else content)
    return found


def outside(server):
    """All that lies around the root, the server's own files aside."""
    return snapshot(server.root.parent, without=(server.root, server.log))


def is_clean(server):
    """Check that the server lives, saw no exception that it did not expect, and serves others as always."""
    assert server.process.poll() is None, server.log.read_text()[-2000:]
    assert "Traceback" not in server.log.read_text()
    with server.connect(source="127.0.0.99") as ftp:
        ftp.storbinary("STOR proof", io.BytesIO(b"served"))
        received = io.BytesIO()
        ftp.retrbinary("RETR proof", received.write)
        ftp.delete("proof")
    assert received.getvalue() == b"served"


@pytest.fixture(scope="module")
def attacked(tmp_path_factory):
    """One store for all attacks that leave it as it was, TLS on offer; a canary lies beside its root."""
    home = tmp_path_factory.mktemp("attacked")
    (home / "secret").mkdir()
    (home / "secret" / "canary.txt").write_bytes(CANARY)
    (home / "secret" / "unnamed-neighbour").touch()
    server = Server(free_port(), home / "root", log=home / "ftp.log", tls=True).wait()
    yield server
    server.end()


@pytest.fixture
def target(attacked):
    """`attacked`, checked after the test: nothing outside has changed, no upload is left, everybody is served."""
    before = outside(attacked)
    yield attacked
    is_clean(attacked)
    assert outside(attacked) == before
    wait_until(lambda: attacked.in_flight() == [])


@contextlib.contextmanager
def raw(server, source=HOME, login=False):
    """A bare control connection after its greeting, logged in if asked."""
    with socket.create_connection((HOME, server.port), 30, (source, 0)) as control:
        assert read(control).startswith(b"220")
        if login:
            assert b"230" in say(control, b"USER guest", b"PASS 12345", lines=2)
        yield control


def read(control, lines=1):
    """Read so many lines, or what comes until the end."""
    received = b""
    while received.count(b"\r\n") < lines:
        with contextlib.suppress(ConnectionResetError):
            if block := control.recv(65536):
                received += block
                continue
        break
    return received


def say(control, *commands, lines=1):
    control.sendall(b"".join(command + b"\r\n" for command in commands))
    return read(control, lines)


def answer(ftp, line):
    """Send one command as it is and return the whole answer, of any kind."""
    ftp.sock.sendall((line.encode() if isinstance(line, str) else line) + b"\r\n")
    return ftp.getmultiline()


# ---- paths

UP = [
    "../secret/canary.txt",
    "../../../../../../../../../../etc/passwd",
    "/../secret/canary.txt",
    "//..//secret//canary.txt",
    "a/../../secret/canary.txt",
    "./.././secret/canary.txt",
    "..\\secret\\canary.txt",
    "\\..\\..\\etc\\passwd",
    "%2e%2e/secret/canary.txt",
    "..%2fsecret%2fcanary.txt",
    "%252e%252e%252fsecret%252fcanary.txt",
    "..\u2215secret\u2215canary.txt",  # division slash
    "\uff0e\uff0e\uff0fsecret\uff0fcanary.txt",  # full-width
    "..\u2044secret\u2044canary.txt",  # fraction slash
    "\u2025/secret/canary.txt",  # two-dot leader
    "....//secret//canary.txt",
    "..;/secret/canary.txt",
    ".. /secret/canary.txt",
    "../secret/canary.txt.",
    "../secret/canary.txt ",
    "~/canary.txt",
    "~root/.profile",
    "/proc/self/root/etc/passwd",
    "file:///etc/passwd",
    "C:\\secret\\canary.txt",
    "-R ../secret",
    "-la /etc",
    "../" * 600 + "etc/passwd",
    "x" * 2000,
    "x/" * 1000,
    "..",
    "../..",
    "/..",
    "...",
]
CONTROL = [
    b"../secret/canary.txt\0",
    b"a\0/../../secret/canary.txt",
    b"..\xc0\xafsecret",
    b"\xff\xfe",
    b"a\rb",
    b"a\tb\x1b",
]
PATHS = ["CWD", "MKD", "RMD", "DELE", "RNFR", "RNTO", "SIZE", "MDTM", "MLST", "STAT", "ALLO", "SITE", "OPTS", "XMKD"]
TRANSFERS = ["RETR", "LIST", "NLST", "MLSD", "STOR"]


@pytest.mark.parametrize("command", PATHS + TRANSFERS)
def test_path__no_spelling_leads_out_of_the_root(target, command):
    before = snapshot(target.root)
    passwd = Path("/etc/passwd").read_bytes()
    with target.connect() as ftp:
        for path in [*UP, *(str(target.root.parent / "secret" / "canary.txt"), "/etc/passwd")]:
            answer(ftp, "CWD /")
            if command == "RNTO":
                ftp.mkd("to-move")
                assert answer(ftp, "RNFR to-move").startswith("350")
            if command in TRANSFERS:
                text, received = transfer(ftp, f"{command} {path}")
            else:
                text, received = answer(ftp, f"{command} {path}"), b""
            assert re.match(r"\d\d\d[ -]", text)
            told = text.encode() + received
            assert CANARY not in told
            assert passwd[:40] not in told
            assert b"unnamed-neighbour" not in told
            answer(ftp, "CWD /")
            clear(target.root)
    assert snapshot(target.root) == before


def transfer(ftp, command):
    """Run a transfer of any kind; return the answer, and what came."""
    host, port = ftp.makepasv()
    with socket.create_connection((host, port), 30) as data:
        text = answer(ftp, command)
        if not text.startswith("1"):
            return text, b""
        if command.startswith("STOR"):
            data.sendall(b"mine")
            data.shutdown(socket.SHUT_WR)
            received = b""
        else:
            received = b"".join(iter(lambda: data.recv(65536), b""))
    return ftp.getmultiline(), received


def clear(root):
    for path in sorted(root.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()


def test_path__with_control_characters_or_broken_utf_8_is_refused_by_every_command(target):
    with target.connect() as ftp:
        for command in PATHS + TRANSFERS:
            for path in CONTROL:
                assert answer(ftp, command.encode() + b" " + path).startswith("501")
    assert list(target.root.iterdir()) == []


# ---- links


@pytest.fixture
def links(serve):
    """A store whose root holds links of all kinds, made while it runs; a canary lies outside."""
    server = serve()
    around = server.root.parent
    (around / "secret").mkdir()
    (around / "secret" / "canary.txt").write_bytes(CANARY)
    for name, goal in {
        "folder": around / "secret",
        "file": around / "secret" / "canary.txt",
        "up": "..",
        "dangling": around / "secret" / "nobody",
        "far": "/etc/passwd",
        "hop": "hop2",
        "hop2": "../secret",
        "loop": "loop",
        "ring": "ring2",
        "ring2": "ring",
    }.items():
        (server.root / name).symlink_to(goal)
    before = outside(server)
    yield server
    assert outside(server) == before
    is_clean(server)


def test_link__that_leaves_the_root_is_not_followed_by_any_command(links):
    before = snapshot(links.root)
    names = ["folder", "folder/canary.txt", "file", "up", "up/secret/canary.txt", "dangling", "far", "hop/canary.txt"]
    with links.connect() as ftp:
        for name in names:
            for command in [*PATHS[:10], "XMKD"]:
                if command == "RNTO":
                    assert answer(ftp, "RNFR loop").startswith("350")
                assert answer(ftp, f"{command} {name}").startswith("550"), (command, name)
            for command in TRANSFERS:
                assert transfer(ftp, f"{command} {name}")[0].startswith("5"), (command, name)
        for command in ("LIST", "NLST", "MLSD"):
            told = transfer(ftp, command)[1].decode()
            assert not re.search(r"\b(folder|file|up|dangling|far|hop2?)\b(?!=)", re.sub(r"\S+=\S*;", "", told)), told
        for name in ("loop", "ring"):
            for command in ("RETR", "MLSD"):
                assert transfer(ftp, f"{command} {name}")[0].startswith("5")
            for command in ("CWD", "SIZE", "MDTM", "MLST"):
                assert answer(ftp, f"{command} {name}").startswith("550")
    assert snapshot(links.root) == before


def test_link__folder_that_becomes_one_between_two_commands_is_not_followed(links):
    with links.connect() as ftp:
        ftp.mkd("swapped")
        ftp.storbinary("STOR swapped/canary.txt", io.BytesIO(b"mine"))
        ftp.cwd("swapped")
        assert answer(ftp, "RNFR canary.txt").startswith("350")
        (links.root / "swapped").rename(links.root / "moved")
        (links.root / "swapped").symlink_to(links.root.parent / "secret")
        assert answer(ftp, "RNTO /stolen").startswith("550")
        for command in ("DELE canary.txt", "RNFR canary.txt", "MLST", "SIZE canary.txt", "MKD new", "CWD ."):
            assert answer(ftp, command).startswith("550"), command
        for command in ("RETR canary.txt", "STOR new", "LIST", "NLST", "MLSD"):
            assert transfer(ftp, command)[0].startswith("5"), command
    assert not (links.root / "stolen").exists()
    assert (links.root / "moved" / "canary.txt").read_bytes() == b"mine"


def test_link__folder_that_becomes_one_in_mid_upload_gets_nothing(links):
    with links.connect() as ftp:
        ftp.mkd("swapped")
        with ftp.transfercmd("STOR swapped/new") as data:
            data.sendall(b"x" * 1000)
            wait_until(lambda: links.in_flight() == [1000])
            (links.root / "swapped").rename(links.root / "moved")
            (links.root / "swapped").symlink_to(links.root.parent / "secret")
        assert ftp.getmultiline().startswith("451")
    assert [path.name for path in (links.root.parent / "secret").iterdir()] == ["canary.txt"]


def test_root__given_relatively_or_with_dots_is_served_as_any(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a").mkdir()
    for root in ("root", "a/../other"):
        with (tmp_path / "ftp.log").open("wb"):
            server = Server(free_port(), tmp_path / "x", log=tmp_path / "ftp.log")
        server.end()
        server.command[server.command.index("--root") + 1] = root
        server.start()
        try:
            ftp = server.wait().connect()
            ftp.mkd("folder")
            ftp.cwd("folder")
            assert ftp.pwd() == "/folder"
            ftp.storbinary("STOR file", io.BytesIO(b"x"))
            assert ftp.nlst() == ["file"]
            assert (tmp_path / root / "folder" / "file").read_bytes() == b"x"
        finally:
            server.end()


# ---- data connections


def test_bounce__active_connections_to_others_or_to_privileged_ports_are_refused(target):
    with socket.create_server((OTHER, 0)) as victim, raw(target, login=True) as control:
        high, low = divmod(victim.getsockname()[1], 256)
        port = victim.getsockname()[1]
        for command in (
            f"PORT 127,0,0,3,{high},{low}",
            f"EPRT |1|{OTHER}|{port}|",
            f"EPRT |1|127.0.0.03|{port}|",
            f"EPRT |2|::ffff:{OTHER}|{port}|",
            "PORT 127,0,0,1,0,22",
            "EPRT |1|127.0.0.1|25|",
            "PORT 127,0,0,1,-1,300",
            "PORT 0,0,0,0,99,99",
            "PORT 127,0,0,1,999,999",
            f"PORT 2130706433,{high},{low}",
            "EPRT |1|localhost|9999|",
            "EPRT",
            "EPRT |",
            "EPRT |1|127.0.0.1|99999999999999999999|",
        ):
            assert say(control, command.encode())[:1] == b"5", command
        victim.settimeout(0.2)
        with pytest.raises(TimeoutError):
            victim.accept()


def test_data_connection__of_another_address_is_closed_and_its_owner_not_disturbed(target):
    with target.connect() as ftp:
        host, port = ftp.makepasv()
        for _ in range(20):
            with socket.create_connection((host, port), 30, (OTHER, 0)) as thief:
                assert read(thief) == b""
        with socket.create_connection((host, port), 30) as data:
            assert answer(ftp, "STOR mine").startswith(("125", "150"))
            data.sendall(b"mine")
        assert ftp.getmultiline() == "226 Transfer complete."
        ftp.delete("mine")


def test_data_connection__that_went_to_the_client_takes_no_other_session_with_it(target):
    with target.connect() as ftp:
        ftp.set_pasv(False)
        ftp.storbinary("STOR active", io.BytesIO(b"x"))
        others = [target.connect() for _ in range(4)]  # one of them has the file number of that connection now
        ftp.set_pasv(True)
        ftp.delete("active")
        ftp.nlst()
        for other in others:
            assert other.voidcmd("NOOP").startswith("200")
            other.close()


@pytest.mark.parametrize("again", ["ABOR", "PASV", "EPSV"])
def test_data_connection__a_new_one_is_not_for_an_upload_that_was_given_up(target, again):
    with target.connect() as ftp:
        ftp.storbinary("STOR old", io.BytesIO(b"old"))
        answer(ftp, "ALLO 3")
        ftp.makepasv()
        assert answer(ftp, "STOR old").startswith("150")  # but the client cannot connect
        answer(ftp, again)
        host, port = ftp.makepasv()
        with socket.create_connection((host, port), 30) as data:
            assert answer(ftp, "STOR new").startswith(("125", "150"))
            data.sendall(b"another")
        assert ftp.getmultiline() == "226 Transfer complete."
        assert target.files() == {"old": b"old", "new": b"another"}
        ftp.delete("old")
        ftp.delete("new")


def test_data_connection__hundreds_that_nobody_uses_leave_room_for_others(serve):
    server = serve()
    with contextlib.ExitStack() as stack:
        for number in range(90):
            ftp = stack.enter_context(contextlib.closing(server.connect(source=f"127.0.0.{10 + number // 30}")))
            host, port = ftp.makepasv()
            stack.enter_context(socket.create_connection((host, port), 30, (ftp.sock.getsockname()[0], 0)))
        is_clean(server)
    wait_until(lambda: len(psutil.Process(server.process.pid).net_connections()) == 1)


def test_upload__into_a_folder_that_is_to_be_renamed_arrives_and_leaves_nothing(target):
    with target.connect() as ftp, target.connect() as other:
        other.mkd("folder")
        with ftp.transfercmd("STOR folder/file") as data:
            data.sendall(b"x" * 1000)
            wait_until(lambda: target.in_flight() == [1000])
            with pytest.raises(ftplib.error_perm, match="550 An upload into this folder is going on"):
                other.rename("folder", "another")
        assert ftp.getmultiline() == "226 Transfer complete."
        other.rename("folder", "another")
        assert target.files() == {"another/file": b"x" * 1000}
        other.delete("another/file")
        other.rmd("another")


def test_upload__size_announced_for_one_that_was_aborted_does_not_hold_for_the_next(target):
    with target.connect() as ftp:
        answer(ftp, "ALLO 5000")
        with ftp.transfercmd("STOR file") as data:
            data.sendall(b"x" * 1000)
            wait_until(lambda: target.in_flight() == [1000])
            assert answer(ftp, "ABOR").startswith("426")
        ftp.getmultiline()
        ftp.storbinary("STOR file", io.BytesIO(b"another size"))
        assert target.files() == {"file": b"another size"}
        ftp.delete("file")


# ---- guessing


def test_guesses__in_parallel_get_ten_tries_and_nobody_else_is_kept_out(serve):
    server = serve()
    inside = server.connect(source=OTHER)
    with contextlib.ExitStack() as stack:
        guessers = [stack.enter_context(raw(server, OTHER)) for _ in range(60)]
        for number, guesser in enumerate(guessers):
            guesser.sendall(b"".join(b"USER guest\r\nPASS guess-%d-%d\r\n" % (number, i) for i in range(20)))
        assert server.connect(source=HOME).nlst() == []
        assert inside.nlst() == []
        answers = [guesser.recv(1000) for guesser in guessers[10:]]
        for guesser in guessers:  # to the end: what they have sent ahead is not heard after a wrong one
            if b"421" in (text := read(guesser, lines=2)) or not text:
                continue
            assert b"530" in text
        assert not any(b"230" in text for text in answers)
    wait_until(lambda: server.log.read_text().count("failed login") == 10)
    with pytest.raises(ftplib.error_temp, match="421 Too many"):
        server.connect(source=OTHER)
    assert inside.nlst() == []
    is_clean(server)


def test_guess__in_a_session_that_has_ended_meanwhile_takes_no_other_session_with_it(serve):
    """Its file number is the next session's when the pause after a wrong password is over."""
    server = serve()
    with raw(server, OTHER) as guesser:
        guesser.sendall(b"USER guest\r\nPASS wrong\r\nQUIT\r\n")
        with server.connect() as ftp:
            guesser.shutdown(socket.SHUT_WR)
            wait_until(lambda: "failed login" in server.log.read_text() or not read(guesser))
            assert ftp.voidcmd("NOOP").startswith("200")
            assert ftp.nlst() == []
    is_clean(server)


# ---- many, slow and half connections


def test_connections__500_idle_ones_of_one_address_and_of_several_leave_room_for_others(serve):
    server = serve()
    process = psutil.Process(server.process.pid)
    files = process.num_fds()
    for sources in ([OTHER], [f"127.0.0.{number}" for number in range(11, 16)]):
        with contextlib.ExitStack() as stack:
            idle = [
                stack.enter_context(
                    socket.create_connection((HOME, server.port), 30, (sources[number % len(sources)], 0))
                )
                for number in range(500)
            ]
            greetings = [connection.recv(3) for connection in idle]
            served = min(500, 100 * len(sources))
            assert (greetings.count(b"220"), greetings.count(b"421")) == (served, 500 - served)
            is_clean(server)
        wait_until(lambda: process.num_fds() <= files)


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_connections__of_600_strangers_from_six_addresses_keep_no_user_out(serve, tls):
    server = serve(tls=tls)
    with contextlib.ExitStack() as stack:

        def come(address):
            stranger = stack.enter_context(socket.create_connection((HOME, server.port), 30, (address, 0)))
            if tls:
                stranger.sendall(b"AUTH TLS\r\n")

        inside = server.connect(source="127.0.0.98")
        for number in range(600):
            come(f"127.0.0.{11 + number % 6}")
        wait_until(lambda: "Too many connections" in server.log.read_text())
        begun = time.monotonic()
        for _ in range(3):
            is_clean(server)
            users = [server.connect(source="127.0.0.99") for _ in range(8)]
            assert [ftp.nlst() for ftp in users] == [[]] * 8
            for ftp in users:
                ftp.close()
            for number in range(60):  # they come again
                come(f"127.0.0.{11 + number % 6}")
        assert time.monotonic() - begun < LOGIN_SECONDS  # the strangers are still there
        assert inside.nlst() == []
        with server.connect_securely() if tls else server.connect() as ftp:
            assert ftp.nlst() == []
        assert len(psutil.Process(server.process.pid).net_connections()) <= 620
    is_clean(server)


def test_connections__of_users_are_not_ended_for_others(serve):
    server = serve(prefix=FEW_FILES)
    inside = []
    with pytest.raises(ftplib.error_temp, match="421 Too many connections"):
        inside.extend(server.connect(source=OTHER) for _ in range(20))
    assert len(inside) >= 5
    assert all(ftp.voidcmd("NOOP").startswith("200") for ftp in inside)
    for ftp in inside:
        ftp.close()
    is_clean(server)


# Started before the server: at most 40 open files, and no way to have more.
FEW_FILES = (
    sys.executable,
    "-c",
    "import os, resource, sys\n"
    "resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))\n"
    "os.execv(sys.argv[1], sys.argv[1:])",
)


def test_connections__are_bounded_by_the_files_that_the_system_grants(serve):
    server = serve(prefix=FEW_FILES)
    with contextlib.ExitStack() as stack:
        for _ in range(80):
            stack.enter_context(socket.create_connection((HOME, server.port), 30, (OTHER, 0)))
        wait_until(lambda: "Too many connections" in server.log.read_text())
    wait_until(lambda: len(psutil.Process(server.process.pid).net_connections()) == 1)
    is_clean(server)


def test_connections__half_commands_half_handshakes_and_unread_answers_are_ended(serve):
    server = serve(prefix=IMPATIENT, tls=True)
    hello = b"\x16\x03\x01\x02\x00\x01"  # a TLS record that announces 512 bytes and does not bring them
    with contextlib.ExitStack() as stack:
        slow = [stack.enter_context(socket.create_connection((HOME, server.port), 30, (OTHER, 0))) for _ in range(30)]
        for number, control in enumerate(slow):
            control.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2000)
            control.sendall((b"USER gue", b"AUTH TLS\r\n" + hello, b"NOOP\r\n" * 9000)[number % 3])
        wait_until(lambda: len(psutil.Process(server.process.pid).net_connections()) == 1)
    is_clean(server)


def test_data_connection__that_stalls_is_ended_plain_and_with_tls(serve):
    server = serve(prefix=IMPATIENT, tls=True)
    server.root.mkdir(exist_ok=True)
    (server.root / "big").write_bytes(bytes(20_000_000))
    held = []
    for connect in (server.connect, server.connect_securely):
        for command in ("STOR slow", "RETR big"):
            ftp = connect()
            held.append((ftp, ftp.transfercmd(command)))
        ftp = connect()
        held.append((ftp, socket.create_connection(ftp.makepasv(), 30)))  # and never used, nor a handshake begun
    wait_until(lambda: len(psutil.Process(server.process.pid).net_connections()) == 1)
    assert server.in_flight() == []
    for ftp, data in held:
        data.close()
        ftp.close()
    is_clean(server)


# ---- giant and malformed commands


def test_command__of_many_megabytes_without_a_line_end_is_refused_once_and_kept_nowhere(target):
    process = psutil.Process(target.process.pid)
    before = process.memory_info().rss
    with raw(target) as control:
        for _ in range(200):
            control.sendall(b"A" * 100_000)
        assert say(control, b"") == b"500 Command too long.\r\n"
        assert say(control, b"NOOP").startswith(b"200")
        assert process.memory_info().rss - before < 10e6


def test_command__end_of_one_too_long_is_no_command(target):
    with raw(target, login=True) as control:
        control.sendall(b"x" * 2500)
        assert read(control) == b"500 Command too long.\r\n"
        assert say(control, b"MKD smuggled", b"NOOP").startswith(b"200")
        assert say(control, b"MKD " + b"x" * 3000, b"NOOP", lines=2).startswith(b"500 Command too long.\r\n200")
    assert list(target.root.iterdir()) == []


def test_commands__by_thousands_are_answered_to_one_who_reads(target):
    with raw(target) as control:
        control.sendall(b"NOOP\r\n" * 3000)
        assert read(control, 3000).count(b"\r\n200 ") == 2999


def test_commands__answers_that_nobody_reads_are_not_piled_up(target):
    process = psutil.Process(target.process.pid)
    before = process.memory_info().rss
    with raw(target) as control:
        control.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2000)
        with contextlib.suppress(OSError):  # it has hung up
            for _ in range(300):
                control.sendall(b"HELP\r\n" * 3000)  # a hundred times as long an answer
            pytest.fail("the store took 600 MB of answers")
    assert process.memory_info().rss - before < 20e6
    assert "does not read its answers" in target.log.read_text()


@pytest.mark.parametrize("behind", [b"LIST\r\n", b"STOR x\r\n", b"CWD a\r\nMLST b\r\nNOOP\r\n", b"QUIT\r\n"])
def test_commands__behind_quit_are_not_heard(target, behind):
    with raw(target, login=True) as control:
        control.sendall(b"QUIT\r\n" + behind)
        assert read(control, 9) == b"221 Goodbye.\r\n"


def test_command__binary_junk_and_tls_on_the_plain_port_are_refused(target):
    seeded = random.Random(6)
    with raw(target) as control:
        for _ in range(50):
            assert say(control, seeded.randbytes(200).replace(b"\n", b"")).startswith(b"50")
    hello = ssl.MemoryBIO()
    with contextlib.suppress(ssl.SSLWantReadError):
        ssl._create_unverified_context().wrap_bio(ssl.MemoryBIO(), hello).do_handshake()
    with raw(target) as control:
        assert say(control, hello.read().replace(b"\n", b"")).startswith(b"50")


def test_command__with_a_terminals_control_characters_is_refused_and_not_logged(target):
    with raw(target, login=True) as control:
        for char in "\x1b\x7f\x85\x9b":
            assert say(control, f"MKD {char}31m".encode()).startswith(b"501")
    assert not re.search("[\x1b\x7f-\x9f]", target.log.read_text())


# ---- TLS


def test_tls__command_sent_in_the_clear_behind_auth_is_thrown_away(target):
    with socket.create_connection((HOME, target.port), 30) as control:
        read(control)
        control.sendall(b"AUTH TLS\r\nUSER guest\r\nPASS 12345\r\nMKD injected\r\n")
        assert read(control) == b"234 AUTH TLS successful.\r\n"
        # The injected may have come in the same packet, then it is gone, or the next, then the handshake fails.
        with contextlib.suppress(ssl.SSLError, OSError):
            trusted = ssl.create_default_context(cafile=target.certificate)
            with trusted.wrap_socket(control, server_hostname="localhost") as secure:
                assert say(secure, b"PWD").startswith(b"530")
    assert list(target.root.iterdir()) == []


def test_tls__that_breaks_in_a_session_or_an_upload_is_one_line_and_is_answered(target):
    ftp = target.connect_securely()
    with ftp.transfercmd("STOR file") as data:
        data.sendall(b"x" * 1000)
        wait_until(lambda: target.in_flight() == [1000])
        with socket.socket(fileno=os.dup(data.fileno())) as beneath:
            beneath.sendall(b"this is no TLS record" * 10)
        assert ftp.getmultiline() == "426 The connection broke; nothing was stored."
    with socket.socket(fileno=os.dup(ftp.sock.fileno())) as beneath:
        beneath.sendall(b"nor is this" * 10)
        wait_until(lambda: target.log.read_text().count("TLS broke.") >= 2)
    ftp.close()
    assert target.files() == {}


def test_tls__handshakes_that_are_garbage_or_never_end_leave_room_for_others(target):
    with contextlib.ExitStack() as stack:
        for number in range(60):
            control = stack.enter_context(raw(target, OTHER))
            control.sendall(b"AUTH TLS\r\n")
            read(control)
            control.sendall((b"\x16\x03\x01", b"GET / HTTP/1.0\r\n\r\n", b"\x80\x2e\x01\x00\x02")[number % 3])
        with target.connect_securely() as ftp:
            assert ftp.sendcmd("MLST /").startswith("250")


# ---- all at random

VERBS = [
    *[
        "USER guest",
        "PASS 12345",
        "AUTH TLS",
        "PASV",
        "EPSV",
        "EPSV ALL",
        "PORT",
        "ABOR",
        "QUIT",
        "REIN",
        "STAT",
        "FEAT",
    ],
    *["TYPE A", "TYPE I", "REST 3", "REST x", "ALLO 9", "PBSZ 0", "PROT P", "PROT C", "NOOP", "HELP", "PWD", "CDUP"],
    *["STOR a", "STOR d/a", "STOR ../a", "RETR a", "RETR big", "RETR d", "LIST", "NLST", "MLSD", "LIST a", "MLST a"],
    *["MKD d", "RMD d", "DELE a", "RNFR a", "RNTO b", "RNFR d", "RNTO d/d", "RNTO /", "CWD d", "CWD ..", "SIZE a"],
    *["STAT a", "STAT /", "SITE CHMOD 777 a", "SITE", "APPE a", "STOU", "OPTS MLST size;", "OPTS UTF8 ON", "MODE Z"],
    *["", " ", "STOR", "PORT 1,2", "EPRT |||", "\xff\xf4\xf2ABOR", "\0", "x" * 3000],
]
FUZZ_SESSIONS = 600


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "tls"])
def test_fuzzer__any_sequence_of_commands_leaves_the_store_as_it_should_be(serve, secure):
    server = serve(tls=True)
    (server.root / "big").write_bytes(random.Random(1).randbytes(3_000_000))
    (server.root.parent / "secret").mkdir()
    (server.root.parent / "secret" / "canary.txt").write_bytes(CANARY)
    before, process = outside(server), psutil.Process(server.process.pid)
    told = b""
    for number in range(FUZZ_SESSIONS):
        if number == 50:  # all that is allocated once is there by now
            is_clean(server)
            memory, files = process.memory_info().rss, process.num_fds()
        told += fuzz(server, random.Random(number), secure)[-20_000:]
        assert process.is_running(), number
        assert "Traceback" not in server.log.read_text(), number
    wait_until(lambda: server.in_flight() == [])
    is_clean(server)
    assert outside(server) == before
    assert CANARY not in told
    wait_until(lambda: process.num_fds() <= files)
    assert process.memory_info().rss - memory < 30e6


def fuzz(server, seeded, secure):
    """One session of seeded commands, data connections opened, half used and reset; return what the server told."""
    told, data = b"", []
    control = socket.create_connection((HOME, server.port), 30)
    with contextlib.suppress(OSError):
        if secure:
            read(control)
            say(control, b"AUTH TLS")
            context = ssl.create_default_context(cafile=server.certificate)
            control = context.wrap_socket(control, server_hostname="localhost")
            control.sendall(b"PBSZ 0\r\nPROT P\r\n" if seeded.random() < 0.8 else b"")
        if seeded.random() < 0.9:
            control.sendall(b"USER guest\r\nPASS 12345\r\n")
        for _ in range(seeded.randint(1, 15)):
            line = seeded.choice(VERBS)
            if seeded.random() < 0.3:
                line = seeded.choice(["PASV", "STOR a", "RETR big", "MLSD"])
            if line == "PORT":
                data.append(listener := socket.create_server((HOME, 0)))
                line = "PORT 127,0,0,1,{},{}".format(*divmod(listener.getsockname()[1], 256))
            control.sendall(line.encode("latin-1") + b"\r\n")
            if seeded.random() < 0.7:
                control.settimeout(0.02)
                with contextlib.suppress(TimeoutError):
                    told += (block := control.recv(65536))
                    if match := re.search(rb"227 .*\((?:\d+,){4}(\d+),(\d+)\)", block):
                        data.append(socket.create_connection((HOME, int(match[1]) * 256 + int(match[2])), 30))
            if data and seeded.random() < 0.5:
                told += use(seeded, data)
    for connection in [*data, control]:
        end(connection, seeded.random() < 0.5)
    return told


def use(seeded, data):
    """Do something with the last data connection: accept, begin TLS, send, read, half close, reset."""
    connection, told = data[-1], b""
    connection.settimeout(0.02)
    with contextlib.suppress(OSError):
        if connection.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            data.append(connection.accept()[0])
            return told
        action = seeded.randrange(6)
        if action == 0:
            connection.sendall(b"\x16\x03\x01" if seeded.random() < 0.5 else b"x" * seeded.randrange(100_000))
        elif action == 1:
            told = connection.recv(seeded.choice([1, 100_000]))
        elif action == 2:
            connection.shutdown(socket.SHUT_WR)
        elif action == 3:
            end(data.pop(), reset=True)
        elif action == 4:
            end(data.pop(), reset=False)
        elif not isinstance(connection, ssl.SSLSocket):
            connection.settimeout(0.2)
            data[-1] = ssl._create_unverified_context().wrap_socket(connection)
    return told


def end(connection, reset):
    if reset:
        with contextlib.suppress(OSError):
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()
