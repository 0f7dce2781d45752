"""Charts as plain plotly.js dictionaries: building and checking plotly's objects would take longer than the rest."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

import theme
from dsgo.base.colours import BANDS
from dsgo.models.intervals import SHARE
from series import MOST_POINTS, Array, Band, Grid, Power, line, outline, packed

Figure = dict[str, Any]
DAY = 86_400_000  # milliseconds
TICKS = [
    {"dtickrange": [None, DAY / 2], "value": "%H:%M\n%-d %b %Y"},
    {"dtickrange": [DAY / 2, "M1"], "value": "%-d %b\n%Y"},
    {"dtickrange": ["M1", None], "value": "%b\n%Y"},
]
Panel = tuple[str, list[dict[str, Any]], tuple[float, float]]  # title, lines, range of its axis


def panels(rows: Sequence[Panel], xaxis: dict[str, Any], gap: float = 0.075) -> Figure:
    """Return panels above each other on one time axis; `gap` is the share of the height between two."""
    tall = (1 - gap * (len(rows) - 1)) / len(rows)
    data: list[dict[str, Any]] = []
    axes: dict[str, Any] = {}
    notes = []
    for number, (title, lines, extent) in enumerate(rows, start=1):
        top = 1 - (number - 1) * (tall + gap)
        axis = "" if number == 1 else str(number)
        data += [trace | {"yaxis": f"y{axis}"} for trace in lines]
        axes[f"yaxis{axis}"] = {"domain": [max(top - tall, 0), top], "range": list(extent), "fixedrange": True}
        place = {"xref": "paper", "x": 0, "xanchor": "left", "yref": "paper", "y": top, "yanchor": "bottom"}
        notes.append(place | {"text": f"<b>{title}</b>", "showarrow": False, "font": {"size": 12}})
    axes["xaxis"] = {"type": "date", "anchor": f"y{len(rows) if len(rows) > 1 else ''}"} | xaxis
    margin = {"l": 44, "r": 10, "t": 78, "b": 36}  # above: the legend, two lines of it on a phone
    return {"data": data, "layout": theme.layout(annotations=notes, hoversubplots="axis", margin=margin, **axes)}


def power(
    grid: Grid,
    values: dict[str, Array],
    models: dict[str, tuple[Power, Band]],
    targets: Sequence[str],
    period: tuple[pd.Timestamp, pd.Timestamp],
    residuals: bool = False,
) -> Figure:
    """Return recorded and predicted power of a period with the band, by target, and the residuals below.

    `models` are predictions with their bands by name; residuals (predicted - recorded) are of the first.
    """
    first, last = period
    view = grid.cut(first, last)
    margin = (last - first) / 2  # loaded on either side, so that there is something to see while panning
    loaded = grid.cut(first - margin, last + margin)
    dense = loaded.stop - loaded.start > MOST_POINTS  # dashes are seen only where an hour is wide
    rows: list[Panel] = []
    for target in targets:
        colour = theme.RECORDED[target]
        area = {"fill": "tozeroy", "fillcolor": f"{colour}2E", "line": {"color": colour, "width": 1.4}}
        recorded = f"{theme.NAMES[target]} recorded"
        lines = [line(grid, values[target], loaded, name=recorded, opacity=0.7 if dense else 1, **area)]
        over: list[dict[str, Any]] = []
        for number, (name, (predicted, band)) in enumerate(models.items()):
            dash = ["solid" if dense else "dash", "dot"][number]
            style = {"color": [theme.PREDICTED, theme.OTHERS[0]][number], "width": [1.3, 1.7][number], "dash": dash}
            shown = {"legendgroup": name, "showlegend": target == targets[0], "opacity": 0.55 if dense else 1}
            if band:
                label = f"{name}, {SHARE:.0%} band" if len(models) > 1 else f"{SHARE:.0%} band"
                area = {"name": label, "legendgroup": label, "fillcolor": theme.BAND[number]}
                over.append(outline(grid, band[target], loaded, showlegend=target == targets[0], **area))
            over.append(line(grid, predicted[target], loaded, name=name, line=style, **shown))
        lines = [*over, *lines] if dense else [*lines, *over]  # dense lines are an area: the record stays in sight
        drawn = [one for predicted, band in models.values() for one in (predicted[target], *band.get(target, [])[1:])]
        top = highest([values[target], *drawn], view)
        rows.append((f"{theme.NAMES[target]}, GW", lines, (0, top * 1.06)))
    if residuals and models:
        predicted, _ = next(iter(models.values()))
        errors = {target: predicted[target] - values[target] for target in targets}
        lines = []
        for target, error in errors.items():
            style = {
                "color": theme.RECORDED[target],
                "width": 1.2,
                "dash": "solid" if dense or target == targets[0] else "dot",
            }
            about: Figure = {
                "name": f"{theme.NAMES[target]} residual",
                "showlegend": False,
                "opacity": 0.75 if dense else 1,
            }
            lines.append(line(grid, error, loaded, line=style, hovertemplate="%{y:+.2f} GW", **about))
        most = highest([np.abs(error) for error in errors.values()], view) * 1.08
        rows.append(("Residual: predicted less recorded, GW", lines, (-most, most)))
    xaxis = {"range": [f"{first:%Y-%m-%d %H:%M}", f"{last:%Y-%m-%d %H:%M}"], "hoverformat": "%a %-d %b %Y, %H:%M"}
    return panels(rows, xaxis | {"tickformatstops": TICKS})


def highest(series: Sequence[Array], view: slice) -> float:
    """Return the greatest value in view; 1 where there is none above 0."""
    values = np.concatenate([one[view] for one in series])
    return float(np.nanmax(values)) or 1.0 if np.isfinite(values).any() else 1.0


def years(by_target: dict[str, dict[int, Array]], chosen: Sequence[int], period: tuple[str, str]) -> Figure:
    """Return the rolling week of some years upon each other, solar above wind, with a range slider below."""
    rows: list[Panel] = []
    known = sorted({year for found in by_target.values() for year in found})
    for target, found in by_target.items():
        lines = []
        for year in chosen:
            newest = year == known[-1]
            age = known.index(year) % len(theme.OTHERS)
            style = {"color": theme.PREDICTED if newest else theme.OTHERS[age], "width": 2.6 if newest else 1.5}
            points = {"x0": "2016-01-01 06:00", "dx": 6 * 3_600_000, "y": packed(found[year]), "connectgaps": True}
            names = {"name": str(year), "legendgroup": str(year), "showlegend": target == next(iter(by_target))}
            lines.append(
                {"type": "scatter", "mode": "lines", "line": style, "hovertemplate": "%{y:.2f} GW"} | points | names
            )
        top = max((np.nanmax(points) for points in found.values() if np.isfinite(points).any()), default=1.0)
        rows.append((f"{theme.NAMES[target]}, GW", lines, (0, float(top) * 1.06)))
    slider = {"visible": True, "thickness": 0.09, "range": ["2016-01-01", "2016-12-31 23:00"], "bordercolor": "#8886"}
    slider |= {"borderwidth": 1}
    axis = {"range": list(period), "tickformat": "%-d %b", "hoverformat": "%-d %B", "rangeslider": slider}
    return panels(rows, axis, gap=0.09)


def record(table: pd.DataFrame, by: str, label: str) -> Figure:
    """Return mean absolute error and coverage of forecasts by what `record.figures` has its rows by, both targets."""
    rows: list[Panel] = []
    for title, name, scale, unit in (
        ("Mean absolute error, GW", "mae", 1, " GW"),
        ("In the band, %", "coverage", 100, "%"),
    ):
        lines = []
        for target, part in table.groupby("target", sort=False):
            style = {
                "color": theme.RECORDED[str(target)],
                "width": 2,
                "dash": "solid" if target == "solar_GW" else "dot",
            }
            of: Figure = {"name": theme.NAMES[str(target)], "legendgroup": str(target), "showlegend": name == "mae"}
            values = [None if value != value else round(scale * value, 4) for value in part[name].tolist()]
            points = {"x": part[by].tolist(), "y": values, "hovertemplate": f"%{{y:.2f}}{unit}"}
            look = {"type": "scatter", "mode": "lines" if len(part) > 40 else "lines+markers", "line": style}
            lines.append(look | of | points)
        top = max((value for trace in lines for value in trace["y"] if value is not None), default=1.0)
        rows.append((title, lines, (0, 106 if name == "coverage" else top * 1.1)))
    figure = panels(rows, {"type": "linear", "title": {"text": label, "standoff": 4}, "tickformat": "d"}, gap=0.12)
    ends = {"x0": 0, "x1": 1, "xref": "paper", "y0": 100 * SHARE, "y1": 100 * SHARE, "yref": "y2"}
    line_of_share = ends | {"type": "line", "line": {"color": "#888888", "dash": "dot", "width": 1}}
    figure["layout"] |= {"shapes": [line_of_share]}
    figure["layout"]["margin"] |= {"b": 48}
    return figure


def metrics(runs: Sequence[tuple[str, str, float, float]], x: str, y: str) -> Figure:
    """Return a dot for each run (trainer, label, x, y): one metric against another, a colour and a shape by trainer."""
    data = []
    for number, trainer in enumerate(sorted({run[0] for run in runs})):
        mine = [run for run in runs if run[0] == trainer]
        marker = {"size": 13, "color": theme.OTHERS[number % 6], "symbol": theme.SYMBOLS[number % 6]}
        data.append(
            {"type": "scatter", "mode": "markers", "name": trainer, "marker": marker, "text": [run[1] for run in mine]}
            | {"x": [run[2] for run in mine], "y": [run[3] for run in mine]}
            | {"hovertemplate": f"%{{text}}<br>{x} %{{x:.4f}}<br>{y} %{{y:.4f}}<extra></extra>"}
        )
    axes = {"xaxis": {"title": {"text": x}}, "yaxis": {"title": {"text": y}}}
    margin = {"l": 60, "r": 12, "t": 36, "b": 48}
    return {"data": data, "layout": theme.layout(hovermode="closest", margin=margin, **axes)}


def errors(names: Sequence[str], by_target: dict[str, list[float]], title: str) -> Figure:
    """Return bars in GW, solar and wind for each name, the first one at the top; `title` is the axis's."""
    data: list[Figure] = []
    for target, values in by_target.items():
        label = {"text": [f"{value:.2f}" for value in values], "textposition": "outside", "name": theme.NAMES[target]}
        bar = {"type": "bar", "orientation": "h", "x": values, "y": list(names), "cliponaxis": False}
        data.append(bar | label | {"marker": {"color": theme.RECORDED[target]}})
    axes: Figure = {"xaxis": {"title": {"text": title}}, "yaxis": {"autorange": "reversed", "automargin": True}}
    margin = {"l": 60, "r": 12, "t": 36, "b": 48}
    return {"data": data, "layout": theme.layout(hovermode="closest", margin=margin, **axes)}


def curves(runs: dict[str, dict[str, list[float]]], metric: str) -> Figure:
    """Return training (solid) and hold-out (dashed) curves of some runs, by name."""
    data = []
    for number, (name, found) in enumerate(runs.items()):
        colour = theme.OTHERS[number % 6]
        for key, label, dash in ((metric, "training", "solid"), (f"val_{metric}", "hold-out", "dash")):
            values = found.get(key, [])
            style = {"name": f"{name}, {label}", "line": {"color": colour, "dash": dash, "width": 2}}
            data.append({"type": "scatter", "mode": "lines", "y": values, "x": list(range(1, len(values) + 1))} | style)
    axes = {"xaxis": {"title": {"text": "epoch"}}, "yaxis": {"title": {"text": UNITS[metric]}, "rangemode": "tozero"}}
    margin = {"l": 60, "r": 12, "t": 24 + 20 * len(data), "b": 48}
    legend = {"orientation": "v", "x": 0, "y": 0.995, "yref": "container", "yanchor": "top"}
    return {"data": data, "layout": theme.layout(margin=margin, legend=legend, **axes)}


UNITS = {"loss": "mean squared error, GW²", "epoch_mae": "mean absolute error, GW"}


def gauge(power: tuple[float, ...], most: float, target: str) -> Figure:
    """Return a gauge of a power in GW between nothing and installed capacity, its band behind it.

    `power` is the prediction and the ends of its band, NaN where there is none.
    """
    value, low, high = power
    shown: Figure = {
        "axis": {"range": [0, most], "nticks": 5},
        "bar": {"color": theme.RECORDED[target], "thickness": 0.45},
    }
    if high > low:
        shown["steps"] = [{"range": [low, high], "color": theme.BAND[0]}]
    shown |= {"bgcolor": "rgba(128,128,128,.14)", "borderwidth": 0}
    text: Figure = {"suffix": " GW", "valueformat": ".2f", "font": {"size": 30}}
    trace = {"type": "indicator", "mode": "gauge+number", "value": value, "gauge": shown, "number": text}
    return {"data": [trace], "layout": theme.layout(margin={"l": 30, "r": 30, "t": 24, "b": 8})}


def sensitivity(x: Array, power: Power, at: float, unit: str, top: float) -> Figure:
    """Return the prediction over one input with its band, both targets, with a mark where the input stands.

    `power` has by target a row for each x: prediction, low, high in GW, the latter two NaN without a band.
    """
    data = []
    for target, (values, low, high) in ((target, table.T) for target, table in power.items()):
        if np.isfinite(low).all():
            there, back = [*x.tolist(), *x[::-1].tolist()], [*high.tolist(), *low[::-1].tolist()]
            area = {"fill": "toself", "fillcolor": BANDS[theme.NAMES[target].lower()], "line": {"width": 0}}
            area |= {"name": f"{theme.NAMES[target]} band", "hoverinfo": "skip", "x": there, "y": back}
            data.append({"type": "scatter", "mode": "lines"} | area)
        style = {"color": theme.RECORDED[target], "width": 2, "dash": "solid" if target == "solar_GW" else "dot"}
        data.append(
            {"type": "scatter", "mode": "lines", "name": theme.NAMES[target], "line": style}
            | {"x": x.tolist(), "y": values.tolist(), "hovertemplate": "%{y:.2f} GW"}
        )
    mark = {
        "type": "line",
        "x0": at,
        "x1": at,
        "y0": 0,
        "y1": 1,
        "yref": "paper",
        "line": {"color": "#888888", "dash": "dash"},
    }
    axes = {
        "xaxis": {"title": {"text": unit, "standoff": 4}, "fixedrange": True},
        "yaxis": {"range": [0, top * 1.05], "fixedrange": True, "nticks": 4},
    }
    margin = {"l": 30, "r": 8, "t": 8, "b": 40}
    look = theme.layout(margin=margin, shapes=[mark], showlegend=False, **axes)
    return {"data": data, "layout": look}


def nothing(text: str) -> Figure:
    """Return an empty chart that says why."""
    note = {
        "text": text,
        "showarrow": False,
        "xref": "paper",
        "yref": "paper",
        "x": 0.5,
        "y": 0.5,
        "font": {"size": 14},
    }
    hidden = {"visible": False}
    return {"data": [], "layout": theme.layout(xaxis=hidden, yaxis=hidden, annotations=[note])}
