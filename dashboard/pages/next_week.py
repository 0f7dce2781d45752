"""Next week: the newest forecast with its band, what was forecast before, and what came."""

from datetime import UTC, datetime
from typing import Any

import dash_mantine_components as dmc
import numpy as np
import pandas as pd
from dash import Input, Output, State, callback, ctx, dcc, html

import charts
import live
import parts
import theme
from choices import Address
from dsgo.data.schema import TARGETS
from dsgo.forecast.band import DAYS
from dsgo.forecast.figure import BEFORE
from dsgo.forecast.weather import NONE
from dsgo.models.intervals import SHARE
from forecasts import ENDS, Ahead
from series import Grid

PATH = "/"
HOUR = pd.Timedelta(hours=1)
ABOUT = (
    f"Dashed: the forecast. Grey: its band, in which the power is to lie in {SHARE:.0%} of the hours (solar: of "
    "daylight). In colour: what came."
)


def layout(**query: str) -> Any:
    """Return the page in the state of its address: issued, the forecast's first hour (nothing: of the newest)."""
    snapshot = live.now()
    address = Address(query, ["issued"])
    title = dmc.Title("Next week", order=1, size="h2")
    if snapshot.data is None:
        return parts.waiting(snapshot)
    if snapshot.ahead is None:
        return dmc.Stack([title, parts.notice(address), no_forecast(snapshot.data)])
    ahead, times = snapshot.ahead, list(snapshot.ahead.said)
    asked = address.query.get("issued", "")
    issued = ahead.time(asked) if asked else ""
    if issued is None:
        address.wrong.append(f"issued={asked[:40]}: no forecast was issued then")
    slider = dmc.Slider(
        id="next-slider",
        thumbLabel="Issue time",
        min=0,
        max=max(len(times) - 1, 1),
        disabled=len(times) == 1,
        value=times.index(issued or times[-1]),
        updatemode="mouseup",
        label=None,
        size="md",
    )
    head = dmc.Group([dmc.Text("Issued", size="sm"), dmc.Text(id="next-issued", size="sm", fw=600)], gap="xs")
    note = parts.note("Left: what was forecast before. Right: the newest forecast.")
    download = html.A("Download CSV", id="next-csv", href="", download="", className="button")
    return dmc.Stack(
        [
            STATE,
            dcc.Store(id="next-time", data=issued or ""),
            dmc.Group([title, download], justify="space-between"),
            parts.notice(address),
            dmc.Box(id="next-figures"),
            dmc.Paper(
                dmc.Stack(
                    [
                        html.Div([head, slider, note], className="slider"),
                        parts.chart("next-chart", "Forecast of solar and wind power with its band", 600, still=True),
                        html.Div(id="next-came"),
                        parts.note(ABOUT),
                    ],
                    gap="sm",
                ),
                p="md",
                withBorder=True,
                className="card",
            ),
            parts.card("This forecast", html.Div(id="next-facts")),
        ]
    )


def no_forecast(data: live.Data) -> Any:
    """Return a line that says what to type where no forecast is there."""
    if not (data.simulated or data.licences):
        inside = [dmc.Text(f"No forecast: {NONE}.")]
    else:
        command = f"mlflow run forecast --env-manager local --experiment-name {live.experiment()}"
        inside = [dmc.Text("No forecast was made yet. This makes one:"), dmc.Code(command, block=True)]
    return dmc.Paper(dmc.Stack(inside), p="xl", withBorder=True, className="card", id="no-forecast", maw=820)


STATE = parts.keep_in_url(PATH, {"issued": Input("next-time", "data")})


@callback(
    Output("next-slider", "max"),
    Output("next-slider", "value"),
    Output("next-time", "data"),
    Output("next-issued", "children"),
    Output("next-figures", "children"),
    Output("next-chart", "figure"),
    Output("next-came", "children"),
    Output("next-facts", "children"),
    Output("next-csv", "href"),
    Input("next-slider", "value"),
    parts.LIVE,
    State("next-time", "data"),
)
def show(position: int, _: Any, chosen: str) -> tuple:
    """Draw the forecast of an issue time; a page on the newest one goes on to the next when it comes."""
    snapshot = live.now()
    ahead, data = snapshot.ahead, snapshot.data
    if ahead is None or data is None:
        return 1, 0, "", "", None, charts.nothing("No forecast is there"), None, None, ""
    times = list(ahead.said)
    if ctx.triggered_id == "next-slider":
        position = min(max(int(position), 0), len(times) - 1)
        chosen = "" if position == len(times) - 1 else times[position]
    elif chosen not in times:
        chosen = ""
    issued = chosen or times[-1]
    hours, made = ahead.said[issued], ahead.forecast(issued)
    kind = "" if made else ", a hindcast: made later, as it would have been then"
    newest = "" if chosen else ", the newest"
    return (
        *(max(len(times) - 1, 1), times.index(issued), chosen),
        f"{theme.when(hours['issued'].iloc[0])}{newest}{kind}",
        parts.cards(*(energy(hours, target) for target in TARGETS), age(ahead, data), cols=3),
        draw(data, hours),
        parts.note(came(ahead, issued)),
        facts(snapshot, issued),
        parts.address("/forecast.csv", issued=issued),
    )


def energy(hours: pd.DataFrame, target: str) -> Any:
    """Return a target's energy of the week as a card, with the hour of most power."""
    most = hours[target].idxmax()
    note = f"Most {theme.number(hours[target].max())} GW, {most:%a} {theme.when(most)}"
    return parts.stat(
        f"{theme.NAMES[target]}, {len(hours) // 24} days",
        theme.number(hours[target].sum(), 0),
        "GWh",
        note,
        theme.RECORDED[target],
    )


def age(ahead: Ahead, data: live.Data) -> Any:
    """Return how old the newest forecast is, and its data, as a card."""
    hours = (datetime.now(UTC) - ahead.made[0].made) / HOUR
    value, unit = (hours, "hours") if hours < 72 else (hours / 24, "days")
    newest = data.grid.end - HOUR
    note = f"It begins {theme.when(ahead.made[0].issued)}. The data's last hour is {theme.when(newest)}"
    return parts.stat("Age of the newest forecast", theme.number(value, 1 if unit == "hours" else 0), unit, note)


def draw(data: live.Data, hours: pd.DataFrame) -> charts.Figure:
    """Return the chart of one forecast, after the last days of what came."""
    issued = hours["issued"].iloc[0]
    grid = Grid(issued - BEFORE, int((BEFORE + pd.Timedelta(days=DAYS)) / HOUR))
    index = pd.DatetimeIndex(hours.index)
    came = data.frame[(data.frame.index >= grid.start) & (data.frame.index < grid.end)]
    values = {target: grid.spread(pd.DatetimeIndex(came.index), came[target].to_numpy("float64")) for target in TARGETS}
    said = {name: grid.spread(index, hours[name].to_numpy("float64")) for name in ENDS}
    band = {target: (said[f"{target}_low"], said[f"{target}_high"]) for target in TARGETS}
    power = {target: said[target] for target in TARGETS}
    figure = charts.power(grid, values, {"Forecast": (power, band)}, TARGETS, (grid.start, grid.end))
    at = {"x0": f"{issued:%Y-%m-%d %H:%M}", "x1": f"{issued:%Y-%m-%d %H:%M}", "y0": 0, "y1": 1, "yref": "paper"}
    figure["layout"]["shapes"] = [at | {"type": "line", "line": {"color": "#888888", "dash": "dot", "width": 1}}]
    return figure


def came(ahead: Ahead, issued: str) -> str:
    """Return how a forecast did, in words."""
    laid = ahead.laid[ahead.laid["issued"] == pd.Timestamp(issued, tz="UTC")]
    if laid.empty:
        return "None of its hours has come yet."
    said = []
    for target, part in laid.groupby("target"):
        error = (part["said"] - part["came"]).abs().mean()
        light = part[part["high"] > part["low"]]
        inside = np.mean((light["came"] >= light["low"] - 1e-9) & (light["came"] <= light["high"] + 1e-9))
        held = f", {inside:.0%} of them in the band" if len(light) else ""
        said.append(f"{theme.NAMES[str(target)].lower()} mean absolute error {error:.2f} GW{held}")
    return f"{len(laid) // len(TARGETS)} of its {24 * DAYS} hours have come: {'; '.join(said)}."


def facts(snapshot: live.Snapshot, issued: str) -> Any:
    """Return what a forecast was made of."""
    assert snapshot.ahead is not None
    made = snapshot.ahead.forecast(issued)
    of = made or snapshot.ahead.made[0]
    run = snapshot.run(of.run_id)
    version = next((one for one in snapshot.versions if one.version == of.version), None)
    trained = snapshot.run(version.run_id) if version else None
    when = theme.from_milliseconds(trained.info.start_time) if trained else None
    rows: list[tuple[str, Any]] = [
        ("Made", f"{theme.when(of.made)}{'' if made else ', with the forecast of ' + theme.when(of.issued)}"),
        ("Model", f"version {of.version}" + (f", trained {theme.when(when)}" if when else "")),
        ("Weather", of.weather),
    ]
    if run:
        rows.append(("Run", parts.ui_link(of.run_id[:8], parts.run_path(run))))
    if of.licences:
        rows.append(("Licences", ". ".join(of.licences)))
    return parts.facts(rows)
