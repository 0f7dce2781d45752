"""Write the weekly report: next week's forecast, how last week's did, what sun and wind gave, how the model did.

In: a dataset of process_data (`data`: a run id, a URI, a file; nothing: the newest run), any day of the week reported
(`week`; nothing: the last whole week) and a model. Out, on the MLflow run and in the folder `out` if one is given:
report.html (one file, readable offline), report.pdf (if there is a browser to print it) and week.csv (the week hour by
hour). The page is report.ipynb, executed. Run it with `mlflow run report --env-manager local -P week=2016-08-01`.
"""

import json
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import click
import mlflow
import pandas as pd

from dsgo.base import tags
from dsgo.base.notebook import execute, to_html
from dsgo.base.processes import interruptible
from dsgo.data.dataset import load_dataset
from dsgo.models.bands import predict_with_band
from dsgo.models.drift import check
from dsgo.models.rows import model_input
from dsgo.runs import options
from dsgo.runs.lineage import tracked
from dsgo.runs.step import run_step, start_run
from weekly import numbers
from weekly.ahead import keep_forecasts
from weekly.inputs import PRODUCTION, find_model, find_place, find_quality
from weekly.out_folder import copy_whole, make_folder
from weekly.pdf import find_browser, print_pdf
from weekly.words import title

HERE = Path(__file__).parent


@click.command
@options.data
@click.option("--week", default="", help="Any day of the week, YYYY-MM-DD; nothing: the last whole week.")
@click.option("--model", "uri", default=PRODUCTION, show_default=True)
@click.option("--name", default="", help="What the title names; nothing: the data's country, or its file's name.")
@click.option("--author", default="DSGoPipeline", show_default=True, help="Named on the first page.")
@click.option("--out", default="", help="A folder for the files: absolute, or relative to the repository.")
def main(data: str, week: str, uri: str, name: str, author: str, out: str) -> None:
    """Load, predict, write, print, log."""
    with interruptible(), start_run("report") as run, tempfile.TemporaryDirectory(prefix="dsgo-") as scratch:
        target = make_folder(HERE.parent / out) if out else None
        dataset = load_dataset(data)
        start = numbers.monday(week, dataset.frame.index)
        model, about_model = find_model(uri)
        mlflow.log_input(tracked(dataset.frame, dataset.uri), "reported")
        hours = numbers.with_predictions(dataset.frame, predict_with_band(model, model_input(dataset.frame)))

        about = {"place": name or find_place(dataset), "simulated": dataset.simulated}
        about |= {"model": about_model, "quality": find_quality(dataset.run_id), "author": author}
        drift = check(about_model["run_id"], model, dataset)
        about |= {"drift": {"said": drift.said, "beyond": [one.row() for one in drift.beyond]}}
        about |= {"data": dataset.uri, "licences": dataset.licences, "prepared": datetime.now(UTC).isoformat()}
        keep_forecasts(run.info.experiment_id, dataset, start, Path(scratch))
        folder = write(hours, about, start, Path(scratch))

        mlflow.log_artifacts(str(folder), "report")
        drift.log()
        learned = numbers.learned_from(start, about_model["trained_until"])
        accuracy = numbers.accuracy(numbers.fortnight(hours, start), learned)
        figures = numbers.figures(numbers.summary(hours, start), accuracy)
        mlflow.log_metrics({figure: round(value, 4) for figure, value in figures.items()})
        mlflow.set_tags({tags.WEEK: f"{start:%G-W%V}", tags.SIMULATED: about["simulated"]})
        where = copy_whole(folder, target) if target else mlflow.get_artifact_uri("report")
    click.echo(f"report: week {start:%G-W%V}, {about_model['name']}: {where}")


def write(hours: pd.DataFrame, about: dict, start: pd.Timestamp, scratch: Path) -> Path:
    """Execute the notebook on the hours, recorded and predicted, and return the folder of the files it becomes."""
    folder = scratch / "report"
    folder.mkdir()
    hours.to_parquet(scratch / "hours.parquet")
    (scratch / "about.json").write_text(json.dumps(about), encoding="utf-8")
    executed = execute(HERE / "report.ipynb", {"folder": str(scratch), "start": start.isoformat()}, scratch)
    page = to_html(executed, HERE / "template", title=title(start, about))
    (folder / "report.html").write_text(page, encoding="utf-8")
    week = numbers.fortnight(hours, start).iloc[:168]
    week.round(6).to_csv(folder / "week.csv", date_format="%Y-%m-%dT%H:%M:%SZ", lineterminator="\n")
    if browser := find_browser():
        print_pdf(browser, folder / "report.html", folder / "report.pdf")
    else:
        click.echo("report: no Chromium, Chrome or Edge here to print a PDF, so there is report.html alone")
    return folder


if __name__ == "__main__":
    run_step(main)
