"""The report's words on what was forecast, as HTML. What they speak of comes from weekly.ahead."""

from html import escape
from typing import Any

import pandas as pd

from dsgo.data.schema import TARGETS
from dsgo.forecast import record
from dsgo.models.intervals import SHARE
from weekly.words import number, table

MAKE = "mlflow run forecast --env-manager local"
CAPTION = (
    "To the left of the dotted line what came, to the right the forecast (UTC). Band: the power is to lie within it in "
    f"{SHARE:.0%} of the hours (of solar power: of the hours of daylight)."
)


def next_week(hours: pd.DataFrame | None, about: dict[str, Any]) -> str:
    """Return the coming week in a few sentences; without a forecast, what makes one."""
    if hours is None:
        return f"<p><b>Next week:</b> no forecast of it was made. <code>{MAKE}</code> makes one, then report again.</p>"
    ahead = hours.dropna(subset=["issued"])
    issued = ahead["issued"].iloc[0]
    energy = " and ".join(f"<b>{ahead[target].sum():,.0f} GWh</b> of {_name(target)} power" for target in TARGETS)
    most = "; ".join(
        f"{_name(target)} {ahead[target].max():.1f} GW, {_hour(pd.Timestamp(str(ahead[target].idxmax())))}"
        for target in TARGETS
    )
    return (
        f'<h2>Next week</h2><p class="lead">The seven days from {_hour(issued)} UTC are forecast to give {energy}. '
        f'The hours of most power: {most}.</p><p class="note">Forecast by version {escape(about["version"])}, weather: '
        f"{escape(about['weather'])}.</p>"
    )


def last_week(laid: pd.DataFrame | None, about: dict[str, Any]) -> str:
    """Return how the forecast of the week reported did; nothing where there was none."""
    if laid is None:
        return ""
    issued = pd.Timestamp(laid["issued"].iloc[0])
    kind = "hindcast (made later, as a forecast would have been)" if about["hindcast"] else "forecast"
    rows = [
        [
            *(_name(row["target"]).capitalize(), f"{row['hours']:.0f}", f"{row['mae']:.2f}", f"{row['nmae']:.2%}"),
            *(f"{row['bias']:+.2f}", number(row["coverage"], ".0%"), number(row["skill_persistence"], ".2f")),
        ]
        for row in record.figures(laid.assign(week=0), "week").to_dict("records")
    ]
    heads = ["", "hours", "mean abs. error, GW", "of capacity", "bias, GW", f"within the {SHARE:.0%} band"]
    note = "Skill: 1 - error / error of persistence, which says the same hour of the last day that was known."
    return (
        f"<h2>How last week\N{RIGHT SINGLE QUOTATION MARK}s forecast did</h2>"
        f"<p>The {kind} from {_hour(issued)} UTC on, "
        f'against what came:</p>{table([*heads, "skill"], rows, text=1)}<p class="note">{note}</p>'
    )


def _name(target: str) -> str:
    return target.removesuffix("_GW")


def _hour(at: pd.Timestamp) -> str:
    return f"{at:%A} {at.day} {at:%b %Y, %H:%M}"
