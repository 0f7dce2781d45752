"""Explore: recorded and predicted power of any period, residuals, what is in view in figures, and as CSV."""

from typing import Any

import dash_mantine_components as dmc
from dash import Input, Output, callback, html

import charts
import live
import parts
import theme
from choices import PERIOD, Address, period_of
from dsgo.base.status import error_status
from dsgo.data.schema import TARGETS
from series import MOST_POINTS, capacity_of, summary

PATH = "/explore"
SHOWN = {"both": "Both", "solar_GW": "Solar", "wind_GW": "Wind"}


def layout(**query: str) -> Any:
    """Return the page in the state of its address: from, to, model, target."""
    snapshot = live.now()
    if not snapshot.ready or not snapshot.data:
        return parts.waiting(snapshot)
    address = Address(query, [*PERIOD, "target", "model"])
    view = address.period(snapshot.data.grid, days=14)
    controls = dmc.Group(
        [
            *parts.period("explore", snapshot, view),
            parts.segments("explore-target", "Power", SHOWN, address.one_of("target", SHOWN, "both")),
            parts.model_select("explore-model", "Model", snapshot, address.model(snapshot)),
            html.A("Download CSV", id="explore-csv", href="", download="", className="button"),
        ],
        align="end",
        className="controls",
    )
    return dmc.Stack(
        [
            STATE,
            dmc.Title("Explore", order=1, size="h2"),
            parts.notice(address, view),
            controls,
            dmc.Paper(
                [
                    parts.steps("explore"),
                    parts.chart("explore-chart", "Recorded and predicted power with residuals", 700),
                    html.Div(id="explore-note"),
                ],
                p="md",
                withBorder=True,
                className="card",
            ),
            parts.card("In view", html.Div(id="explore-summary")),
        ]
    )


IN_URL = {
    "view": Input("explore-view", "data"),
    "target": Input("explore-target", "value"),
    "model": Input("explore-model", "value"),
}
STATE = parts.keep_in_url(PATH, IN_URL)
parts.follow_period("explore")


@callback(
    Output("explore-chart", "figure"),
    Output("explore-note", "children"),
    Output("explore-summary", "children"),
    Output("explore-csv", "href"),
    IN_URL["view"],
    IN_URL["target"],
    IN_URL["model"],
    parts.LIVE,
)
def show(view: dict[str, str], shown: str, choice: str, _: Any) -> tuple:
    """Draw what is in view."""
    snapshot = live.now()
    data = snapshot.data
    key = snapshot.key(choice)
    if data is None or key is None:
        return charts.nothing("This model is not there any more: choose another."), None, [], ""
    made = live.predictions(snapshot, key)
    power = made.power if made and not made.problem else None
    period = period_of(view)
    targets = TARGETS if shown == "both" else [shown]
    figure = charts.power(
        data.grid,
        data.values,
        {"Predicted": (power, made.band)} if made and power else {},
        targets,
        period,
        residuals=True,
    )
    cut = data.grid.cut(*period)
    normal = snapshot.hold_out(choice)
    rows, lights = [], []
    for target in targets:
        capacity = data.values[capacity_of(target)][cut]
        recorded = data.values[target][cut]
        found = summary(recorded, power[target][cut] if power else recorded * float("nan"), capacity)
        rows.append([theme.NAMES[target], *parts.summary_cells(found)])
        if status := error_status(found.mae, normal.get(target)):
            lights.append(dmc.Group([dmc.Text(f"{theme.NAMES[target]} error", size="sm"), parts.light(status)], gap=6))
    link = parts.address("/explore.csv", model=choice, **view)
    return (
        figure,
        parts.note(f"{said(made, cut)} {parts.band_note(snapshot, choice, made.band) if power and made else ''}"),
        [parts.table(["", *parts.SUMMARY], rows, "Figures of the period in view"), *lights],
        link,
    )


def said(made: live.Predictions | None, cut: slice) -> str:
    """Return what a reader must know of the chart."""
    if made is None:
        return "The model is being loaded; its predictions will appear by themselves."
    if made.problem:
        return f"This model cannot be used: {made.problem}"
    thinned = cut.stop - cut.start > MOST_POINTS / 2
    how = "A long period is drawn by its lowest and highest hours: zoom in for each hour. " if thinned else ""
    return f"{how}Drag to zoom in, double-click for the whole."
