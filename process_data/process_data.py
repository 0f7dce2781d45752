"""Make the dataset: raw power and weather in, one clean row an hour out.

In: a raw pair of Open Power System Data (`source`: sample, opsd, or a folder that holds it), or what public services
know at the hour `now` (`source`: live, smard). Out, on the MLflow run: dataset/dataset.parquet (units and columns:
dsgo/data/schema.py), dataset/quality.json (what was set aside, and when) and figures. Run it with
`mlflow run process_data --env-manager local -P source=sample`.
"""

import json
import tempfile
from pathlib import Path
from typing import Any

import click
import mlflow
import pandas as pd

import data_figures
from dsgo.base import tags
from dsgo.data import clock, live, quality
from dsgo.data.capacity import installed_capacity
from dsgo.data.contract import violations
from dsgo.data.opsd import RawPair, find_pair, period, read_raw
from dsgo.runs import options
from dsgo.runs.lineage import tracked
from dsgo.runs.step import run_step, start_run
from opsd_download import TIME_SERIES_URL, WEATHER_URL, fetch_opsd


@click.command
@options.raw
@click.option("--time-series-url", default=TIME_SERIES_URL, help="Of source=opsd.")
@click.option("--weather-url", default=WEATHER_URL, help="Of source=opsd.")
def main(
    source: str,
    start: str,
    end: str,
    now: str,
    country: str,
    weather_late: str,
    power_late: str,
    time_series_url: str,
    weather_url: str,
) -> None:
    """Get, read, put the clock right, clean, log."""
    late = {
        "weather_late": clock.parse("weather_late", weather_late),
        "power_late": clock.parse("power_late", power_late),
    }
    with start_run("process_data") as run, tempfile.TemporaryDirectory(prefix="dsgo-") as folder:
        about: dict[str, Any] = {"simulated": source == "sample", "country": country}
        if source in live.SOURCES:
            power, weather, hours, about["licences"] = live.read_live(source, country, start, end, now)
        else:
            hours = period(start, end)
            pair = get_raw(source, Path(folder), time_series_url, weather_url)
            power, weather = read_raw(pair, clock.around(hours, late), country)
        power = clock.put_right(power, late["power_late"], hours)
        weather = clock.put_right(weather, late["weather_late"], hours)
        capacity, capacity_source = installed_capacity(power, hours, country)
        if source in live.SOURCES:
            capacity_source = live.CAPACITY_SOURCE
        dataset, dirt = quality.clean(power, weather, capacity, hours)
        assert not violations(dataset)
        on_time = clock.report(dataset, late)

        dataset.attrs = dict(about)  # the parquet file keeps them
        about |= {"source": source, "start": f"{hours[0]:%Y-%m-%d}", "end": f"{hours[-1]:%Y-%m-%d}"}
        about |= {"capacity_source": capacity_source}
        notes = [*quality.notes(hours, dirt), *filter(None, [on_time["line"]])]
        log(dataset, dirt, hours, about | {"clock": on_time, "notes": notes}, Path(folder, "artifacts"))
        uri = f"runs:/{run.info.run_id}/dataset/dataset.parquet"
        mlflow.log_input(tracked(dataset, uri), context="processed")
    click.echo(f"process_data: {len(dataset):,} rows of {len(hours):,} hours; capacity from the {capacity_source}")
    for note in notes:
        click.echo(f"process_data: {note}")


def get_raw(source: str, folder: Path, time_series_url: str, weather_url: str) -> RawPair:
    """Return the raw pair of a source; the sample is written to `folder`."""
    if source == "sample":
        from dsgo.data.sample import write_sample  # imports pvlib and scipy, a second that the other sources save

        return write_sample(folder)
    if source == "opsd":
        return fetch_opsd(time_series_url, weather_url)
    beside = Path("..", source)  # `mlflow run process_data` is typed one folder up from where the step runs
    return find_pair(beside if beside.is_dir() and not Path(source).is_dir() else Path(source))


def log(dataset: pd.DataFrame, dirt: pd.DataFrame, hours: pd.DatetimeIndex, about: dict, folder: Path) -> None:
    """Write every artifact to `folder` and log them, with the counts of the dirt as metrics."""
    for name in ("dataset", "figures"):
        (folder / name).mkdir(parents=True)
    dataset.to_parquet(folder / "dataset/dataset.parquet")
    report = json.dumps(about | quality.report(hours, dirt), indent=2)
    (folder / "dataset/quality.json").write_text(report, encoding="utf-8")
    (folder / "figures/data.html").write_text(data_figures.page(dataset, dirt, hours, about["notes"]), encoding="utf-8")
    data_figures.scatter_matrix(dataset).savefig(folder / "figures/scatter_matrix.png")

    mlflow.log_artifacts(str(folder))
    mlflow.log_metrics(quality.count(hours, dirt))
    mlflow.set_tags({tags.SIMULATED: about["simulated"], tags.CAPACITY_SOURCE: about["capacity_source"]})


if __name__ == "__main__":
    run_step(main)
