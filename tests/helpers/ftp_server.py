"""The artifact store in a process of its own, for the tests that speak FTP to it."""

import contextlib
import ftplib
import os
import ssl
import subprocess
import sys
import time

from background import IN_BACKGROUND
from certificates import write_certificate
from dsgo.base.places import ROOT

SERVER = ROOT / "server"
SECRET = "a-password-of-my-own"
# Started before it, a limit on the size of any file stands in for a full disk: the same write fails in the same place.
FULL_DISK = (
    sys.executable,
    "-c",
    "import os, resource, sys\n"
    "resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))\n"
    "os.execv(sys.argv[1], sys.argv[1:])",
)
# Started before the server: what may take long takes a second.
IMPATIENT = (
    sys.executable,
    "-c",
    "import pathlib, runpy, sys\n"
    "del sys.argv[:2]\n"
    "sys.path.insert(0, str(pathlib.Path(sys.argv[0]).parent))\n"
    "import store_guard, store_transfers\n"
    "store_guard.LOGIN_SECONDS = store_transfers.StoreTransfer.timeout = 1\n"
    "runpy.run_path(sys.argv[0], run_name='__main__')",
)


def environment(password=None):
    rest = {name: value for name, value in os.environ.items() if name != "DSGO_FTP_PASSWORD"}
    return rest | ({"DSGO_FTP_PASSWORD": password} if password else {})


def wait_until(condition, seconds=30):
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.02)
    return value


class Server:
    """One running ftpserver.py on `root`; its log is `log`, users file and certificate (`tls`) lie beside `root`."""

    def __init__(self, port, root, *options, password=None, log, prefix=(), tls=False):
        self.port, self.root, self.log = port, root, log
        self.users, self.certificate = root.parent / "users.json", root.parent / "cert.pem"
        if tls:
            key = root.parent / "key.pem"
            if not key.exists():
                write_certificate(self.certificate, key)
            options = ("--tls-cert", self.certificate, "--tls-key", key, *options)
        self.command = [
            *IN_BACKGROUND,
            *prefix,
            sys.executable,
            SERVER / "ftpserver.py",
            *("--port", str(port), "--root", root, "--users", self.users),
            *options,
        ]
        self.password = password
        self.start()

    def start(self):
        with self.log.open("ab") as file:
            self.process = subprocess.Popen(self.command, env=environment(self.password), stderr=file)

    def connect(self, user="guest", password="12345", source="127.0.0.1"):
        ftp = ftplib.FTP(timeout=20, source_address=(source, 0))
        ftp.connect("127.0.0.1", self.port)
        ftp.login(user, password)
        ftp.voidcmd("TYPE I")
        return ftp

    def connect_securely(self, user="guest", password="12345", **context):
        trusted = ssl.create_default_context(cafile=self.certificate)
        for name, value in context.items():
            setattr(trusted, name, value)
        ftp = ftplib.FTP_TLS(timeout=20, context=trusted)
        ftp.connect("127.0.0.1", self.port)
        ftp.login(user, password)
        ftp.prot_p()
        ftp.voidcmd("TYPE I")
        return ftp

    def in_flight(self):
        """Sizes of the uploads that are going on."""
        sizes = []
        for path in self.root.rglob(".upload-*"):
            with contextlib.suppress(FileNotFoundError):  # it has ended meanwhile
                sizes.append(path.stat().st_size)
        return sizes

    def files(self):
        """What the store's folder holds, by path."""
        return {str(path.relative_to(self.root)): path.read_bytes() for path in self.root.rglob("*") if path.is_file()}

    def wait(self):
        def answers():
            assert self.process.poll() is None, self.log.read_text()
            with contextlib.suppress(OSError):
                return ftplib.FTP(timeout=5).connect("127.0.0.1", self.port)

        wait_until(answers)
        return self

    def end(self):
        self.process.kill()
        self.process.wait(20)
