"""How well the models do on the year they have not seen: `python benchmarks/forecast.py ../shared/data`.

Takes four years of real data through process_data's own reading, fits on 2013 to 2015 and judges on 2016: each recipe
fitted once, then the blend's cheapest member and the blend refitted monthly and corrected, with the truth a day late.
Writes the table into README.md beside this file (`--print`: shows it only). All choices were made inside 2013 to 2015.
`--year 2015` does the same on 2013 and 2014, for choosing.
"""

import importlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import click
import numpy as np
import pandas as pd
from sections import write_section

from dsgo.base.places import ROOT
from dsgo.data.capacity import installed_capacity
from dsgo.data.opsd import find_pair, period, read_raw
from dsgo.data.quality import clean
from dsgo.data.schema import CAPACITY, TARGETS
from dsgo.models.blending import Blended, learn_weights, mean_of, mean_unseen
from dsgo.models.calibration import fit_band
from dsgo.models.intervals import interval, size_of
from dsgo.models.metrics import band_scores, baseline, scores
from dsgo.models.origins import predict_unseen
from dsgo.models.recipe import Recipe
from dsgo.models.rows import model_input
from dsgo.models.walking import KnownThen, band, corrected, months, refit

DELAY = pd.Timedelta(days=1)
ORIGINS = {"lr": 2, "kernel": 4, "gbm": 1, "rf": 1}


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


def recipes() -> dict[str, Callable[[pd.DataFrame], Any]]:
    """Return each trainer's own fit, with its default parameters."""
    for name in ("lr", "kernel", "gbm", "rf"):
        sys.path.insert(0, str(ROOT / name))
    lr, kernel, gbm, rf = (importlib.import_module(name) for name in ("lr", "kernel", "gbm", "rf"))
    boosting = {"max_iter": 100, "learning_rate": 0.1, "max_leaf_nodes": 20, "min_samples_leaf": 50}
    forest = {"n_estimators": 32, "max_depth": 0, "min_samples_leaf": 0, "random_state": 42, "n_jobs": -1}
    return {
        "lr": partial(lr.fit, features="full"),
        "gbm": partial(gbm.fit, features="full", seed=42, **boosting),
        "rf": partial(rf.fit, features="full", **forest),
        "kernel": partial(kernel.fit, components=600, seed=42),
    }


def with_band(recipe: Recipe, unseen: pd.DataFrame, train: pd.DataFrame, test: pd.DataFrame) -> pd.DataFrame:
    """Return predictions of the test hours in GW with the band of a model that is fitted once."""
    sizes, tables = fit_band(unseen, train, recipe.features)
    X, names = recipe.features.transform(model_input(test)), list(recipe.features.get_feature_names_out())
    factors, installed = recipe.factors(test), test[CAPACITY].to_numpy("float64")
    result = pd.DataFrame(factors * installed, test.index, TARGETS)
    for j, target in enumerate(TARGETS):
        columns = [names.index(name) for name in tables[target]["columns"]]
        size = size_of(sizes["around"][target], X[:, columns], factors[:, j])
        ends = interval(factors[:, j], size, tables[target]["around"])
        dark = X[:, names.index("sinel")] <= 0 if target == "solar_GW" else np.zeros(len(test), bool)
        for name, end in zip(("low", "high"), ends, strict=True):
            result[f"{target}_{name}"] = np.where(dark, factors[:, j], end) * installed[:, j]
    return result


def row(
    name: str, test: pd.DataFrame, naive: pd.DataFrame, predicted: pd.DataFrame, seconds: float | None
) -> list[str]:
    """Return a line of the table."""
    found = scores(test, predicted, naive)
    cells = [name, f"{found['mae']:.3f}", f"{found['r2']:.4f}"]
    cells += [f"{found[f'mae_{kind}']:.3f}, {found[f'r2_{kind}']:.4f}" for kind in ("solar", "wind")]
    cells += [f"{found['nmae_solar']:.2%}, {found['nmae_wind']:.2%}"]
    if f"{TARGETS[0]}_low" in predicted:
        bands = band_scores(test, predicted)
        for target in TARGETS:
            kind = target.removesuffix("_GW")
            inside = (test[target] >= predicted[f"{target}_low"] - 1e-9) & (
                test[target] <= predicted[f"{target}_high"] + 1e-9
            )
            open_ = predicted[f"{target}_high"] > predicted[f"{target}_low"]
            by_month = inside[open_].groupby(test.index[open_].month).mean()
            cells.append(f"{bands[f'coverage_{kind}']:.1%}, {by_month.min():.0%} to {by_month.max():.0%}")
        cells.append(f"{bands['pinball']:.3f}")
    else:
        cells += ["", "", ""]
    return [*cells, "" if seconds is None else f"{seconds:.1f}"]


@click.command
@click.argument("shared", type=click.Path(path_type=Path, exists=True))
@click.option("--year", default=2016, show_default=True)
@click.option("--print", "only_print", is_flag=True, help="Leave README.md as it is.")
def main(shared: Path, year: int, only_print: bool) -> None:
    """Read, fit, judge, write."""
    dataset = read(shared)
    dataset, attrs = dataset[dataset.index.year <= year], dataset.attrs
    train, test = dataset[dataset.index.year < year], dataset[dataset.index.year == year]
    dataset.attrs = train.attrs = test.attrs = attrs
    naive, start = baseline(train, test.index), test.index[0]
    rows = [row("baseline, month and hour", test, naive, naive, None)]

    members, fits = [], recipes()
    for name, fit in fits.items():
        begun = time.perf_counter()
        recipe = fit(train)
        seconds = time.perf_counter() - begun
        unseen = predict_unseen(fit, train, ORIGINS[name])
        members.append(Blended(name, recipe, recipe, unseen))
        rows.append(row(f"{name}, fitted once", test, naive, with_band(recipe, unseen, train, test), seconds))
        click.echo(" | ".join(rows[-1]))
    chosen = [member for member in members if member.name != "lr"]
    weights = learn_weights(chosen, train)
    blend = mean_of([member.judged for member in chosen], weights)
    click.echo({member.name: share for member, share in zip(chosen, weights, strict=True)})
    predicted = with_band(blend, mean_unseen(chosen, weights), train, test)
    rows.append(row("**blend, fitted once**", test, naive, predicted, None))
    click.echo(" | ".join(rows[-1]))

    first = dataset.index[0] + pd.DateOffset(years=1)
    walked = {}
    for member in chosen:
        views = [KnownThen(dataset, at, DELAY) for at in months(dataset, first)]
        walked[member.name] = pd.concat([refit(fits[member.name], view) for view in views])
    shares = dict(zip((member.name for member in chosen), weights, strict=True))
    mean = pd.DataFrame({t: sum(walked[name][t] * share[t] for name, share in shares.items()) for t in TARGETS})
    for name, said in {"kernel": walked["kernel"], "blend": mean}.items():
        installed = dataset.loc[said.index, CAPACITY].to_numpy("float64")
        after = said.index >= start
        power = pd.DataFrame(said[after].to_numpy() * installed[after], said.index[after], TARGETS)
        rows.append(row(f"{name}, refitted monthly", test, naive, power, None))
        better = corrected(dataset, said, said.index[0] + pd.DateOffset(months=4), DELAY)
        ends = band(dataset, better, start, DELAY)
        better = better[better.index >= start].join(ends)
        for j, target in enumerate(TARGETS):
            for column in (target, f"{target}_low", f"{target}_high"):
                better[column] = better[column] * installed[after][:, j]
        rows.append(row(f"**{name}, refitted monthly and corrected**", test, naive, better, None))
        click.echo(" | ".join(rows[-1]))
    head = "| | mae | r2 | solar mae, r2 | wind mae, r2 | of capacity | band, solar | band, wind | pinball | fit, s |"
    table = "\n".join([head, "| --- " * 10 + "|", *(f"| {' | '.join(cells)} |" for cells in rows)])
    click.echo(table) if only_print else write_section("forecast", table)


if __name__ == "__main__":
    main()
