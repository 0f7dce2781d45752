"""Two models on the same dates: a tab of Models."""

from typing import Any

import dash_mantine_components as dmc
from dash import Input, Output, callback, html, no_update

import charts
import live
import parts
import theme
from choices import Address, period_of
from dsgo.data.schema import TARGETS
from dsgo.models.bands import NO_BAND
from finished import has_model, split_of
from live import Snapshot
from series import capacity_of, summary


def panel(address: Address, view: dict[str, str] | None) -> Any:
    """Return the choice of two models and of the dates, and what comes of it."""
    snapshot = live.now()
    a, b = address.model(snapshot, name="a"), address.model(snapshot, other(snapshot), "b")
    models = [
        parts.model_select("side-a", "First model", snapshot, a),
        parts.model_select("side-b", "Second model", snapshot, b),
    ]
    return parts.card(
        "Two models on the same dates",
        dmc.Group([*models, *parts.period("side", snapshot, view)], align="end", className="controls"),
        html.Div(id="side-note"),
        html.Div(id="side-figures"),
        parts.steps("side"),
        parts.chart("side-chart", "Recorded power and the predictions of two models", 510),
    )


def other(snapshot: Snapshot) -> str:
    """Return the newest run of the usual split that logged another model than the one in Production."""
    known = [run.info.run_id for run in snapshot.runs if has_model(run) and split_of(run) == "chronological"]
    served = snapshot.production.run_id if snapshot.production else None
    return next((run_id for run_id in known if run_id != served), "production")


parts.follow_period("side")


@callback(
    Output("side-chart", "figure"),
    Output("side-figures", "children"),
    Output("side-note", "children"),
    Input("side-view", "data"),
    Input("side-a", "value"),
    Input("side-b", "value"),
    Input("models-tab", "value"),
    parts.LIVE,
)
def show(view: dict[str, str] | None, a: str, b: str, tab: str, _: Any) -> tuple:
    """Draw both models and compare their figures; only for who looks, for a model may have to be loaded."""
    if tab != "compare":
        return no_update, no_update, no_update
    snapshot = live.now()
    if not snapshot.data or not view:
        return charts.nothing("There is no dataset yet"), None, None
    data, period = snapshot.data, period_of(view)
    cut = data.grid.cut(*period)
    drawn, notes, rows = {}, [], []
    for choice in dict.fromkeys([a, b]):
        key, name = snapshot.key(choice), parts.model_label(snapshot, choice)
        made = live.predictions(snapshot, key) if key else None
        if made is None or made.problem:
            problem = f"cannot be used: {made.problem}" if made else "is being loaded and appears by itself"
            gone = parts.not_made(snapshot) if choice == "production" else f"{name} is not there any more"
            notes.append(f"{name} {problem}. " if key else f"{gone}. ")
            continue
        drawn[name] = (made.power, made.band)
        if not made.band:
            notes.append(f"{name}: {NO_BAND}. ")
        for target in TARGETS:
            recorded, predicted = data.values[target][cut], made.power[target][cut]
            found = summary(recorded, predicted, data.values[capacity_of(target)][cut])
            rows.append([theme.NAMES[target], name, *parts.summary_cells(found)])
    rows.sort(key=lambda row: row[0])  # solar of both, then wind of both
    figure = charts.power(data.grid, data.values, drawn, TARGETS, period)
    return (
        figure,
        parts.table(["", "Model", *parts.SUMMARY], rows, "Figures of both models"),
        parts.note("".join(notes)),
    )
