"""Pictures of MLflow's UI with this project's runs for the chapters: `make screenshots`, or this script by itself.

The tracking server (MLFLOW_TRACKING_URI) must hold a finished workflow and, for the comparison, a finished sweep of
rf: `dsgo demo`, then chapter 4 (04_comparing.md). The UI is set as the chapters tell people to set it.
"""

import json
import urllib.parse
from pathlib import Path

import click
import mlflow
from mlflow.entities import Run
from selenium.webdriver import Chrome
from selenium.webdriver.support.ui import WebDriverWait

from browser import browser, find_browser
from dsgo.base import tags
from dsgo.base.errors import UserError
from dsgo.models.registry import MODEL
from screenshots import SECONDS, compress

EXPERIMENT = "predicting_wind_solar"
COLUMNS = ["attributes.`Dataset`", "metrics.`mae`", "metrics.`mae_skill`", "metrics.`r2`"]
# What a person switches in the UI, as the UI itself keeps it: model training and not GenAI, no assistant, stages shown.
SETTINGS = {
    "mlflow.workflowType_v1": '"machine_learning"',
    "mlflow.assistant.panelOpen_v1": "false",
    "mlflow.assistant.fab.autoOpenedOnFirstLoad_v1": "true",
    "mlflow.telemetry.info.alert.dismissed_v1": "true",
    "_mlflow_user_setting_dismiss_next_model_registry_ui": "true",
}
DRAWN = """
const plots = [...document.querySelectorAll('.js-plotly-plot')];
return document.body.innerText.includes(arguments[0]) && plots.every((plot) => plot.querySelector('.main-svg'))
    && plots.length >= arguments[1];
"""


def take(driver: Chrome, url: str, path: Path, text: str, plots: int = 0) -> None:
    """Write one picture, once the page shows `text` and as many charts."""
    driver.get("about:blank")  # so that a change after the # loads the page anew
    driver.get(url)
    WebDriverWait(driver, SECONDS, 0.2).until(lambda _: driver.execute_script(DRAWN, text, plots))
    WebDriverWait(driver, SECONDS, 1).until(_stands_still())
    driver.get_screenshot_as_file(str(path))
    compress(path)


def newest(step: str) -> Run:
    """Return the newest finished run of a step; UserError where there is none."""
    condition = f"tags.`{tags.STEP}` = '{step}' AND attributes.status = 'FINISHED'"
    runs = mlflow.search_runs(
        experiment_names=[EXPERIMENT], filter_string=condition, max_results=1, output_format="list"
    )
    if not runs:
        raise UserError(f"{EXPERIMENT} has no finished run of {step}: run it first, as docs/04_comparing.md says")
    return runs[0]


def settings(experiment: str, parents: list[str]) -> dict[str, str]:
    """Return what the browser's storage has to hold: the table of runs shows COLUMNS and the parents' children."""
    table: dict[str, object] = {"selectedColumns": COLUMNS, "runsExpanded": dict.fromkeys(parents, True)}
    table |= {"orderByKey": "attributes.start_time", "orderByAsc": False, "startTime": "ALL"}
    table |= {"searchFilter": "", "lifecycleFilter": "Active", "datasetsFilter": [], "modelVersionFilter": "All Runs"}
    return SETTINGS | {
        "MLflowLocalStorage-1.1-ExperimentView-1-expandRows": "true",
        f'MLflowLocalStorage-1.1-ExperimentPage-["{experiment}"]-ReactComponentState': json.dumps(table),
    }


def _stands_still():  # noqa: ANN202
    """Return a condition: two looks at the page show the same."""
    before = [b""]

    def same(driver: Chrome) -> bool:
        last, before[0] = before[0], driver.get_screenshot_as_png()
        return last == before[0]

    return same


@click.command(context_settings={"show_default": True})
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), default=Path("docs"))
def main(out: Path) -> None:
    """Write the table of runs, a run, a comparison and the registered model."""
    if find_browser() is None:
        raise UserError("no Chromium with its chromedriver is on the PATH: install both (Debian: chromium-driver)")
    server = mlflow.get_tracking_uri()
    workflow, sweep, network = newest("workflow"), newest("rf_sweep"), newest("keras_nn")
    experiment = network.info.experiment_id
    nested = mlflow.search_runs([experiment], f"tags.`mlflow.parentRunId` = '{sweep.info.run_id}'")["run_id"].tolist()
    compared = urllib.parse.urlencode({"runs": json.dumps(nested), "experiments": json.dumps([experiment])})
    out.mkdir(parents=True, exist_ok=True)
    with browser() as driver:
        page = {"width": 1280, "height": 760, "deviceScaleFactor": 1, "mobile": False}
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", page)
        driver.get(server)
        parents = [workflow.info.run_id, sweep.info.run_id]
        for name, value in settings(experiment, parents).items():
            driver.execute_script("localStorage.setItem(arguments[0], arguments[1])", name, value)
        runs = f"{server}/#/experiments/{experiment}/runs"
        take(driver, runs, out / "mlflow-runs.png", "matching runs")
        take(driver, f"{runs}/{network.info.run_id}/model-metrics", out / "mlflow-run.png", "epoch_mae", plots=6)
        take(driver, f"{server}/#/compare-runs?{compared}", out / "mlflow-compare.png", "Run details", plots=1)
        take(driver, f"{server}/#/models/{MODEL}", out / "mlflow-model.png", "Registered at")
    click.echo(f"pictures of MLflow's UI in {out}/")


if __name__ == "__main__":
    main()
