"""A local server that answers as Energy-Charts, SMARD and Open-Meteo do, with values from formulas and faults to order.

`live_server()` runs it in a thread of a test. `python tests/helpers/live_server.py --now 2026-11-20T08:00Z` runs it by
itself: it prints the variables that send the clients to it, and takes a new present (`PUT /now?2026-11-21T08:00Z`),
counts the calls since (`GET /calls`).
The truth behind the answers are the functions `weather`, `generation` and `capacity`; power follows from weather, so
that models can learn.
"""

import argparse
import json
import threading
from collections.abc import Callable
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import numpy as np
import pandas as pd

PREFIXES = {  # of the paths, by the variable that names the address
    "DSGO_ENERGY_CHARTS_URL": "/energy-charts",
    "DSGO_SMARD_URL": "/smard",
    "DSGO_OPEN_METEO_URL": "/open-meteo",
    "DSGO_OPEN_METEO_HISTORY_URL": "/open-meteo-history",
    "DSGO_OPEN_METEO_PREVIOUS_URL": "/open-meteo-previous",
}
HOUR, QUARTER = 3600, 900
KINDS = {"solar": "Solar", "wind_onshore": "Wind onshore", "wind_offshore": "Wind offshore"}
FILTERS = {4068: "solar", 4067: "wind_onshore", 1225: "wind_offshore"}
UNITS = {
    "wind_speed_10m": "m/s",
    "wind_speed_100m": "m/s",
    "wind_speed_120m": "m/s",
    "temperature_2m": "°C",
    "direct_radiation": "W/m²",
    "diffuse_radiation": "W/m²",
}
PLACES = {
    "solar": [(48.5, 11.5), (52.0, 11.0)],
    "wind_onshore": [(54.0, 9.0), (52.4, 11.0)],
    "wind_offshore": [(54.2, 7)],
}
DELAY = 2 * HOUR  # until a quarter is measured
PRELIMINARY = 3 * 24 * HOUR  # so long a measured value is 3% too low, then it is revised


# The truth. Times are seconds since 1970, as arrays.


def _waves(at: np.ndarray, where: float, seed: int) -> np.ndarray:
    """Return smooth values of about unit variance that repeat in no practical time."""
    periods = np.array([31.0, 47.3, 71.9, 113.0, 173.0, 251.0]) * HOUR
    phases = np.random.default_rng(seed).uniform(0, 2 * np.pi, len(periods))
    turns = 2 * np.pi / periods
    return sum(np.sin(turn * at + phase + where) for turn, phase in zip(turns, phases, strict=True)) / np.sqrt(3)


def _sun(at: np.ndarray, latitude: float, longitude: float) -> np.ndarray:
    """Return the sine of the sun's height, 0 below the horizon."""
    day = at / 86400 % 365.25
    tilt = np.radians(-23.44) * np.cos(2 * np.pi * (day + 10) / 365.25)
    angle = 2 * np.pi * (at / 86400 % 1 - 0.5 + longitude / 360)
    height = np.radians(latitude)
    return np.clip(np.sin(height) * np.sin(tilt) + np.cos(height) * np.cos(tilt) * np.cos(angle), 0, None)


def weather(name: str, at: np.ndarray, latitude: float, longitude: float) -> np.ndarray:
    """Return a variable of Open-Meteo as it stamps it: the moment's, or for radiation the mean of the hour before."""
    at = np.asarray(at, dtype="float64")
    where = 0.05 * longitude + 0.03 * latitude
    winter = np.cos(2 * np.pi * at / (365.25 * 86400))
    wind = 4.0 * np.exp(0.45 * _waves(at, where, 1) + 0.12 * winter)
    if name.startswith("wind_speed"):
        shear = 1.5 + 0.15 * np.sin(2 * np.pi * at / 86400)
        high = wind * shear
        return {"wind_speed_10m": wind, "wind_speed_100m": high, "wind_speed_120m": high * 1.2 ** (1 / 7)}[name]
    middle = at - HOUR / 2
    sun = _sun(middle, latitude, longitude)
    clear = 1 / (1 + np.exp(1.3 * _waves(middle, where, 2)))
    if name == "temperature_2m":
        return 9 - 9 * winter + 5 * _sun(at, latitude, longitude) + 2.5 * _waves(at, where, 3)
    return {"direct_radiation": 800 * sun**1.2 * clear, "diffuse_radiation": 250 * sun * (1 - 0.5 * clear)}[name]


def capacity(kind: str, at: np.ndarray) -> np.ndarray:
    """Return GW installed."""
    years = (np.asarray(at, dtype="float64") / 86400 - 18993) / 365.25  # since 2022
    return {"solar": 60 + 14 * years, "wind_onshore": 56 + 2.4 * years, "wind_offshore": 8 + 0.4 * years}[kind]


def generation(kind: str, at: np.ndarray) -> np.ndarray:
    """Return MW, the mean of the quarter of an hour that begins at `at`, as it is once it is revised no more."""
    return _generation(kind, np.asarray(at, dtype="float64").tobytes())


@cache  # tests ask for the same years again and again
def _generation(kind: str, at: bytes) -> np.ndarray:
    middle = np.frombuffer(at) + QUARTER / 2
    if kind == "solar":
        factors = [
            0.85
            * (weather("direct_radiation", middle + HOUR / 2, *p) + weather("diffuse_radiation", middle + HOUR / 2, *p))
            / 1000
            for p in PLACES[kind]
        ]
    else:
        factors = [1 / (1 + np.exp(-(weather("wind_speed_100m", middle, *p) - 9) / 1.7)) for p in PLACES[kind]]
    return np.round(1000 * capacity(kind, middle) * np.mean(factors, axis=0), 1)


@cache
def _berlin(first: float, last: float) -> list[str]:
    """Return each quarter's ISO 8601 time in Berlin."""
    at = pd.to_datetime(np.arange(first, last + 1, QUARTER), unit="s", utc=True)
    return [moment.isoformat() for moment in at.tz_convert("Europe/Berlin")]


def hourly(kind: str, hours: pd.DatetimeIndex) -> np.ndarray:
    """Return the truth for hours, in MW."""
    return sum(generation(kind, seconds(hours) + part * QUARTER) for part in range(4)) / 4


def seconds(times: pd.DatetimeIndex) -> np.ndarray:
    """Return seconds since 1970."""
    return times.as_unit("s").asi8.astype("float64")


# The server


class LiveServer:
    """What a test sets and asks: `now`, `fail`, `change`, `calls`, `environment`."""

    def __init__(self, now: str, latency: float = 0.0) -> None:
        self.now = now
        self.latency = latency
        self.calls: list[tuple[str, dict[str, str]]] = []  # (path, parameters) of each call
        self.failures: list[dict[str, Any]] = []
        self.changes: list[tuple[str, Callable[[Any], Any]]] = []
        self.version_2 = True  # of Energy-Charts
        self.wind_at_100m = True  # of Open-Meteo
        self.busy = self.most_busy = 0  # calls at the same time
        self.lock = threading.Lock()
        self._stop = threading.Event()
        self.http = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"live": self}))
        self.http.daemon_threads = True
        base = f"http://127.0.0.1:{self.http.server_port}"
        self.environment = {variable: base + prefix for variable, prefix in PREFIXES.items()}

    @property
    def present(self) -> float:
        """`now` in seconds since 1970."""
        return datetime.fromisoformat(self.now).timestamp()

    def fail(self, path: str, status: int = 0, times: int = 1, body: Any = "", **headers: str) -> None:
        """Answer the next `times` calls whose path holds `path` with a status; 0: the answer is cut off half-way."""
        self.failures.append({"path": path, "status": status, "left": times, "body": body, "headers": headers})

    def change(self, path: str, function: Callable[[Any], Any]) -> None:
        """Put every answer whose path holds `path` through a function that changes or replaces it."""
        self.changes.append((path, function))

    def mend(self) -> None:
        """End all faults."""
        self.failures.clear()
        self.changes.clear()

    def count(self, path: str = "") -> int:
        """Return how many calls went to paths that hold `path`."""
        return sum(path in called for called, _ in self.calls)

    def answer(self, path: str, params: dict[str, str]) -> Any:
        """Return what the service answers; a number is the status of a refusal."""
        _, service, *rest = path.split("/")
        if service == "energy-charts":
            return self.energy_charts("/".join(rest), params)
        if service == "smard":
            return self.smard(*rest)
        return self.open_meteo(service, params) if rest == ["v1", "forecast"] else 404

    # Energy-Charts

    def energy_charts(self, path: str, params: dict[str, str]) -> Any:
        if path == "installed_power":
            return self.installed(params["time_step"])
        if path in ("public_power", "v2/public_power", "v2/public_power_forecast", "public_power_forecast"):
            first, last = (datetime.fromisoformat(params[name]).timestamp() for name in ("start", "end"))
            if last - first > 366 * 86400:
                return 422
            at = np.arange(first - first % QUARTER, last + 1, QUARTER)
            forecast = path.endswith("forecast")
            kinds = [params["production_type"]] if forecast else [*KINDS, "load"]
            values = {kind: self.forecast(kind, at) if forecast else self.measured(kind, at) for kind in kinds}
            if not path.startswith("v2/"):
                if forecast:
                    return {"unix_seconds": at.tolist(), "forecast_values": values[kinds[0]], "deprecated": False}
                types = [{"name": KINDS.get(kind, "Load"), "data": values[kind]} for kind in kinds]
                return {"unix_seconds": [int(x) for x in at], "production_types": types, "deprecated": False}
            if not self.version_2:
                return 404
            stamps = _berlin(at[0], at[-1])
            rows = zip(*values.values(), strict=True)
            data = [
                {"timestamp": stamp, "values": dict(zip(kinds, row, strict=True))}
                for stamp, row in zip(stamps, rows, strict=True)
            ]
            series = [{"id": kind, "name": KINDS.get(kind, "Load")} for kind in kinds]
            return {
                **{"unit": "MW", "resolution": "PT15M", "series": series, "data": data},
                **{
                    "license": "CC BY 4.0 (creativecommons.org/licenses/by/4.0) from Energy-Charts.info",
                    "deprecated": False,
                },
            }
        return 404

    def measured(self, kind: str, at: np.ndarray) -> list[float | None]:
        values = np.full(len(at), 50_000.0) if kind == "load" else generation(kind, at)
        values = np.where(at > self.present - PRELIMINARY, np.round(0.97 * values, 1), values)
        return [None if late else float(v) for v, late in zip(values, at + QUARTER + DELAY > self.present, strict=True)]

    def forecast(self, kind: str, at: np.ndarray) -> list[float | None]:
        issued = self.present - self.present % 86400 + (2 if self.present % 86400 > 17 * HOUR else 1) * 86400
        values = np.round(generation(kind, at) * (1 + 0.06 * _waves(at, 0.0, 4)), 1)
        return [float(v) if t < issued else None for v, t in zip(values, at, strict=True)]

    def installed(self, step: str) -> Any:
        """Months with plans for half a year to come; the newest ended month of solar and of offshore is null."""
        monthly = step == "monthly"
        last = pd.Timestamp(self.present, unit="s") + pd.DateOffset(months=6) if monthly else pd.Timestamp("2030-01-01")
        starts = pd.date_range("2019-01-01", last, freq="MS" if monthly else "YS")
        ends = starts + (pd.DateOffset(months=1) if monthly else pd.DateOffset(years=1))
        newest = np.flatnonzero(seconds(ends) <= self.present)[-1]
        data = {kind: [round(float(v), 3) for v in capacity(kind, seconds(ends))] for kind in KINDS}
        data["solar"][newest] = data["wind_offshore"][newest] = None
        named = {"Solar DC": [v and 1.2 * v for v in data["solar"]], "Solar AC": data["solar"]}
        named |= {"Wind onshore": data["wind_onshore"], "Wind offshore": data["wind_offshore"]}
        return {
            "time": starts.strftime("%m.%Y" if monthly else "%Y").tolist(),
            "production_types": [{"name": name, "data": values} for name, values in named.items()],
            "deprecated": False,
        }

    # SMARD

    def smard(self, number: str, region: str, file: str) -> Any:
        zone = "Europe/Berlin"
        present = pd.Timestamp(self.present, unit="s", tz="UTC").tz_convert(zone)
        mondays = pd.date_range("2014-12-29", present.tz_localize(None), freq="W-MON").tz_localize(zone)
        stamps = [int(at.timestamp() * 1000) for at in mondays]
        if file == "index_hour.json":
            return {"timestamps": stamps}
        stamp = int(file.removesuffix(".json").rpartition("_")[2])
        if int(number) not in FILTERS or region != "DE" or stamp not in stamps:
            return 404
        monday = mondays[stamps.index(stamp)]
        after = (monday.tz_localize(None) + pd.Timedelta(days=7)).tz_localize(zone)
        hours = pd.date_range(monday, after, freq="h", inclusive="left").tz_convert("UTC")
        values = hourly(FILTERS[int(number)], hours)
        late = seconds(hours) + HOUR + DELAY > self.present
        rows = [
            [int(t * 1000), None if n else round(float(v), 2)]
            for t, v, n in zip(seconds(hours), values, late, strict=True)
        ]
        return {"meta_data": {"version": 1, "created": int(self.present * 1000)}, "series": rows}

    # Open-Meteo

    def open_meteo(self, service: str, params: dict[str, str]) -> Any:
        today = pd.Timestamp(self.present, unit="s").floor("D")
        if "start_date" in params:
            first, last = pd.Timestamp(params["start_date"]), pd.Timestamp(params["end_date"])
        else:
            first = today - pd.Timedelta(days=int(params.get("past_days", 0)))
            last = today + pd.Timedelta(days=int(params.get("forecast_days", 7)) - 1)
        if last > today + pd.Timedelta(days=16) or first > last:
            return {"error": True, "reason": f"Parameter 'end_date' is out of allowed range to {today:%Y-%m-%d}"}
        at = seconds(pd.date_range(first, last + pd.Timedelta(hours=23), freq="h"))
        answers = []
        places = zip(params["latitude"].split(","), params["longitude"].split(","), strict=True)
        for latitude, longitude in ((float(a), float(b)) for a, b in places):
            hourly: dict[str, Any] = {"time": pd.to_datetime(at, unit="s").strftime("%Y-%m-%dT%H:%M").tolist()}
            units = {"time": "iso8601"}
            for asked in params["hourly"].split(","):
                name, _, back = asked.partition("_previous_day")
                if name not in UNITS:
                    return {"error": True, "reason": f"Cannot initialize SurfacePressureVariable from '{asked}'"}
                lead = (
                    float(back or 0) if service.endswith("previous") else np.clip((at - self.present) / 86400, 0, None)
                )
                values = self.seen(name, at, latitude, longitude, 0.0 if service.endswith("history") else lead)
                empty = name == "wind_speed_100m" and not self.wind_at_100m
                hourly[asked] = [None] * len(at) if empty else values.tolist()
                units[asked] = UNITS[name] if params.get("wind_speed_unit") == "ms" or UNITS[name] != "m/s" else "km/h"
            answers.append(
                {
                    **{
                        "latitude": round(latitude, 1) + 0.02,
                        "longitude": round(longitude, 1) - 0.03,
                        "elevation": 34.0,
                    },
                    **{"generationtime_ms": 0.2, "utc_offset_seconds": 0, "timezone": "GMT"},
                    **{"hourly_units": units, "hourly": hourly},
                }
            )
        return answers if len(answers) > 1 else answers[0]

    def seen(self, name: str, at: np.ndarray, latitude: float, longitude: float, lead: Any) -> np.ndarray:
        """Return the weather as a run says it `lead` days before: with an error that grows, in Open-Meteo's digits."""
        truth = weather(name, at, latitude, longitude)
        error = 0.04 * lead * _waves(at, self.present / 86400, 5)
        values = truth + 2 * error if name == "temperature_2m" else truth * np.clip(1 + error, 0, None)
        return np.round(values, 2 if name.startswith("wind") else 1)


class Handler(BaseHTTPRequestHandler):
    """Answers a call."""

    live: LiveServer

    def log_message(self, *_: Any) -> None:
        pass

    def do_PUT(self) -> None:
        self.live.now = urlsplit(self.path).query
        self.live.calls.clear()
        self.send(200, b"{}")

    def do_GET(self) -> None:
        live, url = self.live, urlsplit(self.path)
        params = dict(parse_qsl(url.query))
        if url.path.endswith("/calls"):
            return self.send(200, str(live.count()).encode())
        with live.lock:
            live.calls.append((url.path, params))
            live.busy += 1
            live.most_busy = max(live.busy, live.most_busy)
            failure = next((f for f in live.failures if f["left"] and f["path"] in url.path), None)
            if failure:
                failure["left"] -= 1
        try:
            live._stop.wait(live.latency)
            self.reply(url.path, params, failure)
        finally:
            with live.lock:
                live.busy -= 1

    def reply(self, path: str, params: dict[str, str], failure: dict[str, Any] | None) -> None:
        if failure and failure["status"]:
            body = failure["body"] if isinstance(failure["body"], str) else json.dumps(failure["body"])
            headers = {name.replace("_", "-"): value for name, value in failure["headers"].items()}
            return self.send(failure["status"], body.encode(), headers)
        answer = self.live.answer(path, params)
        if isinstance(answer, int):
            detail = "no content available" if answer == 404 else [{"msg": "at most one year", "type": "value_error"}]
            return self.send(answer, json.dumps({"detail": detail}).encode())
        for where, function in self.live.changes:
            if where in path:
                answer = function(answer)
        status = 400 if isinstance(answer, dict) and answer.get("error") else 200
        body = json.dumps(answer).encode()
        return self.send(status, body, cut=bool(failure))

    def send(self, status: int, body: bytes, headers: dict[str, str] | None = None, cut: bool = False) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if cut else body)


@contextmanager
def live_server(now: str = "2026-11-20T08:00+00:00", latency: float = 0.0):
    """Run the server in a thread; give its LiveServer."""
    live = LiveServer(now, latency)
    thread = threading.Thread(target=live.http.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield live
    finally:
        live._stop.set()
        live.http.shutdown()
        live.http.server_close()
        thread.join(20)


# Faults of answers, for `change`


def in_rows(function: Callable[[dict], dict]) -> Callable[[Any], Any]:
    """Return a change of each row of an Energy-Charts answer (version 2); a row that becomes empty is left out."""

    def change(answer: Any) -> Any:
        rows = (function({**row, "values": dict(row["values"])}) for row in answer["data"])
        return {**answer, "data": [row for row in rows if row]}

    return change


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--now", default=datetime.now(UTC).isoformat(timespec="minutes"))
    parser.add_argument("--latency", type=float, default=0.0)
    options = parser.parse_args()
    with live_server(options.now, options.latency) as live:
        print(*(f"export {name}={value}" for name, value in live.environment.items()), sep="\n", flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main()
