"""Ctrl-C, and child processes: started so that it does not reach them in a terminal, and ended with all below them.

A child that is started by `ending_with_parent` ends by itself when its parent is gone, killed with -9 too: this file,
run as a program, is that child (`python processes.py PARENT_PID [-m] WHAT ARGUMENT...`).
"""

import os
import runpy
import signal
import subprocess
import sys
import threading
import time
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
LOOK_SECONDS = 0.5  # between two looks at whether the parent lives


def kill_tree(process: subprocess.Popen) -> None:
    """Kill a process and all below it, if it still runs, and wait until it is gone."""
    if process.poll() is None:
        _kill_below(process.pid)
        process.kill()
    process.wait(SECONDS)


def hear_ctrl_c() -> None:
    """Let Ctrl-C raise KeyboardInterrupt, also where the shell has it ignored, as for `command &` in a script."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _kill_below(pid: int) -> None:
    with suppress(psutil.NoSuchProcess):
        for child in psutil.Process(pid).children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                child.kill()


def ending_with_parent(*arguments: str) -> list[str]:
    """Return the command that runs Python with these arguments as a child that ends when this process does.

    The arguments are `-m`, a module and its own arguments, or a script and its own. All below the child ends, too.
    """
    return [sys.executable, __file__, str(os.getpid()), *arguments]


def end_with(pid: int) -> None:
    """Watch a process from a thread; when it is gone (killed with -9, too), end all below this process, then this one.

    Linux could have the kernel do it (PR_SET_PDEATHSIG), but for a direct child alone and not for what that one starts.
    """
    try:
        watched = psutil.Process(pid)
    except psutil.NoSuchProcess:
        watched = None
    threading.Thread(target=_end_after, args=[watched], daemon=True).start()


def _end_after(watched: psutil.Process | None) -> None:
    with suppress(psutil.NoSuchProcess):
        while watched and watched.is_running() and watched.status() != psutil.STATUS_ZOMBIE:
            time.sleep(LOOK_SECONDS)
    _kill_below(os.getpid())
    os._exit(143)


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


def _main() -> None:
    """Run a module or a script as Python does, and end with the parent."""
    parent, *sys.argv = sys.argv[1:]
    end_with(int(parent))
    if sys.argv[0] == "-m":
        del sys.argv[0]
        sys.path[0] = ""
        runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
    else:
        sys.path[0] = os.path.dirname(os.path.abspath(sys.argv[0]))  # noqa: PTH100, PTH120
        runpy.run_path(sys.argv[0], run_name="__main__")


if __name__ == "__main__":
    _main()
