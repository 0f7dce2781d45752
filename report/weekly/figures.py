"""The weekly report's figures (plotly). Numbers come from numbers.py; titles and captions stand in the page."""

from typing import Any

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from dsgo.base.colours import BANDS, COLOURS, INK
from dsgo.models.intervals import SHARE
from weekly.numbers import HOUR, SOURCES, WEEK

GRID, SHADE = "#e4e7ec", "#e9edf3"
EARLIER = [("#667085", "solid"), ("#98a2b3", "dash"), ("#667085", "dot"), ("#98a2b3", "dashdot")]  # the latest first


def fortnight(table: pd.DataFrame, start: pd.Timestamp) -> go.Figure:
    """Return the week recorded and predicted, and the week after, with the band; from numbers.fortnight."""
    figure = _two_rows()
    at, middle, end = _naive(table.index), _naive(start + WEEK), _naive(start + 2 * WEEK)
    for row, name in enumerate(SOURCES, start=1):
        place = {"row": row, "col": 1, "showlegend": row == 1}
        recorded, predicted, low, high = (
            table[f"{name}{part}_GW"].round(3) for part in ("", "_predicted", "_low", "_high")
        )
        if low.notna().any():
            x, y = _outline(at, low, high)
            style = {"fill": "toself", "fillcolor": BANDS[name], "mode": "lines", "line": {"width": 0}}
            figure.add_scatter(x=x, y=y, name=f"{SHARE:.0%} band", hoverinfo="skip", **style, **place)
        line = {"color": COLOURS[name], "width": 2.4}
        figure.add_scatter(x=at, y=recorded, name="recorded", mode="lines", line=line, **place)
        line = {"color": INK, "width": 1.3, "dash": "dash"}
        figure.add_scatter(x=at, y=predicted, name="predicted", mode="lines", line=line, **place)
        for left, text in ((start, "the week"), (start + WEEK, "the week after")):
            week = slice(left, left + WEEK - HOUR)
            if predicted[week].isna().all():
                text += ": no records" if left == start else ": no weather"
            _note(figure, row, left, text)
        figure.update_yaxes(
            range=[0, 1.16 * max(table[f"{name}{part}_GW"].max() for part in ("", "_predicted", "_high"))],
            row=row,
            col=1,
        )
    figure.add_vrect(x0=middle, x1=end, fillcolor=SHADE, line_width=0, layer="below")
    return figure.update_xaxes(range=[_naive(start), end], tickformat="%a<br>%-d %b")


def next_week(hours: pd.DataFrame) -> go.Figure:
    """Return a forecast with its band after what came before it; `hours` are from weekly.ahead.read_forecasts."""
    figure = _two_rows()
    ahead = hours.dropna(subset=["issued"])
    before = hours[hours["issued"].isna()]
    at, issued = _naive(pd.DatetimeIndex(ahead.index)), _naive(ahead["issued"].iloc[0])
    for row, name in enumerate(SOURCES, start=1):
        place = {"row": row, "col": 1, "showlegend": row == 1}
        target = f"{name}_GW"
        x, y = _outline(at, ahead[f"{target}_low"].round(3), ahead[f"{target}_high"].round(3))
        style = {"fill": "toself", "fillcolor": BANDS[name], "mode": "lines", "line": {"width": 0}}
        figure.add_scatter(x=x, y=y, name=f"{SHARE:.0%} band", hoverinfo="skip", **style, **place)
        line = {"color": COLOURS[name], "width": 2.4}
        x = _naive(pd.DatetimeIndex(before.index))
        figure.add_scatter(x=x, y=before[target].round(3), name="came", mode="lines", line=line, **place)
        line = {"color": INK, "width": 1.3, "dash": "dash"}
        figure.add_scatter(x=at, y=ahead[target].round(3), name="forecast", mode="lines", line=line, **place)
    figure.add_vline(x=issued, line={"color": INK, "width": 1, "dash": "dot"})
    return figure.update_xaxes(tickformat="%a<br>%-d %b")


def rolling_week(table: pd.DataFrame) -> go.Figure:
    """Return the rolling week of each year, the latest in colour; `table` is from dsgo.data.rolling.rolling_week."""
    figure = _two_rows()
    years = sorted(table["year"].unique())
    for row, name in enumerate(SOURCES, start=1):
        for age, year in zip(reversed(range(len(years))), years, strict=True):
            part = table[table["year"] == year]
            colour, dash = EARLIER[(age - 1) % len(EARLIER)] if age else (COLOURS[name], "solid")
            figure.add_scatter(
                x=part["day"].round(2),
                y=part[f"{name}_GW"].round(3),
                name=str(year),
                mode="lines",
                line={"color": colour, "dash": dash, "width": 1.2 if age else 2.8},
                **{"row": row, "col": 1, "showlegend": row == 1},
            )
    months = pd.date_range("2016-01-01", "2016-12-01", freq="2MS")
    return figure.update_xaxes(range=[1, 367], tickvals=months.day_of_year, ticktext=[f"{at:%b}" for at in months])


def errors(weeks: pd.DataFrame, periods: pd.DataFrame, start: pd.Timestamp) -> go.Figure:
    """Return the error week by week, training shaded; from weekly.errors_by_week and weekly.errors_by_period."""
    figure = _two_rows()
    at = _naive(weeks.index)
    spans: dict[str, Any] = {row["period"]: row for row in periods.to_dict("records")}
    for row, name in enumerate(SOURCES, start=1):
        place = {"row": row, "col": 1, "showlegend": row == 1}
        style = {"mode": "lines+markers", "marker": {"size": 4}, "line": {"color": COLOURS[name], "width": 1.2}}
        figure.add_scatter(x=at, y=weeks[name].round(4), name="a week", **style, **place)
        for period, dash in (("training", "dot"), ("since training", "dash")):
            if period in spans:
                first, last, mean = (spans[period][column] for column in ("first", "last", name))
                style = {"mode": "lines", "line": {"color": INK, "width": 1.6, "dash": dash}}
                x, y = [_naive(first), _naive(last)], [round(mean, 4)] * 2
                figure.add_scatter(x=x, y=y, name=f"mean {period}", **style, **place)
        if start in weeks.index:
            marker = {"size": 11, "symbol": "diamond", "color": COLOURS[name], "line": {"color": INK, "width": 1.5}}
            x, y = [_naive(start)], [weeks[name].round(4)[start]]
            figure.add_scatter(x=x, y=y, name="the week reported", mode="markers", marker=marker, **place)
        if "training" in spans:
            _note(figure, row, first=spans["training"]["first"], text="training")
    if "training" in spans:
        first, last = spans["training"]["first"], spans["training"]["last"]
        figure.add_vrect(x0=_naive(first), x1=_naive(last), fillcolor=SHADE, line_width=0, layer="below")
    return figure.update_xaxes(tickformat="%b<br>%Y")


def _outline(at: pd.DatetimeIndex, low: pd.Series, high: pd.Series) -> tuple[list, list]:
    """Return the x and y of a band's outline, a closed one for each stretch of hours without a gap."""
    x: list[Any] = []
    y: list[Any] = []
    run = low.isna().cumsum()[low.notna()]
    for _, part in run.groupby(run):
        here = low.index.isin(part.index)
        x += [*at[here], *at[here][::-1], None]
        y += [*high[here], *low[here][::-1], None]
    return x, y


def _note(figure: go.Figure, row: int, first: pd.Timestamp, text: str) -> None:
    """Write a text at the top of a row, beginning at a time."""
    style = {"showarrow": False, "xanchor": "left", "yanchor": "top", "bgcolor": "rgba(255, 255, 255, 0.8)"}
    figure.add_annotation(x=_naive(first), xshift=4, y=1, yref="y domain", text=text, row=row, col=1, **style)


def _two_rows() -> go.Figure:
    """Return an empty figure of a row for each source, in the report's style."""
    figure = make_subplots(rows=2, shared_xaxes=True, vertical_spacing=0.14)
    figure.update_layout(
        template="plotly_white",
        height=480,
        margin={"l": 56, "r": 12, "t": 30, "b": 40},
        font={"family": "system-ui, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif", "color": INK, "size": 13},
        legend={"orientation": "h", "x": 1, "xanchor": "right", "y": 1.0, "yanchor": "bottom"},
        hovermode="x unified",
    )
    figure.update_xaxes(gridcolor=GRID, showticklabels=True, linecolor=INK, ticks="outside", tickangle=0)
    for row, name in enumerate(SOURCES, start=1):
        figure.update_yaxes(title_text=f"{name}, GW", row=row, col=1)
    return figure.update_yaxes(gridcolor=GRID, zeroline=False, rangemode="tozero", title_standoff=8)


def _naive(at: Any) -> Any:
    """Return a time or an index of times without its zone (UTC), as the axes show them."""
    return at.tz_localize(None)
