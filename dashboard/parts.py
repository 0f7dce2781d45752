"""The pieces that pages are built of: cards, figures with units, controls with labels, charts, what to run."""

import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

import dash_mantine_components as dmc
import mlflow
import pandas as pd
from dash import ALL, Input, Output, State, clientside_callback, dcc, html
from mlflow.entities import Run

import theme
from choices import PERIOD, Address, period_of, span
from dsgo.base.status import Status
from dsgo.data.schema import TARGETS
from dsgo.models.bands import NO_BAND
from dsgo.models.intervals import SHARE
from finished import has_model, split_of
from live import Snapshot
from series import Band, Summary

LIVE = Input("live", "data")  # changes when there is something new to show
STEPS = {"24": "Day", "168": "Week", "720": "30 days", "8766": "Year", "all": "All"}
Children = Any


def card(title: str, *children: Children, aside: Children = None, **more: Any) -> dmc.Paper:
    """Return a titled box."""
    head = dmc.Group([dmc.Title(title, order=2, size="h4"), aside], justify="space-between")
    return dmc.Paper(dmc.Stack([head, *children], gap="sm"), p="md", withBorder=True, className="card", **more)


def stat(label: str, value: str, unit: str, note: Children = None, colour: str = "") -> dmc.Paper:
    """Return one figure with its unit, and a line about it."""
    figure = [html.Span(value, className="stat-value"), html.Span(f" {unit}" if unit else "", className="stat-unit")]
    style = {"borderTop": f"3px solid {colour}"} if colour else {}
    inside = [html.Div(label, className="stat-label"), html.Div(figure), html.Div(note, className="stat-note")]
    return dmc.Paper(inside, p="md", withBorder=True, className="card", style=style)


def cards(*children: Children, cols: int = 4) -> dmc.SimpleGrid:
    """Return cards side by side, below each other on a phone."""
    return dmc.SimpleGrid(list(children), cols={"base": 1, "xs": min(2, cols), "md": cols}, spacing="md")


def facts(rows: Sequence[tuple[str, Children]]) -> html.Dl:
    """Return names and values, a line each."""
    return html.Dl([part for name, value in rows for part in (html.Dt(name), html.Dd(value))], className="facts")


def table(head: Sequence[str], body: Sequence[Sequence[Children]], label: str) -> dmc.TableScrollContainer:
    """Return a small table that scrolls sideways on a phone."""
    top = dmc.TableThead(dmc.TableTr([dmc.TableTh(name) for name in head]))
    rows = [dmc.TableTr([dmc.TableTd(cell) for cell in row]) for row in body]
    inside = dmc.Table([top, dmc.TableTbody(rows)], className="figures")
    return dmc.TableScrollContainer(inside, minWidth=420, type="native", className="scrolls", **aria(label))


SUMMARY = ["Recorded", "Predicted", "Of capacity", "Mean abs. error", "Bias", "r2", "Hours"]


def summary_cells(found: Summary) -> list[str]:
    """Return a summary as cells below SUMMARY."""
    mae, bias = f"{theme.number(found.mae, 2)} GW", f"{theme.number(found.bias, 2)} GW"
    power = [theme.energy(found.recorded), theme.energy(found.predicted), theme.percent(found.capacity_factor)]
    return [*power, mae, bias, theme.number(found.r2, 3), theme.number(found.hours, 0)]


def chart(name: str, label: str, height: int, still: bool = False) -> html.Div:
    """Return an empty chart of that id, with a label for those who cannot see it."""
    hidden = {"visible": False}
    empty = {"data": [], "layout": theme.layout(xaxis=hidden, yaxis=hidden)}
    config = theme.STILL if still else theme.GRAPH
    graph = dcc.Graph(id=name, figure=empty, config=config, responsive=True, style={"height": f"{height}px"})
    return html.Div(graph, role="figure", **aria(label))


def aria(label: str) -> dict[str, Any]:
    """Return what gives a component a name for those who cannot see it."""
    return {"aria-label": label}


def segments(name: str, label: str, options: dict[str, str], value: str) -> dmc.Stack:
    """Return a choice of a few, all in sight."""
    data = [{"value": key, "label": text} for key, text in options.items()]
    control = dmc.SegmentedControl(id=name, data=data, value=value, **aria(label))
    return dmc.Stack([dmc.Text(label, size="sm", fw=500), control], gap=2)


def model_select(name: str, label: str, snapshot: Snapshot, value: str) -> dmc.Select:
    """Return a choice among Production (followed), the registered versions and the runs that logged a model."""
    data = models(snapshot)
    wide = {"width": "max-content", "position": "bottom-start"}
    how = {"allowDeselect": False, "searchable": True, "comboboxProps": wide}
    return dmc.Select(id=name, label=label, data=data, value=value, w=290, **how)


def models(snapshot: Snapshot) -> list[dict[str, Any]]:
    """Return all models that can be chosen, grouped."""
    current = f"Production (now version {snapshot.production.version})" if snapshot.production else "Production"
    versions = [
        {
            "value": v.version,
            "label": f"Version {v.version} ({'no stage' if v.current_stage == 'None' else v.current_stage})",
        }
        for v in snapshot.versions
    ]
    runs: dict[str, list] = {"chronological": []}
    for run in snapshot.runs:
        if has_model(run):
            runs.setdefault(split_of(run), []).append({"value": run.info.run_id, "label": run_label(run)})
    groups = [("Registry", [{"value": "production", "label": current}, *versions])]
    groups.append(("Runs, newest first", runs.pop("chronological")))
    groups += [(f"Runs with split={split}: their errors do not compare", found) for split, found in runs.items()]
    return [{"group": name, "items": items} for name, items in groups if items]


def run_label(run: Run) -> str:
    """Return how a run is called in lists: its name, a bit of its id, its error."""
    mae = run.data.metrics.get("mae")
    return run_name(run) + (f", mae {mae:.3f} GW" if mae is not None else "")


def run_name(run: Run) -> str:
    """Return a run's short name, with its split where that is not the usual one: its errors compare with no others."""
    split = split_of(run)
    return f"{run.info.run_name} {run.info.run_id[:6]}" + (f" (split={split})" if split != "chronological" else "")


def model_label(snapshot: Snapshot, choice: str) -> str:
    """Return a chosen model's short name."""
    if choice == "production":
        return f"Version {snapshot.served.rpartition('/')[2]}" if snapshot.served else "The Production model"
    run = snapshot.run(choice)
    return run_name(run) if run else f"Version {choice}"


def ui_link(text: str, path: str) -> dmc.Anchor:
    """Return a link into MLflow's UI, in a tab of its own."""
    return dmc.Anchor(text, href=ui(path), target="_blank")


def ui(path: str) -> str:
    """Return an address in MLflow's UI; a password in the tracking URI stays out of it."""
    scheme, _, rest = mlflow.get_tracking_uri().partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}/#/{path}"


def run_path(run: Run) -> str:
    """Return a run's page in MLflow's UI."""
    return f"experiments/{run.info.experiment_id}/runs/{run.info.run_id}"


def light(status: Status | None) -> Children:
    """Return how something stands, in a word and a colour, and the reason; nothing where that is not known."""
    if status is None:
        return None
    word = html.Span(status.level, className=f"light light-{status.level}")
    return html.Div([word, f" {status.words}"], className="stat-note")


def notice(address: Address, view: dict[str, str] | None = None) -> Children:
    """Return what of the page's address could not be taken, and what is shown instead; nothing if all of it could."""
    if not address.wrong and not address.changed:
        return None
    shown = "the page's default"
    if view and any(text.startswith(PERIOD) for text in address.wrong):
        first, last = period_of(view)
        shown = f"{theme.when(first)} to {theme.when(last)}"
    said = [f"{'; '.join(address.wrong)}: shown is {shown}"] if address.wrong else []
    text = "; ".join(said + address.changed)
    title = "The address could not be taken as it is"
    return dmc.Alert(f"{text}.", title=title, color="yellow", id="address-notice")


def band_note(snapshot: Snapshot, choice: str, band: Band) -> str:
    """Return what a model's band says and what it held on the hold-out; that there is none where it has none."""
    if not band:
        return f"{NO_BAND[0].upper()}{NO_BAND[1:]}."
    said = f"Grey: the model's band, within which the power is to lie in {SHARE:.0%} of the hours (solar: of daylight)."
    held = snapshot.hold_out(choice, "coverage")
    if len(held) < len(TARGETS):
        return said
    shares = " and ".join(f"{theme.percent(share)} ({theme.NAMES[target].lower()})" for target, share in held.items())
    return f"{said} On the hold-out it held {shares}."


def not_made(snapshot: Snapshot) -> str:
    """Return why there are no predictions of the Production model to draw."""
    if snapshot.state and snapshot.state.version is None:
        return snapshot.state.title
    return "The predictions are being made"


def note(text: Children) -> dmc.Text:
    """Return a small line."""
    return dmc.Text(text, size="sm", c="dimmed")


def waiting(snapshot: Snapshot) -> dmc.Paper:
    """Return what stands in a page's place until there is a dataset and a Production model: what to run."""
    if snapshot.production and snapshot.data:
        said, commands = "The Production model is being loaded; this page comes by itself.", list[str]()
    elif snapshot.state and snapshot.state.to_do and snapshot.data:
        said, commands = f"{snapshot.state.said}. This page comes by itself then.", []
    elif snapshot.problem not in ("", "connecting") and not snapshot.asked:
        said, commands = f"{snapshot.problem}. This page comes by itself then.", []
    elif snapshot.problem and not snapshot.asked:
        said = "No tracking server has answered yet. Start the stores, then this page comes by itself:"
        commands = ["dsgo up"]
    else:
        missing = [] if snapshot.data else ["mlflow run process_data --env-manager local --experiment-name EXPERIMENT"]
        said = "There is no dataset yet." if missing else "No model is in Production yet."
        said += " The workflow makes one and promotes the best model; this page comes by itself when it is done:"
        commands = ["mlflow run . --env-manager local --experiment-name predicting_wind_solar"]
    inside = [dmc.Title("Nothing to show yet", order=2, size="h3"), dmc.Text(said)]
    inside += [dmc.Code(command, block=True) for command in commands]
    return dmc.Paper(
        dmc.Stack(inside), p="xl", withBorder=True, className="card", id="waiting", maw=820, mx="auto", mt="xl"
    )


def keep_in_url(path: str, controls: dict[str, Input]) -> html.Div:
    """Keep a page's state in its address: a parameter for each control that holds something; part of the page's layout.

    A name "compare.a" is the parameter `a`, kept while the parameter `tab` is "compare". To be called once, on import:
    Dash takes no callbacks after the first request.
    """
    name = f"url-of-{path.strip('/')}"
    function = f"(...values) => window.dsgo.keepInUrl('{path}', {json.dumps(list(controls))}, values)"
    clientside_callback(function, Output(name, "data-kept"), *(controls.values() or [LIVE]))
    return html.Div(id=name, hidden=True)


def address(path: str, **state: str) -> str:
    """Return a page's address with its state."""
    return f"{path}?{urlencode(state)}"


def period(name: str, snapshot: Snapshot, view: dict[str, str] | None) -> list:
    """Return a calendar for the period in view, which stands in the store `{name}-view` (see follow_period)."""
    if snapshot.data is None or view is None:
        calendar = dmc.DatePickerInput(id=f"{name}-picked", label="Period (UTC)", type="range", disabled=True, w=260)
        return [dcc.Store(id=f"{name}-view"), dcc.Store(id=f"{name}-bounds"), calendar]
    grid = snapshot.data.grid
    last = grid.time(grid.length - 1)
    calendar = dmc.DatePickerInput(
        id=f"{name}-picked",
        label="Period (UTC)",
        type="range",
        value=[view["from"][:10], f"{period_of(view)[1] - pd.Timedelta('1h'):%Y-%m-%d}"],
        minDate=f"{grid.start:%Y-%m-%d}",
        maxDate=f"{last:%Y-%m-%d}",
        valueFormat="D MMM YYYY",
        allowSingleDateInRange=True,
        ariaLabels={
            "previousMonth": "Previous month",
            "nextMonth": "Next month",
            "monthLevelControl": "Choose a month",
        },
        w=260,
    )
    bounds = span(grid.start, grid.end)
    return [dcc.Store(id=f"{name}-view", data=view), dcc.Store(id=f"{name}-bounds", data=bounds), calendar]


def steps(name: str) -> html.Div:
    """Return buttons for the length of the period in view, and to go on and back by it."""

    def step(key: str, text: str, label: str) -> dmc.Button:
        place = {"page": name, "step": key}
        return dmc.Button(text, id=place, variant="default", size="compact-sm", **aria(label))

    lengths = [step(key, text, f"Show {text.lower()}") for key, text in STEPS.items()]
    back, on = step("back", "←", "Earlier by one screen"), step("on", "→", "Later by one screen")
    return html.Div(dmc.Group([back, *lengths, on], gap=6), role="group", **aria("Period in view"))


def follow_period(name: str) -> None:
    """Let the calendar, the buttons and zooming in the chart `{name}-chart` set the period in view."""
    clientside_callback(
        "(...all) => window.dsgo.period(...all)",
        Output(f"{name}-view", "data"),
        Output(f"{name}-picked", "value"),
        Input(f"{name}-picked", "value"),
        Input(f"{name}-chart", "relayoutData"),
        Input({"page": name, "step": ALL}, "n_clicks"),
        State(f"{name}-view", "data"),
        State(f"{name}-bounds", "data"),
        prevent_initial_call=True,
    )
