"""Weather, sun and calendar as features of an hour: the same for training, for a batch and for a single row.

This file is logged with every model and imports nothing of dsgo. The hours around a row are found by their timestamp,
so gaps and the order of rows do not matter. Where a neighbour is missing, the row's own value stands in (persistence);
a mean, a range or a spread over a window takes the hours that are there.

The target that goes with these features is the capacity factor, power / installed capacity. Which features serve was
chosen on rolling origins inside 2013 to 2015 (benchmarks/README.md).
"""

from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

TIME = "utc_timestamp"
WEATHER = ["windspeed", "temperature", "rad_horizontal", "rad_diffuse"]
REACH = 24  # hours either way that are looked at one by one; beyond them every sixth up to 84
LONG = np.arange(-84, 85, 6)
SOLAR_CONSTANT = 1361.0  # W/m2, Kopp and Lean 2011

# Names: w wind speed, t temperature, h direct and f diffuse radiation, tot their sum; +3 is three hours later; ah and
# af are radiation with the clock of the weather put right; m25 is the mean of the 25 hours around, sd their spread.
SOLAR = (
    "sinel elp doyc t trange trange13 trange49 tsd13 tsd25 t-3 tm169 wmax25 kt difshare fs25 ps "
    "ah-2 ah-1 ah+0 ah+1 ah+2 af-2 af-1 af+0 af+1 af+2"
).split()
WIND = (
    "w w-1 w+1 w-3 w+3 w-6 w+6 w-12 w+12 wm5 wm25 wm49 lw lwm7 lwm25 wsd25 t t-6 t+6 t-24 tm25 trange trange49 "
    "tot tot-3 tot+3 tot25 tot49 kt elp doys doyc hs1 hc1 hs2 hc2"
).split()
# Trees choose among more, and take no harm from it.
SOLAR_TREES = list(dict.fromkeys(SOLAR + "az doys w wm7 tm25 tot tot25 tot49 pe pw hs1 hc1 t+3".split()))
WIND_TREES = list(dict.fromkeys(WIND + "w-2 w+2 w-4 w+4 w-5 w+5 wm3 wm7 wm13 wc7 az sinel wsd7".split()))
ALL = list(dict.fromkeys([*SOLAR_TREES, *WIND_TREES]))
# What the size of the error depends on, see intervals.py.
SIZE = {
    "solar_GW": "sinel kt difshare trange trange49 wmax25 tm169 t fs25".split(),
    "wind_GW": "w wm25 wm5 wsd25 trange tm25 tot25 elp hs1 hc1".split(),
}
ALONE = "sinel elp az doys doyc hs1 hc1 w lw t h f kt difshare dst".split()  # of a row without neighbours


def solar_position(hours: np.ndarray, latitude: float, longitude: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the sun's true elevation and azimuth (radians, clockwise from north) at `hours` since 1970-01-01 UTC.

    The Astronomical Almanac's low precision formula (Michalsky 1988, Solar Energy 40, 227-235): within 0.02 degrees of
    pvlib's spa from 1950 to 2050, and some hundred times as fast for a single row.

    >>> noon = np.array([(pd.Timestamp("2016-06-21 11:22") - pd.Timestamp(0)) / pd.Timedelta(hours=1)])
    >>> [round(float(np.degrees(angle[0]))) for angle in solar_position(noon, 51.0, 10.0)]
    [62, 180]
    """
    n = np.asarray(hours, float) / 24 - 10957.5  # days since 2000-01-01 12:00
    mean = np.radians((280.460 + 0.9856474 * n) % 360)
    anomaly = np.radians((357.528 + 0.9856003 * n) % 360)
    ecliptic = mean + np.radians(1.915 * np.sin(anomaly) + 0.020 * np.sin(2 * anomaly))
    tilt = np.radians(23.439 - 4e-7 * n)
    ascension = np.arctan2(np.cos(tilt) * np.sin(ecliptic), np.cos(ecliptic))
    declination = np.arcsin(np.sin(tilt) * np.sin(ecliptic))
    sidereal = np.radians((280.46062 + 360.98564737 * n + longitude) % 360)
    angle, phi = sidereal - ascension, np.radians(latitude)
    sine = np.sin(phi) * np.sin(declination) + np.cos(phi) * np.cos(declination) * np.cos(angle)
    azimuth = np.arctan2(-np.sin(angle), np.tan(declination) * np.cos(phi) - np.sin(phi) * np.cos(angle))
    return np.arcsin(np.clip(sine, -1, 1)), azimuth % (2 * np.pi)


def calendar(hours: np.ndarray) -> dict[str, np.ndarray]:
    """Return the season and the hour of day of `hours` since 1970-01-01 UTC as points on circles."""
    year, day = 2 * np.pi * (hours / 24 % 365.2425) / 365.2425, 2 * np.pi * (hours % 24) / 24
    circles = {"doys": np.sin(year), "doyc": np.cos(year), "hs1": np.sin(day), "hc1": np.cos(day)}
    return circles | {"hs2": np.sin(2 * day), "hc2": np.cos(2 * day)}


def neighbours(hours: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Return for each of n hours and m offsets the row (n, m) that holds the hour plus the offset, -1 where none does.

    At the offset 0 it is the row itself, also where several rows hold the same hour.

    >>> neighbours(np.array([5, 4, 7]), np.array([-1, 0, 1])).tolist()
    [[1, 0, -1], [-1, 1, 0], [-1, 2, -1]]
    """
    order = np.argsort(hours, kind="stable")
    ordered = hours[order]
    wanted = hours[:, None] + np.asarray(offsets)[None, :]
    at = np.minimum(np.searchsorted(ordered, wanted), len(hours) - 1)
    found = np.where(ordered[at] == wanted, order[at], -1)
    found[:, np.asarray(offsets) == 0] = np.arange(len(hours))[:, None]
    return found


def to_hours(times: Any) -> np.ndarray:
    """Return whole hours since 1970-01-01 UTC (int64) of ISO 8601 texts, or of timestamps (without a zone: UTC)."""
    index = pd.DatetimeIndex(pd.to_datetime(times, utc=True))
    return index.as_unit("s").asi8 // 3600


class SunPosition(TransformerMixin, BaseEstimator):
    """The sun's elevation and azimuth (radians) at mid-hour; the first column of X is the hour since 1970-01-01 UTC."""

    def __init__(self, latitude: float = 51.0, longitude: float = 10.3) -> None:
        """Take a place in degrees north and east."""
        self.latitude, self.longitude = latitude, longitude

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn nothing but the number of columns."""
        validate_data(self, X, ensure_min_features=1)
        return self

    def transform(self, X: Any) -> np.ndarray:
        """Return (n, 2): elevation, azimuth."""
        check_is_fitted(self)
        X = validate_data(self, X, reset=False)
        return np.column_stack(solar_position(np.floor(X[:, 0]) + 0.5, self.latitude, self.longitude))

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Return the names of the two columns."""
        return np.array(["elevation", "azimuth"], dtype=object)

    def __sklearn_is_fitted__(self) -> bool:  # noqa: D105
        return hasattr(self, "n_features_in_")


class HoursAround(TransformerMixin, BaseEstimator):
    """The values of the hours around; the first column of X is the hour since 1970-01-01 UTC, the others are values.

    A neighbour is looked for among the rows given; where it is not there, the row's own value stands in. So a single
    row is defined, and the same row is another one in other company: that is what the transformer is for.
    """

    def __init__(self, offsets: tuple[int, ...] = (-1, 1)) -> None:
        """Take the offsets in hours."""
        self.offsets = offsets

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn nothing but the number of columns."""
        validate_data(self, X)
        return self

    def transform(self, X: Any) -> np.ndarray:
        """Return (n, values x offsets): the first value at each offset, then the second, ..."""
        check_is_fitted(self)
        X = validate_data(self, X, reset=False)
        near = neighbours(np.floor(X[:, 0]).astype("int64"), np.asarray(self.offsets))
        rows = np.where(near >= 0, near, np.arange(len(X))[:, None])
        return np.column_stack([X[:, [0]], *(X[rows, column] for column in range(1, X.shape[1]))])

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Return a name a column."""
        names = [f"x{i}" for i in range(self.n_features_in_)] if input_features is None else list(input_features)
        return np.array([names[0], *(f"{name}{k:+d}" for name in names[1:] for k in self.offsets)], dtype=object)

    def __sklearn_is_fitted__(self) -> bool:  # noqa: D105
        return hasattr(self, "n_features_in_")


class PowerFeatures(TransformerMixin, BaseEstimator):
    """Turn a frame of weather with `utc_timestamp` into features, float32, by name.

    latitude, longitude: the country's middle in degrees; None: found from the radiation. zone: its time zone; `fit`
    finds out, without any target, by how many hours the weather of winter and of summer time is late (`shift_`).
    """

    def __init__(
        self,
        columns: list[str] | None = None,
        latitude: float | None = 51.0,
        longitude: float | None = 10.3,
        zone: str = "Europe/Berlin",
    ) -> None:
        """Take the names of the features to return (None: ALL)."""
        self.columns, self.latitude, self.longitude, self.zone = columns, latitude, longitude, zone

    def fit(self, X: pd.DataFrame, y: Any = None) -> Self:
        """Learn where the sun stands for this weather, and by how many hours its clock is off."""
        hours = to_hours(X[TIME])
        total = (X["rad_horizontal"] + X["rad_diffuse"]).to_numpy(float)
        known = self.latitude is not None and self.longitude is not None
        self.place_ = (float(self.latitude or 0), float(self.longitude or 0)) if known else locate(hours, total)
        winter = min(pd.Timestamp(f"2015-{month}-15", tz=self.zone).utcoffset() for month in ("01", "07"))
        self.winter_ = int(winter.total_seconds() // 3600)
        self.shift_ = [0, 0]
        sun = np.sin(solar_position(hours + 0.5, *self.place_)[0]).clip(0)
        summer, rows = self._summer(hours), neighbours(hours, np.arange(-2, 3))
        for season in (0, 1):
            ours = (summer == season) & (rows >= 0).all(axis=1)
            if ours.sum() > 24 * 30:
                fits = [np.corrcoef(total[rows[ours, k]], sun[ours])[0, 1] for k in range(5)]
                self.shift_[season] = int(np.argmax(fits)) - 2
        return self

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Return the names of the features."""
        return np.array(self.columns or ALL, dtype=object)

    def transform(self, X: pd.DataFrame) -> np.ndarray:
        """Return the features (n, columns): all are numbers, even where hours around are missing."""
        check_is_fitted(self)
        made = self._make(X)
        return np.column_stack([made[name] for name in self.get_feature_names_out()]).astype("float32")

    def present(self, X: pd.DataFrame, reach: int = 12) -> np.ndarray:
        """Return for each row the share of the hours within `reach` that are there: 1 is all of them."""
        return (neighbours(to_hours(X[TIME]), np.arange(-reach, reach + 1)) >= 0).mean(axis=1)

    def alone(self, X: pd.DataFrame) -> np.ndarray:
        """Return the features ALONE (n, 15), of each row's own weather: quick, for rows without neighbours."""
        hours = to_hours(X[TIME])
        wind, temperature, direct, diffuse = (X[name].to_numpy(float) for name in WEATHER)
        elevation, azimuth = solar_position(hours + 0.5, *self.place_)
        sine, total, summer, at = np.sin(elevation), direct + diffuse, self._summer(hours), calendar(hours)
        # Where the weather's clock is off, the radiation is of another hour: the sun of that one tells how clear it is.
        stamped = np.sin(solar_position(hours + 0.5 - np.asarray(self.shift_)[summer], *self.place_)[0])
        clear = np.minimum(total / np.maximum(SOLAR_CONSTANT * stamped, 30), 2)
        wind_speed = [wind, np.log(np.maximum(wind, 0.5))]
        columns = [sine, np.maximum(sine, 0), azimuth, *(at[name] for name in ("doys", "doyc", "hs1", "hc1"))]
        columns += [*wind_speed, temperature, direct, diffuse, clear, diffuse / np.maximum(total, 1), summer]
        return np.column_stack(columns).astype("float32")

    def _summer(self, hours: np.ndarray) -> np.ndarray:
        """Return 1 for each hour of summer time, else 0."""
        index = pd.DatetimeIndex(np.asarray(hours, "int64") * 3600, dtype="datetime64[s]").tz_localize("UTC")
        local = index.tz_convert(self.zone).tz_localize(None)
        offset = (local.as_unit("s").asi8 - np.asarray(hours, "int64") * 3600) // 3600
        return (offset > self.winter_).astype(int)

    def _make(self, X: pd.DataFrame) -> dict[str, np.ndarray]:
        hours = to_hours(X[TIME])
        wind, temperature, direct, diffuse = (X[name].to_numpy(float) for name in WEATHER)
        elevation, azimuth = solar_position(hours + 0.5, *self.place_)
        around = _Around(hours, {"w": wind, "t": temperature, "h": direct, "f": diffuse, "tot": direct + diffuse})
        around.add("wc", wind**3)
        shift = np.asarray(self.shift_)[self._summer(hours)]

        made = {"w": wind, "t": temperature, "h": direct, "f": diffuse, "tot": direct + diffuse}
        made |= {f"w{k:+d}": around.at("w", k) for k in (-12, -6, -5, -4, -3, -2, -1, 1, 2, 3, 4, 5, 6, 12)}
        made |= {f"t{k:+d}": around.at("t", k) for k in (-24, -6, -3, 3, 6)}
        made |= {f"tot{k:+d}": around.at("tot", k) for k in (-3, 3)}
        made |= {f"a{name}{k:+d}": around.at(name, k, shift) for name in "hf" for k in range(-2, 3)}
        made |= {f"wm{n}": around.mean("w", n) for n in (3, 5, 7, 13, 25, 49)}
        made |= {"wsd7": around.spread("w", 7), "wsd25": around.spread("w", 25), "wmax25": around.most("w", 25)}
        made |= {f"trange{n}": around.range("t", n) for n in (13, 49)} | {"trange": around.range("t", 25)}
        made |= {"tsd13": around.spread("t", 13), "tsd25": around.spread("t", 25), "tm25": around.mean("t", 25)}
        made |= {"tot25": around.mean("tot", 25), "tot49": around.mean("tot", 49), "wc7": around.mean("wc", 7)}
        made["fs25"] = around.mean("f", 25) / np.maximum(made["tot25"], 1)
        made |= {to: np.log(np.maximum(made[of], 0.5)) for to, of in (("lw", "w"), ("lwm7", "wm7"), ("lwm25", "wm25"))}
        far = neighbours(hours, LONG)
        made["tm169"] = np.where(far >= 0, temperature[far], 0).sum(axis=1) / (far >= 0).sum(axis=1)

        sine, total = np.sin(elevation), made["ah+0"] + made["af+0"]
        beam = np.minimum(made["ah+0"] / np.maximum(sine, 0.05), 1000)
        for name, facing in (("ps", 180), ("pe", 110), ("pw", 250)):  # degrees: south, and half-way to east and west
            made[name] = _on_a_roof(beam, made["af+0"], elevation, azimuth, facing)
        made |= {"kt": np.minimum(total / np.maximum(SOLAR_CONSTANT * sine, 30), 2)}
        made |= {"difshare": made["af+0"] / np.maximum(total, 1)}
        return made | {"sinel": sine, "elp": np.maximum(sine, 0), "az": azimuth} | calendar(hours)


class _Around:
    """Values of the hours around each row, as far as REACH."""

    def __init__(self, hours: np.ndarray, values: dict[str, np.ndarray]) -> None:
        near = neighbours(hours, np.arange(-REACH, REACH + 1))
        self.rows, self.known = np.arange(len(hours)), near >= 0
        self.filled = np.where(self.known, near, self.rows[:, None])
        self.values = {name: column[self.filled] for name, column in values.items()}

    def add(self, name: str, column: np.ndarray) -> None:
        self.values[name] = column[self.filled]

    def at(self, name: str, offset: int, shift: Any = 0) -> np.ndarray:
        return self.values[name][self.rows, REACH + offset + shift]

    def mean(self, name: str, width: int) -> np.ndarray:
        values, known = self._window(name, width)
        return (values * known).sum(axis=1) / known.sum(axis=1)

    def spread(self, name: str, width: int) -> np.ndarray:
        values, known = self._window(name, width)
        squares = ((values - self.mean(name, width)[:, None]) ** 2 * known).sum(axis=1)
        return np.sqrt(squares / np.maximum(known.sum(axis=1) - 1, 1))

    def most(self, name: str, width: int) -> np.ndarray:
        return self._window(name, width)[0].max(axis=1)

    def range(self, name: str, width: int) -> np.ndarray:
        values, _ = self._window(name, width)
        return values.max(axis=1) - values.min(axis=1)

    def _window(self, name: str, width: int) -> tuple[np.ndarray, np.ndarray]:
        cut = slice(REACH - width // 2, REACH + width // 2 + 1)
        return self.values[name][:, cut], self.known[:, cut]


def _on_a_roof(
    beam: np.ndarray, diffuse: np.ndarray, elevation: np.ndarray, azimuth: np.ndarray, facing: float
) -> np.ndarray:
    """Return the radiation on a plane tilted by 30 degrees (isotropic sky, Liu and Jordan 1963), W/m2."""
    tilt = np.pi / 6
    angle = np.sin(elevation) * np.cos(tilt)
    angle = angle + np.cos(elevation) * np.sin(tilt) * np.cos(azimuth - np.radians(facing))
    return np.where(elevation > 0, beam * np.maximum(angle, 0), 0) + diffuse * (1 + np.cos(tilt)) / 2


def locate(hours: np.ndarray, radiation: np.ndarray) -> tuple[float, float]:
    """Return the (latitude, longitude) in whole degrees at which the sun explains the radiation best.

    For weather of which nobody says where it is from. Europe and what lies around it is searched: 25 to 70 degrees
    north, 20 degrees west to 45 east.
    """
    some = slice(None, None, max(1, len(hours) // 4000))
    at, seen = hours[some] + 0.5, radiation[some]

    def fit(place: tuple[float, float]) -> float:
        return float(np.corrcoef(np.sin(solar_position(at, *place)[0]).clip(0), seen)[0, 1])

    coarse = max(((lat, lon) for lat in range(25, 71, 5) for lon in range(-20, 46, 5)), key=fit)
    fine = ((coarse[0] + i, coarse[1] + j) for i in range(-2, 3) for j in range(-2, 3))
    lat, lon = max(fine, key=fit)
    return float(lat), float(lon)
