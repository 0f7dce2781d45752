"""What stands around every page: title, navigation, what data and which model, and a banner when something is wrong."""

from typing import Any

import dash
import dash_mantine_components as dmc
from dash import Input, Output, State, callback, clientside_callback, dcc, html, no_update

import live
import theme
from dsgo.forecast.lights import NOT_KNOWN
from parts import aria

ASK_SECONDS = 3  # how often an open page asks whether there is something new
ICONS = {"/": "next-week", "/record": "record", "/overview": "overview", "/explore": "explore"}
ICONS |= {"/years": "years", "/models": "models", "/what-if": "what-if"}


def icon(name: str) -> html.Span:
    """Return a drawing of assets/style.css, in the colour of the text."""
    return html.Span(className=f"drawn drawn-{name}")


def shell() -> dmc.MantineProvider:
    """Return the frame around the page."""
    scheme = dmc.ColorSchemeToggle(
        lightIcon=icon("sun"),
        darkIcon=icon("moon"),
        variant="default",
        size="lg",
        **aria("Switch between light and dark"),
    )
    states = {"aria-expanded": "false", "aria-controls": "pages"}
    burger = dmc.Burger(id="burger", hiddenFrom="sm", size="sm", opened=False, **aria("Navigation"), **states)
    title = dmc.Anchor(
        [html.Img(src=dash.get_asset_url("logo.svg"), alt="", width=30, height=30), html.Span("Sun & wind")],
        href="/",
        className="brand",
        underline="never",
    )
    state = dmc.Group([html.Div(id="badges", className="badges"), scheme], gap="sm", wrap="nowrap")
    header = dmc.Group(
        [dmc.Group([burger, title], gap="sm", wrap="nowrap"), state],
        justify="space-between",
        h="100%",
        px="md",
        wrap="nowrap",
    )
    links = [
        dmc.NavLink(label=page["name"], href=page["path"], leftSection=icon(ICONS[page["path"]]), active="exact")
        for page in dash.page_registry.values()
        if page["path"] in ICONS
    ]
    # Filled in by assets/dashboard.js, for which the dashboard need not answer.
    away = dmc.Alert(html.Span(id="away-text"), title="The dashboard does not answer", color="red", mb="md")
    return dmc.MantineProvider(
        [
            dcc.Store(id="live"),
            dcc.Interval(id="ask", interval=ASK_SECONDS * 1000),
            html.Div(id="reloaded", hidden=True),
            html.A("Skip to the content", href="#content", className="skip"),
            dmc.AppShell(
                [
                    dmc.AppShellHeader(header),
                    dmc.AppShellNavbar(html.Nav(links, id="pages", **aria("Pages")), p="sm"),
                    dmc.AppShellMain(
                        [
                            html.Div(away, id="away", role="alert", hidden=True),
                            html.Div(id="lights", className="lights", role="group", **aria("Status")),
                            html.Div(id="banner", role="status"),
                            html.Div(dash.page_container, id="content"),
                            html.Footer(id="licences", className="stat-note"),
                        ]
                    ),
                ],
                id="frame",
                header={"height": 60},
                navbar={"width": 200, "breakpoint": "sm", "collapsed": {"mobile": True}},
                padding={"base": "sm", "sm": "lg"},
            ),
        ],
        theme=theme.MANTINE,
        defaultColorScheme="auto",
    )


@callback(
    Output("live", "data"),
    Output("badges", "children"),
    Output("banner", "children"),
    Output("licences", "children"),
    Output("lights", "children"),
    Input("ask", "n_intervals"),
    State("live", "data"),
)
def follow(_: int | None, shown: dict[str, Any] | None) -> tuple:
    """Tell an open page what is new; nothing, most of the time."""
    snapshot = live.now()
    if shown and shown["serial"] == snapshot.serial:
        return (no_update,) * 5
    state = {"serial": snapshot.serial, "ready": snapshot.ready, "ahead": snapshot.ahead is not None}
    return state, badges(snapshot), banner(snapshot), licences(snapshot), first_line(snapshot)


def first_line(snapshot: live.Snapshot) -> list:
    """Return how model, data, error and coverage stand, each in a word with its reason and limit."""
    found = []
    for name, status in snapshot.lights.items():
        word = html.Span(status.level, className=f"light light-{status.level}") if status else theme.NONE
        why = html.Span(status.words if status else NOT_KNOWN, className="why")
        wide = "" if status and status.level != "good" else " quiet"
        found.append(html.Div([html.B(name.capitalize()), word, why], className=f"status{wide}", id=f"light-{name}"))
    return found


def licences(snapshot: live.Snapshot) -> str:
    """Return the licence lines of the data's sources, which ask for them to be shown; empty where it names none."""
    return ". ".join(snapshot.data.licences) if snapshot.data else ""


def badges(snapshot: live.Snapshot) -> list:
    """Return which model is served and whether the data is simulated."""
    found: list = []
    if snapshot.data and snapshot.data.simulated:
        found.append(dmc.Badge("Simulated data", color="yellow", variant="filled", autoContrast=True, id="simulated"))
    if snapshot.production:
        number = snapshot.production.version
        label = [html.Span("Production: ", className="wide"), f"version {number}"]
        found.append(dmc.Badge(label, variant="light", id="served", tt="none"))
    return found


def banner(snapshot: live.Snapshot) -> list:
    """Return what is wrong, if anything is."""
    if snapshot.problem and snapshot.asked:
        since = f"Shown is what was known at {snapshot.asked:%H:%M:%S} UTC; this goes on by itself once it is mended."
        return [
            dmc.Alert(
                [dmc.Text(snapshot.problem, size="sm"), dmc.Text(since, size="sm")],
                title="Not up to date",
                color="orange",
                id="offline",
                mb="md",
            )
        ]
    if snapshot.state and snapshot.state.to_do:
        title, said = snapshot.state.title, snapshot.state.said
        return [dmc.Alert(dmc.Text(said, size="sm"), title=title, color="red", id="production-alarm", mb="md")]
    if snapshot.production and snapshot.served and not snapshot.served.endswith(f"/{snapshot.production.version}"):
        text = f"Version {snapshot.production.version} has reached Production. Its predictions are being made."
        return [dmc.Alert(text, color="blue", id="arriving", mb="md")]
    return []


clientside_callback(
    "(live) => window.dsgo.reloadWhenReady(live)", Output("reloaded", "children"), Input("live", "data")
)
clientside_callback(
    """(opened, path, frame) => {
        const closed = window.dash_clientside.callback_context.triggered.some((t) => t.prop_id.includes("pathname"));
        const navbar = {...frame, collapsed: {mobile: closed || !opened}};
        const open = !closed && opened;
        return [navbar, open, String(open)];
    }""",
    Output("frame", "navbar"),
    Output("burger", "opened"),
    Output("burger", "aria-expanded"),
    Input("burger", "opened"),
    Input("_pages_location", "pathname"),
    State("frame", "navbar"),
)
