"""Good, warning or alarm: a figure against its limits, with the words that say so."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

Level = Literal["good", "warning", "alarm"]
LEVELS: tuple[Level, ...] = ("good", "warning", "alarm")
ERROR_LIMITS = (1.5, 2.0)  # times the hold-out's error: above the first a warning, above the second an alarm
AGE_LIMITS = (36.0, 48.0)  # hours since the newest hour of live data
COVERAGE_LIMITS = (0.05, 0.10)  # how far the share of hours in a band may be from what it promises


@dataclass(frozen=True)
class Status:
    """How something stands, with a sentence that names the figure and its limit."""

    level: Level
    words: str


def judge(figure: float, limits: tuple[float, float]) -> Level:
    """Return the level of a figure that should be small: a warning above the first limit, an alarm above the second.

    >>> judge(1.2, (1.5, 2)), judge(1.7, (1.5, 2)), judge(2.7, (1.5, 2))
    ('good', 'warning', 'alarm')
    """
    return "good" if figure <= limits[0] else "warning" if figure <= limits[1] else "alarm"


def error_status(mae: float, hold_out: float | None) -> Status | None:
    """Return how an error (GW) stands against the model's on its hold-out; None where one of the two is not known.

    >>> error_status(8.34, 3.05)
    Status(level='alarm', words='2.7 times the hold-out error of 3.05 GW; alarm above 2 times')
    >>> error_status(2.9, 3.05).words
    '1.0 times the hold-out error of 3.05 GW; normal up to 1.5 times'
    """
    if not hold_out or mae != mae or hold_out != hold_out:
        return None
    ratio = mae / hold_out
    level = judge(ratio, ERROR_LIMITS)
    return Status(
        level, f"{ratio:.1f} times the hold-out error of {hold_out:.2f} GW; {_limit(level, ERROR_LIMITS)} times"
    )


def age_status(newest: datetime, now: datetime, live: bool) -> Status:
    """Return how old data is by its newest hour; data that is not `live` has ended, which is no alarm.

    >>> from datetime import UTC
    >>> newest = datetime(2016, 12, 31, 23, tzinfo=UTC)
    >>> age_status(newest, datetime(2017, 1, 1, 10, tzinfo=UTC), live=True).words
    'the newest hour is 11 hours old; normal up to 36 hours'
    >>> age_status(newest, datetime(2017, 1, 3, tzinfo=UTC), live=True)
    Status(level='alarm', words='the newest hour is 49 hours old; alarm above 48 hours')
    >>> age_status(newest, datetime(2026, 11, 25, tzinfo=UTC), live=False)
    Status(level='good', words='the data ends 2016-12-31 23:00 UTC and gets no new hours')
    """
    if not live:
        return Status("good", f"the data ends {newest:%Y-%m-%d %H:%M} UTC and gets no new hours")
    hours = (now - newest).total_seconds() / 3600
    level = judge(hours, AGE_LIMITS)
    return Status(level, f"the newest hour is {_age(hours)} old; {_limit(level, AGE_LIMITS)} hours")


def coverage_status(share: float, promised: float) -> Status:
    """Return how the share of hours in a band stands against what the band promises.

    >>> coverage_status(0.82, 0.8)
    Status(level='good', words='82% of the hours in the band of 80%; normal from 75 to 85%')
    >>> coverage_status(0.64, 0.8)
    Status(level='alarm', words='64% of the hours in the band of 80%; alarm outside 70 to 90%')
    """
    level = judge(round(abs(share - promised), 9), COVERAGE_LIMITS)
    off = COVERAGE_LIMITS[level == "alarm"]
    limit = f"{promised - off:.0%} to {promised + off:.0%}".replace("% to", " to")
    how = "normal from" if level == "good" else f"{level} outside"
    return Status(level, f"{share:.0%} of the hours in the band of {promised:.0%}; {how} {limit}")


def _limit(level: Level, limits: tuple[float, float]) -> str:
    return f"normal up to {limits[0]:g}" if level == "good" else f"{level} above {limits[level == 'alarm']:g}"


def _age(hours: float) -> str:
    if hours >= 8766:
        return f"{hours / 8766:.1f} years"
    return f"{hours / 24:.0f} days" if hours >= 72 else f"{hours:.0f} hours"
