"""What an artifact URI of FTP means: server, folder, user, and where the password comes from."""

import os

import pytest
from mlflow.exceptions import MlflowException
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

from dsgo.artifacts.ftp.address import Address
from dsgo.artifacts.ftp.repository import FTPArtifactRepository
from ftp_server import SECRET


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch, tmp_path):
    for name in ("DSGO_FTP_PASSWORD", "DSGO_FTP_HOST", "DSGO_FTP_CA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "none"))


@pytest.fixture
def netrc(monkeypatch, tmp_path):
    def write(text):
        (tmp_path / "netrc").write_text(text)
        monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))

    return write


@pytest.mark.parametrize(
    ("uri", "server", "root"),
    [
        ("ftp://127.0.0.1", "ftp://127.0.0.1:21", "/"),
        ("ftp://127.0.0.1/", "ftp://127.0.0.1:21", "/"),
        ("ftps://localhost:2121/a/b/", "ftps://localhost:2121", "/a/b"),
        ("ftp://[::1]:2121/a", "ftp://[::1]:2121", "/a"),
        ("ftp:///a", "ftp://localhost:21", "/a"),
        ("ftp://127.0.0.1/with%20space/per%2520cent/a%23%3F", "ftp://127.0.0.1:21", "/with space/per%20cent/a#?"),
        ("ftp://127.0.0.1/with space/ü", "ftp://127.0.0.1:21", "/with space/ü"),
        ("ftp://127.0.0.1/a/../../b", "ftp://127.0.0.1:21", "/b"),
    ],
)
def test_address__names_server_and_folder(uri, server, root):
    address = Address(uri)
    assert (address.login().server, address.root) == (server, root)


def test_address__user_and_password_are_decoded_and_the_password_is_not_shown():
    repo = FTPArtifactRepository(f"ftp://jane%40home:{SECRET}%2F%3A@127.0.0.1/a")
    login = repo._address.login()
    assert (login.user, login.password) == ("jane@home", f"{SECRET}/:")
    assert repo.artifact_uri == "ftp://jane%40home@127.0.0.1/a"
    assert SECRET not in repr(repo) + repr(login) + str(login)


@pytest.mark.parametrize(
    "uri",
    [
        f"ftp://guest:{SECRET}/x@127.0.0.1/a",
        f"ftp://guest:{SECRET}#x@127.0.0.1/a",
        f"ftp://guest:{SECRET}?x@127.0.0.1/a",
        f"ftp://guest:{SECRET}@[127.0.0.1/a",
        f"ftp://guest:{SECRET}@127.0.0.1/a#b",
        f"ftp://guest:{SECRET}@127.0.0.1/a?b",
    ],
)
def test_address__that_cannot_be_meant_is_refused_without_showing_the_password(uri):
    with pytest.raises(MlflowException) as error:
        Address(uri)
    assert error.value.error_code == "INVALID_PARAMETER_VALUE"
    assert SECRET not in str(error.value)


def test_password__is_the_uris_then_the_variables_then_netrcs_then_the_workshops(monkeypatch, netrc):
    def password(uri="ftp://guest@127.0.0.1/"):
        return Address(uri).login().password

    assert password() == "12345"
    netrc("machine 127.0.0.1 login guest password of-netrc")
    assert password() == "of-netrc"
    monkeypatch.setenv("DSGO_FTP_PASSWORD", "of-variable")
    assert password() == "of-variable"
    assert password("ftp://guest:of-uri@127.0.0.1/") == "of-uri"


@pytest.mark.parametrize("host", ["store.example", "192.0.2.1", "127.0.0.1.store.example", "0.0.0.0", "[2001:db8::1]"])
@pytest.mark.parametrize("scheme", ["ftp", "ftps"])
def test_password__of_the_variable_goes_to_no_other_host(monkeypatch, netrc, scheme, host):
    monkeypatch.setenv("DSGO_FTP_PASSWORD", SECRET)
    uri = f"{scheme}://guest@{host}:2121/artifacts"
    with pytest.raises(MlflowException, match=r"netrc, or set DSGO_FTP_HOST to \S+, if DSGO_FTP_PASSWORD") as error:
        Address(uri).login()
    assert SECRET not in str(error.value)
    assert Address(uri.replace("guest", "guest:of-uri")).login().password == "of-uri"
    netrc(f"machine {host.strip('[]')} login guest password of-netrc")
    assert Address(uri).login().password == "of-netrc"


@pytest.mark.parametrize("uri", ["ftp://guest@127.0.0.1/", "ftps://guest@LOCALHOST:990/", "ftp://guest@[::1]/"])
def test_password__of_the_variable_is_loopbacks_unless_another_host_is_named(monkeypatch, uri):
    monkeypatch.setenv("DSGO_FTP_PASSWORD", SECRET)
    assert Address(uri).login().password == SECRET
    monkeypatch.setenv("DSGO_FTP_HOST", "store.example")
    assert Address(uri).login().password == "12345"


def test_password__of_the_variable_goes_to_the_host_and_port_that_are_named(monkeypatch):
    monkeypatch.setenv("DSGO_FTP_PASSWORD", SECRET)
    monkeypatch.setenv("DSGO_FTP_HOST", "Store.example")
    assert Address("ftp://guest@store.example/").login().password == SECRET
    assert Address("ftps://jane@STORE.EXAMPLE:990/").login().password == SECRET
    monkeypatch.setenv("DSGO_FTP_HOST", "store.example:2121")
    assert Address("ftp://guest@store.example:2121/").login().password == SECRET
    for uri in ("ftp://guest@store.example/", "ftp://guest@evil.example:2121/", "ftp://guest@a.store.example:2121/"):
        with pytest.raises(MlflowException, match="no password for guest"):
            Address(uri).login()


@pytest.mark.parametrize("named", ["ftp://store.example", "store.example/a", "guest@store.example", "a:b", "::1"])
def test_password__host_variable_that_names_no_host_is_one_line(monkeypatch, named):
    monkeypatch.setenv("DSGO_FTP_PASSWORD", SECRET)
    monkeypatch.setenv("DSGO_FTP_HOST", named)
    with pytest.raises(MlflowException, match=r"DSGO_FTP_HOST=.* is no host: write HOST or HOST:PORT"):
        Address("ftp://guest@store.example/").login()


def test_netrc__serves_its_user_alone_and_names_one_where_the_uri_has_none(netrc):
    netrc("machine store.example login jane password of-jane")
    assert Address("ftp://jane@store.example/").login().password == "of-jane"
    login = Address("ftp://store.example/").login()
    assert (login.user, login.password) == ("jane", "of-jane")
    with pytest.raises(MlflowException, match=r"no password for guest .*netrc.*DSGO_FTP_PASSWORD"):
        Address("ftp://guest@store.example/").login()


@pytest.mark.skipif(os.name == "nt", reason="file modes are POSIX")
def test_netrc__of_the_home_that_others_may_read_is_refused(monkeypatch, tmp_path):
    monkeypatch.delenv("NETRC")
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".netrc").write_text(f"machine store.example login jane password {SECRET}")
    (tmp_path / ".netrc").chmod(0o644)
    with pytest.raises(MlflowException, match=r"\.netrc is readable by others"):
        Address("ftp://jane@store.example/").login()
    (tmp_path / ".netrc").chmod(0o600)
    assert Address("ftp://jane@store.example/").login().password == SECRET


def test_netrc__that_cannot_be_read_shows_nothing_of_it(netrc):
    netrc(f"machine store.example login jane {SECRET} {SECRET}")
    with pytest.raises(MlflowException, match=r"netrc cannot be read, line 1: mend it") as error:
        Address("ftp://jane@store.example/").login()
    assert SECRET not in str(error.value)


def test_anonymous__is_sent_no_password_of_ours(monkeypatch):
    monkeypatch.setenv("DSGO_FTP_PASSWORD", SECRET)
    for uri in ("ftp://store.example/", "ftp://anonymous@store.example/"):
        login = Address(uri).login()
        assert (login.user, login.password) == ("anonymous", "anonymous@")


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_ca__that_cannot_be_used_is_one_line(monkeypatch, tmp_path, serve, content):
    path = tmp_path / "ca.pem"
    if content:
        path.write_text(content)
    monkeypatch.setenv("DSGO_FTP_CA", str(path))
    repo = FTPArtifactRepository(f"ftps://guest@127.0.0.1:{serve().port}/")
    with pytest.raises(MlflowException, match=r"ca.pem of the variable DSGO_FTP_CA cannot be used .*: name a PEM file"):
        repo.list_artifacts()


def test_tracking_server__connects_to_no_other_ftps_host(monkeypatch):
    get_artifact_repository("ftps://guest@192.0.2.1/a")
    monkeypatch.setenv("_MLFLOW_SERVER_ARTIFACT_ROOT", "mlflow-artifacts:/")
    monkeypatch.setenv("_MLFLOW_SERVER_ARTIFACT_DESTINATION", "ftps://guest@store.example:2121/artifacts")
    monkeypatch.setenv("DSGO_FTP_PASSWORD", SECRET)
    own = get_artifact_repository("ftps://guest@store.example:2121/artifacts/1")
    assert own._address.login().password == SECRET
    for uri in ("ftps://guest@192.0.2.1/a", "ftps://guest@store.example/a", "ftps:///a"):
        with pytest.raises(MlflowException, match="connects to no artifact store but its own"):
            get_artifact_repository(uri)
    monkeypatch.setenv("MLFLOW_ALLOWED_HOST_ADDRESSED_ARTIFACT_SCHEMES", "ftps")
    allowed = get_artifact_repository("ftps://guest@192.0.2.1/a")
    with pytest.raises(MlflowException, match="no password for guest"):
        allowed._address.login()
