"""Models: every finished run, metric against metric, learning curves, versions and their history, two side by side."""

from typing import Any

import dash_mantine_components as dmc
from dash import Input, Output, callback, html

import charts
import live
import parts
from choices import one_of
from dsgo.base import tags
from live import has_model
from pages import side_by_side
from tables import history_table, runs_grid, versions_table

PATH = "/models"
ABOUT = "Metrics are those of the hold-out, errors in GW. Click a heading to sort, its funnel to filter."
TABS = {"runs": "Runs", "curves": "Learning curves", "versions": "Versions", "compare": "Side by side"}
METRICS = ["mae", "mae_solar", "mae_wind", "rmse", "rmse_solar", "rmse_wind", "r2", "r2_solar", "r2_wind", "mae_skill"]
CURVES = {"loss": "Loss", "epoch_mae": "Mean absolute error"}


def layout(**query: str) -> Any:
    """Return the page in the state of its address: tab and what the tab holds."""
    snapshot = live.now()
    if not snapshot.runs and not snapshot.versions:
        return parts.waiting(snapshot)
    tab = one_of(query.get("tab"), TABS, "runs")
    panels = {"runs": runs(query), "curves": curves(query), "versions": html.Div(id="models-versions")}
    panels["compare"] = side_by_side.panel(query)
    return dmc.Stack(
        [
            STATE,
            dmc.Title("Models", order=1, size="h2"),
            dmc.Tabs(
                [
                    dmc.TabsList([dmc.TabsTab(label, value=name) for name, label in TABS.items()], mb="md"),
                    *[dmc.TabsPanel(panel, value=name) for name, panel in panels.items()],
                ],
                id="models-tab",
                value=tab,
            ),
        ]
    )


IN_URL = {  # what belongs to a tab, only while it is open
    "tab": Input("models-tab", "value"),
    "runs.x": Input("models-x", "value"),
    "runs.y": Input("models-y", "value"),
    "curves.runs": Input("models-curves", "value"),
    "curves.curve": Input("models-curve", "value"),
    "compare.a": Input("side-a", "value"),
    "compare.b": Input("side-b", "value"),
    "compare.view": Input("side-view", "data"),
}
STATE = parts.keep_in_url(PATH, IN_URL)


def runs(query: dict[str, str]) -> Any:
    """Return the table of runs and the chart of metrics."""
    choices = [
        dmc.Select(
            id=f"models-{axis}",
            label=label,
            data=METRICS,
            value=one_of(query.get(axis), METRICS, default),
            allowDeselect=False,
            w=180,
        )
        for axis, label, default in (("x", "Across", "mae_solar"), ("y", "Upwards", "mae_wind"))
    ]
    return dmc.Stack(
        [
            parts.card(
                "Finished runs",
                parts.note(
                    "Metrics are those of the hold-out, errors in GW. Click a heading to sort, its funnel to filter."
                ),
                html.Div(id="models-runs"),
            ),
            parts.card(
                "Metric against metric",
                dmc.Group(choices),
                parts.chart("models-metrics", "One metric of each run against another", 380, still=True),
            ),
        ]
    )


def curves(query: dict[str, str]) -> Any:
    """Return the learning curves of chosen runs."""
    snapshot = live.now()
    known = [
        {"value": r.info.run_id, "label": parts.run_label(r)} for r in snapshot.runs if r.info.run_id in snapshot.curves
    ]
    ids = [one["value"] for one in known]
    chosen = [run for run in query.get("runs", "").split(",") if run in ids] or ids[:2]
    return parts.card(
        "Learning curves",
        dmc.Group(
            [
                dmc.MultiSelect(id="models-curves", label="Runs", data=known, value=chosen, maxValues=4, miw=300),
                parts.segments("models-curve", "Curve", CURVES, one_of(query.get("curve"), CURVES, "loss")),
            ],
            align="end",
        ),
        parts.chart("models-curves-chart", "Learning curves, training and hold-out", 520, still=True),
    )


@callback(Output("models-runs", "children"), parts.LIVE)
def show_runs(_: Any) -> Any:
    """Fill the table of runs."""
    return runs_grid(live.now().runs)


@callback(
    Output("models-metrics", "figure"),
    Input("models-x", "value"),
    Input("models-y", "value"),
    parts.LIVE,
)
def show_metrics(x: str, y: str, _: Any) -> Any:
    """Draw the runs that have both metrics."""
    found = [
        (run.data.tags.get(tags.STEP, "other"), parts.run_label(run), run.data.metrics[x], run.data.metrics[y])
        for run in live.now().runs
        if has_model(run) and x in run.data.metrics and y in run.data.metrics
    ]
    return charts.metrics(found, unit(x), unit(y)) if found else charts.nothing("No run has these metrics yet")


def unit(metric: str) -> str:
    """Return a metric's name with its unit.

    >>> unit("mae_solar"), unit("r2"), unit("mae_skill")
    ('mae_solar, GW', 'r2', 'mae_skill')
    """
    return metric if metric.startswith("r2") or "skill" in metric else f"{metric}, GW"


@callback(
    Output("models-curves-chart", "figure"), Input("models-curves", "value"), Input("models-curve", "value"), parts.LIVE
)
def show_curves(chosen: list[str], metric: str, _: Any) -> Any:
    """Draw the chosen runs."""
    snapshot = live.now()
    found = {
        parts.run_name(run): snapshot.curves[run.info.run_id]
        for run in snapshot.runs
        if run.info.run_id in chosen and run.info.run_id in snapshot.curves
    }
    return charts.curves(found, metric) if found else charts.nothing("Choose a run of keras_nn")


@callback(Output("models-versions", "children"), parts.LIVE)
def show_versions(_: Any) -> Any:
    """Fill the tables of versions and of what was in Production."""
    snapshot = live.now()
    return dmc.Stack(
        [
            parts.card("Versions of BestModel", versions_table(snapshot)),
            parts.card("What was in Production", history_table(snapshot)),
        ]
    )
