"""The weekly report's words and tables as HTML. Numbers come from weekly.numbers; all text from outside is escaped."""

import json
import math
from collections.abc import Iterable
from datetime import datetime
from html import escape
from typing import Any

import pandas as pd
import plotly.graph_objects as go
from IPython.display import HTML, display

from dsgo.models.bands import NO_BAND
from dsgo.models.intervals import SHARE
from weekly.numbers import HOUR, SOURCES, WEEK, has_band

ROLLING = (
    "Mean power of the seven days before each moment. In colour the year of the week reported, up to its end; in grey "
    "the years before. Installed capacity has grown from year to year."
)
AGEING = (
    "Mean absolute error of each week. The model learned from the shaded weeks, which flatters it there. To the right "
    "of them, a model that ages errs more from season to like season."
)
KINDS = {
    "not in the data": "Not in the data",
    "doubled": "Twice in the raw files, the first kept",
    "missing": "Missing from the raw files",
    "not a number": "Set aside: not a number",
    "negative": "Set aside: negative",
    "above capacity": "Set aside: above installed capacity",
}
HELD = {"solar": "solar, by daylight", "wind": "wind"}  # whose hours the band is judged by
DASH = "\N{EN DASH}"  # where there is no number


def show(content: str | go.Figure, caption: str = "") -> None:
    """Show HTML, or a figure with its caption, as a cell's output.

    A figure needs plotly.js in the page, which the report's template brings; Jupyter draws it by itself.
    """
    if isinstance(content, str):
        display(HTML(content))
        return
    drawn = content.to_html(
        full_html=False, include_plotlyjs=False, config={"responsive": True, "displayModeBar": False}
    )
    html = f'<figure aria-label="{escape(caption)}">{drawn}<figcaption>{escape(caption)}</figcaption></figure>'
    display({"application/vnd.plotly.v1+json": json.loads(str(content.to_json())), "text/html": html}, raw=True)


def period(start: pd.Timestamp) -> str:
    """Return the days of the week from `start`.

    >>> period(pd.Timestamp("2016-08-01", tz="UTC")), period(pd.Timestamp("2016-12-26", tz="UTC"))
    ('Monday 1 to Sunday 7 August 2016', 'Monday 26 December 2016 to Sunday 1 January 2017')
    """
    end = start + WEEK - HOUR
    first = f"Monday {start.day}"
    if start.month != end.month:
        first += f" {start:%B}" + (f" {start.year}" if start.year != end.year else "")
    return f"{first} to Sunday {end.day} {end:%B} {end.year}"


def title(start: pd.Timestamp, about: dict[str, Any]) -> str:
    """Return the report's title."""
    year, week, _ = start.isocalendar()
    return f"Solar and wind power: {about['place']}, week {week} of {year}"


def cover(start: pd.Timestamp, about: dict[str, Any]) -> str:
    """Return the head of the first page: title, period, author, model, and whether the data is simulated."""
    year, week, _ = start.isocalendar()
    model = about["model"]
    facts = {"Prepared by": about["author"], "On": _day(datetime.fromisoformat(about["prepared"]))}
    facts |= {"Model": model["name"], "Times": "UTC"}
    lines = "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(text)}</dd></div>" for name, text in facts.items())
    note = ""
    if about["simulated"]:
        note = '<p class="simulated">Simulated data: made by a program, not measured</p>'
    elif model["simulated"]:
        note = '<p class="simulated">The model learned from simulated data</p>'
    return (
        f'<header class="cover"><p class="eyebrow">Weekly report \N{MIDDLE DOT} week {week} of {year}</p>'
        f"<h1>Solar and wind power: {escape(about['place'])}</h1>"
        f'<p class="period">{period(start)}</p>{note}<dl>{lines}</dl></header>'
    )


def in_short(summary: pd.DataFrame, accuracy: pd.DataFrame, learned: bool) -> str:
    """Return the week in a few sentences; `learned`: the model learned from it."""
    week, before, others = summary.iloc[0], summary.iloc[1], summary.iloc[2:]
    if not week["hours"]:
        return (
            '<p class="lead warning">This week has no records: there is no energy to report and no error to judge.</p>'
        )
    text = f"Solar and wind gave <b>{week['both_GWh']:,.0f} GWh</b>"
    compared = []
    if not math.isnan(before["both_change"]):
        compared.append(f"{_more(before['both_change'])} the week before")
    if others["both_GWh"].sum() > 0:
        mean = others["both_GWh"].sum() / others["hours"].sum()
        change = week["both_GWh"] / week["hours"] / mean - 1
        compared.append(f"{_more(change)} the same week of {_listed(at[-4:] for at in others['week'])} on average")
    text += f", {' and '.join(compared)}." if compared else "."
    if accuracy["mae"].notna().all():
        missed = _listed(f"{row['mae']:.2f} GW ({name})" for name, row in accuracy.iterrows())
        text += f" The model's predictions missed by {missed} on average."
    if learned:
        text += " The model learned from this week, so this error flatters it."
    if (held := accuracy["coverage"].dropna()).any():
        shares = _listed(f"{share:.0%} ({HELD[name]})" for name, share in held.items())
        text += f" The model's {SHARE:.0%} band held {shares} of the hours."
    if week["hours"] < WEEK / HOUR:
        gaps = f"Only {week['hours']} of the 168 hours are recorded; sums are over these, comparisons by mean power."
        text += f'</p><p class="warning">{gaps}'
    return f'<p class="lead">{text}</p>'


def cards(summary: pd.DataFrame, extremes: pd.DataFrame, accuracy: pd.DataFrame, learned: bool) -> str:
    """Return the key figures: energy by source and of both, best and worst hour, error; nothing without records."""
    week, before = summary.iloc[0], summary.iloc[1]
    if not week["hours"]:
        return ""
    boxes = []
    for name, label in (("solar", "Solar"), ("wind", "Wind"), ("both", "Solar and wind")):
        change = before[f"{name}_change"]
        notes = [] if math.isnan(change) else [f"{_change(change)} on the week before"]
        if name != "both":
            notes.append(f"capacity factor {number(week[f'{name}_cf'], '.1%')}")
        boxes.append(_card(name, label, f"{week[f'{name}_GWh']:,.0f}", "GWh", notes))
    for _, hour in extremes.head(2).iterrows():
        boxes.append(_card("hour", hour["what"].capitalize(), f"{hour['both_GW']:.1f}", "GW", [_hour(hour["at"])]))
    held = accuracy["coverage"].dropna()
    inside = [f"{share:.0%} of {name} within the band" for name, share in held.items()]
    if learned:
        inside = ["The model learned from this week"]
    missed = " | ".join(number(accuracy.loc[name, "mae"], ".2f") for name in SOURCES)
    boxes.append(_card("hour", "Mean error, solar | wind", missed, "GW", inside))
    return f'<section class="cards">{"".join(boxes)}</section>'


def _card(kind: str, label: str, figure: str, unit: str, notes: list[str]) -> str:
    lines = "".join(f"<p>{note}</p>" for note in notes)
    return f'<div class="card {kind}"><h3>{label}</h3><p class="figure">{figure} <span>{unit}</span></p>{lines}</div>'


def summary_table(summary: pd.DataFrame) -> str:
    """Return weekly.summary as a table."""
    rows: list[list[Any]] = []
    for row in summary.to_dict("records"):
        cells = [row["week"].capitalize(), row["hours"]]
        cells += [f"{row[f'{name}_GWh']:,.0f}" if row["hours"] else DASH for name in [*SOURCES, "both"]]
        cells += [number(row[f"{name}_cf"], ".1%") for name in SOURCES]
        rows.append([*cells, _change(row["both_change"]) if rows else ""])
    heads = ["Energy, GWh", "hours", "solar", "wind", "both", "solar CF", "wind CF", "change"]
    note = (
        "CF: capacity factor, the energy as a share of what the installed capacity could give. "
        "Change: of mean power, from that week to this one."
    )
    return f'{table(heads, rows, text=1)}<p class="note">{note}</p>'


def extremes_table(extremes: pd.DataFrame) -> str:
    """Return weekly.extremes as a table."""
    rows = [
        [row["what"], _hour(row["at"]), *(f"{row[c]:.2f}" for c in ("solar_GW", "wind_GW", "both_GW"))]
        for row in extremes.to_dict("records")
    ]
    return table(["Extremes", "hour from (UTC)", "solar, GW", "wind, GW", "both, GW"], rows, text=2) if rows else ""


def accuracy_table(accuracy: pd.DataFrame) -> str:
    """Return weekly.accuracy as a table."""
    rows = [
        [
            str(name).capitalize(),
            number(row["mae"], ".2f"),
            number(row["bias"], "+.2f"),
            number(row["coverage"], ".0%"),
        ]
        for name, row in accuracy.iterrows()
    ]
    return table(
        [
            "The week",
            "mean absolute error, GW",
            "predicted less recorded, GW",
            f"hours within the {SHARE:.0%} band (solar: by daylight)",
        ],
        rows,
        text=1,
    )


def week_after(fortnight: pd.DataFrame) -> str:
    """Return what is predicted for the week after, in a sentence; or that there is nothing to predict it from."""
    after = fortnight.iloc[168:]
    hours = int(after["solar_predicted_GW"].notna().sum())
    if not hours:
        return "<p><b>The week after:</b> the data holds no weather of that week, so there is no prediction for it.</p>"
    energy = _listed(f"{after[f'{name}_predicted_GW'].sum():,.0f} GWh of {name}" for name in SOURCES)
    part = "" if hours == 168 else f" in the {hours} of its 168 hours that the data holds weather for"
    return (
        f"<p><b>The week after:</b> the model predicts {energy}{part}. It is given the weather that was recorded then, "
        "so this shows what the model can do, not what a weather forecast allows.</p>"
    )


def fortnight_caption(fortnight: pd.DataFrame, learned: bool) -> str:
    """Return the figure's caption: how to read it, what the band is, whether the model `learned` from the week."""
    text = "Power hour by hour (UTC), and in the shaded week after it as predicted from recorded weather. "
    if has_band(fortnight):
        text += (
            f"Band: the model's own. The power is to lie within it in {SHARE:.0%} of the hours (of solar power: of the "
            "hours of daylight). It is as wide as the model's errors were in weather like this, in hours that it had "
            "not seen."
        )
    elif fortnight["solar_predicted_GW"].notna().any():
        text += f"{NO_BAND[0].upper()}{NO_BAND[1:]}."
    if learned:
        text += " The model learned from this week, so its error here flatters it."
    return text


def year_table(years: pd.DataFrame) -> str:
    """Return weekly.year_so_far as a table."""
    rows = [
        [row["year"], f"{row['hours']:,}", *(f"{row[f'{name}_TWh']:.2f}" for name in [*SOURCES, "both"])]
        for row in years.to_dict("records")
    ]
    days = years["days"].iloc[0]
    return table([f"The first {days} days of", "hours", "solar, TWh", "wind, TWh", "both, TWh"], rows, text=1)


def periods_table(periods: pd.DataFrame) -> str:
    """Return weekly.errors_by_period as a table."""
    rows = [
        [row["period"].capitalize(), f"{_day(row['first'])} {DASH} {_day(row['last'])}", f"{row['hours']:,}"]
        + [number(row[name], ".2f") for name in SOURCES]
        for row in periods.to_dict("records")
    ]
    return table(["Mean absolute error", "from, to", "hours", "solar, GW", "wind, GW"], rows, text=2) if rows else ""


def drift(found: dict[str, Any]) -> str:
    """Return how the data stands against what the model learned from: a sentence, and what is beyond a limit."""
    said = found["said"].partition(";")[0] if found["beyond"] else found["said"]
    rows = [[row["what"], row["level"], f"{row['figure']:.2f}", row["why"]] for row in found["beyond"]]
    beyond = table(["Beyond", "", "figure", "why"], rows, text=4) if rows else ""
    return f"<p><b>Since the model learned:</b> {escape(said)}.</p>{beyond}"


def model_facts(model: dict[str, Any]) -> str:
    """Return which model it is: name, version, since when, how and why, what it learned from."""
    return table(["", ""], [[name, text] for name, text in model["facts"].items()], text=2, head=False)


def gate_table(rows: list[list[str]]) -> str:
    """Return the gate's table; a sentence where the version came to its place without one."""
    if not rows:
        return "<p>This model did not pass through the gate: there is no table of its rules.</p>"
    return table(["Rule of the gate", "found", "limit", "verdict"], rows, text=4)


def quality_table(quality: pd.DataFrame, about: dict[str, Any]) -> str:
    """Return weekly.quality as a sentence and a table, where the data comes from, and its sources' licence lines."""
    licences = f'<p class="note">{escape(". ".join(about["licences"]))}.</p>' if about.get("licences") else ""
    lost = quality["hours"].iloc[0]
    source = f"The data is <code>{escape(about['data'])}</code>."
    if about["quality"] is None:
        source += " It has no quality.json, so what was set aside when it was made is not known."
    if not quality["hours"].any():
        return f"<p>{source} All 168 hours of the week are in it, and nothing was found wrong with them.</p>{licences}"
    kept = f"{168 - lost} of the 168 hours of the week are in it." if lost < 168 else "No hour of the week is in it."
    rows = [
        [KINDS[row["kind"]], "; ".join(_span(*span) for span in row["spans"]), row["hours"]]
        for row in quality.to_dict("records")
        if row["hours"]
    ]
    rule = "A missing or impossible value is never filled in: its hour is left out."
    found = table(["Found in the week", "when (UTC)", "hours"], rows)
    return f"<p>{source} {kept} {rule}</p>{found}{licences}"


def table(heads: list[str], rows: Iterable[Iterable[Any]], text: int = 2, head: bool = True) -> str:
    """Return a table; the first `text` columns hold words, the others numbers, to the right."""

    def cell(tag: str, column: int, content: Any) -> str:
        side = "" if column < text else ' class="number"'
        return f"<{tag}{side}>{escape(str(content))}</{tag}>"

    body = "".join(
        "<tr>" + "".join(cell("td" if i else "th", i, content) for i, content in enumerate(row)) + "</tr>"
        for row in rows
    )
    top = "<thead><tr>" + "".join(cell("th", i, name) for i, name in enumerate(heads)) + "</tr></thead>" if head else ""
    return f'<div class="scroll"><table>{top}<tbody>{body}</tbody></table></div>'


def _more(change: float) -> str:
    """Write a change in words.

    >>> _more(0.123), _more(-0.2), _more(0.001)
    ('12% more than', '20% less than', 'as much as')
    """
    if abs(change) < 0.005:
        return "as much as"
    return f"{abs(change):.0%} {'more' if change > 0 else 'less'} than"


def _listed(parts: Iterable[str]) -> str:
    """Join words.

    >>> _listed(["2013", "2014", "2015"])
    '2013, 2014 and 2015'
    """
    *first, last = parts
    return f"{', '.join(first)} and {last}" if first else last


def _span(first: pd.Timestamp, last: pd.Timestamp) -> str:
    return _hour(first) if first == last else f"{_hour(first)} to {_hour(last)}"


def _day(at: datetime) -> str:
    return f"{at.day} {at:%b %Y}"  # %-d, a day without its zero, is not known to Windows


def _hour(at: datetime) -> str:
    return f"{at:%A} {at.day} {at:%b, %H:%M}"


def _change(value: float) -> str:
    """Write a change in percent.

    >>> _change(0.123), _change(-0.001), _change(float("nan"))
    ('+12%', '+0%', '\N{EN DASH}')
    """
    return DASH if math.isnan(value) else f"{round(value, 2) + 0.0:+.0%}"  # -0.0 + 0.0 is 0.0


def number(value: float, form: str) -> str:
    """Write a number in a form; a dash where there is none."""
    return DASH if math.isnan(value) else format(value, form)
