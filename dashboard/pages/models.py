"""Models: every finished run, metric against metric, learning curves, versions and their history, two side by side."""

from io import StringIO
from typing import Any

import dash_mantine_components as dmc
import pandas as pd
from dash import Input, Output, callback, html
from mlflow.entities import Run

import charts
import live
import parts
import theme
from choices import PERIOD, Address
from dsgo.base import tags
from dsgo.base.status import Status
from dsgo.data.schema import TARGETS
from finished import has_model, judged, split_of
from pages import side_by_side
from tables import history_table, runs_grid, versions_table

PATH = "/models"
ABOUT = "Metrics are those of the hold-out, errors in GW. Click a heading to sort, its funnel to filter."
TABS = {
    "runs": "Runs",
    "curves": "Learning curves",
    "versions": "Versions",
    "compare": "Side by side",
    "drift": "Drift",
}
DRIFT = (
    "The newest dataset against the one that the Production model learned from. PSI (population stability index): how "
    "far the newest year's values lie from those of the same months, 0 if they are alike; a season's limits are four "
    "times those of a year. Errors are times those of the hold-out; capacity and yield are changes as a share."
)
WHY = (
    "They are told more of the same weather. A model of features=weather sees four numbers of one hour. A model of "
    "features=full also sees where the sun stands and the weather of the hours around, and it learns the share of the "
    "installed capacity, so that it does not take a growing fleet for stronger wind.",
    "Wind speed carries wind power; radiation, read with the sun's position, carries solar power. What the hours "
    "around add has a line of its own: on the simulated sample it is little. A blend errs less than its parts where "
    "they err in different hours.",
)
METRICS = ["mae", "mae_solar", "mae_wind", "rmse", "rmse_solar", "rmse_wind", "r2", "r2_solar", "r2_wind"]
METRICS += ["mae_skill", "coverage_solar", "coverage_wind", "pinball"]
CURVES = {"loss": "Loss", "epoch_mae": "Mean absolute error"}


def layout(**query: str) -> Any:
    """Return the page in the state of its address: tab and what the tab holds."""
    snapshot = live.now()
    if not snapshot.runs and not snapshot.versions:
        return parts.waiting(snapshot)
    address = Address(query, ["tab", "x", "y", "runs", "curve", "a", "b", *PERIOD])
    tab = address.one_of("tab", TABS, "runs")
    view = address.period(snapshot.data.grid, days=14) if snapshot.data else None
    panels = {"runs": runs(address), "curves": curves(address), "versions": html.Div(id="models-versions")}
    panels["drift"] = html.Div(id="models-drift")
    panels["compare"] = side_by_side.panel(address, view)
    return dmc.Stack(
        [
            STATE,
            dmc.Title("Models", order=1, size="h2"),
            parts.notice(address, view),
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


def runs(address: Address) -> Any:
    """Return the table of runs and the chart of metrics."""
    choices = [
        dmc.Select(
            id=f"models-{axis}",
            label=label,
            data=METRICS,
            value=address.one_of(axis, METRICS, default),
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
                "Why the better models are better",
                *[dmc.Text(line, size="sm") for line in WHY],
                html.Div(id="models-why-note"),
                parts.chart("models-why", "What carries the best run, by input, solar and wind", 340, still=True),
                id="why",
            ),
            parts.card(
                "Metric against metric",
                dmc.Group(choices),
                parts.chart("models-metrics", "One metric of each run against another", 380, still=True),
            ),
        ]
    )


def curves(address: Address) -> Any:
    """Return the learning curves of chosen runs."""
    snapshot = live.now()
    known = [
        {"value": r.info.run_id, "label": parts.run_label(r)} for r in snapshot.runs if r.info.run_id in snapshot.curves
    ]
    ids = [one["value"] for one in known]
    chosen = address.several("runs", ids, ids[:2], most=4)
    return parts.card(
        "Learning curves",
        dmc.Group(
            [
                dmc.MultiSelect(id="models-curves", label="Runs", data=known, value=chosen, maxValues=4, miw=300),
                parts.segments("models-curve", "Curve", CURVES, address.one_of("curve", CURVES, "loss")),
            ],
            align="end",
        ),
        parts.chart("models-curves-chart", "Learning curves, training and hold-out", 520, still=True),
    )


@callback(Output("models-runs", "children"), parts.LIVE)
def show_runs(_: Any) -> Any:
    """Fill the table of runs."""
    found = live.now().runs
    usual = [run for run in found if split_of(run) == "chronological"]
    shown = [runs_grid(usual, "runs-grid", "Finished runs")]
    if others := [run for run in found if split_of(run) != "chronological"]:
        text = "Judged on hours that another split set aside: their errors do not compare with those above."
        shown += [dmc.Title("Runs with another split", order=3, size="h5"), parts.note(text)]
        shown.append(runs_grid(others, "other-runs-grid", "Finished runs with another split"))
    return dmc.Stack(shown, gap="sm")


@callback(
    Output("models-metrics", "figure"),
    Input("models-x", "value"),
    Input("models-y", "value"),
    parts.LIVE,
)
def show_metrics(x: str, y: str, _: Any) -> Any:
    """Draw the runs that have both metrics."""
    found = [
        (trainer(run), parts.run_label(run), run.data.metrics[x], run.data.metrics[y])
        for run in live.now().runs
        if has_model(run) and x in run.data.metrics and y in run.data.metrics
    ]
    return charts.metrics(found, unit(x), unit(y)) if found else charts.nothing("No run has these metrics yet")


@callback(Output("models-why", "figure"), Output("models-why-note", "children"), parts.LIVE)
def show_why(_: Any) -> tuple:
    """Draw what carries the best run; where its trainer did not find that out, the error of each trainer's best run."""
    snapshot = live.now()
    run_id, text = snapshot.carries
    if text and (best := snapshot.run(run_id)):
        table = pd.read_csv(StringIO(text), index_col="input")
        names = [str(name).replace("rad_", "radiation, ") for name in table.index]
        words = f"The best run, {parts.run_name(best)}: by how much its error grows where an input tells it nothing."
        grown = {target: table[target].tolist() for target in TARGETS}
        return charts.errors(names, grown, "error that is added without it, GW"), parts.note(words)
    by_recipe: dict[str, Run] = {}
    for run in judged(snapshot.runs):
        name = recipe(run)
        by_recipe[name] = min(run, by_recipe.get(name, run), key=lambda run: run.data.metrics["mae"])
    if not by_recipe:
        return charts.nothing("No run has an error yet"), None
    names = sorted(by_recipe, key=lambda name: by_recipe[name].data.metrics["mae"])
    errors = {
        target: [by_recipe[n].data.metrics[f"mae_{target.removesuffix('_GW')}"] for n in names] for target in TARGETS
    }
    return charts.errors(names, errors, "mean absolute error on the hold-out, GW"), parts.note(
        "Each trainer's best run:"
    )


def recipe(run: Run) -> str:
    """Return what trained a run's model, with its features where they are not all of them."""
    name, features = run.data.tags.get(tags.STEP, "other"), run.data.params.get("features", "full")
    return name if features == "full" else f"{name}, features={features}"


def trainer(run: Run) -> str:
    """Return what trained a run's model, with the split where that is not the usual one."""
    name, split = run.data.tags.get(tags.STEP, "other"), split_of(run)
    return name if split == "chronological" else f"{name}, split={split}"


def unit(metric: str) -> str:
    """Return a metric's name with its unit.

    >>> unit("mae_solar"), unit("r2"), unit("mae_skill")
    ('mae_solar, GW', 'r2', 'mae_skill')
    """
    return metric if metric.startswith(("r2", "mae_skill", "coverage")) else f"{metric}, GW"


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


@callback(Output("models-drift", "children"), parts.LIVE)
def show_drift(_: Any) -> Any:
    """Fill the table of drift."""
    found = live.now().drift
    if found is None:
        return parts.card("Drift", parts.note("Nothing is in Production to compare the data with."))
    if found.problem:
        return parts.card("Drift", parts.note(f"{found.problem}."))
    rows = [
        [
            one.name,
            theme.number(one.figure, 2),
            " and ".join(f"{limit:.2g}" for limit in one.limits),
            parts.light(Status(one.level, one.words)),
        ]
        for one in found.findings
    ]
    heads = ["", "Figure", "Warning and alarm above", "How it stands"]
    return parts.card("Drift", parts.note(DRIFT), parts.table(heads, rows, "Drift of the data"))
