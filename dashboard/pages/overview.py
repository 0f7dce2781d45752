"""Overview: the last 24 hours, the Production model, how fresh the data is, the week so far."""

from datetime import UTC, datetime
from typing import Any

import dash_mantine_components as dmc
import pandas as pd
from dash import Output, callback, html

import charts
import live
import parts
import theme
from choices import Address
from dsgo.base import tags
from dsgo.base.status import age_status, error_status
from dsgo.data.schema import TARGETS
from dsgo.models.words import why_there
from series import capacity_of, summary

PATH = "/overview"


def layout(**query: str) -> Any:
    """Return the page; it has no state."""
    snapshot = live.now()
    if not snapshot.ready:
        return parts.waiting(snapshot)
    return dmc.Stack(
        [
            STATE,
            dmc.Title("Overview", order=1, size="h2"),
            parts.notice(Address(query, [])),
            dmc.Box(id="overview-day"),
            dmc.Grid(
                [
                    dmc.GridCol(
                        parts.card(
                            "Week so far",
                            parts.note(
                                "Hour by hour since Monday 00:00 UTC, as recorded and as the Production model has it."
                            ),
                            html.Div(id="overview-band"),
                            parts.chart(
                                "overview-week", "Recorded and predicted power of the week so far", 640, still=True
                            ),
                        ),
                        span={"base": 12, "lg": 8},
                    ),
                    dmc.GridCol(dmc.Stack(id="overview-state"), span={"base": 12, "lg": 4}),
                ]
            ),
        ]
    )


STATE = parts.keep_in_url(PATH, {})


@callback(
    Output("overview-day", "children"),
    Output("overview-week", "figure"),
    Output("overview-band", "children"),
    Output("overview-state", "children"),
    parts.LIVE,
)
def show(_: Any) -> tuple:
    """Draw the page anew when there is something new."""
    snapshot = live.now()
    made = live.predictions(snapshot, snapshot.served) if snapshot.ready else None
    if not snapshot.data or not made:
        return None, charts.nothing(parts.not_made(snapshot)), None, []
    data = snapshot.data
    day = (data.grid.end - pd.Timedelta("24h"), data.grid.end)
    monday = (data.grid.end - pd.Timedelta("1h")).normalize()
    monday -= pd.Timedelta(days=monday.weekday())
    week = charts.power(
        data.grid, data.values, {"Predicted": (made.power, made.band)}, TARGETS, (monday, data.grid.end)
    )
    heading = dmc.Text(f"The last 24 hours of the data, until {theme.when(day[1])}", fw=600, mb="xs")
    normal = snapshot.hold_out("production")
    figures = [figure for target in TARGETS for figure in day_of(data, made, target, day, normal.get(target))]
    about = parts.note(parts.band_note(snapshot, "production", made.band))
    return [heading, parts.cards(*figures)], week, about, [model_card(snapshot), freshness(snapshot)]


def day_of(
    data: live.Data,
    made: live.Predictions,
    target: str,
    day: tuple[pd.Timestamp, pd.Timestamp],
    normal: float | None,
) -> list:
    """Return a target's two cards: its energy and its error, against the hold-out's `normal` one (GW)."""
    cut, name = data.grid.cut(*day), theme.NAMES[target]
    before = data.grid.cut(*(time - pd.Timedelta("7D") for time in day))
    found = summary(data.values[target][cut], made.power[target][cut], data.values[capacity_of(target)][cut])
    earlier = float(pd.Series(data.values[target][before]).sum()) if before.stop - before.start == 24 else 0
    change = (
        f"; {theme.percent(found.recorded / earlier - 1, '+')} against the same day a week before" if earlier else ""
    )
    gaps = f" {24 - found.hours} of 24 hours are missing." if found.hours < 24 else ""
    factor = f"{theme.percent(found.capacity_factor)} of capacity{change}.{gaps}"
    off = f"Predicted {theme.number(found.predicted, 0)} GWh; bias {theme.number(found.bias, 2)} GW"
    colour = theme.RECORDED[target]
    return [
        parts.stat(f"{name} energy", theme.number(found.recorded, 0), "GWh", factor, colour),
        parts.stat(
            f"{name} mean absolute error",
            theme.number(found.mae, 2),
            "GW",
            [off, parts.light(error_status(found.mae, normal))],
            colour,
        ),
    ]


def model_card(snapshot: live.Snapshot) -> Any:
    """Return the Production model: name, version, training, hold-out errors, links."""
    version = snapshot.production
    if version is None:
        return parts.card("Production model", dmc.Text("No version is in Production."), id="model-card")
    run = snapshot.run(version.run_id)
    since = next((entry for entry in snapshot.history if entry.version == version.version), None)
    rows: list[tuple[str, Any]] = [
        ("Model", parts.ui_link("BestModel", "models/BestModel")),
        ("Version", version.version),
    ]
    if since:
        rows += [("In Production", f"since {theme.when(since.since)}"), why_there(snapshot.history, since)]
    if run:
        known, figures = run.data.tags, run.data.metrics
        until = known.get(tags.TRAINED_UNTIL)
        data = known.get(tags.DATA_RUN_ID, "none")
        rows += [
            ("Algorithm", known.get(tags.STEP, run.info.run_name)),
            ("Trained", theme.when(theme.from_milliseconds(run.info.start_time))),
            ("Trained on", f"hours until {theme.when(pd.Timestamp(until))}" if until else theme.NONE),
            (
                "Dataset",
                parts.ui_link(data[:8], f"experiments/{run.info.experiment_id}/runs/{data}")
                if data != "none"
                else "a file",
            ),
            ("Hold-out mae, solar", f"{theme.number(figures.get('mae_solar'), 2)} GW"),
            ("Hold-out mae, wind", f"{theme.number(figures.get('mae_wind'), 2)} GW"),
            ("Hold-out r2", theme.number(figures.get("r2"), 3)),
            ("Run", parts.ui_link(run.info.run_id[:8], parts.run_path(run))),
        ]
    else:
        rows.append(("Run", "not of this experiment"))
    return parts.card("Production model", parts.facts(rows), id="model-card")


def freshness(snapshot: live.Snapshot) -> Any:
    """Return how old and how complete the data is."""
    data = snapshot.data
    if data is None:
        return None
    length, missing = data.grid.length, data.grid.length - len(data.frame)
    rows = [
        (
            "Dataset",
            ["the newest process_data run, ", parts.ui_link(data.run.info.run_id[:8], parts.run_path(data.run))],
        ),
        (
            "Latest hour",
            [
                theme.when(data.grid.time(length - 1)),
                parts.light(age_status(data.grid.time(length - 1), datetime.now(UTC), bool(data.licences))),
            ],
        ),
        ("Processed", theme.when(theme.from_milliseconds(data.run.info.end_time))),
        ("Hours", f"{theme.number(length, 0)}, of which {theme.number(missing, 0)} missing"),
        ("Origin", "simulated: made by this project, no measurement" if data.simulated else "measured"),
    ]
    return parts.card("Data freshness", parts.facts(rows), id="freshness")
