"""What carries a model: permutation importance on the hold-out, and partial dependence, of its inputs."""

from collections.abc import Callable

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from dsgo.base.colours import COLOURS
from dsgo.data.schema import TARGETS, WEATHER

WEEKS = 8  # of the hold-out, evenly spread, are looked at: more of them change little
APART = 29  # hours: rows so far apart have no neighbours within the 12 hours that count (PRESENT in power_model.py)
AROUND = "the hours around"
UNITS = {"windspeed": "m/s at 10 m", "rad_horizontal": "W/m2 direct on the horizontal"}
SWEPT = {"solar_GW": "rad_horizontal", "wind_GW": "windspeed"}  # the input that each target is drawn against

Predict = Callable[[pd.DataFrame], pd.DataFrame]


def importance(predict: Predict, rows: pd.DataFrame, actual: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """Return by how many GW each target's mae grows where an input tells nothing: a row an input, a column a target.

    `rows` (n hours) are a model's input, `actual` what came. The values of a weather column are dealt anew among all
    rows (Breiman 2001, "Random forests", section 10). The line `AROUND` is the mae of rows that are predicted one by
    one, less that of the same rows in company.
    """
    rng, known = np.random.default_rng(seed), predict(rows)
    error = _mae(known, actual)
    found = {}
    for name in WEATHER:
        dealt = rows.assign(**{name: rng.permutation(rows[name].to_numpy())})
        found[name] = _mae(predict(dealt), actual) - error
    few = rows.iloc[::APART]
    found[AROUND] = _mae(predict(few), actual.loc[few.index]) - _mae(known.loc[few.index], actual.loc[few.index])
    return pd.DataFrame(found, index=TARGETS).T.rename_axis("input")


def partial_dependence(predict: Predict, rows: pd.DataFrame, target: str, points: int = 12) -> pd.Series:
    """Return the mean power of a target (GW) where the input SWEPT has one value in all rows, by that value.

    Friedman 2001, "Greedy function approximation", section 8.2. The values go from the least to the 99th percentile.
    """
    name = SWEPT[target]
    values = np.linspace(rows[name].min(), rows[name].quantile(0.99), points)
    means = [float(predict(rows.assign(**{name: value}))[target].mean()) for value in values]
    return pd.Series(means, pd.Index(values, name=name), name=target)


def sample_weeks(test: pd.DataFrame) -> pd.DataFrame:
    """Return WEEKS whole weeks of a hold-out, evenly spread; all of it where it is shorter."""
    weeks = np.arange(len(test)) // 168
    chosen = np.unique(np.linspace(0, weeks.max(), WEEKS).astype(int))
    return test[np.isin(weeks, chosen)]


def draw(table: pd.DataFrame, curves: list[pd.Series], note: str) -> Figure:
    """Return the figure: importance by input and target, and each target's partial dependence."""
    figure = Figure(figsize=(11, 4), layout="constrained")
    bars, *others = figure.subplots(1, 1 + len(curves))
    places = np.arange(len(table))
    for i, target in enumerate(TARGETS):
        kind = target.removesuffix("_GW")
        bars.barh(places + 0.4 * i, table[target], height=0.4, color=COLOURS[kind], label=kind)
    bars.set_yticks(places + 0.2, [str(name).replace("rad_", "radiation, ") for name in table.index])
    bars.invert_yaxis()
    bars.axvline(0, color="black", linewidth=0.8)
    bars.set(title="Error that grows without it", xlabel="GW of mean absolute error")
    bars.legend()
    for axes, curve in zip(others, curves, strict=True):
        kind = str(curve.name).removesuffix("_GW")
        axes.plot(curve.index, curve, color=COLOURS[kind], marker=".")
        axes.set(title=f"{kind} power by {curve.index.name}", xlabel=UNITS[str(curve.index.name)], ylabel="GW, mean")
        axes.set_ylim(bottom=0)
    figure.suptitle(f"What carries the model, on {WEEKS} weeks of the hold-out{note}")
    return figure


def _mae(predicted: pd.DataFrame, actual: pd.DataFrame) -> np.ndarray:
    return np.abs(predicted[TARGETS].to_numpy("float64") - actual[TARGETS].to_numpy("float64")).mean(axis=0)
