"""Take pictures of the running dashboard's pages: `python docs/screenshots.py --out docs`, or `make screenshots`.

Those of README and chapters are wide and light, one dark and one of a phone's width; --all takes each page in all four
ways. The
first page of the newest report of the tracking server (MLFLOW_TRACKING_URI) is among them, if there is a report.
"""

import tempfile
import time
import urllib.request
from pathlib import Path

import click
import mlflow
from PIL import Image
from selenium.webdriver import Chrome
from selenium.webdriver.support.ui import WebDriverWait

from browser import browser, find_browser
from dsgo.base import tags
from dsgo.base.errors import UserError

PAGES = {
    "next-week": "/",
    "record": "/record",
    "overview": "/overview",
    "explore": "/explore",
    "years": "/years",
    "models": "/models",
    "models-curves": "/models?tab=curves",
    "models-versions": "/models?tab=versions",
    "models-compare": "/models?tab=compare",
    "what-if": "/what-if",
}
README = {
    "next-week": "light",
    "overview": "light",
    "explore": "light",
    "years": "light",
    "models": "light",
    "what-if": "dark",
}
SECONDS = 30  # for a page to be drawn
DRAWN = """
const busy = document.querySelector('[data-dash-is-loading="true"], ._dash-loading');
const plots = [...document.querySelectorAll('.js-plotly-plot')];
return !busy && document.querySelector('#content h1') !== null && !document.title.startsWith('Updating')
    && plots.every((plot) => plot._fullLayout && plot.querySelector('.main-svg'))
    && (plots.length > 0 || document.querySelector('.ag-root, #waiting, #no-forecast') !== null);
"""


def wait_until_drawn(driver: Chrome) -> None:
    """Wait until a page and all its charts are there."""
    WebDriverWait(driver, SECONDS, 0.1).until(lambda _: driver.execute_script(DRAWN))


def compress(path: Path) -> None:
    """Write a picture anew with 256 colours, which pages of this kind need no more of: a third of the bytes."""
    with Image.open(path) as picture:
        few = picture.convert("RGB").quantize(256, dither=Image.Dither.NONE)
    few.save(path, optimize=True)


def take(driver: Chrome, url: str, path: Path, scheme: str, width: int, height: int | None = None) -> None:
    """Write one picture; without a height, of the whole page."""
    driver.execute_cdp_cmd(
        "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    )
    phone = {"width": width, "height": height or 1000, "deviceScaleFactor": 1, "mobile": False}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", phone)
    driver.get(url)
    wait_until_drawn(driver)
    time.sleep(0.8)  # the last animation
    if height is None:
        tall = driver.execute_script("return document.documentElement.scrollHeight")
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", phone | {"height": max(tall, 600)})
        time.sleep(0.5)
    driver.get_screenshot_as_file(str(path))
    compress(path)


def take_report(driver: Chrome, path: Path) -> bool:
    """Write the first page of the newest report; False where the tracking server has none."""
    runs = mlflow.search_runs(
        search_all_experiments=True,
        filter_string=f"tags.`{tags.STEP}` = 'report' AND attributes.status = 'FINISHED'",
        max_results=1,
        order_by=["attributes.start_time DESC"],
        output_format="list",
    )
    if not runs:
        return False
    with tempfile.TemporaryDirectory(prefix="dsgo-") as folder:
        file = mlflow.artifacts.download_artifacts(f"runs:/{runs[0].info.run_id}/report/report.html", dst_path=folder)
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
        page = {"width": 1000, "height": 1414, "deviceScaleFactor": 1, "mobile": False}  # A4's form
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", page)
        driver.get(Path(file).as_uri())
        plots = "return [...document.querySelectorAll('.js-plotly-plot')].every((plot) => plot._fullLayout)"
        WebDriverWait(driver, SECONDS).until(lambda _: driver.execute_script(plots))
        time.sleep(0.8)
        driver.get_screenshot_as_file(str(path))
        compress(path)
    return True


@click.command(context_settings={"show_default": True})
@click.option("--url", default="http://127.0.0.1:8050", help="The running dashboard.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), default=Path("docs"))
@click.option("--all", "everything", is_flag=True, help="Each page light and dark, wide and narrow, in full length.")
def main(url: str, out: Path, everything: bool) -> None:
    """Write one PNG a page."""
    if find_browser() is None:
        raise UserError("no Chromium with its chromedriver is on the PATH: install both (Debian: chromium-driver)")
    try:
        urllib.request.urlopen(url, timeout=5).close()
    except OSError:
        raise UserError(f"no dashboard answers at {url}: start it with `make run`, or name another --url") from None
    out.mkdir(parents=True, exist_ok=True)
    with browser() as driver:
        if everything:
            for name, path in PAGES.items():
                for scheme in ("light", "dark"):
                    for width in (1440, 390):
                        take(driver, url + path, out / f"{name}-{scheme}-{width}.png", scheme, width)
        else:
            for name, scheme in README.items():
                take(driver, url + PAGES[name], out / f"{name}.png", scheme, 1280, 860)
            take(driver, url + PAGES["models"], out / "why.png", "light", 1000)
            driver.find_element("id", "why").screenshot(str(out / "why.png"))  # that card alone
            compress(out / "why.png")
            take(driver, url, out / "phone.png", "light", 390, 844)
            if not take_report(driver, out / "report.png"):
                click.echo("no report of this tracking server has finished: no picture of one")
    click.echo(f"pictures in {out}/")


if __name__ == "__main__":
    main()
