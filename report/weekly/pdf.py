"""Printing an HTML file as PDF with the browser that is there (Chromium, Chrome or Edge), without a window."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from dsgo.base.errors import UserError
from dsgo.base.processes import kill_tree

NAMES = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge"]
PLACES = [  # where macOS and Windows keep them, off the PATH
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge",
    r"C:\Program Files\Google\Chrome\Application\chrome.exe",
    r"C:\Program Files (x86)\Microsoft\Edge\Application\msedge.exe",
]
SECONDS = 60  # a report takes some three
FLAGS = [
    "--headless",
    "--disable-gpu",
    "--disable-extensions",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--no-default-browser-check",
]


def find_browser() -> str | None:
    """Return the path of a browser that prints, or None."""
    paths = (shutil.which(name) for name in [*NAMES, *PLACES])
    return next((path for path in paths if path), None)


def print_pdf(browser: str, page: Path, pdf: Path) -> None:
    """Print an HTML file, its scripts run first; `pdf` is written whole or not at all.

    Raises UserError, with what the browser said last, if none is printed within SECONDS. The browser is always ended,
    with all its processes, and leaves no profile behind.
    """
    with tempfile.TemporaryDirectory(prefix="dsgo-", ignore_cleanup_errors=True) as profile:
        part = Path(profile, "part.pdf")
        command = [browser, *FLAGS, f"--user-data-dir={profile}", "--no-pdf-header-footer", f"--print-to-pdf={part}"]
        # In a page's own time, which does not wait for the clock: all timers of the figures have run by then.
        command += ["--virtual-time-budget=10000", "--run-all-compositor-stages-before-draw"]
        if sys.platform == "linux" and os.geteuid() == 0:  # in a container; Chromium's sandbox refuses root
            command.append("--no-sandbox")
        log = Path(profile, "log.txt")
        with log.open("wb") as out:
            process = subprocess.Popen(
                [*command, page.absolute().as_uri()], stdin=subprocess.DEVNULL, stdout=out, stderr=out
            )
        try:
            process.wait(SECONDS)
        except subprocess.TimeoutExpired:
            raise UserError(f"{browser} did not print within {SECONDS} s") from None
        finally:
            kill_tree(process)
        if process.returncode or not part.is_file():
            said = log.read_text(errors="replace").strip().splitlines()[-1:]
            raise UserError(f"{browser} printed no PDF (exit code {process.returncode}): {''.join(said)}")
        beside = pdf.with_suffix(".part")  # the profile may lie on another disk
        shutil.copyfile(part, beside)
        beside.replace(pdf)
