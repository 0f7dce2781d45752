"""The artifact store in a process of its own, for the tests that speak FTP to it."""

import contextlib
import ftplib
import os
import subprocess
import sys
import time
from pathlib import Path

SERVER = Path(__file__).resolve().parents[1] / "server"
SECRET = "a-password-of-my-own"
# Started before it, a limit on the size of any file stands in for a full disk: the same write fails in the same place.
FULL_DISK = (
    sys.executable,
    "-c",
    "import os, resource, sys\n"
    "resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))\n"
    "os.execv(sys.argv[1], sys.argv[1:])",
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
    """One running ftpserver.py; its log is `log`."""

    def __init__(self, port, root, *options, password=None, log, prefix=()):
        self.port, self.root, self.log = port, root, log
        command = [*prefix, sys.executable, SERVER / "ftpserver.py", "--port", str(port), "--root", root, *options]
        with log.open("wb") as file:
            self.process = subprocess.Popen(command, env=environment(password), stderr=file)

    def connect(self, user="guest", password="12345"):
        ftp = ftplib.FTP(timeout=20)
        ftp.connect("127.0.0.1", self.port)
        ftp.login(user, password)
        return ftp

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
