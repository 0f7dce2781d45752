"""The tables of the Models page, as AG Grids: sorted and filtered in the browser."""

from collections.abc import Sequence
from typing import Any

import dash_ag_grid as dag
from dash import html
from mlflow.entities import Run

import parts
import theme
from dsgo.models.intervals import SHARE
from dsgo.models.words import why_there
from finished import has_model
from live import Snapshot

LOOK = {
    "accentColor": "var(--mantine-primary-color-filled)",
    "backgroundColor": "var(--card)",
    "foregroundColor": "var(--mantine-color-text)",
    "borderColor": "var(--mantine-color-default-border)",
    "chromeBackgroundColor": "var(--chrome)",
    "browserColorScheme": "inherit",
    "fontFamily": "inherit",
    "fontSize": 13,
}
BANDS = ["coverage_solar", "coverage_wind", "pinball"]
METRICS = ["mae", "mae_solar", "mae_wind", *BANDS, "rmse", "r2", "r2_solar", "r2_wind", "mae_skill"]
HINTS = {
    "mae_skill": "1 - mae / mae of the calendar's mean",
    "coverage_solar": f"share of the daylight hours that the {SHARE:.0%} band held",
    "coverage_wind": f"share of the hours that the {SHARE:.0%} band held",
    "pinball": "mean loss of the 10, 50 and 90% quantiles, GW",
}


def grid(name: str, columns: list[dict[str, Any]], rows: list[dict[str, Any]], label: str) -> html.Div:
    """Return a grid in the page's colours."""
    options = {
        "theme": {"function": f"themeQuartz.withParams({LOOK!r})"},
        "domLayout": "autoHeight" if len(rows) < 14 else "normal",
        "enableCellTextSelection": True,
        "ensureDomOrder": True,  # for screen readers
        "tooltipShowDelay": 300,
        "suppressColumnVirtualisation": True,
        "tabToNextCell": {"function": "leaveGrid(params)"},
        "tabToNextHeader": {"function": "leaveGrid(params)"},
    }
    table = dag.AgGrid(
        id=name,
        columnDefs=columns,
        rowData=rows,
        defaultColDef={"filter": True, "sortable": True, "resizable": True, "minWidth": 90},
        dashGridOptions=options,
        columnSize="autoSize",
        style={"height": None if len(rows) < 14 else 460},
    )
    return html.Div(table, role="region", **parts.aria(label))


def number(field: str, name: str, digits: int, hint: str = "") -> dict[str, Any]:
    """Return a column of numbers."""
    shown = {"function": f"params.value == null ? '' : d3.format(',.{digits}f')(params.value)"}
    column = {"field": field, "headerName": name, "filter": "agNumberColumnFilter", "type": "rightAligned"}
    return column | {"valueFormatter": shown} | ({"headerTooltip": hint} if hint else {})


def link(field: str, name: str) -> dict[str, Any]:
    """Return a column of links {text, href} into MLflow's UI, opened in another tab."""
    text, follow = {"function": f"params.data.{field}.text"}, {"function": "followLink(params)"}
    return {
        "field": field,
        "headerName": name,
        "cellRenderer": "Link",
        "valueGetter": text,
        "colId": field,
        "suppressKeyboardEvent": follow,
    }


def runs_grid(runs: Sequence[Run], name: str, label: str) -> html.Div:
    """Return every run: what, when, how long, hold-out metrics, a link to it."""
    columns: list[dict[str, Any]] = [
        link("run", "Run"),
        *[number(name, name.replace("_", " "), 3, HINTS.get(name, "")) for name in METRICS],
        {"field": "started", "headerName": "Started (UTC)"},
        number("seconds", "Seconds", 0),
        {"field": "params", "headerName": "Parameters", "tooltipField": "params", "maxWidth": 320},
    ]
    rows = [
        {
            "run": {"text": parts.run_name(run), "href": parts.ui(parts.run_path(run))},
            "started": f"{theme.from_milliseconds(run.info.start_time):%Y-%m-%d %H:%M}",
            "seconds": (run.info.end_time - run.info.start_time) / 1000,
            "params": ", ".join(f"{key}={value}" for key, value in sorted(run.data.params.items()) if value),
        }
        | {name: run.data.metrics.get(name) if has_model(run) else None for name in METRICS}
        for run in runs
    ]
    return grid(name, columns, rows, label)


def versions_table(snapshot: Snapshot) -> html.Div:
    """Return the registered versions, the newest first."""
    columns: list[dict[str, Any]] = [
        link("version", "Version"),
        {"field": "stage", "headerName": "Stage"},
        {"field": "run", "headerName": "Run"},
        {"field": "registered", "headerName": "Registered (UTC)"},
        number("mae", "Hold-out mae, GW", 3),
        {"field": "why", "headerName": "About", "tooltipField": "why", "flex": 1, "minWidth": 200},
    ]
    rows = []
    for version in snapshot.versions:
        run = snapshot.run(version.run_id)
        rows.append(
            {
                "version": {
                    "text": f"Version {version.version}",
                    "href": parts.ui(f"models/{version.name}/versions/{version.version}"),
                },
                "stage": theme.NONE if version.current_stage == "None" else version.current_stage,
                "run": parts.run_name(run) if run else (version.run_id or theme.NONE)[:6],
                "registered": f"{theme.from_milliseconds(version.creation_timestamp):%Y-%m-%d %H:%M}",
                "mae": run.data.metrics.get("mae") if run else None,
                "why": (version.description or "").partition("\n")[0],
            }
        )
    return grid("versions-grid", columns, rows, "Versions of BestModel")


def history_table(snapshot: Snapshot) -> html.Div:
    """Return what was in Production, from when to when and why."""
    columns: list[dict[str, Any]] = [
        {"field": "version", "headerName": "Version"},
        {"field": "since", "headerName": "Since (UTC)"},
        {"field": "until", "headerName": "Until (UTC)"},
        {"field": "how", "headerName": "How"},
        {"field": "why", "headerName": "Why", "tooltipField": "why", "flex": 1, "minWidth": 200},
    ]
    rows = [
        {
            "version": f"Version {entry.version}" if entry.version else "none",
            "since": f"{entry.since:%Y-%m-%d %H:%M}",
            "until": f"{entry.until:%Y-%m-%d %H:%M}" if entry.until else "now",
            "how": entry.how,
            "why": ": ".join(why_there(snapshot.history, entry)) if entry.how == "rollback" else entry.why,
        }
        for entry in snapshot.history
    ]
    return grid("history-grid", columns, rows, "History of Production")
