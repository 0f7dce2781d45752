"""What if: sliders for weather, hour and capacity; the prediction as gauges, and how it hangs on each input."""

from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import Any

import dash_mantine_components as dmc
import joblib
import numpy as np
import pandas as pd
from dash import Input, Output, callback, html

import charts
import live
import parts
import theme
from choices import Address
from dsgo.data.schema import CAPACITY, TARGETS, TIME, WEATHER
from dsgo.models.bands import COLUMNS, NO_BAND, predict_with_band
from dsgo.models.intervals import SHARE

PATH = "/what-if"
POINTS = 25  # of a sensitivity curve
BAND_IN_WORDS = (
    f"Shaded: the model's band, within which the power is to lie in {SHARE:.0%} of such hours. It predicts this one "
    "hour alone, without the weather of the hours around."
)


@dataclass(frozen=True)
class Slider:
    """One input of the model."""

    name: str
    label: str
    unit: str
    low: float
    high: float
    step: float


SLIDERS = [
    Slider("windspeed", "Wind speed at 10 m", "m/s", 0, 15, 0.1),
    Slider("temperature", "Temperature", "°C", -20, 40, 0.5),
    Slider("rad_horizontal", "Direct radiation on the horizontal", "W/m²", 0, 800, 5),
    Slider("rad_diffuse", "Diffuse radiation on the horizontal", "W/m²", 0, 400, 5),
    Slider("hour", "Hour of the day, UTC", "h", 0, 23, 1),
    Slider("solar_capacity_GW", "Installed solar capacity", "GW", 0.1, 200, 0.1),
    Slider("wind_capacity_GW", "Installed wind capacity", "GW", 0.1, 200, 0.1),
]


def layout(**query: str) -> Any:
    """Return the page in the state of its address: model and each slider; the last noon of the data by default."""
    snapshot = live.now()
    if not snapshot.ready or not snapshot.data:
        return parts.waiting(snapshot)
    noon = last_noon(snapshot.data)
    start = {"hour": 12.0} | {name: float(noon[name]) for name in WEATHER + CAPACITY}
    address = Address(query, ["model", *(slider.name for slider in SLIDERS)])
    sliders = []
    for slider in sliders_of(snapshot.data):
        value = address.number(slider.name, start[slider.name], slider.low, slider.high, slider.step)
        control = dmc.Slider(
            id=f"what-{slider.name}",
            thumbLabel=f"{slider.label}, {slider.unit}",
            min=slider.low,
            max=slider.high,
            step=slider.step,
            precision=1,
            value=value,
            updatemode="mouseup",
            label=None,
            size="md",
        )
        shown = dmc.Text(id=f"what-{slider.name}-value", size="sm", fw=600)
        head = dmc.Group([dmc.Text(slider.label, size="sm"), shown], justify="space-between")
        sliders.append(html.Div([head, control], className="slider"))
    model = parts.model_select("what-model", "Model", snapshot, address.model(snapshot))
    inputs = [model, *sliders]
    gauges = [
        parts.card(
            f"{theme.NAMES[target]} power",
            parts.chart(f"what-gauge-{target}", f"{theme.NAMES[target]} power, GW", 190, still=True),
            dmc.Text(id=f"what-share-{target}", ta="center", size="sm"),
        )
        for target in TARGETS
    ]
    curves = [
        html.Div(
            [
                dmc.Text(slider.label, size="sm", fw=600),
                parts.chart(f"what-curve-{slider.name}", f"Prediction over {slider.label}", 180, still=True),
                html.Div(id=f"what-flat-{slider.name}"),
            ]
        )
        for slider in SLIDERS
    ]
    key = [html.Span([html.Span(className=f"key key-{target[:4]}"), theme.NAMES[target]]) for target in TARGETS]
    return dmc.Stack(
        [
            STATE,
            dmc.Title("What if", order=1, size="h2"),
            parts.notice(address),
            html.Div(id="what-note"),
            dmc.Grid(
                [
                    dmc.GridCol(
                        parts.card("Conditions", dmc.Stack(inputs, gap="lg"), h="100%"),
                        span={"base": 12, "md": 5},
                    ),
                    dmc.GridCol(dmc.Stack(gauges), span={"base": 12, "md": 7}),
                ]
            ),
            parts.card(
                "Sensitivity: one input moves, the others stay",
                dmc.SimpleGrid(curves, cols={"base": 1, "xs": 2, "md": 3, "xl": 4}),
                aside=dmc.Group([*key, parts.note("GW")], gap="sm"),
            ),
        ]
    )


VALUES = {slider.name: Input(f"what-{slider.name}", "value") for slider in SLIDERS}
IN_URL = {"model": Input("what-model", "value")} | VALUES
STATE = parts.keep_in_url(PATH, IN_URL)


@callback(
    *[Output(f"what-gauge-{target}", "figure") for target in TARGETS],
    *[Output(f"what-share-{target}", "children") for target in TARGETS],
    *[Output(f"what-curve-{slider.name}", "figure") for slider in SLIDERS],
    *[Output(f"what-flat-{slider.name}", "children") for slider in SLIDERS],
    *[Output(f"what-{slider.name}-value", "children") for slider in SLIDERS],
    Output("what-note", "children"),
    IN_URL["model"],
    *VALUES.values(),
    parts.LIVE,
)
def show(choice: str, *rest: Any) -> tuple:
    """Predict and draw."""
    values = [float(value) for value in rest[: len(SLIDERS)]]
    shown = [
        f"{theme.number(value, 1 if slider.step < 1 else 0)} {slider.unit}"
        for slider, value in zip(SLIDERS, values, strict=True)
    ]
    snapshot = live.now()
    key = snapshot.key(choice)
    made = live.predictions(snapshot, key) if snapshot.data and key else None
    if snapshot.data is None or made is None or made.model is None:
        said = (
            f"This model cannot be used: {made.problem}"
            if made
            else "The model is being loaded; this page comes by itself."
        )
        nothing = [{"data": [], "layout": theme.layout()}] * (len(SLIDERS) + 2)
        return (*nothing[:2], "", "", *nothing[2:], *[""] * len(SLIDERS), *shown, parts.note(said))
    sliders, most = sliders_of(snapshot.data), np.array(values[-2:])
    curves = answer(made, sliders, str(snapshot.data.stamps[-1])[:10], tuple(values))
    power = curves[0, -1]
    shown_power = np.minimum(power, most[:, None])
    gauges = [charts.gauge(tuple(shown_power[i]), most[i], target) for i, target in enumerate(TARGETS)]
    shares = [[share(power[i, 0], most[i]), *band_of(*shown_power[i])] for i in range(2)]
    curves = np.minimum(curves[:, :-1], limits(sliders, most)[..., None])
    top = float(np.nanmax(curves)) or 1.0
    figures, flat = [], []
    for number, slider in enumerate(sliders):
        x = points_of(slider)
        by_target = {target: curves[number, : len(x), i] for i, target in enumerate(TARGETS)}
        figures.append(charts.sensitivity(x, by_target, values[number], slider.unit, top))
        used = np.ptp(curves[number, : len(x), :, 0], axis=0).max() > 1e-6
        flat.append(None if used else parts.note("No effect: this model does not use it."))
    about = f"The hour lies on {snapshot.data.stamps[-1][:10]}, the last day of the data. "
    about += BAND_IN_WORDS if made.band else f"{NO_BAND[0].upper()}{NO_BAND[1:]}."
    return (*gauges, *shares, *figures, *flat, *shown, parts.note(about))


def sliders_of(data: live.Data) -> list[Slider]:
    """Return the sliders, each reaching at least as far as the data does."""
    found = []
    for slider in SLIDERS:
        if slider.name in data.values:
            values = data.values[slider.name]
            low, high = float(np.nanmin(values)), float(np.nanmax(values))
            low, high = (np.floor(low / slider.step) * slider.step, np.ceil(high / slider.step) * slider.step)
            slider = replace(slider, low=min(slider.low, round(low, 2)), high=max(slider.high, round(high, 2)))
        found.append(slider)
    return found


def limits(sliders: list[Slider], most: np.ndarray) -> np.ndarray:
    """Return the capacity (GW) above which no curve goes, by input, point and target; where it moves, it moves too."""
    result = np.tile(most, (len(sliders), POINTS, 1))
    for number, slider in enumerate(sliders):
        if slider.name in CAPACITY:
            result[number, :, CAPACITY.index(slider.name)] = points_of(slider)
    return result


def share(power: float, most: float) -> str:
    """Return how much of the installed capacity a power is, and where a model says more than there can be.

    >>> share(10.0, 40.0)
    '25.0% of 40.0 GW installed'
    >>> share(19.1, 1.0)
    '100.0% of 1.0 GW installed: this model says 19.1 GW, more than that can give'
    """
    text = f"{theme.percent(min(power / most, 1))} of {theme.number(most)} GW installed"
    over = f": this model says {theme.number(power)} GW, more than that can give"
    return text + over if power > most + 1e-6 else text


def band_of(predicted: float, low: float, high: float) -> list[Any]:
    """Return the band of a prediction in a line of its own; nothing where there is none."""
    if np.isnan(low):
        return []
    return [html.Br(), f"{SHARE:.0%} band: {theme.number(low, 2)} to {theme.number(high, 2)} GW"]


def points_of(slider: Slider) -> np.ndarray:
    """Return where a slider's curve is predicted: whole hours for the hour."""
    return np.arange(24.0) if slider.name == "hour" else np.linspace(slider.low, slider.high, POINTS)


_answers: OrderedDict[tuple, np.ndarray] = OrderedDict()


def answer(made: live.Predictions, sliders: list[Slider], day: str, values: tuple[float, ...]) -> np.ndarray:
    """Return prediction, low and high (GW) by input, point and target; point -1 is the row itself, of every input.

    Without a band low and high are NaN. The last 200 answers are kept.
    """
    name = (made, day, values)
    if name in _answers:
        return _answers[name]
    here = dict(zip([slider.name for slider in sliders], values, strict=True))
    lengths = [len(points_of(slider)) for slider in sliders]
    frame = pd.DataFrame([here]).loc[[0] * (1 + sum(lengths))].reset_index(drop=True)
    begin = 1
    for slider, length in zip(sliders, lengths, strict=True):
        frame.loc[begin : begin + length - 1, slider.name] = points_of(slider)
        begin += length
    hours = frame.pop("hour").astype(int).map("{:02d}".format)
    frame[TIME] = f"{day}T" + hours + ":00:00Z"
    assert made.model is not None
    # Every third hour together, for a whole day would be one's own weather of the hours around. And one after another,
    # here: a forest that spreads 200 rows over threads takes ten times as long.
    thirds = frame.index.groupby(hours.astype(int) % 3).values()
    with made.lock, joblib.parallel_config(backend="sequential"):
        parts = [predict_with_band(made.model, frame.loc[rows]) for rows in thirds]
    power = pd.concat(parts).sort_index()[COLUMNS].to_numpy("float64").reshape(-1, len(TARGETS), 3)
    curves = np.tile(power[0], (len(SLIDERS), POINTS + 1, 1, 1))
    begin = 1
    for number, length in enumerate(lengths):
        curves[number, :length] = power[begin : begin + length]
        begin += length
    _answers[name] = curves
    while len(_answers) > 200:
        _answers.popitem(last=False)
    return _answers[name]


def last_noon(data: live.Data) -> pd.Series:
    """Return the last row of the dataset at 12:00 UTC, or its last row."""
    noons = data.frame[pd.DatetimeIndex(data.frame.index).hour == 12]
    return (noons if len(noons) else data.frame).iloc[-1]
