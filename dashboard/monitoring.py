"""What a monitor asks the dashboard: /health as JSON and /metrics in the form of Prometheus."""

import flask
import pandas as pd
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest

import live
from dsgo.base.status import LEVELS
from dsgo.forecast import record
from dsgo.forecast.lights import NOT_KNOWN


def add_monitoring(server: flask.Flask) -> None:
    """Add the addresses to the server."""
    server.add_url_rule("/health", view_func=health)
    server.add_url_rule("/metrics", view_func=metrics)


def health() -> tuple[dict, int]:
    """Return how the whole stands: status (good, warning, alarm), problem (empty: none), and each check in words.

    Status code 503 for an alarm, and where the tracking server does not answer or no dataset is there yet; else 200.
    """
    snapshot = live.now()
    checks = {
        name: {"level": status.level if status else None, "words": status.words if status else NOT_KNOWN}
        for name, status in snapshot.lights.items()
    }
    levels = [LEVELS.index(status.level) for status in snapshot.lights.values() if status]
    problem = snapshot.problem or ("" if snapshot.data else "there is no dataset yet")
    level = "alarm" if problem else LEVELS[max(levels, default=0)]
    return {"status": level, "problem": problem, "checks": checks}, 503 if level == "alarm" else 200


def metrics() -> flask.Response:
    """Return gauges: what `health` says as numbers, ages as times, and the record by lead day."""
    snapshot = live.now()
    every = CollectorRegistry()
    Gauge("dsgo_up", "1 where the tracking server answers", registry=every).set(not snapshot.problem)
    level = Gauge("dsgo_status", "0 good, 1 warning, 2 alarm", ["check"], registry=every)
    for name, status in snapshot.lights.items():
        if status:
            level.labels(name).set(LEVELS.index(status.level))
    if snapshot.data:
        newest = Gauge("dsgo_data_newest_timestamp_seconds", "The newest hour of the data", registry=every)
        newest.set(pd.Timestamp(snapshot.data.frame.index[-1]).timestamp())
    if ahead := snapshot.ahead:
        issued = Gauge(
            "dsgo_forecast_issued_timestamp_seconds", "The first hour of the newest forecast", registry=every
        )
        issued.set(ahead.made[0].issued.timestamp())
        made = Gauge("dsgo_forecast_made_timestamp_seconds", "When the newest forecast was made", registry=every)
        made.set(ahead.made[0].made.timestamp())
        names = ["target", "lead_day"]
        mae = Gauge("dsgo_forecast_mae_gigawatts", "Mean absolute error of forecasts", names, registry=every)
        held = Gauge("dsgo_forecast_coverage_ratio", "Share of hours inside the band", names, registry=every)
        for row in record.figures(ahead.laid).to_dict("records"):
            labels = row["target"].removesuffix("_GW"), str(row["lead_day"])
            mae.labels(*labels).set(row["mae"])
            held.labels(*labels).set(row["coverage"])
    return flask.Response(generate_latest(every), content_type=CONTENT_TYPE_LATEST)
