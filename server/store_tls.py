"""TLS for the artifact store: the context of the sessions."""

import os
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from OpenSSL import SSL


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
