"""MLflow's artifacts on a real FTP server."""

import os
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from mlflow.exceptions import MlflowException
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
from mlflow.store.artifact.local_artifact_repo import LocalArtifactRepository

from dsgo.artifacts.ftp import control, pool, transfer
from dsgo.artifacts.ftp.repository import FTPArtifactRepository
from dsgo.base.network import free_port
from ftp_server import FULL_DISK, SECRET, wait_until

RUN = "artifacts/1/run/artifacts"


@pytest.fixture
def server(serve, monkeypatch):
    monkeypatch.delenv("DSGO_FTP_PASSWORD", raising=False)
    return serve()


def repository(server, path=RUN, login="guest"):
    return FTPArtifactRepository(f"ftp://{login}@127.0.0.1:{server.port}/{path}")


@pytest.fixture
def folder(tmp_path):
    """Files and folders of all kinds, an empty one among them."""
    top = tmp_path / "folder"
    for name in ["a.txt", "deep/er/b.bin", "with space/ü #%.txt", "deep/empty.txt"]:
        file = top / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"\r\n\x00" * 7 if "empty" not in name else b"")
    (top / "hollow").mkdir()
    return top


def tree(top):
    return {path.relative_to(top).as_posix(): path.read_bytes() if path.is_file() else None for path in top.rglob("*")}


def listing(repo, path=None):
    return [(entry.path, entry.is_dir, entry.file_size) for entry in repo.list_artifacts(path)]


def test_ftp_artifacts__takes_the_place_of_mlflows_own():
    assert type(get_artifact_repository("ftp://guest@127.0.0.1/a")) is FTPArtifactRepository


def test_ftp_artifacts__folder_goes_there_and_back_(server, folder, tmp_path):
    repo = repository(server)
    repo.log_artifacts(str(folder), "sub")
    assert tree(server.root / RUN / "sub") == tree(folder)

    (tmp_path / "back").mkdir()
    path = repo.download_artifacts("sub", str(tmp_path / "back"))
    assert path == str(tmp_path / "back" / "sub")
    assert tree(tmp_path / "back" / "sub") == tree(folder)


def test_ftp_artifacts__root_downloads_whole_and_without_artifacts_gives_an_empty_folder(server, folder, tmp_path):
    repo = repository(server)
    (tmp_path / "back").mkdir()
    assert repo.download_artifacts("", str(tmp_path / "back")) == str(tmp_path / "back")
    assert tree(tmp_path / "back") == {}
    repo.log_artifacts(str(folder))
    repo.download_artifacts(None, str(tmp_path / "back"))
    assert tree(tmp_path / "back") == tree(folder)


def test_ftp_artifacts__file_goes_there_and_back_and_is_replaced(server, tmp_path):
    repo = repository(server)
    for text in ("first, and longer", "second"):
        (tmp_path / "x.txt").write_text(text)
        repo.log_artifact(str(tmp_path / "x.txt"), "sub")
    assert tree(server.root / RUN) == {"sub": None, "sub/x.txt": b"second"}
    (tmp_path / "back").mkdir()
    path = repo.download_artifacts("sub/x.txt", str(tmp_path / "back"))
    assert path == str(tmp_path / "back" / "sub" / "x.txt")
    assert tree(tmp_path / "back") == {"sub": None, "sub/x.txt": b"second"}


@pytest.mark.parametrize("path", [None, "", "deep", "deep/er", "hollow", "a.txt", "deep/er/b.bin", "not/there"])
def test_ftp_artifacts__lists_what_mlflows_local_store_lists(server, folder, tmp_path, path):
    local = LocalArtifactRepository(str(tmp_path / "local"))
    repo = repository(server)
    for each in (local, repo):
        each.log_artifacts(str(folder))
    assert listing(repo, path) == listing(local, path)
    assert listing(repo) == [
        ("a.txt", False, 21),
        ("deep", True, None),
        ("hollow", True, None),
        ("with space", True, None),
    ]


def test_ftp_artifacts__missing_path_says_not_found_and_leaves_nothing_behind(server, tmp_path):
    (tmp_path / "back").mkdir()
    with pytest.raises(MlflowException) as error:
        repository(server).download_artifacts("model", str(tmp_path / "back"))
    assert error.value.error_code == "RESOURCE_DOES_NOT_EXIST"
    assert "model" in error.value.message
    assert tree(tmp_path / "back") == {}


def test_ftp_artifacts__deletes_files_folders_and_what_a_dead_client_left(server, folder):
    repo = repository(server)
    repo.delete_artifacts("not/there")
    repo.log_artifacts(str(folder))
    repo.delete_artifacts("a.txt")
    repo.delete_artifacts("with space")
    assert listing(repo) == [("deep", True, None), ("hollow", True, None)]
    (server.root / RUN / "deep" / f"{transfer.PARTIAL}1").touch()
    repo.delete_artifacts()
    assert not (server.root / RUN).exists()
    assert (server.root / RUN).parent.is_dir()


@pytest.mark.parametrize(
    "path",
    [
        "../other",
        "/etc/passwd",
        "a/../../b",
        "a\nDELE b",
        "bell\x07",
        "del\x7f",
        "next\x85line",
        "a\x00",
        f"{transfer.PARTIAL}1",
    ],
)
def test_ftp_artifacts__stays_below_its_root(server, path):
    with pytest.raises(MlflowException) as error:
        repository(server).list_artifacts(path)
    assert error.value.error_code == "INVALID_PARAMETER_VALUE"


def test_ftp_artifacts__many_at_once_into_one_new_folder_all_arrive(server, tmp_path):
    for number in range(24):
        (tmp_path / f"{number}.txt").write_text(str(number))
    repo = repository(server)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: repo.log_artifact(str(tmp_path / f"{number}.txt"), "new/sub"), range(24)))
    assert tree(server.root / RUN / "new" / "sub") == {f"{number}.txt": str(number).encode() for number in range(24)}


def test_ftp_artifacts__killed_client_leaves_nothing_that_looks_whole(server, tmp_path):
    with (tmp_path / "big.bin").open("wb") as big:
        big.truncate(20 * 2**30)
    script = (
        "import sys; from dsgo.artifacts.ftp.repository import *; "
        "FTPArtifactRepository(sys.argv[1]).log_artifact(sys.argv[2])"
    )
    repo = repository(server)
    client = subprocess.Popen([sys.executable, "-c", script, repo.artifact_uri, tmp_path / "big.bin"])
    wait_until(lambda: any(path.stat().st_size for path in (server.root / RUN).glob("*")))
    client.kill()
    client.wait(20)
    assert listing(repo) == []
    with pytest.raises(MlflowException, match="no such artifact"):
        repo.download_artifacts("big.bin", str(tmp_path))


def test_ftp_artifacts__server_killed_under_a_download_leaves_nothing(server, tmp_path):
    (server.root / RUN).mkdir(parents=True)
    with (server.root / RUN / "big.bin").open("wb") as big:
        big.truncate(20 * 2**30)
    (tmp_path / "back").mkdir()

    def kill_once_it_flows():
        wait_until(lambda: any(path.stat().st_size for path in (tmp_path / "back").glob("*")))
        server.end()

    killer = threading.Thread(target=kill_once_it_flows)
    killer.start()
    with pytest.raises(MlflowException) as error:
        repository(server).download_artifacts("big.bin", str(tmp_path / "back"))
    killer.join()
    assert error.value.error_code == "ABORTED"
    assert tree(tmp_path / "back") == {}


@pytest.mark.skipif(os.name == "nt", reason="file size limits are POSIX")
@pytest.mark.parametrize("size", [30_000, 5_000_000])
def test_ftp_artifacts__full_store_is_one_line_and_leaves_nothing(serve, tmp_path, monkeypatch, size):
    monkeypatch.setattr(pool, "DELAYS", (0,))
    server = serve(prefix=FULL_DISK)
    (tmp_path / "big.bin").write_bytes(b"x" * size)
    repo = repository(server, login="guest:12345")
    with pytest.raises(MlflowException) as error:
        repo.log_artifact(str(tmp_path / "big.bin"))
    assert error.value.get_http_status_code() == 409
    store = f"the artifact store ftp://127.0.0.1:{server.port} refused: "
    assert error.value.message.startswith((f"{store}426 ", f"{store}452 "))
    assert len(error.value.message.splitlines()) == 1
    wait_until(lambda: tree(server.root / RUN) == {})


def test_ftp_artifacts__missing_local_file_is_not_blamed_on_the_store(server, tmp_path):
    with pytest.raises(FileNotFoundError):
        repository(server).log_artifact(str(tmp_path / "nothing"))


@pytest.mark.parametrize("login", [f"guest:wrong-{SECRET}", "anonymous", f"nobody:{SECRET}"])
def test_ftp_artifacts__refused_login_is_one_line_without_the_password(server, login):
    repo = repository(server, login=login)
    with pytest.raises(MlflowException) as error:
        repo.list_artifacts()
    assert error.value.get_http_status_code() == 403
    assert "530" in error.value.message
    for text in (str(error.value), repr(repo), repo.artifact_uri):
        assert SECRET not in text
        assert len(text.splitlines()) == 1


def test_ftp_artifacts__password_is_the_uris_then_the_environments_then_the_workshops(serve, monkeypatch):
    server = serve(password=f"{SECRET}/:@#")
    monkeypatch.delenv("DSGO_FTP_PASSWORD", raising=False)
    with pytest.raises(MlflowException, match="530"):
        repository(server).list_artifacts()
    assert repository(server, login=f"guest:{SECRET}%2F%3A%40%23").list_artifacts() == []
    monkeypatch.setenv("DSGO_FTP_PASSWORD", f"{SECRET}/:@#")
    assert repository(server).list_artifacts() == []
    with pytest.raises(MlflowException, match="530"):
        repository(server, login="guest:12345").list_artifacts()


def test_ftp_artifacts__workshops_password_goes_to_no_other_machine(monkeypatch):
    monkeypatch.delenv("DSGO_FTP_PASSWORD", raising=False)
    with pytest.raises(MlflowException, match="set DSGO_FTP_PASSWORD and DSGO_FTP_HOST"):
        FTPArtifactRepository("ftp://guest@192.0.2.1/artifacts").list_artifacts()


def test_ftp_artifacts__password_that_breaks_the_uri_is_not_shown():
    with pytest.raises(MlflowException) as error:
        FTPArtifactRepository(f"ftp://guest:{SECRET}/x@127.0.0.1/artifacts")
    assert SECRET not in str(error.value)


def test_ftp_artifacts__server_that_is_down_is_named(monkeypatch):
    port = free_port()
    with pytest.raises(MlflowException, match=rf"ftp://127.0.0.1:{port} does not answer .*is it running") as error:
        FTPArtifactRepository(f"ftp://guest:{SECRET}@127.0.0.1:{port}/artifacts").list_artifacts()
    assert error.value.get_http_status_code() == 409
    assert SECRET not in str(error.value)


def test_ftp_artifacts__server_that_says_nothing_is_given_up(monkeypatch):
    monkeypatch.setattr(control, "TIMEOUT", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with pytest.raises(MlflowException, match=f"ftp://127.0.0.1:{port} does not answer"):
            FTPArtifactRepository(f"ftp://guest:x@127.0.0.1:{port}/artifacts").list_artifacts()
