"""The figure of a forecast, as MLflow's UI shows it beside the run."""

import pandas as pd
from matplotlib.dates import ConciseDateFormatter
from matplotlib.figure import Figure

from dsgo.base.colours import COLOURS, INK
from dsgo.data.dataset import Dataset
from dsgo.data.schema import TARGETS

BEFORE = pd.Timedelta(days=3)  # of what came, left of the forecast


def week(hours: pd.DataFrame, dataset: Dataset) -> Figure:
    """Return the forecast with its band, after the last days of what came. GW, UTC."""
    figure = Figure(figsize=(11, 6), layout="constrained")
    issued = hours["issued"].iloc[0]
    came = dataset.frame[dataset.frame.index >= issued - BEFORE]
    for axes, target in zip(figure.subplots(2, 1, sharex=True), TARGETS, strict=True):
        name = target.removesuffix("_GW")
        axes.plot(came.index, came[target], color=INK, linewidth=1.2, label="came")
        axes.plot(hours.index, hours[target], color=COLOURS[name], label="forecast")
        low, high = hours[f"{target}_low"], hours[f"{target}_high"]
        axes.fill_between(hours.index, low, high, color=COLOURS[name], alpha=0.2, label="80% band", linewidth=0)
        axes.axvline(issued, color=INK, linewidth=0.8, linestyle=":")
        axes.set(ylabel=f"{name}, GW", ylim=(0, None))
        axes.xaxis.set_major_formatter(ConciseDateFormatter(axes.xaxis.get_major_locator()))
        axes.legend(loc="upper left", ncols=3, frameon=False)
    note = ", simulated data" if dataset.simulated else ""
    figure.suptitle(f"Forecast of {issued:%Y-%m-%d %H:%M} UTC{note}")
    return figure
