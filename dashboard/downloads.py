"""Files to download, as plain addresses: a period with its predictions as CSV."""

from io import BytesIO

import flask
import pyarrow as pa
import pyarrow.csv

import live
from choices import a_period, period_of
from dsgo.data.schema import TARGETS, TIME


def add_downloads(server: flask.Flask) -> None:
    """Add the addresses to the server."""
    server.add_url_rule("/explore.csv", view_func=explore_csv)


def explore_csv() -> flask.Response:
    """Return the hours of a period (from, to, model): recorded, predicted and residual in GW; empty where unknown."""
    query, snapshot = flask.request.args, live.now()
    key = snapshot.key(query.get("model", "production"))
    made = live.predictions(snapshot, key) if snapshot.data and key else None
    if snapshot.data is None or made is None or made.problem:
        return flask.Response("The predictions of this model are not there (yet).\n", 503, mimetype="text/plain")
    data = snapshot.data
    view = a_period(query.to_dict(), data.grid, days=14)
    cut = data.grid.cut(*period_of(view))
    columns = {TIME: data.stamps[cut]}
    for target in TARGETS:
        name, recorded, predicted = target.removesuffix("_GW"), data.values[target][cut], made.power[target][cut]
        columns |= {target: recorded, f"{name}_predicted_GW": predicted, f"{name}_residual_GW": predicted - recorded}
    arrays = {name: pa.array(values, from_pandas=True) for name, values in columns.items()}
    file = BytesIO()
    pyarrow.csv.write_csv(pa.table(arrays), file, pyarrow.csv.WriteOptions(quoting_style="none"))
    period = f"{view['from'][:10]}_{view['to'][:10]}"
    head = {"Content-Disposition": f"attachment; filename=solar_wind_{period}.csv"}
    return flask.Response(file.getvalue(), mimetype="text/csv", headers=head)
