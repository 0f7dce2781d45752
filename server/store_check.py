"""`ftpserver.py --check`: is the store that runs there healthy? For a supervisor."""

import ftplib
import io
import secrets
import ssl
from pathlib import Path

SECONDS = 10  # that each answer may take


def check(host: str, port: int, user: str, password: str | None, certificate: Path | None, tls: bool) -> str | None:
    """Log in, store a small file, fetch it and remove it (a user who may only read lists the root instead).

    Returns None if all went well, else one line that says what did not. `certificate` is what the server's is checked
    against, instead of the certificates that this machine trusts.
    """
    if not password:
        return f"no password for {user}: set the variable DSGO_FTP_PASSWORD"
    step = "connect"
    content, name = secrets.token_bytes(1000), f".check-{secrets.token_hex(8)}"
    try:
        session = ftplib.FTP(timeout=SECONDS)
        if tls or certificate:
            session = ftplib.FTP_TLS(timeout=SECONDS, context=ssl.create_default_context(cafile=certificate))
        with session as ftp:
            ftp.connect(host, port)
            step = "log in"
            ftp.login(user, password)
            if isinstance(ftp, ftplib.FTP_TLS):
                ftp.prot_p()
            step = "list the root"
            list(ftp.mlsd("/"))
            may = ftp.sendcmd("MLST /").partition("perm=")[2].partition(";")[0]  # RFC 3659: c, files may be created
            if "c" in may:
                step = "store a file"
                ftp.storbinary(f"STOR {name}", io.BytesIO(content))
                step = "fetch it again"
                fetched = io.BytesIO()
                ftp.retrbinary(f"RETR {name}", fetched.write)
                ftp.delete(name)
                if fetched.getvalue() != content:
                    return f"the artifact store at {host}:{port} gave back another file than was stored"
    except ftplib.all_errors as error:
        return f"the artifact store at {host}:{port} is not healthy: cannot {step} ({error})"
    return None
