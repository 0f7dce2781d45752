"""Files to download, as plain addresses: a period with its predictions as CSV; a reason instead of another period."""

from io import BytesIO

import flask
import pyarrow as pa
import pyarrow.csv

import live
from choices import PERIOD, Address, period_of
from dsgo.data.schema import TARGETS, TIME


def add_downloads(server: flask.Flask) -> None:
    """Add the addresses to the server."""
    server.add_url_rule("/explore.csv", view_func=explore_csv)


def explore_csv() -> flask.Response:
    """Return the hours of a period (from, to, model): recorded, predicted and residual in GW; empty where unknown.

    Without from and to, the last 14 days. 400 for an address that is wrong, 404 for a model that does not exist, 503
    while the predictions are being made, 500 where the model fails.
    """
    snapshot = live.now()
    if snapshot.data is None:
        return _refusal(503, "there is no dataset yet: try again in a moment")
    data = snapshot.data
    query = {name: found if len(found) > 1 else found[0] for name, found in flask.request.args.lists()}
    address = Address(query, [*PERIOD, "model"])
    view, choice = address.period(data.grid, days=14), address.model(snapshot)
    if said := address.wrong + address.changed:
        return _refusal(404 if address.missing else 400, "; ".join(said))
    key = snapshot.key(choice)
    made = live.predictions(snapshot, key) if key else None
    if made is None:
        return _refusal(503, "the predictions of this model are being made: try again in a moment")
    if made.problem:
        return _refusal(500, f"this model cannot be used: {made.problem}")
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


def _refusal(status: int, reason: str) -> flask.Response:
    return flask.Response(f"{reason}\n", status, mimetype="text/plain")
