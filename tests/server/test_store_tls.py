"""The artifact store's TLS: certificates, keys, versions, and what is refused in the clear."""

import ftplib
import io
import os
import re
import shutil
import ssl
import stat
import subprocess
import sys
import warnings

import pytest
from cryptography.hazmat.primitives import serialization

from certificates import write_certificate
from ftp_server import SECRET, SERVER, environment

sys.path.append(str(SERVER))
from store_tls import TlsError, context

from dsgo.base.network import free_port


def run(*options, password=None):
    return subprocess.run(
        [sys.executable, SERVER / "ftpserver.py", "--users", "no/such/file", *map(str, options)],
        env=environment(password),
        stdin=subprocess.DEVNULL,
        start_new_session=True,  # so that OpenSSL finds no terminal to ask for a pass phrase
        capture_output=True,
        text=True,
        timeout=60,
    )


# ---- certificates that cannot be used


@pytest.fixture
def pair(tmp_path):
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    write_certificate(certificate, key, days=9)
    return certificate, key


def refused(tmp_path, *options):
    result = run("--port", free_port(), "--root", tmp_path / "root", *options, password=SECRET)
    assert result.returncode == 2, result.stderr
    assert len(result.stderr.splitlines()) == 1
    return result.stderr


def test_certificate__missing_or_no_pem_is_one_line(tmp_path, pair):
    certificate, key = pair
    junk, locked = tmp_path / "junk.pem", tmp_path / "locked.pem"
    junk.write_bytes(b"\0junk" * 100)
    locked.write_bytes(
        serialization.load_pem_private_key(key.read_bytes(), None).private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"a pass phrase"),
        )
    )
    for first, second, culprit in [
        (tmp_path / "none.pem", key, "none.pem cannot be read (No such file"),
        (certificate, tmp_path / "none.pem", "none.pem cannot be read (No such file"),
        (tmp_path, key, "cannot be read (Is a directory"),
        (junk, key, "junk.pem is no PEM file"),
        (certificate, junk, "junk.pem is no PEM file"),
        (key, key, "key.pem is no PEM file"),
        (certificate, certificate, "cert.pem is no PEM file"),
        (certificate, locked, "locked.pem is no PEM file"),
    ]:
        assert culprit in refused(tmp_path, "--tls-cert", first, "--tls-key", second)
    assert "cert.pem is no PEM file" in refused(tmp_path, "--tls-cert", certificate)  # holds no key


def test_certificate__of_another_key_is_one_line(tmp_path, pair):
    write_certificate(tmp_path / "other.pem", tmp_path / "other.key", days=9)
    said = refused(tmp_path, "--tls-cert", pair[0], "--tls-key", tmp_path / "other.key")
    assert f"the key {tmp_path / 'other.key'} does not belong to the certificate {pair[0]}" in said
    with pytest.raises(TlsError):
        context(pair[0], tmp_path / "other.key")


# ---- what is spoken


def connect(server, low, high, **named):
    trusted = ssl.create_default_context(cafile=server.certificate)
    trusted.set_ciphers("DEFAULT@SECLEVEL=0")  # or else it is this client that refuses the old ones
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        trusted.minimum_version, trusted.maximum_version = low, high
    ftp = ftplib.FTP_TLS(timeout=20, context=trusted)
    ftp.connect("127.0.0.1", server.port)
    return ftp


def test_tls__1_2_and_1_3_are_spoken_and_1_1_is_not(serve):
    server = serve(tls=True)
    version = ssl.TLSVersion
    for spoken, name in ((version.TLSv1_2, "TLSv1.2"), (version.TLSv1_3, "TLSv1.3")):
        ftp = connect(server, spoken, spoken)
        ftp.login("guest", "12345")
        assert ftp.sock.version() == name
    for old in (version.TLSv1, version.TLSv1_1):
        with pytest.raises(ssl.SSLError):
            connect(server, old, old).auth()
    server.connect_securely().quit()


class Resuming(ftplib.FTP_TLS):
    """A client that offers the last data connection's session on the next, at first the control connection's."""

    last = None
    resumed = ()

    def ntransfercmd(self, cmd, rest=None):
        data, size = ftplib.FTP.ntransfercmd(self, cmd, rest)
        data = self.context.wrap_socket(data, server_hostname=self.host, session=self.last or self.sock.session)
        self.resumed += ((data.version(), data.session_reused),)
        self.last = data.session
        return data, size


@pytest.mark.parametrize("newest", ["TLSv1_2", "TLSv1_3"])
def test_tls__session_of_a_data_connection_is_resumed_on_the_next(serve, newest):
    server = serve("--tls-only", tls=True)
    trusted = ssl.create_default_context(cafile=server.certificate)
    trusted.maximum_version = ssl.TLSVersion[newest]
    ftp = Resuming(timeout=20, context=trusted)
    ftp.connect("127.0.0.1", server.port)
    ftp.login("guest", "12345")
    ftp.prot_p()
    content = os.urandom(500_000)
    received = io.BytesIO()
    ftp.storbinary("STOR a", io.BytesIO(content))
    ftp.retrbinary("RETR a", received.write)
    ftp.nlst()
    assert received.getvalue() == content
    # Data connections speak 1.2 (store_transfers.py says why), and no session of the control connection.
    assert ftp.resumed == (("TLSv1.2", False), ("TLSv1.2", True), ("TLSv1.2", True))


def test_tls_only__refuses_a_login_and_data_in_the_clear(serve):
    server = serve("--tls-only", tls=True)
    with pytest.raises(ftplib.error_perm, match="550 SSL/TLS required on the control channel"):
        server.connect()
    ftp = server.connect_securely()
    ftp.makepasv()
    with pytest.raises(ftplib.error_perm, match="534 Data in the clear is not allowed here"):
        ftp.prot_c()
    with pytest.raises(ftplib.error_perm, match="534"):
        ftp.sendcmd("PROT c")
    ftp.storbinary("STOR a", io.BytesIO(b"x"))
    trusted = ssl.create_default_context(cafile=server.certificate)
    with ftplib.FTP_TLS(timeout=20, context=trusted) as bare:
        bare.connect("127.0.0.1", server.port)
        bare.login("guest", "12345")  # and no PROT P
        with pytest.raises(ftplib.error_perm, match="550 SSL/TLS required on the data channel"):
            bare.nlst()


def test_tls__on_loopback_plain_text_is_served_beside_it(serve):
    server = serve(tls=True)
    server.connect().storbinary("STOR plain", io.BytesIO(b"plain"))
    ftp = server.connect_securely()
    assert ftp.nlst() == ["plain"]
    ftp.prot_c()
    ftp.storbinary("STOR clear", io.BytesIO(b"clear"))
    assert server.files() == {"plain": b"plain", "clear": b"clear"}


def test_check__over_tls_trusts_the_certificate_that_it_is_given_and_no_other(serve, tmp_path):
    server = serve("--tls-only", password=SECRET, tls=True)
    options = ["--check", "--port", server.port, "--tls-only"]
    result = run(*options, "--tls-cert", server.certificate, password=SECRET)
    assert (result.returncode, result.stdout) == (0, f"the artifact store at 127.0.0.1:{server.port} is healthy\n")
    assert server.files() == {}
    write_certificate(tmp_path / "other.pem", tmp_path / "other.key", days=9)
    for untrusted in ([], ["--tls-cert", tmp_path / "other.pem"]):
        result = run(*options, *untrusted, password=SECRET)
        assert result.returncode == 1
        assert "cannot log in ([SSL: CERTIFICATE_VERIFY_FAILED]" in result.stdout
        assert len(result.stdout.splitlines()) == 1


def test_tls__empty_folder_lists_as_empty(serve):
    ftp = serve(tls=True).connect_securely()
    ftp.mkd("empty")
    for _ in range(20):  # it failed twice in five
        assert ftp.nlst("empty") == []
        assert list(ftp.mlsd("empty")) == []


@pytest.mark.skipif(not shutil.which("openssl"), reason="openssl is not installed")
def test_readme__its_openssl_line_makes_a_certificate_that_holds_under_the_strict_checks_of_python_3_13(
    serve, tmp_path
):
    line = re.search(r"^openssl req (?:.*\\\n)*.*$", (SERVER / "README.md").read_text(), re.MULTILINE)[0]
    made = subprocess.run(["sh", "-c", line], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert made.returncode == 0, made.stderr
    assert stat.S_IMODE((tmp_path / "key.pem").stat().st_mode) == 0o600
    strict = ssl.VERIFY_X509_STRICT | ssl.VERIFY_X509_PARTIAL_CHAIN

    ftp = serve("--tls-only", tls=True).connect_securely(verify_flags=strict)  # it takes what lies there

    assert ftp.nlst() == []
