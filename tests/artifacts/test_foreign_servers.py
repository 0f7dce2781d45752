"""Our FTP client on servers that are not ours, plain and with TLS: vsftpd (no MLSD, no checksums) and proftpd."""

import pytest
from hypothesis import given, settings
from mlflow.exceptions import MlflowException

from artifact_trees import NASTY, check_round_trip, listed, trees
from dsgo.artifacts.ftp.repository import FTPArtifactRepository
from dsgo.base.network import free_port
from foreign_servers import NAMES, ForeignServer
from ftp_server import SECRET

CASES = [(name, tls) for name in NAMES for tls in (False, True)]


@pytest.fixture(scope="module", params=CASES, ids=[f"{name}{'-tls' * tls}" for name, tls in CASES])
def server(request, tmp_path_factory):
    name, tls = request.param
    # proftpd forbids by default to write over a file, and with it most of what MLflow does: it is left so here.
    running = ForeignServer(name, tmp_path_factory.mktemp(name) / "server", free_port(), tls)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DSGO_FTP_PASSWORD", SECRET)
        if tls:
            patch.setenv("DSGO_FTP_CA", str(running.certificate))
        try:
            yield running.wait()
        finally:
            running.end()


@pytest.fixture
def repository(server, request):
    return FTPArtifactRepository(f"{server.uri}/{request.node.originalname}")


def possible(server, tree):
    """Leave out what the server refuses: proftpd makes no folder with a * in its name."""
    return {
        name: possible(server, what) if isinstance(what, dict) else what
        for name, what in tree.items()
        if not (server.name == "proftpd" and isinstance(what, dict) and "*" in name)
    }


def test_foreign_server__any_name_goes_there_and_back(server, repository, tmp_path):
    check_round_trip(repository, possible(server, NASTY), tmp_path / "local")


@settings(max_examples=8, deadline=None, derandomize=True)
@given(tree=trees)
def test_foreign_server__any_tree_goes_there_and_back(server, tmp_path_factory, tree):
    repository = FTPArtifactRepository(f"{server.uri}/any/tree")
    check_round_trip(repository, possible(server, tree), tmp_path_factory.mktemp("local"))


def test_foreign_server__file_is_replaced_whole(repository, tmp_path):
    for text in ("first, and longer", "second"):
        (tmp_path / "a.txt").write_text(text)
        repository.log_artifact(str(tmp_path / "a.txt"), "sub")
    (tmp_path / "back").mkdir()
    repository.download_artifacts("sub/a.txt", str(tmp_path / "back"))
    assert (tmp_path / "back" / "sub" / "a.txt").read_text() == "second"
    assert listed(repository) == {"sub": {"a.txt": 6}}


def test_foreign_server__large_file_goes_there_and_back(repository, tmp_path):
    content = bytes(range(256)) * 20_000
    (tmp_path / "large.bin").write_bytes(content)
    repository.log_artifact(str(tmp_path / "large.bin"))
    (tmp_path / "back").mkdir()
    repository.download_artifacts("large.bin", str(tmp_path / "back"))
    assert (tmp_path / "back" / "large.bin").read_bytes() == content


def test_foreign_server__missing_path_and_refusals_are_one_line(server, repository, tmp_path):
    (tmp_path / "a.txt").touch()
    repository.log_artifact(str(tmp_path / "a.txt"))
    assert repository.list_artifacts("none") == repository.list_artifacts("a.txt") == []
    repository.delete_artifacts("none")
    with pytest.raises(MlflowException, match="no such artifact"):
        repository.download_artifacts("none", str(tmp_path))
    with pytest.raises(
        MlflowException, match=r"refused: 550 .*a.txt is a file, no folder; choose another path"
    ) as error:
        repository.log_artifact(str(tmp_path / "a.txt"), "a.txt/below")
    assert error.value.error_code == "PERMISSION_DENIED"


def test_foreign_server__wrong_password_is_one_line_without_it(server):
    repository = FTPArtifactRepository(server.uri.replace("@", ":not-this-one@"))
    with pytest.raises(MlflowException, match=r"refused: 530 .*check the user") as error:
        repository.list_artifacts()
    assert error.value.error_code == "PERMISSION_DENIED"
    assert "not-this-one" not in str(error.value)


def test_foreign_server__certificate_is_checked(server, monkeypatch):
    if not server.tls:
        with pytest.raises(MlflowException, match="offers no TLS") as error:
            FTPArtifactRepository(server.uri.replace("ftp://", "ftps://")).list_artifacts()
        assert error.value.error_code == "ABORTED"
        return
    monkeypatch.delenv("DSGO_FTP_CA")
    with pytest.raises(MlflowException, match=r"is not trusted .*DSGO_FTP_CA") as error:
        FTPArtifactRepository(server.uri).list_artifacts()
    assert error.value.error_code == "PERMISSION_DENIED"
    with pytest.raises(MlflowException, match="begin the artifact URI with ftps://"):
        FTPArtifactRepository(server.uri.replace("ftps://", "ftp://")).list_artifacts()
