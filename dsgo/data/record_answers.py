"""Record one answer of each live service as a file, to compare with the forms that the clients know.

`python -m dsgo.data.record_answers OUT` asks for two days of Germany (a good minute at the public addresses), writes
each question and answer to OUT/NAME.json, and says of each whether the client reads it.
"""

import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import click
import pandas as pd

from dsgo.base.errors import UserError
from dsgo.data import energy_charts, open_meteo, smard
from dsgo.data.countries import COUNTRIES
from dsgo.data.energy_charts import KINDS
from dsgo.data.services import Service


class Question(NamedTuple):
    """What is asked, and what reads the answer."""

    name: str
    service: Service
    path: str
    params: dict[str, str]
    read: Callable[[Any], Any]


def questions(now: pd.Timestamp) -> Iterator[Question]:
    """Yield a question for each kind of answer."""
    first = now.floor("D") - pd.Timedelta(days=2)
    days = {"country": "de", "start": f"{first:%Y-%m-%dT00:00Z}", "end": f"{now:%Y-%m-%dT23:59Z}"}
    ahead = days | {"production_type": "solar", "forecast_type": "day-ahead"}
    monthly = {"country": "de", "time_step": "monthly"}
    for name, path, params, read in (
        ("public_power_v2", "/v2/public_power", days, partial(energy_charts.read_version_2, needed=KINDS)),
        ("public_power_v1", "/public_power", days, partial(energy_charts.read_version_1, needed=KINDS)),
        ("forecast_v2", "/v2/public_power_forecast", ahead, energy_charts.read_forecast),
        ("installed_power", "/installed_power", monthly, partial(energy_charts.read_installed, until=now)),
    ):
        yield Question(name, energy_charts.SERVICE, path, params, read)

    monday = now.tz_convert("Europe/Berlin").tz_localize(None).to_period("W").start_time.tz_localize("Europe/Berlin")
    week = f"/4068/DE/4068_DE_hour_{monday.timestamp() * 1000:.0f}.json"
    yield Question("smard_index", smard.SERVICE, "/4068/DE/index_hour.json", {}, smard.read_index)
    yield Question("smard_week", smard.SERVICE, week, {}, smard.read_week)

    point = COUNTRIES["DE"].points_on_land[0]
    dates = {"start_date": f"{first:%Y-%m-%d}", "end_date": f"{now:%Y-%m-%d}"}
    units = open_meteo.UNITS | {open_meteo.HIGHER: "m/s"}
    for service, asked in (
        (open_meteo.FORECAST, units),
        (open_meteo.HISTORY, units),
        (open_meteo.PREVIOUS, {f"{name}_previous_day3": unit for name, unit in units.items()}),
    ):
        read = partial(open_meteo.read_point, service, point=point, units=asked)
        yield Question(service.name, service, "/v1/forecast", open_meteo.question([point], list(asked), dates), read)


@click.command
@click.argument("out", type=click.Path(path_type=Path, file_okay=False))
def main(out: Path) -> None:
    """Ask, write, tell."""
    out.mkdir(parents=True, exist_ok=True)
    odd = 0
    for name, service, path, params, read in questions(pd.Timestamp.now("UTC")):
        try:
            answer = service.get(path, params, lambda answer: answer)
            stored = {"asked": service.base + path, "params": params, "answer": answer}
            (out / f"{name}.json").write_text(json.dumps(stored, indent=1, ensure_ascii=False), "utf-8")
            service.read(answer, read)
            click.echo(f"{name}: as known")
        except UserError as error:
            odd += 1
            click.echo(f"{name}: {error.message}")
    if odd:
        raise UserError(f"{odd} answers are not as known, or did not come; {out} holds those that came")


if __name__ == "__main__":
    main()
