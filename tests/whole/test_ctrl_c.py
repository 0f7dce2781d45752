"""Ctrl-C ends what waits for a server, started by hand or in the background of a script."""

import os
import signal
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from background import IN_BACKGROUND
from dsgo.base.places import ROOT

COMMANDS = {
    "dsgo": ["-m", "dsgo.cli", "history"],
    "step": ["lr/lr.py"],
    "workflow": ["-m", "dsgo.pipeline"],
    "notebooks": ["notebooks/run_all.py"],
}


@pytest.fixture
def silent_server():
    """A tracking server that is healthy, and gives no answer to anything else; its address, and when it was asked."""
    asked, over = threading.Event(), threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            if self.path != "/health":
                asked.set()
                over.wait(60)
            self.send_response(200)
            self.end_headers()

        do_POST = do_GET

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", asked
        over.set()
        server.shutdown()


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_command__in_the_background_ends_on_ctrl_c(command, silent_server):
    address, asked = silent_server
    environment = os.environ | {"MLFLOW_TRACKING_URI": address}
    process = subprocess.Popen(
        [*IN_BACKGROUND, sys.executable, *command], cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True
    )
    try:
        assert asked.wait(60)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=20)
    finally:
        process.kill()
        process.wait(20)
    assert process.returncode in (1, 130)
    assert errors.strip() in ("", "Aborted!")
