"""Figures of a model's evaluation, as matplotlib PNGs that MLflow's UI shows beside the run."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from dsgo.data.schema import TARGETS

COLOURS = {"temperature": ("degrees Celsius", "cividis"), "windspeed": ("m/s at 10 m", "viridis")}


def evaluation(test: pd.DataFrame, predicted: pd.DataFrame, simulated: bool) -> dict[str, Figure]:
    """Return a hold-out's figures: predicted against actual by temperature and wind speed, error by hour and month.

    `test` is the hold-out with its weather, `predicted` the model's frame with the same index. GW throughout.
    """
    note = " (simulated data)" if simulated else ""
    drawn = {f"predicted_by_{by}": _predicted_against_actual(test, predicted, by, note) for by in COLOURS}
    return drawn | {"error_by_hour_and_month": _error_by_hour_and_month(test, predicted, note)}


def backtest(table: pd.DataFrame, ages: pd.DataFrame, simulated: bool) -> dict[str, Figure]:
    """Return a backtest's figures: the error of each way by month, and how a model ages.

    `table` is from `dsgo.models.ways.by_month`; `ages` is one, too, of the ways over all months after the first year.
    Errors are shares of installed capacity, so that years of a growing fleet compare.
    """
    note = " (simulated data)" if simulated else ""
    return {
        "error_by_month": _by_month(table, f"Error of each way by month{note}"),
        "ageing": _by_month(ages, f"How a model ages{note}"),
    }


def _by_month(table: pd.DataFrame, title: str) -> Figure:
    figure = Figure(figsize=(11, 4.5), layout="constrained")
    months = table[table["month"] != "all"]
    for axes, name in zip(figure.subplots(1, 2), [target.removesuffix("_GW") for target in TARGETS], strict=True):
        for way, rows in months.groupby("way", sort=False):
            axes.plot(pd.to_datetime(rows["month"]), 100 * rows[f"nmae_{name}"], marker=".", label=way)
        axes.set(title=name, ylabel="mean absolute error, % of installed capacity", ylim=(0, None))
        axes.tick_params(axis="x", rotation=45)
    ways = figure.axes[0].get_legend_handles_labels()
    figure.legend(*ways, loc="outside lower center", ncols=len(ways[1]))
    figure.suptitle(title)
    return figure


def _predicted_against_actual(test: pd.DataFrame, predicted: pd.DataFrame, by: str, note: str) -> Figure:
    figure = Figure(figsize=(11, 5), layout="constrained")
    unit, cmap = COLOURS[by]
    for axes, target in zip(figure.subplots(1, 2), TARGETS, strict=True):
        dots = axes.scatter(test[target], predicted[target], c=test[by], cmap=cmap, s=4, alpha=0.6, linewidths=0)
        top = max(test[target].max(), predicted[target].max()) * 1.03
        axes.plot([0, top], [0, top], color="black", linewidth=0.8)
        axes.set(xlim=(0, top), ylim=(0, top), aspect="equal")
        axes.set(title=target.removesuffix("_GW"), xlabel="actual, GW", ylabel="predicted, GW")
    figure.colorbar(dots, ax=figure.axes, label=f"{by}, {unit}")
    figure.suptitle(f"Predicted against actual on the hold-out{note}")
    return figure


def _error_by_hour_and_month(test: pd.DataFrame, predicted: pd.DataFrame, note: str) -> Figure:
    figure = Figure(figsize=(11, 4.5), layout="constrained")
    error = predicted[TARGETS] - test[TARGETS]
    table = error.groupby([test.index.month.rename("month"), test.index.hour.rename("hour")]).mean()
    limit = np.abs(table.to_numpy()).max()
    for axes, target in zip(figure.subplots(1, 2), TARGETS, strict=True):
        grid = table[target].unstack("hour").reindex(index=range(1, 13), columns=range(24))
        image = axes.imshow(grid, cmap="RdBu_r", vmin=-limit, vmax=limit, aspect="auto", extent=(-0.5, 23.5, 12.5, 0.5))
        axes.set(title=target.removesuffix("_GW"), xlabel="hour of day, UTC", ylabel="month", yticks=range(1, 13))
    figure.colorbar(image, ax=figure.axes, label="predicted - actual, GW")
    figure.suptitle(f"Mean error by hour and month on the hold-out{note}")
    return figure
