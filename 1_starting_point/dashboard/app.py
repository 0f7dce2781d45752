# cd dashboard && python app.py, then wait until the model is there
import pandas as pd
from components.figures import lines, mean_day
from components.model import FEATURES, TARGETS, fit, load
from components.sidebar import sidebar
from dash import Dash, Input, Output, dcc, html

df = load()
model, score = fit(df)

app = Dash(__name__, title="Wind + sun")
app.layout = html.Div(
    [
        sidebar(score),
        html.Div(
            [
                dcc.Graph(id="solar"),
                dcc.Graph(id="wind"),
                html.Div(
                    [
                        dcc.Graph(id="day-solar", style={"width": "50%"}),
                        dcc.Graph(id="day-wind", style={"width": "50%"}),
                    ],
                    style={"display": "flex"},
                ),
            ],
            style={"flex": 1},
        ),
    ],
    style={"display": "flex", "fontFamily": "sans-serif"},
)


@app.callback(
    Output("solar", "figure"),
    Output("wind", "figure"),
    Output("day-solar", "figure"),
    Output("day-wind", "figure"),
    Input("month", "value"),
)
def update(month):
    d = df.loc[month]
    pred = pd.DataFrame(model.predict(d[FEATURES]).clip(0), index=d.index, columns=TARGETS)
    return [
        lines(d, pred, "solar_GW"),
        lines(d, pred, "wind_GW"),
        mean_day(d, pred, "solar_GW"),
        mean_day(d, pred, "wind_GW"),
    ]


if __name__ == "__main__":
    app.run()
