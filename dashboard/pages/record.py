"""Record: how good the forecasts were, every one against what came, by lead day, lead hour, month and hour of day."""

from functools import lru_cache
from typing import Any

import dash_mantine_components as dmc
import pandas as pd
from dash import Input, Output, callback, html

import charts
import live
import parts
import theme
from choices import Address
from dsgo.forecast import record
from dsgo.models.intervals import SHARE
from forecasts import MOST, Ahead
from pages.next_week import no_forecast

PATH = "/record"
OF = {"all": "Forecasts and hindcasts", "forecasts": "Forecasts alone"}
LABELS = {name: label.capitalize() for name, label in record.BY.items()}
ABOUT = (
    "Lead day 1 is the first day of a forecast. Skill is 1 - error / error of a naive forecast: persistence says the "
    "same hour of the last day that was known, climatology the mean of that month and hour of day. Coverage of solar "
    "counts the hours of daylight. A hindcast is made later, as a forecast would have been."
)
HEAD = ["Hours", "Mean abs. error", "Of capacity", "Bias", "In the band", "Pinball loss"]
HEAD += ["Skill: persistence", "Skill: climatology"]
LONGEST = 40  # rows of the table


def layout(**query: str) -> Any:
    """Return the page in the state of its address: by and of."""
    snapshot = live.now()
    if snapshot.data is None:
        return parts.waiting(snapshot)
    address = Address(query, ["by", "of"])
    title = dmc.Title("Record", order=1, size="h2")
    if snapshot.ahead is None:
        return dmc.Stack([title, parts.notice(address), no_forecast(snapshot.data)])
    controls = dmc.Group(
        [
            parts.segments("record-by", "By", LABELS, address.one_of("by", LABELS, "lead_day")),
            parts.segments("record-of", "Of", OF, address.one_of("of", OF, "all")),
        ],
        align="end",
        className="controls",
    )
    return dmc.Stack(
        [
            STATE,
            title,
            parts.notice(address),
            controls,
            parts.card(
                "Forecasts against what came",
                html.Div(id="record-said"),
                parts.chart("record-chart", "Error and coverage of the forecasts", 460, still=True),
                parts.note(ABOUT),
            ),
            parts.card("In figures", html.Div(id="record-table")),
        ]
    )


IN_URL = {"by": Input("record-by", "value"), "of": Input("record-of", "value")}
STATE = parts.keep_in_url(PATH, IN_URL)


@callback(
    Output("record-said", "children"),
    Output("record-chart", "figure"),
    Output("record-table", "children"),
    IN_URL["by"],
    IN_URL["of"],
    parts.LIVE,
)
def show(by: str, of: str, _: Any) -> tuple:
    """Draw the record."""
    ahead = live.now().ahead
    if ahead is None or by not in LABELS:
        return None, charts.nothing("No forecast was made yet"), None
    table = figures(ahead, by, of == "forecasts")
    if table.empty:
        which = "forecast" if of == "forecasts" else "forecast or hindcast"
        return parts.note(f"No hour of a {which} has come yet."), charts.nothing("Nothing to compare yet"), None
    said = [parts.note(line) for line in in_words(ahead, of == "forecasts")]
    if len(table) > LONGEST:
        rest = parts.note("The table of each lead hour: dsgo verify --by lead")
    else:
        rows = [[theme.NAMES[row["target"]], f"{row[by]:.0f}", *cells(row)] for row in table.to_dict("records")]
        rest = parts.table(["", LABELS[by], *HEAD], rows, f"How forecasts did by {record.BY[by]}")
    return said, charts.record(table, by, LABELS[by]), rest


def cells(row: dict[str, Any]) -> list[str]:
    """Return a row of record.figures as cells below HEAD."""
    gw = [f"{theme.number(row[name], 2)} GW" for name in ("mae", "bias", "pinball")]
    share = f"{theme.number(row['nmae'] * 100, 2)}%"
    held = theme.percent(row["coverage"])
    skill = [theme.number(row[f"skill_{name}"], 2) for name in ("persistence", "climatology")]
    return [theme.number(row["hours"], 0), gw[0], share, gw[1], held, gw[2], *skill]


@lru_cache(maxsize=16)
def figures(ahead: Ahead, by: str, forecasts: bool) -> pd.DataFrame:
    """Return record.figures of all that came, or of forecasts alone."""
    return record.figures(ahead.laid[~ahead.laid["hindcast"]] if forecasts else ahead.laid, by)


def in_words(ahead: Ahead, forecasts: bool) -> list[str]:
    """Return how many forecasts are compared, and the first day's error in the form in which the field compares."""
    laid = ahead.laid
    hindcasts = laid.loc[laid["hindcast"], "issued"].nunique()
    made = laid["issued"].nunique() - hindcasts
    counted = f"{made} forecast{'s' * (made != 1)}"
    if not forecasts:
        counted += f" and {hindcasts} hindcast{'s' * (hindcasts != 1)}"
    if len(ahead.made) == MOST:
        counted += f" (the newest {MOST}; dsgo verify takes all)"
    line = record.in_one_line(figures(ahead, "lead_day", forecasts))
    band = f"The band is to hold {SHARE:.0%} of the hours."
    return [f"{counted} against what came until {theme.when(laid.index.max())}. {band}", f"{line.capitalize()}."]
