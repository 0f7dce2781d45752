"""Forecast the coming week: solar and wind power of the next 168 hours with a band, by the model in Production.

In: a dataset of process_data (`data`: a run id, a URI, a file; nothing: the newest run), whose last hour is the hour
before the issue time, and the weather forecast of that hour: a simulated one for the sample, Open-Meteo's for live
data. Out, on the MLflow run: forecast/forecast.parquet, forecast/hindcasts.parquet (the forecasts of the days before,
made now as they would have been then, of which the band is made) and a figure. Run it with
`mlflow run forecast --env-manager local`.
"""

import tempfile
from datetime import UTC, datetime
from pathlib import Path

import click
import mlflow

from dsgo.base import tags
from dsgo.base.errors import UserError
from dsgo.data.dataset import load_dataset
from dsgo.forecast import record
from dsgo.forecast.figure import week
from dsgo.forecast.make import make_forecast
from dsgo.models import registry
from dsgo.models.training import log_dataset
from dsgo.runs import options
from dsgo.runs.step import run_step, start_run

CALIBRATED_BY = 90  # of the newest recorded forecasts


@click.command
@options.data
@click.option(
    "--hindcasts", type=click.IntRange(min=0), default=60, show_default=True, help="Days before, for the band."
)
def main(data: str, hindcasts: int) -> None:
    """Load, forecast, log."""
    with start_run("forecast") as run, tempfile.TemporaryDirectory(prefix="dsgo-") as folder:
        dataset, version = load_dataset(data), registry.require_production()
        earlier = record.forecasts(run.info.experiment_id, dataset.country, dataset.simulated)
        recorded = record.hours_of(earlier[:CALIBRATED_BY])
        try:
            made = make_forecast(dataset, version, hindcasts, recorded)
        except UserError as error:
            raise UserError(f"{error.message}. {record.standing(earlier, datetime.now(UTC))}") from error
        figures = record.figures(record.lay_beside(made.hindcasts, dataset.frame))

        for name, hours in (("forecast", made.hours), ("hindcasts", made.hindcasts)):
            hours.to_parquet(Path(folder, f"{name}.parquet"))
        mlflow.log_artifacts(folder, "forecast")
        mlflow.log_figure(week(made.hours, dataset), "figures/week.png")
        mlflow.log_metrics(record.as_metrics(made.hours, figures))
        log_dataset(dataset)
        issued = f"{made.hours['issued'].iloc[0]:%Y-%m-%dT%H:%MZ}"
        about = {tags.ISSUED: issued, tags.VERSION: version.version, tags.WEATHER: made.weather}
        about |= {tags.COUNTRY: dataset.country or "none", tags.LICENCES: "\n".join(made.licences) or "none"}
        mlflow.set_tags(about)
    click.echo(f"forecast: {issued}, version {version.version}, {made.weather} weather: {record.in_words(made.hours)}")


if __name__ == "__main__":
    run_step(main)
