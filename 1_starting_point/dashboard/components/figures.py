import numpy as np
import plotly.graph_objects as go
from sklearn.metrics import mean_absolute_error, mean_squared_error, r2_score

COLORS = {"solar_GW": "#f2a900", "wind_GW": "#2f6f9f"}
NAMES = {"solar_GW": "Solar", "wind_GW": "Wind"}


# copied from the notebook
def eval_metrics(actual, pred):
    rmse = np.sqrt(mean_squared_error(actual, pred))
    mae = mean_absolute_error(actual, pred)
    r2 = r2_score(actual, pred)
    return rmse, mae, r2


def lines(d, pred, target):
    fig = go.Figure()
    fig.add_scatter(x=d.index, y=d[target], name="recorded", line_color=COLORS[target], fill="tozeroy")
    fig.add_scatter(x=d.index, y=pred[target], name="predicted", line_color="black", line_width=1)
    rmse, mae, r2 = eval_metrics(d[target], pred[target])
    fig.update_layout(
        title=f"{NAMES[target]} (MAE {mae:.2f} GW, R2 {r2:.2f})",
        yaxis_title="GW",
        template="plotly_white",
        height=330,
        margin={"t": 50, "b": 30, "l": 60, "r": 20},
    )
    return fig


def mean_day(d, pred, target):
    fig = go.Figure()
    fig.add_scatter(x=list(range(24)), y=d[target].groupby(d["hour"]).mean(), name="recorded", line_color=COLORS[target])
    fig.add_scatter(x=list(range(24)), y=pred[target].groupby(d["hour"]).mean(), name="predicted", line_color="black")
    fig.update_layout(
        title=f"{NAMES[target]}, mean day",
        xaxis_title="hour (German time)",
        yaxis_title="GW",
        template="plotly_white",
        height=330,
        margin={"t": 50, "b": 30, "l": 60, "r": 20},
    )
    return fig
