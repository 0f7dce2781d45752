"""What if: sliders for weather, hour and capacity; the prediction as gauges, and how it hangs on each input."""

from collections import OrderedDict
from dataclasses import dataclass
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
from choices import a_model, a_number
from dsgo.data.schema import CAPACITY, TARGETS, TIME, WEATHER

PATH = "/what-if"
POINTS = 25  # of a sensitivity curve


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
    Slider("solar_capacity_GW", "Installed solar capacity", "GW", 1, 100, 0.5),
    Slider("wind_capacity_GW", "Installed wind capacity", "GW", 1, 100, 0.5),
]


def layout(**query: str) -> Any:
    """Return the page in the state of its address: model and each slider; the last noon of the data by default."""
    snapshot = live.now()
    if not snapshot.ready or not snapshot.data:
        return parts.waiting(snapshot)
    noon = last_noon(snapshot.data)
    start = {"hour": 12.0} | {name: float(noon[name]) for name in WEATHER + CAPACITY}
    sliders = []
    for slider in SLIDERS:
        value = a_number(
            query.get(slider.name), round(start[slider.name] / slider.step) * slider.step, slider.low, slider.high
        )
        control = dmc.Slider(
            id=f"what-{slider.name}",
            thumbLabel=f"{slider.label}, {slider.unit}",
            min=slider.low,
            max=slider.high,
            step=slider.step,
            precision=1,
            value=round(value, 2),
            updatemode="mouseup",
            label=None,
            size="md",
        )
        shown = dmc.Text(id=f"what-{slider.name}-value", size="sm", fw=600)
        head = dmc.Group([dmc.Text(slider.label, size="sm"), shown], justify="space-between")
        sliders.append(html.Div([head, control], className="slider"))
    model = parts.model_select("what-model", "Model", snapshot, a_model(query.get("model"), snapshot))
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
    power, curves = answer(made, str(snapshot.data.stamps[-1])[:10], tuple(values))
    most = [values[-2], values[-1]]
    gauges = [charts.gauge(power[i], most[i], target) for i, target in enumerate(TARGETS)]
    shares = [f"{theme.percent(power[i] / most[i])} of {theme.number(most[i])} GW installed" for i in range(2)]
    top = float(curves.max()) or 1.0
    figures, flat = [], []
    for number, slider in enumerate(SLIDERS):
        by_target = {target: curves[number, :, i] for i, target in enumerate(TARGETS)}
        figures.append(charts.sensitivity(points_of(slider), by_target, values[number], slider.unit, top))
        used = np.ptp(curves[number], axis=0).max() > 1e-6
        flat.append(None if used else parts.note("No effect: this model does not use it."))
    about = f"The hour lies on {snapshot.data.stamps[-1][:10]}, the last day of the data."
    return (*gauges, *shares, *figures, *flat, *shown, parts.note(about))


def points_of(slider: Slider) -> np.ndarray:
    """Return where a slider's curve is predicted: whole hours for the hour."""
    return np.arange(24.0) if slider.name == "hour" else np.linspace(slider.low, slider.high, POINTS)


_answers: OrderedDict[tuple, tuple[np.ndarray, np.ndarray]] = OrderedDict()


def answer(made: live.Predictions, day: str, values: tuple[float, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Return (power by target, power by input, point and target) of one call; the last 200 are kept."""
    name = (made, day, values)
    if name in _answers:
        return _answers[name]
    here = dict(zip([slider.name for slider in SLIDERS], values, strict=True))
    lengths = [len(points_of(slider)) for slider in SLIDERS]
    frame = pd.DataFrame([here]).loc[[0] * (1 + sum(lengths))].reset_index(drop=True)
    begin = 1
    for slider, length in zip(SLIDERS, lengths, strict=True):
        frame.loc[begin : begin + length - 1, slider.name] = points_of(slider)
        begin += length
    hours = frame.pop("hour").astype(int).map("{:02d}".format)
    frame[TIME] = f"{day}T" + hours + ":00:00Z"
    assert made.model is not None
    # One after another, here: a forest that spreads 200 rows over threads takes ten times as long.
    with made.lock, joblib.parallel_config(backend="sequential"):
        power = pd.DataFrame(made.model.predict(frame))[TARGETS].to_numpy("float64")
    curves = np.full((len(SLIDERS), POINTS, len(TARGETS)), np.nan)
    begin = 1
    for number, length in enumerate(lengths):
        curves[number, :length] = power[begin : begin + length]
        begin += length
    curves = np.where(np.isnan(curves), curves[:, :1], curves)
    _answers[name] = power[0], curves
    while len(_answers) > 200:
        _answers.popitem(last=False)
    return _answers[name]


def last_noon(data: live.Data) -> pd.Series:
    """Return the last row of the dataset at 12:00 UTC, or its last row."""
    noons = data.frame[pd.DatetimeIndex(data.frame.index).hour == 12]
    return (noons if len(noons) else data.frame).iloc[-1]
