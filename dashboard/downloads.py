"""Files to download, as plain addresses: a period with its predictions as CSV, a forecast as JSON and CSV.

Where an address asks for what is not there, the answer is the reason in a line.
"""

from functools import lru_cache
from io import BytesIO

import flask
import pyarrow as pa
import pyarrow.csv

import live
from choices import PERIOD, Address, period_of
from dsgo.data.schema import TARGETS, TIME
from forecasts import Ahead, as_csv, as_json


def add_downloads(server: flask.Flask) -> None:
    """Add the addresses to the server."""
    server.add_url_rule("/explore.csv", view_func=explore_csv)
    server.add_url_rule("/forecast.json", view_func=forecast_json)
    server.add_url_rule("/forecast.csv", view_func=forecast_csv)


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


def forecast_json() -> flask.Response:
    """Return the newest forecast (the form: docs/13_next_week.md); 404 where no forecast was made, 503 before that."""
    ahead = live.now().ahead
    return flask.Response(_newest_json(ahead), mimetype="application/json") if ahead else _no_forecast()


def forecast_csv() -> flask.Response:
    """Return the newest forecast, or the one `issued` at a time (UTC), as CSV; 404 where there is none, 503 before."""
    ahead = live.now().ahead
    if ahead is None:
        return _no_forecast()
    query = {name: found if len(found) > 1 else found[0] for name, found in flask.request.args.lists()}
    address = Address(query, ["issued"])
    if address.wrong:
        return _refusal(400, "; ".join(address.wrong))
    newest = next(reversed(ahead.said))
    asked = address.query.get("issued", newest)
    issued = ahead.time(asked)
    if issued is None:
        return _refusal(404, f"issued={asked[:40]}: no forecast was issued then; write it as {newest}")
    head = {"Content-Disposition": f"attachment; filename=forecast_{issued.replace(':', '')}.csv"}
    return flask.Response(_csv(ahead, issued), mimetype="text/csv", headers=head)


@lru_cache(maxsize=1)
def _newest_json(ahead: Ahead) -> str:
    return as_json(ahead.made[0])


@lru_cache(maxsize=8)
def _csv(ahead: Ahead, issued: str) -> str:
    return as_csv(ahead.said[issued])


def _no_forecast() -> flask.Response:
    if live.now().data is None:
        return _refusal(503, "there is no dataset yet: try again in a moment")
    return _refusal(404, "no forecast was made yet: mlflow run forecast --env-manager local")


def _refusal(status: int, reason: str) -> flask.Response:
    return flask.Response(f"{reason}\n", status, mimetype="text/plain")
