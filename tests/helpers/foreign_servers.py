"""vsftpd and proftpd as child processes on a folder of their own, plain or with TLS, for the tests of our FTP client.

Debian's two packages cannot be installed together, so `.ci/run` unpacks both without installing either. Both need to be
started as root and serve as somebody else.
"""

import ipaddress
import os
import shutil
import socket
import subprocess
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from dsgo.base.processes import kill_tree
from ftp_server import SECRET, wait_until

UNPACKED = Path("/opt/ftp-servers")  # where .ci/run puts them
NAMES = ("vsftpd", "proftpd")


def find(program):
    path = os.pathsep.join([os.environ["PATH"], "/usr/sbin", f"{UNPACKED}/usr/sbin", f"{UNPACKED}/usr/bin"])
    found = shutil.which(program, path=path)
    return Path(found) if found else None


def require(name):
    """Skip the test where the server is not there, or cannot be started."""
    if find(name) is None:
        pytest.skip(f"{name} is not installed (see .ci/run)")
    if os.geteuid() != 0:
        pytest.skip(f"{name} has to be started as root")


def make_certificate(folder, days=2):
    """Write cert.pem (for 127.0.0.1, ::1 and localhost, signed by itself) and key.pem; return both paths."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "artifact store under test")])
    names = [x509.DNSName("localhost"), *(x509.IPAddress(ipaddress.ip_address(ip)) for ip in ("127.0.0.1", "::1"))]
    now = datetime.now(UTC)
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(identifier, critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return folder / "cert.pem", folder / "key.pem"


class ForeignServer:
    """A running server: its port, its user, the folder that it serves as /."""

    def __init__(self, name, folder, port, tls=False, options=()):
        require(name)
        self.name, self.port, self.tls = name, port, tls
        self.root = folder / "root"
        self.root.mkdir(parents=True)
        (self.root / "store").mkdir(mode=0o777)
        (self.root / "store").chmod(0o777)
        for each in (folder, *folder.parents):  # pytest's folders are closed to the user that it serves as
            if each.is_relative_to("/tmp") and each != Path("/tmp"):
                each.chmod(0o755)
        self.log = folder / "log"
        self.certificate, self.key = make_certificate(folder) if tls else (None, None)
        write = {"vsftpd": self._vsftpd, "proftpd": self._proftpd}[name]
        command = [find(name), *write(folder, list(options))]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)

    def _vsftpd(self, folder, options):
        # Without PAM there is only the anonymous user; a list of its passwords makes it one that can be refused.
        self.user = "ftp"
        (folder / "passwords").write_text(f"{SECRET}\n")
        (folder / "empty").mkdir()
        settings = [
            *("background=NO", "listen=YES", "listen_address=127.0.0.1", f"listen_port={self.port}"),
            *("anonymous_enable=YES", "local_enable=NO", "write_enable=YES", "ftp_username=daemon"),
            *("anon_upload_enable=YES", "anon_mkdir_write_enable=YES", "anon_other_write_enable=YES"),
            *("anon_world_readable_only=NO", "anon_umask=022", f"anon_root={self.root}"),
            *("secure_email_list_enable=YES", f"email_password_file={folder}/passwords"),
            *("seccomp_sandbox=NO", f"secure_chroot_dir={folder}/empty", "xferlog_enable=NO"),
            f"ssl_enable={'YES' if self.tls else 'NO'}",
        ]
        if self.tls:
            settings += [
                *("allow_anon_ssl=YES", "force_anon_data_ssl=YES", "force_anon_logins_ssl=YES"),
                *(f"rsa_cert_file={self.certificate}", f"rsa_private_key_file={self.key}", "ssl_ciphers=HIGH"),
            ]
        (folder / "vsftpd.conf").write_text("\n".join(settings + options) + "\n")
        return [folder / "vsftpd.conf"]

    def _proftpd(self, folder, options):
        self.user = "guest"
        subprocess.run(
            [
                *(find("ftpasswd"), "--passwd", "--file", folder / "passwd", "--name", self.user, "--sha512"),
                *("--uid", "65534", "--gid", "65534", "--home", self.root, "--shell", "/bin/false", "--stdin"),
            ],
            input=SECRET.encode(),
            check=True,
            capture_output=True,
        )
        (folder / "passwd").chmod(0o600)
        modules = find("proftpd").parents[1] / "lib" / "proftpd"
        lines = [
            *(f"ModulePath {modules}", "LoadModule mod_digest.c", "ServerType standalone", "UseIPv6 off"),
            *("DefaultAddress 127.0.0.1", f"Port {self.port}", "User nobody", "Group nogroup", "WtmpLog off"),
            *(f"PidFile {folder}/pid", f"ScoreboardFile {folder}/scores", f"SystemLog {folder}/system.log"),
            *(f"DelayTable {folder}/delay", "DelayEngine off", "UseReverseDNS off"),
            *("AuthOrder mod_auth_file.c", f"AuthUserFile {folder}/passwd", "RequireValidShell off"),
            *("DefaultRoot ~", "Umask 022", "AllowStoreRestart on", "TransferLog none", "ControlsEngine off"),
        ]
        if self.tls:
            lines += [
                *("LoadModule mod_tls.c", "TLSEngine on", "TLSRequired on", "TLSProtocol TLSv1.2 TLSv1.3"),
                *(f"TLSECCertificateFile {self.certificate}", f"TLSECCertificateKeyFile {self.key}"),
                *(f"TLSLog {folder}/tls.log",),
            ]
        (folder / "proftpd.conf").write_text("\n".join(lines + options) + "\n")
        return ["-n", "-q", "-c", folder / "proftpd.conf"]

    @property
    def uri(self):
        return f"{'ftps' if self.tls else 'ftp'}://{self.user}@127.0.0.1:{self.port}/store"

    def wait(self):
        def answers():
            assert self.process.poll() is None, self.log.read_text()
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 5) as probe:
                return probe.recv(3) == b"220"

        wait_until(answers)
        return self

    def end(self):
        kill_tree(self.process)
