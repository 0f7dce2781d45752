"""How it looks: colours, number formats and what all charts share. Units stand beside every figure."""

from datetime import UTC, datetime
from typing import Any

from dsgo.base.colours import COLOURS, INK
from dsgo.data.schema import TARGETS

# The report's colours: told apart by the colour-blind, contrast above 3:1. style.css has lighter ones for dark pages.
RECORDED = {target: COLOURS[target.removesuffix("_GW")] for target in TARGETS}  # an area: colour is not the only mark
PREDICTED = INK  # a line
BAND = ["rgba(128, 136, 149, 0.38)", "rgba(184, 99, 155, 0.26)"]  # areas of the first and the second model
OTHERS = ["#b8639b", "#009e73", "#808895", "#d55e00", "#7a6fd0", "#8c6d46"]  # after Okabe and Ito (2008)
SYMBOLS = ["circle", "square", "diamond", "cross", "triangle-up", "star"]
NAMES = dict(zip(TARGETS, ["Solar", "Wind"], strict=True))
NONE = "\N{EN DASH}"  # where there is no figure
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"

MANTINE: Any = {
    "fontFamily": FONT,
    "primaryColor": "blue",
    "primaryShade": {"light": 8, "dark": 5},
    "defaultRadius": "md",
    "headings": {"fontFamily": FONT, "fontWeight": "650"},
    "respectReducedMotion": True,
}
GRAPH: Any = {
    "displaylogo": False,
    "responsive": True,
    "doubleClick": "reset",
    "modeBarButtons": [["zoom2d", "pan2d", "zoomIn2d", "zoomOut2d", "resetScale2d"]],
}
STILL: Any = {"displayModeBar": False, "responsive": True}


def layout(**more: Any) -> dict[str, Any]:
    """Return a chart's layout: transparent, so that the page's light or dark shows; text colours are in style.css."""
    shared: dict[str, Any] = {
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": FONT, "size": 12, "color": "#6b7280"},
        "margin": {"l": 48, "r": 12, "t": 28, "b": 32},
        "hovermode": "x unified",
        "hoverlabel": {"bgcolor": "#1f2530", "bordercolor": "#1f2530", "font": {"color": "#ffffff", "family": FONT}},
        "legend": {"orientation": "h", "x": 0, "y": 0.995, "yref": "container", "yanchor": "top"},
        "showlegend": True,
        "modebar": {"bgcolor": "rgba(0,0,0,0)", "color": "#8a94a3", "activecolor": "#2f80d0"},
        "dragmode": "zoom",
    }
    return shared | more


def number(value: float | None, digits: int = 1) -> str:
    """Write a figure as people read it; a dash where there is none.

    >>> number(35064, 0), number(-0.04), number(2.346, 2)
    ('35,064', '0.0', '2.35')
    """
    if value is None or value != value:
        return NONE
    text = f"{value:,.{digits}f}"
    return text.lstrip("-") if not text.strip("-0.,") else text.replace("-", "\N{MINUS SIGN}")


def energy(gwh: float) -> str:
    """Write an energy with the unit that suits it.

    >>> energy(812.4), energy(123456.0)
    ('812 GWh', '123.5 TWh')
    """
    if gwh != gwh:
        return NONE
    return f"{number(gwh / 1000)} TWh" if abs(gwh) >= 10_000 else f"{number(gwh, 0)} GWh"


def percent(share: float, sign: str = "") -> str:
    """Write a share; with the sign "+", a change.

    >>> percent(0.1234), percent(0.05, "+")
    ('12.3%', '+5.0%')
    """
    return f"{sign if share > 0 else ''}{number(share * 100)}%" if share == share else NONE


def when(time: Any) -> str:
    """Write a time in UTC; takes what pandas and datetime know.

    >>> when(datetime(2016, 12, 31, 23, tzinfo=UTC))
    '31 Dec 2016, 23:00 UTC'
    """
    return f"{time.day} {time:%b %Y, %H:%M} UTC" if time is not None else NONE


def from_milliseconds(milliseconds: int | None) -> datetime | None:
    """Return MLflow's time as a datetime."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC) if milliseconds else None
