from dash import dcc, html

MONTHS = [f"2016-{m:02d}" for m in range(1, 13)]  # TODO 2017


def sidebar(score):
    return html.Div(
        [
            html.H2("Wind + sun"),
            html.P("Power in Germany, recorded and predicted from the weather."),
            html.Label("Month"),
            dcc.Dropdown(MONTHS, "2016-06", id="month", clearable=False),
            html.P(f"Model quality: R2 = {score:.2f}", id="quality", style={"marginTop": "30px", "fontWeight": "bold"}),
        ],
        style={"width": "220px", "padding": "20px", "background": "#f4f4f4", "minHeight": "100vh"},
    )
