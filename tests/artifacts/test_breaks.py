"""Our FTP client on servers and connections that fail, each time beside what MLflow's own client makes of it."""

import contextlib
import ftplib
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from mlflow.exceptions import MlflowException
from mlflow.store.artifact.ftp_artifact_repo import FTPArtifactRepository as MlflowsOwn
from pyftpdlib.filesystems import AbstractedFS
from pyftpdlib.handlers import FTPHandler

from dsgo.artifacts.ftp import connection, control, pool, transfer
from dsgo.artifacts.ftp.repository import FTPArtifactRepository
from ftp_server import SECRET, wait_until
from odd_server import cut, odd_server

CONTENT = os.urandom(100_000)


def without(*names):
    """The commands of a server that does not know some."""
    return {"proto_cmds": {name: facts for name, facts in FTPHandler.proto_cmds.items() if name not in names}}


def repository(server, path="", client=FTPArtifactRepository, user="guest"):
    return client(f"ftp://{user}:{SECRET}@127.0.0.1:{server.port}/{path}")


def count(server, command):
    return sum(line.startswith(command) for line in server.commands)


def visible(server):
    return sorted(path.name for path in server.root.iterdir() if not path.name.startswith(transfer.PARTIAL))


@pytest.fixture
def source(tmp_path):
    (tmp_path / "source").mkdir()
    path = tmp_path / "source" / "a.bin"
    path.write_bytes(CONTENT)
    return path


@pytest.fixture
def back(tmp_path):
    (tmp_path / "back").mkdir()
    return tmp_path / "back"


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(pool, "DELAYS", (0, 0.05))


# ---- breaks


def test_upload__broken_off_tears_the_file_with_mlflows_client_and_is_made_again_with_ours(tmp_path, source):
    for client, there in ((MlflowsOwn, False), (FTPArtifactRepository, True)):
        with odd_server(tmp_path / client.__module__, data=cut(50_000)) as server:
            (server.root / "a.bin").write_bytes(b"the good one of before")
            repo = repository(server, client=client)
            try:
                repo.log_artifact(str(source))
            except EOFError:
                assert client is MlflowsOwn
            assert ((server.root / "a.bin").read_bytes() == CONTENT) is there
            assert [info.path for info in repo.list_artifacts()] == ["a.bin"]
            assert (server.root / "a.bin").read_bytes() != b"the good one of before"


def test_upload__that_always_breaks_leaves_the_old_file_and_says_so_in_a_line(tmp_path, source):
    with odd_server(tmp_path / "root", data=cut(50_000, times=99)) as server:
        (server.root / "a.bin").write_bytes(b"the good one of before")
        with pytest.raises(MlflowException) as error:
            repository(server).log_artifact(str(source))
        assert error.value.error_code == "ABORTED"
        assert error.value.message.startswith(f"the artifact store ftp://127.0.0.1:{server.port} broke off: ")
        assert "/a.bin" in error.value.message
        assert (server.root / "a.bin").read_bytes() == b"the good one of before"
        assert visible(server) == ["a.bin"]


def test_upload__that_arrives_short_is_never_renamed(tmp_path, source):
    def shorten(self, file):
        os.truncate(file, 99)

    with odd_server(tmp_path / "root", on_file_received=shorten) as server:
        with pytest.raises(MlflowException, match="99 of 100000 bytes arrived"):
            repository(server).log_artifact(str(source))
        assert list(server.root.iterdir()) == []


def test_upload__of_a_file_that_grows_or_shrinks_is_refused(tmp_path, source, monkeypatch):
    with odd_server(tmp_path / "root") as server:
        for change in (b"x" * 200_000, b"x"):
            store = connection.Connection.store
            monkeypatch.setattr(
                connection.Connection,
                "store",
                lambda *args, change=change, store=store: (source.write_bytes(change), store(*args))[1],
            )
            with pytest.raises(MlflowException, match=r"a.bin changed while it was uploaded") as error:
                repository(server).log_artifact(str(source))
            assert error.value.error_code == "INVALID_PARAMETER_VALUE"
            assert list(server.root.iterdir()) == []


def test_download__broken_off_goes_on_where_it_was(tmp_path, back):
    with odd_server(tmp_path / "root", data=cut(50_000)) as server:
        (server.root / "a.bin").write_bytes(CONTENT)
        repository(server).download_artifacts("a.bin", str(back))
        assert (back / "a.bin").read_bytes() == CONTENT
        (rest,) = [line for line in server.commands if line.startswith("REST")]
        assert 0 < int(rest.split()[1]) <= 51_000
        assert [path.name for path in back.iterdir()] == ["a.bin"]


def test_download__broken_off_at_its_very_end_leaves_no_offset_for_the_next_file(tmp_path, back):
    """An offset left with the server had the next file begin there, and then go on to a whole length, torn."""
    with odd_server(tmp_path / "root", data=cut(len(CONTENT))) as server:
        (server.root / "a.bin").write_bytes(CONTENT)
        (server.root / "b.bin").write_bytes(os.urandom(len(CONTENT)) + CONTENT)
        for name in ("a.bin", "b.bin"):
            repository(server).download_artifacts(name, str(back))
            assert (back / name).read_bytes() == (server.root / name).read_bytes()
        assert count(server, "RETR") == 2


@pytest.mark.parametrize("lacks", ["REST", "MDTM"])
def test_download__broken_off_begins_again_where_it_cannot_go_on(tmp_path, back, lacks):
    with odd_server(tmp_path / "root", data=cut(50_000), **without(lacks)) as server:
        (server.root / "a.bin").write_bytes(CONTENT)
        repository(server).download_artifacts("a.bin", str(back))
        assert (back / "a.bin").read_bytes() == CONTENT


def test_download__does_not_go_on_in_another_version_of_the_file(tmp_path, back):
    methods = cut(50_000)
    with odd_server(tmp_path / "root", data=methods) as server:
        (server.root / "a.bin").write_bytes(CONTENT)
        newer = bytes(len(CONTENT))

        def ftp_close(self, close=FTPHandler.close):
            (server.root / "a.bin").write_bytes(newer)
            os.utime(server.root / "a.bin", (1e9, 1e9))
            close(self)

        server.handler.close = ftp_close
        repository(server).download_artifacts("a.bin", str(back))
        assert (back / "a.bin").read_bytes() == newer
        assert count(server, "REST") == 0


def test_download__of_what_was_cut_short_is_taken_for_whole_by_mlflows_client_and_not_by_ours(tmp_path, back):
    for client, there in ((MlflowsOwn, False), (FTPArtifactRepository, True)):
        with odd_server(tmp_path / client.__module__, data=cut(50_000, everything=False)) as server:
            (server.root / "a.bin").write_bytes(CONTENT)
            repository(server, client=client)._download_file("a.bin", str(back / "a.bin"))
            assert ((back / "a.bin").read_bytes() == CONTENT) is there


def test_download__that_is_always_short_is_an_error_and_leaves_nothing(tmp_path, back):
    with odd_server(tmp_path / "root", data=cut(10_000, times=99, everything=False)) as server:
        (server.root / "a.bin").write_bytes(CONTENT)
        with pytest.raises(MlflowException, match=r"of 100000 bytes of /a.bin came"):
            repository(server).download_artifacts("a.bin", str(back))
        assert list(back.iterdir()) == []


def test_silence__hangs_mlflows_client_for_good_and_ours_for_a_bounded_time(tmp_path, monkeypatch):
    monkeypatch.setattr(control, "TIMEOUT", 0.3)
    silent = dict.fromkeys(["ftp_CWD", "ftp_SIZE", "ftp_MLSD", "ftp_STOR"], lambda self, path: None)
    with odd_server(tmp_path / "root", **silent) as server:

        def list_with_mlflows():
            with contextlib.suppress(EOFError):  # at the server's end
                repository(server, client=MlflowsOwn).list_artifacts()

        own = threading.Thread(target=list_with_mlflows, daemon=True)
        own.start()
        started = time.monotonic()
        for call in (lambda repo: repo.list_artifacts("x"), lambda repo: repo.download_artifacts("x")):
            with pytest.raises(MlflowException, match=r"broke off: it said nothing for 0.3 s"):
                call(repository(server))
        assert time.monotonic() - started < 20
        assert own.is_alive()
    own.join(20)


# ---- refusals


def test_refusal__of_a_folder_is_endless_recursion_with_mlflows_client_and_a_line_with_ours(tmp_path, source):
    with odd_server(tmp_path / "root", permissions="elrdfw") as server:  # no m: may not make folders
        with pytest.raises(RecursionError):
            repository(server, client=MlflowsOwn).log_artifact(str(source), "new")
        with pytest.raises(MlflowException) as error:
            repository(server).log_artifact(str(source), "new")
        assert error.value.error_code == "PERMISSION_DENIED"
        assert error.value.message == (
            f"the artifact store ftp://127.0.0.1:{server.port} refused: 550 Not enough privileges. (to store "
            "/new/a.bin): check that guest may do this, and that the path can be"
        )


def test_refusal__where_a_file_is_in_the_way_too(tmp_path, source):
    with odd_server(tmp_path / "root") as server:
        (server.root / "file").touch()
        with pytest.raises(RecursionError):
            repository(server, client=MlflowsOwn).log_artifact(str(source), "file/below")
        with pytest.raises(MlflowException) as error:
            repository(server).log_artifact(str(source), "file/below")
        assert error.value.error_code == "PERMISSION_DENIED"
        assert error.value.message.endswith(": /file is a file, no folder; choose another path or delete it")


def test_refusal__where_a_folder_is_in_the_way_of_a_file(tmp_path, source):
    with odd_server(tmp_path / "root") as server:
        (server.root / "a.bin").mkdir()
        with pytest.raises(MlflowException) as error:
            repository(server).log_artifact(str(source))
        assert error.value.message.endswith(": /a.bin is a folder, no file; choose another name or delete it")
        assert [path.name for path in server.root.iterdir()] == ["a.bin"]


def test_refusal__of_a_login_is_no_mlflow_exception_with_mlflows_client(tmp_path):
    with odd_server(tmp_path / "root") as server:
        uri = f"ftp://guest:wrong@127.0.0.1:{server.port}/"
        with pytest.raises(ftplib.error_perm):
            MlflowsOwn(uri).list_artifacts()
        with pytest.raises(MlflowException, match=r"530 .*: check the user guest and the password") as error:
            FTPArtifactRepository(uri).list_artifacts()
        assert error.value.error_code == "PERMISSION_DENIED"


def test_user__percent_encoded_logs_in_with_ours_only(tmp_path):
    with odd_server(tmp_path / "root", user="jane@home") as server:
        with pytest.raises(ftplib.error_perm, match="530"):
            repository(server, client=MlflowsOwn, user="jane%40home").list_artifacts()
        assert repository(server, user="jane%40home").list_artifacts() == []


def test_delete__is_not_there_in_mlflows_client(tmp_path):
    with odd_server(tmp_path / "root") as server:
        (server.root / "a.bin").touch()
        with pytest.raises(MlflowException, match="Not implemented yet"):
            repository(server, client=MlflowsOwn).delete_artifacts("a.bin")
        repository(server).delete_artifacts("a.bin")
        assert list(server.root.iterdir()) == []


def test_delete__follows_no_link_and_leaves_what_is_outside_the_root(tmp_path):
    with odd_server(tmp_path / "root") as server:
        (server.root / "other").mkdir()
        (server.root / "other" / "kept.txt").touch()
        (server.root / "run" / "deep").mkdir(parents=True)
        (server.root / "run" / "deep" / "link").symlink_to(server.root / "other")
        repository(server, "run").delete_artifacts()
        assert sorted(path.name for path in server.root.rglob("*")) == ["kept.txt", "other"]


# ---- servers of other habits


def test_server__without_mlsd_is_listed_by_names(tmp_path, source, back):
    with odd_server(tmp_path / "root", **without("MLSD", "MLST")) as server:
        repo = repository(server, "run")
        repo.log_artifacts(str(source.parent), "with space")
        (server.root / "run" / "hollow").mkdir()
        infos = [(info.path, info.is_dir, info.file_size) for info in repo.list_artifacts()]
        assert infos == [("hollow", True, None), ("with space", True, None)]
        assert [info.file_size for info in repo.list_artifacts("with space")] == [len(CONTENT)]
        assert (
            repo.list_artifacts("with space/a.bin")
            == repo.list_artifacts("none")
            == repo.list_artifacts("hollow")
            == []
        )
        repo.download_artifacts("", str(back))
        assert (back / "with space" / "a.bin").read_bytes() == CONTENT
        assert (back / "hollow").is_dir()
        repo.delete_artifacts()
        assert list(server.root.iterdir()) == []


def test_server__that_renames_onto_no_file_gets_the_older_one_moved_aside(tmp_path, source):
    class Files(AbstractedFS):
        def rename(self, src, dst):
            if os.path.exists(dst):  # noqa: PTH110
                raise FileExistsError(17, "File exists")
            super().rename(src, dst)

    with odd_server(tmp_path / "root", abstracted_fs=Files) as server:
        for content in (b"first", b"second"):
            source.write_bytes(content)
            repository(server).log_artifact(str(source))
        assert [path.name for path in server.root.iterdir()] == ["a.bin"]
        assert (server.root / "a.bin").read_bytes() == b"second"


def test_server__with_another_address_in_its_passive_reply_is_not_believed(tmp_path, source):
    with odd_server(tmp_path / "root", masquerade_address="192.0.2.1") as server:
        repository(server).log_artifact(str(source))
        assert (server.root / "a.bin").read_bytes() == CONTENT


def test_server__on_ipv6_is_reached(tmp_path, source, back):
    with odd_server(tmp_path / "root", host="::1") as server:
        repo = FTPArtifactRepository(f"ftp://guest:{SECRET}@[::1]:{server.port}")
        repo.log_artifact(str(source))
        repo.download_artifacts("a.bin", str(back))
        assert (back / "a.bin").read_bytes() == CONTENT
        assert count(server, "EPSV") == 2


@pytest.mark.parametrize("limit", [1, 3])
def test_server__that_takes_few_connections_is_used_with_these(tmp_path, back, limit):
    (tmp_path / "many").mkdir()
    for number in range(40):
        (tmp_path / "many" / f"{number}.txt").write_text(str(number))
    with odd_server(tmp_path / "root", limit=limit) as server:
        repo = repository(server)
        repo.log_artifacts(str(tmp_path / "many"))
        repo.download_artifacts("", str(back))
        assert sorted(path.read_text() for path in back.iterdir()) == sorted(map(str, range(40)))


# ---- connections


def test_connections__are_few_and_reused(tmp_path, back):
    (tmp_path / "many").mkdir()
    for number in range(40):
        (tmp_path / "many" / f"{number}.txt").touch()
    with odd_server(tmp_path / "root") as server:
        repository(server).log_artifacts(str(tmp_path / "many"))
        assert count(server, "USER") <= pool.CONNECTIONS
        for _ in range(3):
            repository(server).list_artifacts()
            repository(server).download_artifacts("7.txt", str(back))
        assert count(server, "USER") <= pool.CONNECTIONS


def test_connections__that_the_server_closed_meanwhile_are_replaced_without_a_word(tmp_path, monkeypatch):
    monkeypatch.setattr(pool, "DELAYS", ())
    with odd_server(tmp_path / "root", timeout=0.2) as server:
        repo = repository(server)
        assert repo.list_artifacts() == []
        time.sleep(1)
        assert repo.list_artifacts() == []
        assert count(server, "USER") == 2


def test_connections__that_nobody_uses_are_closed(tmp_path, monkeypatch):
    monkeypatch.setattr(pool, "IDLE", 0.3)
    with odd_server(tmp_path / "root") as server:
        repository(server).list_artifacts()
        wait_until(lambda: count(server, "QUIT") == 1)
        assert repository(server).list_artifacts() == []
        assert count(server, "USER") == 2


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_connections__of_a_forked_child_are_its_own(tmp_path):
    with odd_server(tmp_path / "root") as server:
        repo = repository(server)
        repo.list_artifacts()
        child = multiprocessing.get_context("fork").Process(target=repo.list_artifacts)
        child.start()
        child.join(20)
        assert child.exitcode == 0
        assert repo.list_artifacts() == []
        assert count(server, "USER") == 2


def test_connections__are_closed_at_the_end_of_the_process(tmp_path):
    with odd_server(tmp_path / "root") as server:
        child = multiprocessing.get_context("spawn").Process(target=list_and_end, args=[server.port])
        child.start()
        child.join(60)
        assert child.exitcode == 0
        wait_until(lambda: count(server, "QUIT") == 1)


def list_and_end(port):
    FTPArtifactRepository(f"ftp://guest:{SECRET}@127.0.0.1:{port}").list_artifacts()


@pytest.mark.parametrize("window", ["after the first submit", "while those in hand end after one that failed"])
def test_run_each__ctrl_c_at_any_moment_ends_what_is_in_hand(tmp_path, monkeypatch, window):
    in_hand, told = threading.Event(), []

    def work(connection, item):
        if item == "fails":
            in_hand.wait(20)
            raise ftplib.error_perm("550 no")
        in_hand.set()
        told.append(connection.stop.wait(20))

    method = "submit" if window == "after the first submit" else "shutdown"
    original, calls = getattr(ThreadPoolExecutor, method), []

    def interrupted(self, *args, **named):
        calls.append(args)
        if len(calls) > 1:
            return original(self, *args, **named)
        if method == "submit":
            original(self, *args, **named)
        assert in_hand.wait(20)
        raise KeyboardInterrupt

    monkeypatch.setattr(ThreadPoolExecutor, method, interrupted)
    with odd_server(tmp_path / "root") as server:
        transfers = repository(server)._pool()
        with pytest.raises(KeyboardInterrupt):
            transfers.run_each("store {}", work, ["a", "fails", "b"], lambda: None)
    assert told
    assert all(told)


@pytest.mark.skipif(os.name == "nt", reason="sends SIGINT")
def test_connections__ctrl_c_ends_all_transfers_in_hand(tmp_path):
    (tmp_path / "many").mkdir()
    for number in range(4):
        with (tmp_path / "many" / f"{number}.bin").open("wb") as big:
            big.truncate(2**40)
    script = (
        "import sys; from dsgo.artifacts.ftp.repository import *; "
        "FTPArtifactRepository(sys.argv[1]).log_artifacts(sys.argv[2])"
    )
    ignore = {"handle_read_event": lambda self: self.recv(self.ac_in_buffer_size)}  # where would it all go
    with odd_server(tmp_path / "root", data=ignore) as server:
        uri = f"ftp://guest:{SECRET}@127.0.0.1:{server.port}/"
        client = subprocess.Popen([sys.executable, "-c", script, uri, tmp_path / "many"], stderr=subprocess.DEVNULL)
        wait_until(lambda: count(server, "STOR") == 2)
        client.send_signal(signal.SIGINT)
        assert client.wait(20) != 0
        wait_until(lambda: list(server.root.iterdir()) == [])
