"""TLS for the artifact store: the context of the sessions, and a certificate for a trial."""

import datetime
import ipaddress
import os
import socket
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from OpenSSL import SSL

from dsgo.base.files import write_whole

TRIAL_DAYS = 90


class TlsError(Exception):
    """The certificate or its key cannot be used: the message says why, in one line."""


def context(certificate: Path, key: Path, newest: int = 0) -> SSL.Context:
    """Return what connections encrypt with: TLS 1.2 to `newest` (0: any), sessions resumable; raises TlsError."""
    made = SSL.Context(SSL.TLS_SERVER_METHOD)
    made.set_min_proto_version(SSL.TLS1_2_VERSION)
    made.set_max_proto_version(newest)
    made.set_options(SSL.OP_NO_COMPRESSION)
    made.set_session_id(b"artifact store")  # without one, no client could resume a session
    path = certificate
    try:
        path.open("rb").close()  # OpenSSL does not say what is wrong with a file
        made.use_certificate_chain_file(os.fspath(path))
        path = key
        private = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except OSError as error:
        raise TlsError(f"{path} cannot be read ({error.strerror})") from None
    except (SSL.Error, ValueError, TypeError, UnsupportedAlgorithm):  # TypeError: it has a pass phrase
        raise TlsError(f"{path} is no PEM file of the kind that is needed") from None
    try:
        made.use_privatekey(private)  # type: ignore[arg-type]  # of a kind that no certificate has: refused too
    except (SSL.Error, TypeError):
        raise TlsError(f"the key {key} does not belong to the certificate {certificate}") from None
    return made


def self_signed(folder: Path, host: str) -> tuple[Path, Path]:
    """Return certificate and key for a trial, in `folder`; made unless there are valid ones for `host`."""
    certificate, key = folder / "self-signed.pem", folder / "self-signed.key"
    names = {"localhost", "127.0.0.1", "::1", socket.gethostname(), host} - {"", "0.0.0.0", "::"}
    if not _serves(certificate, key, names):
        private = ec.generate_private_key(ec.SECP256R1())
        now = datetime.datetime.now(datetime.UTC)
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "artifact store, for a trial")])
        made = (
            x509.CertificateBuilder(subject, subject, private.public_key(), x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=TRIAL_DAYS))
            .add_extension(x509.SubjectAlternativeName([_general_name(name) for name in sorted(names)]), critical=False)
            # What Python 3.13 and other strict clients ask for.
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(private.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(private.public_key()), critical=False)
            .sign(private, hashes.SHA256())
        )
        secret = private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        write_whole(key, secret, 0o600)
        write_whole(certificate, made.public_bytes(serialization.Encoding.PEM), 0o644)
    return certificate, key


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _serves(certificate: Path, key: Path, names: set[str]) -> bool:
    """Tell whether the two can be used, for another day and for all these names."""
    try:
        context(certificate, key)
        made = x509.load_pem_x509_certificate(certificate.read_bytes())
        alternatives = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (TlsError, ValueError, x509.ExtensionNotFound):
        return False
    tomorrow = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=1)
    return made.not_valid_after_utc > tomorrow and all(_general_name(name) in alternatives for name in names)
