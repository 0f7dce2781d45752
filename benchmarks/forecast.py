"""How well the models do on the year they have not seen: `python benchmarks/forecast.py ../shared/data`.

Takes four years of real data through process_data's own reading, fits on 2013 to 2015 and judges on 2016: each recipe
and their blend fitted once; the cheapest and the blend refitted monthly and corrected, with the truth a day late; each
year left out in turn; and weather of the wrong year. Writes the tables into README.md beside this file as they grow
(`--print`: shows them only); what serving costs is measured by forecast_serving.py. All choices were made on rolling
origins inside 2013 to 2015: `--year 2015` judges on 2015 what learned from 2013 and 2014, and sees nothing of 2016.
"""

import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import click
import pandas as pd
from sections import write_section

from dsgo.backtest import run, walk
from dsgo.data.capacity import installed_capacity
from dsgo.data.opsd import find_pair, period, read_raw
from dsgo.data.quality import clean
from dsgo.data.schema import TARGETS, WEATHER
from dsgo.models import ways
from dsgo.models.blending import Blended, Weights, learn_weights, mean_of, mean_unseen
from dsgo.models.calibration import fit_band, predict_with_band
from dsgo.models.metrics import baseline
from dsgo.models.origins import predict_unseen
from dsgo.models.recipe import Recipe
from dsgo.models.trainers import Fit, fit_of
from dsgo.workflow.engine import connect

DELAY = pd.Timedelta(days=1)
ORIGINS = {"lr": 2, "kernel": 4, "gbm": 1, "rf": 1}  # as each trainer has them
BLENDED = ["kernel", "gbm", "rf"]
HEAD = "| | mae | r2 | solar mae, r2 | wind mae, r2 | of capacity | band, solar | band, wind | pinball | fit, s |"

LEFT_OUT = [
    "Each year left out and predicted from the others: mean (least to most).\n",
    "| | mae | r2 | solar mae | solar r2 | wind mae | wind r2 |",
    "| --- " * 7 + "|",
]


def read(shared: Path) -> pd.DataFrame:
    """Return the dataset that process_data makes of the real data."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, str(shared / "make_raw.py"), folder], check=True, capture_output=True)
        hours = period("2013-01-01", "2016-12-31")
        power, weather = read_raw(find_pair(Path(folder)), hours, "DE")
        capacity, _ = installed_capacity(power, hours, "DE")
        dataset, *_ = clean(power, weather, capacity, hours)
    dataset.attrs = {"country": "DE", "simulated": False}
    return dataset


def row(name: str, test: pd.DataFrame, naive: pd.DataFrame, predicted: pd.DataFrame, seconds: float = 0) -> str:
    """Return a line of the table, and show it."""
    found = ways.score(test, predicted, naive)
    cells = [name, f"{found['mae']:.3f}", f"{found['r2']:.4f}"]
    cells += [f"{found[f'mae_{kind}']:.3f}, {found[f'r2_{kind}']:.4f}" for kind in ("solar", "wind")]
    cells += [f"{found['nmae_solar']:.2%}, {found['nmae_wind']:.2%}"]
    if "pinball" in found:
        months = ways.by_month(test, {"": predicted}, naive).query("month != 'all'")
        for kind in ("solar", "wind"):
            share = months[f"coverage_{kind}"]
            cells.append(f"{found[f'coverage_{kind}']:.1%}, {share.min():.0%} to {share.max():.0%}")
        cells.append(f"{found['pinball']:.3f}")
    else:
        cells += ["", "", ""]
    line = f"| {' | '.join([*cells, f'{seconds:.1f}' if seconds else ''])} |"
    click.echo(line)
    return line


def walked(dataset: pd.DataFrame, shares: dict[str, Weights]) -> Iterator[tuple[str, pd.DataFrame]]:
    """Give capacity factors of all hours after the first year, refitted monthly: of the kernel, then of the blend."""
    first, said = dataset.index[0] + pd.DateOffset(years=1), {}
    for name in shares:
        tasks = walk(dataset, first, "month", DELAY)
        with connect("", len(tasks), with_git=False) as client:
            done = run(client, name, dataset, tasks, timeout=7200)
        said[name] = pd.concat([done[key] for key in sorted(done)])
        if name == "kernel":
            yield name, said[name]
    mean = {target: sum(said[name][target] * share[target] for name, share in shares.items()) for target in TARGETS}
    yield "blend", pd.DataFrame(mean)


def left_out(dataset: pd.DataFrame, fits: dict[str, Fit], weights: list[Weights]) -> list[str]:
    """Return a line for each of kernel and blend: mean and spread over the years, each predicted by the others."""
    figures: dict[str, list[dict[str, float]]] = {"kernel": [], "blend": []}
    for year in sorted(set(dataset.index.year)):
        rest, test = (dataset[mask] for mask in (dataset.index.year != year, dataset.index.year == year))
        rest.attrs = test.attrs = dataset.attrs
        recipes = [fits[name](rest) for name in BLENDED]
        for name, recipe in (("kernel", recipes[0]), ("blend", mean_of(recipes, weights))):
            predicted = ways.in_gigawatt(dataset, pd.DataFrame(recipe.factors(test), test.index, TARGETS))
            figures[name].append(ways.score(test, predicted, baseline(rest, test.index)))
            click.echo(f"without {year}, {name}: {figures[name][-1]['mae']:.3f}")
    lines = []
    for name, found in figures.items():
        table = pd.DataFrame(found)
        cells = [
            f"{table[key].mean():.3f} ({table[key].min():.3f} to {table[key].max():.3f})"
            for key in ("mae", "r2", "mae_solar", "r2_solar", "mae_wind", "r2_wind")
        ]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return lines


def wrong_year(recipe: Recipe, dataset: pd.DataFrame, test: pd.DataFrame) -> pd.DataFrame:
    """Return what a recipe predicts of the test hours from the weather of a year before: it must fail."""
    weather = dataset[WEATHER].reindex(test.index - pd.Timedelta(days=364)).ffill()
    return ways.in_gigawatt(
        dataset, pd.DataFrame(recipe.factors(test.assign(**dict(weather.set_axis(test.index)))), test.index, TARGETS)
    )


@click.command
@click.argument("shared", type=click.Path(path_type=Path, exists=True))
@click.option("--year", default=2016, show_default=True)
@click.option("--print", "only_print", is_flag=True, help="Leave README.md as it is.")
def main(shared: Path, year: int, only_print: bool) -> None:
    """Read, fit, judge, write."""
    dataset = read(shared)
    attrs = dataset.attrs
    dataset = dataset[dataset.index.year <= year]
    train, test = dataset[dataset.index.year < year], dataset[dataset.index.year == year]
    dataset.attrs = train.attrs = test.attrs = attrs
    naive, start = baseline(train, test.index), test.index[0]
    line = partial(row, test=test, naive=naive)
    rows = [line("baseline, month and hour", predicted=naive)]

    fits, members = {name: fit_of(name) for name in ORIGINS}, []
    for name, fit in fits.items():
        begun = time.perf_counter()
        recipe = fit(train)
        seconds = time.perf_counter() - begun
        unseen = predict_unseen(fit, train, ORIGINS[name])
        members.append(Blended(name, recipe, recipe, unseen))
        said = predict_with_band(recipe, fit_band(unseen, train, recipe.features), test)
        rows.append(line(f"{name}, fitted once", predicted=said, seconds=seconds))
    chosen = [next(member for member in members if member.name == name) for name in BLENDED]
    weights = learn_weights(chosen, train)
    shares = dict(zip(BLENDED, weights, strict=True))
    blend, unseen = mean_of([member.judged for member in chosen], weights), mean_unseen(chosen, weights)
    said = predict_with_band(blend, fit_band(unseen, train, blend.features), test)
    rows.append(line("**blend, fitted once**", predicted=said))
    rows.append(line("kernel, weather of the wrong year", predicted=wrong_year(chosen[0].judged, dataset, test)))
    others = left_out(dataset, fits, weights)

    mix = (f"{name} {share['solar_GW']:g} of solar, {share['wind_GW']:g} of wind" for name, share in shares.items())
    about = (
        f"{datetime.now(UTC):%Y-%m-%d}, `python benchmarks/forecast.py ../shared/data`, {platform.machine()}, 2 cores. "
        f"Fitted on {train.index[0].year} to {year - 1}, judged on {year}; GW. The blend: {'; '.join(mix)}.\n"
    )

    def write() -> None:
        """Write what there is: the walks take a quarter of an hour, more where the cores are shared."""
        text = "\n".join([about, HEAD, "| --- " * 10 + "|", *rows, "", *LEFT_OUT, *others])
        click.echo(text) if only_print else write_section("forecast", text)

    write()
    for name, said in walked(dataset, shares):
        for way, predicted in ways.walked(dataset, said, start, DELAY).items():
            what = "refitted monthly and corrected" if way == "corrected" else "refitted monthly"
            rows.append(line(f"**{name}, {what}**" if way == "corrected" else f"{name}, {what}", predicted=predicted))
        write()


if __name__ == "__main__":
    main()
