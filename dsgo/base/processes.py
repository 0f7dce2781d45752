"""Ctrl-C, and child processes: started so that it does not reach them in a terminal, and ended with all below them."""

import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
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


def hear_ctrl_c() -> None:
    """Let Ctrl-C raise KeyboardInterrupt, also where the shell has it ignored, as for `command &` in a script."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@contextmanager
def interruptible(once: bool = False) -> Iterator[None]:
    """Let Ctrl-C (in the background too), SIGTERM and a closed terminal end the block by KeyboardInterrupt.

    With `once` the first of them does, and later ones find the ending under way. For the main thread, the only one that
    may set signal handlers.
    """
    seen = False

    def interrupt(*_: object) -> None:
        nonlocal seen
        if not (once and seen):
            seen = True
            raise KeyboardInterrupt

    names = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {name: signal.signal(name, interrupt) for name in names}
    try:
        yield
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)
