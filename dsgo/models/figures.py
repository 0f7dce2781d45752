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
