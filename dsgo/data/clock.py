"""Local time taken for UTC: seen by comparing power with the weather, season by season, and put right on request."""

import re
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from dsgo.base.errors import UserError
from dsgo.data.suspects import newest

CALENDAR = (
    "Europe/Berlin"  # whose daylight saving is the summer half; all of Europe's clocks change at the same instant
)
MOST = 12  # hours either way
SUN_DAYS, SUN_AGREES = 14, 0.6  # in a season, and the correlation of solar power with radiation; real data 0.94 to 0.98
WIND_DAYS, WIND_AGREES = 90, 0.2  # of the hourly changes of wind power with those of wind speed


class Late(NamedTuple):
    """Hours by which stamps stand late in the winter and in the summer half; None where it cannot be seen."""

    winter: int | None
    summer: int | None

    def __bool__(self) -> bool:
        """Return whether a season is known to be late or early."""
        return bool(self.winter or self.summer)


ON_TIME = Late(0, 0)


def parse(name: str, text: str) -> Late:
    """Read a parameter "WINTER/SUMMER" in whole hours; UserError for anything else.

    >>> parse("weather_late", "0/1")
    Late(winter=0, summer=1)
    """
    match = re.fullmatch(r"([+-]?\d{1,2})/([+-]?\d{1,2})", text.strip())
    if not match or max(abs(int(hours)) for hours in match.groups()) > MOST:
        raise UserError(
            f"{name}={text} must be the hours that the stamps are late in winter and in summer, such as 0/1 "
            f"(at most {MOST}; German local time taken for UTC is 1/2)"
        )
    return Late(int(match[1]), int(match[2]))


def is_summer(times: pd.DatetimeIndex) -> np.ndarray:
    """Return which instants (UTC) lie within Europe's daylight saving.

    >>> is_summer(pd.DatetimeIndex(["2016-03-27T00Z", "2016-03-27T01Z"]))
    array([False,  True])
    """
    local = times.tz_convert(CALENDAR).tz_localize(None) - times.tz_localize(None)
    standard = pd.Timestamp(2016, 1, 1, tz=CALENDAR).utcoffset()
    return np.asarray(local > standard)


def around(hours: pd.DatetimeIndex, late: dict[str, Late]) -> pd.DatetimeIndex:
    """Return the hours to read for `put_right` to fill `hours`: a day more at both ends where stamps are late."""
    day = pd.Timedelta(days=1) * int(any(late.values()))
    return pd.date_range(hours[0] - day, hours[-1] + day, freq="h", name=hours.name)


def put_right(frame: pd.DataFrame, late: Late, hours: pd.DatetimeIndex) -> pd.DataFrame:
    """Return the rows within the period of `hours`, their stamps moved back by `late`, in order of time.

    Where the clocks go back, a stamp stands for two hours: its first row is summer's, its second winter's.
    """
    if not late:
        return frame[(frame.index >= hours[0]) & (frame.index <= hours[-1])]
    winter, summer = (frame.index - pd.Timedelta(hours=hours or 0) for hours in late)
    in_summer = is_summer(summer) & ~(frame.index.duplicated() & ~is_summer(winter))
    moved = frame.set_index(winter.where(~in_summer, summer).rename(frame.index.name)).sort_index(kind="stable")
    return moved[(moved.index >= hours[0]) & (moved.index <= hours[-1])]


def lateness(table: pd.DataFrame) -> Late:
    """Return by how many hours the weather's stamps stand late against power's, by season (negative: early).

    The lag at which solar power and radiation correlate best; where solar power is too weak to say, that at which the
    hourly changes of wind power and wind speed do. Two weeks of a season are needed for the sun, three months for wind.
    """
    summer = is_summer(pd.DatetimeIndex(table.index))
    return Late(_season(table[~summer]), _season(table[summer]))


def report(table: pd.DataFrame, given: dict[str, Late]) -> dict[str, Any]:
    """Return what quality.json says of the clock: given, found (all hours and the newest four weeks), what mends it.

    `given` has what was put right already, by parameter. "line" is for the user; it is empty where all is well.
    """
    found, recent = lateness(table), lateness(newest(table))
    mends, line = mended_by(found, given), ""
    if found:
        line = f"{_words(found)} (left as it is; process_data mends it with {mends})"
    elif recent:
        line = f"in the newest four weeks {_words(recent)}: has the source changed its clock?"
    return {
        "summer": f"daylight saving of {CALENDAR}",
        "given": {name: "{}/{}".format(*late) for name, late in given.items()},
        "weather_hours_late": {"winter": found.winter, "summer": found.summer},
        "newest_four_weeks": {"winter": recent.winter, "summer": recent.summer},
        "mended_by": mends,
        "line": line,
    }


def mended_by(found: Late, given: dict[str, Late]) -> str:
    """Return the parameter that puts the stamps right, beside what was given already; empty where nothing is late.

    Weather that stands early says that the power is late.

    >>> mended_by(Late(0, 1), {"weather_late": Late(0, 0), "power_late": Late(0, 0)})
    '-P weather_late=0/1'
    >>> mended_by(Late(-1, -2), {"weather_late": Late(0, 0), "power_late": Late(0, 0)})
    '-P power_late=1/2'
    """
    if not found:
        return ""
    known = [hours for hours in found if hours is not None]
    hours = [known[0] if late is None else late for late in found]  # a season that is not there may be as the other
    name, sign = ("power_late", -1) if max(hours) <= 0 else ("weather_late", 1)
    total = [(before or 0) + sign * late for before, late in zip(given.get(name, ON_TIME), hours, strict=True)]
    return f"-P {name}={total[0]}/{total[1]}"


def _words(late: Late) -> str:
    def side(hours: int | None, season: str) -> str:
        if hours is None:
            return f"unknown in {season}"
        return f"{abs(hours)} h {'early' if hours < 0 else 'late'} in {season}" if hours else f"on time in {season}"

    return f"the weather is {side(late.winter, 'winter')} and {side(late.summer, 'summer')} against power"


def _season(table: pd.DataFrame) -> int | None:
    sun = _by_sun(table)
    return _by_wind(table) if sun is None else sun


def _by_sun(table: pd.DataFrame) -> int | None:
    if len(table) < SUN_DAYS * 24:
        return None
    return _best_lag(table["rad_horizontal"] + table["rad_diffuse"], table["solar_GW"], SUN_AGREES)


def _by_wind(table: pd.DataFrame) -> int | None:
    if len(table) < WIND_DAYS * 24:
        return None
    at = pd.DatetimeIndex(table.index)
    follows = at.to_series().diff() == pd.Timedelta(hours=1)

    def changes(values: pd.Series) -> pd.Series:  # without the mean day, which differs between 10 m and the hub
        odd = values - values.groupby([at.month, at.hour]).transform("mean")
        return odd.diff().where(follows)

    return _best_lag(changes(table["windspeed"]), changes(table["wind_GW"]), WIND_AGREES)


def _best_lag(cause: pd.Series, effect: pd.Series, agrees: float) -> int | None:
    """Return the lag (hours) of `cause` behind `effect` at which they correlate best; None if below `agrees`."""
    hours = pd.date_range(cause.index[0], cause.index[-1], freq="h")
    causes, effects = (values.reindex(hours).to_numpy(float) for values in (cause, effect))

    def fit(lag: int) -> float:
        moved = causes[MOST + lag : len(causes) - MOST + lag]
        both = np.isfinite(moved) & np.isfinite(effects[MOST:-MOST])
        x, y = moved[both], effects[MOST:-MOST][both]
        return np.corrcoef(x, y)[0, 1] if both.any() and x.std() and y.std() else 0.0

    lags = range(-MOST, MOST + 1)
    fits = np.array([fit(lag) for lag in lags])
    best = int(fits.argmax())
    if fits[best] < agrees:
        return None
    if 0 < best < len(lags) - 1:  # the parabola through the three best: a lag between two hours goes to the nearer
        a, b, c = fits[best - 1 : best + 2]
        return int(np.rint(lags[best] + (a - c) / (2 * (a - 2 * b + c))))
    return lags[best]
