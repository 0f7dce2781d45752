"""A headless Chromium or Chrome by Selenium, for screenshots and tests (`selenium` is a development requirement)."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from selenium import webdriver

FLAGS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--hide-scrollbars",
]
NAMES = ["chromium", "chromium-browser", "google-chrome", "chrome"]


def find_browser() -> tuple[str, str] | None:
    """Return the paths of a browser and its chromedriver, or None where one is missing."""
    browser = next((path for name in NAMES if (path := shutil.which(name))), None)
    driver = shutil.which("chromedriver")
    return (browser, driver) if browser and driver else None


@contextmanager
def browser(downloads: Path | None = None) -> Iterator[webdriver.Chrome]:
    """Open a browser with a profile of its own and end it afterwards; downloads go to a folder without asking."""
    paths = find_browser()
    if paths is None:
        raise RuntimeError("no Chromium or Chrome with its chromedriver is on the PATH")
    with tempfile.TemporaryDirectory(prefix="dsgo-browser-", ignore_cleanup_errors=True) as profile:
        options = webdriver.ChromeOptions()
        options.binary_location = paths[0]
        for flag in [*FLAGS, f"--user-data-dir={profile}"]:
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        if downloads:
            options.add_experimental_option("prefs", {"download.default_directory": str(downloads)})
        driver = webdriver.Chrome(options, webdriver.ChromeService(paths[1]))
        try:
            yield driver
        finally:
            driver.quit()
