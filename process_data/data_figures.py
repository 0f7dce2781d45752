"""Figures of a dataset: one interactive HTML page (plotly) and one PNG (matplotlib)."""

from collections.abc import Iterable
from html import escape

import pandas as pd
import plotly.graph_objects as go
from matplotlib.figure import Figure
from plotly.offline import get_plotlyjs
from plotly.subplots import make_subplots

from dsgo.base.colours import COLOURS
from dsgo.data.quality import MENDED
from dsgo.data.rolling import rolling_week
from dsgo.data.schema import TARGETS, TIME, WEATHER

UNITS = dict(zip(TARGETS + WEATHER, ["GW", "GW", "m/s", "°C", "W/m²", "W/m²"], strict=True))

NAMES = dict(zip(TARGETS, ["solar", "wind"], strict=True))
DOTS = 3000  # hours drawn in the scatter matrix; more only hide each other


def page(dataset: pd.DataFrame, dirt: pd.DataFrame, hours: pd.DatetimeIndex, notes: Iterable[str] = ()) -> str:
    """Return an HTML page: the series with a range slider, rolling week by year, hour by month heat map, the dirt.

    `dirt` is from `dsgo.data.quality.clean`, `hours` the whole period, `notes` stand below the heading. The page
    needs no network: plotly.js is in it, once, because MLflow's UI shows an HTML artifact by itself, where no file
    beside it can be reached.
    """
    whole = dataset.reindex(hours)  # so that a missing hour is a gap, not a straight line
    figures = [_series(whole), _rolling_week(whole), _heat_map(dataset), _dirt(dirt, hours)]
    for figure in figures:
        figure.update_layout(title=f"{figure.layout.title.text}{_note(dataset)}", template="plotly_white")
    buttons = {"displaylogo": False, "modeBarButtonsToRemove": ["sendChartToCloud"]}
    parts = [figure.to_html(full_html=False, include_plotlyjs=False, config=buttons) for figure in figures]
    title = f"Hourly power and weather, {hours[0]:%Y-%m-%d} to {hours[-1]:%Y-%m-%d}{_note(dataset)}"
    said = "".join(f"<p>{escape(note)}</p>" for note in notes)
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<script>{get_plotlyjs()}</script></head>"
        f'<body style="font-family: sans-serif"><h1>{escape(title)}</h1>{said}{"".join(parts)}</body></html>'
    )


def _note(dataset: pd.DataFrame) -> str:
    return " (simulated)" if dataset.attrs.get("simulated") else ""


def _series(whole: pd.DataFrame) -> go.Figure:
    figure = go.Figure(layout={"title": "Power, hour by hour (drag the slider's ends to zoom)", "height": 480})
    for target in TARGETS:
        _add_hourly(figure, whole[target], name=NAMES[target], line={"color": COLOURS[NAMES[target]], "width": 1})
    figure.update_xaxes(rangeslider={"visible": True}, type="date", title="UTC")
    return figure.update_yaxes(title="GW")


def _rolling_week(whole: pd.DataFrame) -> go.Figure:
    figure = make_subplots(rows=2, shared_xaxes=True, subplot_titles=[NAMES[target] for target in TARGETS])
    mean = rolling_week(whole[TARGETS])
    palette = ["#86bbd8", "#33658a", "#f6ae2d", "#f26419", "#2f4858", "#7a9e7e"]
    for row, target in enumerate(TARGETS, start=1):
        for number, (year, part) in enumerate(mean.groupby("year")):
            style = {"line": {"color": palette[number % len(palette)]}, "legendgroup": str(year)}
            x, y = (part[name].to_numpy("float32") for name in ("day", target))
            figure.add_scatter(x=x, y=y, name=str(year), showlegend=row == 1, row=row, col=1, **style)
    figure.update_layout(title="Rolling week (mean of the seven days before), year by year", height=560)
    return figure.update_xaxes(title="day of the year", row=2).update_yaxes(title="GW")


def _heat_map(dataset: pd.DataFrame) -> go.Figure:
    figure = make_subplots(cols=2, subplot_titles=[f"{NAMES[target]}, GW" for target in TARGETS])
    for column, target in enumerate(TARGETS, start=1):
        mean = _by_hour_and_month(dataset[target])
        colours = {"colorscale": "Cividis", "colorbar": {"x": 0.455 if column == 1 else 1.0, "thickness": 12}}
        figure.add_trace(go.Heatmap(z=mean.to_numpy(), x=mean.columns, y=mean.index, **colours), row=1, col=column)
    figure.update_layout(title="Mean power by hour and month", height=420)
    return figure.update_xaxes(title="hour of day, UTC").update_yaxes(title="month", dtick=1, autorange="reversed")


def _dirt(dirt: pd.DataFrame, hours: pd.DatetimeIndex) -> go.Figure:
    figure = go.Figure(layout={"height": 360})
    dirt = dirt[~dirt["kind"].isin(MENDED)]
    for kind, rows in dirt.groupby("kind", sort=False):
        at = rows.drop_duplicates([TIME, "column"])
        figure.add_scatter(
            x=at[TIME], y=at["column"], name=kind, mode="markers", marker={"symbol": "line-ns-open", "size": 12}
        )
    count = dirt[TIME].nunique()
    figure.update_layout(
        title=f"Dirt: {count:,} of {len(hours):,} hours doubled, missing or set aside", showlegend=True
    )
    return figure.update_xaxes(range=[hours[0], hours[-1]], title="UTC", type="date").update_yaxes(type="category")


def _add_hourly(figure: go.Figure, values: pd.Series, **style: object) -> None:
    """Add an hourly series without a date for each point: a start and a step of an hour in milliseconds."""
    figure.add_scatter(x0=f"{values.index[0]:%Y-%m-%d %H:%M}", dx=3_600_000, y=values.to_numpy("float32"), **style)


def scatter_matrix(dataset: pd.DataFrame) -> Figure:
    """Return every column against every other, for 3,000 random hours (always the same)."""
    dots = dataset.sample(min(DOTS, len(dataset)), random_state=0)
    columns = TARGETS + WEATHER
    figure = Figure(figsize=(12, 12), layout="constrained")
    grid = figure.subplots(len(columns), len(columns), sharex="col")
    for row, y in enumerate(columns):
        for column, x in enumerate(columns):
            axes = grid[row, column]
            if row == column:
                axes.hist(dots[x], bins=40, color="#666666")
                axes.set_yticks([])
            else:
                axes.plot(dots[x], dots[y], ",", color="#33658a", alpha=0.6)
                if column:
                    axes.sharey(grid[row, 0] if row else grid[row, 1])
            axes.label_outer()
            if row == len(columns) - 1:
                axes.set_xlabel(f"{x.removesuffix('_GW')}, {UNITS[x]}")
            if column == 0:
                axes.set_ylabel(f"{y.removesuffix('_GW')}, {UNITS[y]}")
    figure.suptitle(f"{len(dots):,} random hours, each column against each{_note(dataset)}")
    return figure


def _by_hour_and_month(values: pd.Series) -> pd.DataFrame:
    """Return the mean: months 1 to 12 by hours 0 to 23."""
    at = pd.DatetimeIndex(values.index)
    mean = values.groupby([at.month.rename("month"), at.hour.rename("hour")]).mean()
    return mean.unstack("hour").reindex(index=range(1, 13), columns=range(24))
