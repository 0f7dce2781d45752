"""Years: the rolling week of each year upon the others, solar and wind, with a range slider."""

from functools import lru_cache
from typing import Any

import dash_mantine_components as dmc
from dash import Input, Output, State, callback, clientside_callback, dcc

import charts
import live
import parts
import theme
from choices import PERIOD, Address
from dsgo.data.schema import TARGETS
from series import Array, energy_by_year, years_of

PATH = "/years"
ABOUT = (
    "Mean of the seven days before each moment, GW. The thick line is the newest year. "
    "Drag the ends of the slider, which shows solar power, to look closer. Predicted means have no band: a model's "
    "band is of single hours."
)
SOURCES = {"recorded": "Recorded", "predicted": "Predicted"}
MOST = 6  # years at once
WHOLE = {"from": "2016-01-01", "to": "2016-12-31"}  # any leap year


def layout(**query: str) -> Any:
    """Return the page in the state of its address: years, source, from and to (a day of a leap year)."""
    snapshot = live.now()
    if not snapshot.ready or not snapshot.data:
        return parts.waiting(snapshot)
    grid = snapshot.data.grid
    known = [str(year) for year in range(grid.start.year, grid.time(grid.length - 1).year + 1)]
    address = Address(query, [*PERIOD, "source", "years"])
    chosen = address.several("years", known, known[-MOST:], MOST)
    window = {name: address.day(name, day) for name, day in WHOLE.items()}
    if window["from"] >= window["to"]:
        address.wrong.append("from must be before to")
        window = WHOLE
    controls = dmc.Group(
        [
            parts.segments("years-source", "Power", SOURCES, address.one_of("source", SOURCES, "recorded")),
            dmc.MultiSelect(
                id="years-chosen",
                label="Years",
                data=known,
                value=chosen,
                hidePickedOptions=True,
                miw=260,
                maxValues=MOST,
            ),
        ],
        align="end",
        className="controls",
    )
    return dmc.Stack(
        [
            dcc.Store(id="years-window", data=window),
            STATE,
            dmc.Title("Years", order=1, size="h2"),
            parts.notice(address),
            controls,
            parts.card(
                "Rolling week, year by year",
                parts.note(ABOUT),
                parts.chart("years-chart", "Rolling week of solar and wind power by year", 620, still=True),
            ),
            parts.card("Whole years", dmc.Box(id="years-table")),
        ]
    )


IN_URL = {
    "source": Input("years-source", "value"),
    "years": Input("years-chosen", "value"),
    "window": Input("years-window", "data"),
}
STATE = parts.keep_in_url(PATH, IN_URL)
clientside_callback(
    """(moved) => {
        moved = moved || {};
        const [from, to] = moved["xaxis.range"] || [moved["xaxis.range[0]"], moved["xaxis.range[1]"]];
        return from ? {from: from.slice(0, 10), to: to.slice(0, 10)} : window.dash_clientside.no_update;
    }""",
    Output("years-window", "data"),
    Input("years-chart", "relayoutData"),
    prevent_initial_call=True,
)


@callback(
    Output("years-chart", "figure"),
    Output("years-table", "children"),
    IN_URL["source"],
    IN_URL["years"],
    parts.LIVE,
    State("years-window", "data"),
)
def show(source: str, chosen: list[str], _: Any, window: dict[str, str]) -> tuple:
    """Draw the chosen years."""
    snapshot = live.now()
    made = live.predictions(snapshot, snapshot.served) if snapshot.ready else None
    if not snapshot.data or not made:
        return charts.nothing(parts.not_made(snapshot)), None
    found = weeks(snapshot.data, made if source == "predicted" else None)
    years = sorted(int(year) for year in chosen)
    figure = charts.years({target: found[target][0] for target in TARGETS}, years, (window["from"], window["to"]))
    rows = []
    for year in years:
        row: list[Any] = [str(year)]
        for target in TARGETS:
            gwh, factor, hours = found[target][1][year]
            row += [theme.energy(gwh), theme.percent(factor), theme.number(hours, 0)]
        rows.append(row)
    head = ["Year"] + [
        f"{theme.NAMES[target]} {what}" for target in TARGETS for what in ("energy", "of capacity", "hours")
    ]
    return figure, parts.table(head, rows, "Energy and capacity factor by year")


@lru_cache(maxsize=8)
def weeks(data: live.Data, made: live.Predictions | None) -> dict[str, tuple[dict[int, Array], dict[int, tuple]]]:
    """Return by target the rolling weeks and the yearly figures, of the predictions or, without, of the records."""
    power = made.power if made else data.values
    return {
        target: (
            years_of(data.grid, power[target]),
            energy_by_year(data.grid, power[target], data.values[f"{target.removesuffix('_GW')}_capacity_GW"]),
        )
        for target in TARGETS
    }
