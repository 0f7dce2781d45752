"""Dask over TLS (`scheduler=tls://...`): the certificates of Dask's own configuration, checked before it connects."""

import ssl
from pathlib import Path

import dask
from distributed.security import Security

from dsgo.base.errors import UserError

FILES = {"ca-file": True, "client.cert": True, "client.key": False}  # without a key, the certificate's file holds it


def require_certificates(scheduler: str) -> None:
    """Raise UserError if the certificates for a `tls://` scheduler are missing here, or cannot be used."""
    if not scheduler.startswith(("tls://", "wss://")):
        return
    for name, needed in FILES.items():
        value = dask.config.get(f"distributed.comm.tls.{name}", None)
        variable = f"DASK_DISTRIBUTED__COMM__TLS__{name.upper().replace('-', '_').replace('.', '__')}"
        if needed and not value:
            raise UserError(f"scheduler={scheduler}: Dask has no certificate here: set {variable} to a PEM file")
        if value and "\n" not in value and not Path(value).is_file():
            raise UserError(f"scheduler={scheduler}: there is no file {value}, which {variable} names")
    try:
        Security().get_connection_args("client")
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        raise UserError(
            f"scheduler={scheduler}: Dask's certificate, key or authority cannot be used here ({error}): see the "
            "variables DASK_DISTRIBUTED__COMM__TLS__..."
        ) from None


def is_refusal(error: BaseException | None) -> bool:
    """Return whether an error of a connection comes from TLS: a certificate of another authority, or no TLS at all."""
    while error is not None:
        if isinstance(error, ssl.SSLError):
            return True
        error = error.__cause__ or error.__context__
    return False
