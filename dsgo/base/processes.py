"""Child processes: started so that Ctrl-C in a terminal does not reach them, and ended with all below them."""

import subprocess
from contextlib import suppress
from typing import Any

import psutil

# For Popen: the parent alone hears Ctrl-C, and then ends its children in order.
APART: dict[str, Any] = {
    "stdin": subprocess.DEVNULL,
    "start_new_session": True,
    "creationflags": getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
}
SECONDS = 10  # for a killed process to be gone


def kill_tree(process: subprocess.Popen) -> None:
    """Kill a process and all below it, if it still runs, and wait until it is gone."""
    if process.poll() is None:
        with suppress(psutil.NoSuchProcess):
            for child in psutil.Process(process.pid).children(recursive=True):
                with suppress(psutil.NoSuchProcess):
                    child.kill()
        process.kill()
    process.wait(SECONDS)
