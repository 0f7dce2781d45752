"""The dashboard under test: started as a user starts it, and driven through a real browser."""

import json
import signal
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager, suppress
from pathlib import Path

from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from background import IN_BACKGROUND
from dsgo.base.places import ROOT

SECONDS = 20  # for anything to appear; a promotion has 15
APP = ROOT / "dashboard" / "app.py"


@contextmanager
def running_dashboard(port, tracking_uri, environment, log: Path, experiment="dashboard", options=()):
    """Start it, give its address once it answers, end it by Ctrl-C."""
    command = [*IN_BACKGROUND, sys.executable, str(APP), "--port", str(port), "--experiment", experiment, *options]
    with log.open("wb") as file:
        child = subprocess.Popen(
            command, env=environment | {"MLFLOW_TRACKING_URI": tracking_uri}, stdout=file, stderr=file
        )
    address = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 60
        while True:
            with suppress(OSError), urllib.request.urlopen(address, timeout=2):
                break
            assert child.poll() is None, log.read_text()
            assert time.monotonic() < deadline, "it does not answer"
            time.sleep(0.2)
        yield address
    finally:
        child.send_signal(signal.SIGINT if sys.platform != "win32" else signal.SIGTERM)
        try:
            code = child.wait(15)
        finally:
            child.kill()
    assert code == 0 or sys.platform == "win32", log.read_text()
    assert "Traceback" not in log.read_text()


class Page:
    """One browser on one dashboard."""

    def __init__(self, browser, address):
        self.browser, self.address = browser, address

    def open(self, path):
        """Open an address and wait until it is drawn."""
        from screenshots import wait_until_drawn

        self.browser.get(self.address + path)
        wait_until_drawn(self.browser)
        return self

    def js(self, script, *arguments):
        return self.browser.execute_script(script, *arguments)

    def wait(self, what, seconds=SECONDS):
        """Wait until a function of no arguments gives something true; give it back."""
        return WebDriverWait(self.browser, seconds, 0.1).until(lambda _: what())

    def find(self, css):
        return self.wait(lambda: next(iter(self.browser.find_elements(By.CSS_SELECTOR, css)), None))

    def text(self, css):
        return self.find(css).text

    def shows(self, css, text, seconds=SECONDS):
        """Wait until an element holds a text."""
        script = "const found = document.querySelector(arguments[0]); return found ? found.innerText : ''"
        return self.wait(lambda: text in self.js(script, css), seconds)

    def click(self, css):
        element = self.find(css)
        self.js("arguments[0].scrollIntoView({block: 'center'})", element)
        element.click()

    def click_text(self, css, text):
        """Click the element of that selector with that text."""
        elements = lambda: self.browser.find_elements(By.CSS_SELECTOR, css)  # noqa: E731
        element = self.wait(lambda: next((one for one in elements() if one.text.strip() == text), None))
        self.js("arguments[0].scrollIntoView({block: 'center'})", element)
        element.click()

    def query(self):
        """The state in the address."""
        return self.js("return Object.fromEntries(new URLSearchParams(window.location.search))")

    def traces(self, chart):
        """What a chart draws, by name: x as text, y as numbers."""
        return self.js(
            """const plot = document.querySelector('#' + arguments[0] + ' .js-plotly-plot');
            return Object.fromEntries((plot.calcdata || []).map((points, i) => [
                plot._fullData[i].name + (plot._fullData[i].yaxis || 'y').slice(1),
                {x: points.map((point) => point.x), y: points.map((point) => point.y ?? null)},
            ]));""",
            chart,
        )

    def drag(self, chart, begin, end):
        """Drag over a chart's first panel, from one share of its width to another."""
        area = self.find(f"#{chart} .nsewdrag")
        self.js("arguments[0].scrollIntoView({block: 'center'})", area)
        width = area.rect["width"]
        actions = ActionChains(self.browser).move_to_element_with_offset(area, int((begin - 0.5) * width), 0)
        actions.click_and_hold().move_by_offset(int((end - begin) * width), 0).release().perform()

    def press(self, css, key, times=1):
        """Press a key on an element."""
        element = self.find(css)
        self.js("arguments[0].focus()", element)
        element.send_keys(*[key] * times)

    def events(self):
        """The browser's network events since the last call."""
        return [json.loads(entry["message"])["message"] for entry in self.browser.get_log("performance")]


__all__ = ["Keys", "Page", "running_dashboard"]
