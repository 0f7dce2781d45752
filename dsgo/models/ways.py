"""Ways to predict the last year as it came, to lay side by side: fitted once, refitted, corrected, and the naive ones.

Each way is a frame in GW: solar_GW, wind_GW and the ends of a band of 80%, TARGET_low and TARGET_high. No way sees the
power of an hour before `delay` has passed since that hour's stamp.
"""

import pandas as pd

from dsgo.base.errors import UserError
from dsgo.data.schema import CAPACITY, TARGETS
from dsgo.models.calibration import fit_band, predict_with_band
from dsgo.models.intervals import SHARE
from dsgo.models.metrics import band_scores, baseline, scores
from dsgo.models.origins import predict_unseen
from dsgo.models.trainers import Fit
from dsgo.models.walking import SETTLE, KnownThen, band, corrected, refit

LEAST = 360  # days before the last year: fewer give nothing to walk in with
WALK_IN = pd.DateOffset(years=1)  # before the last year: errors that correct and calibrate


def walk_in(frame: pd.DataFrame, start: pd.Timestamp) -> pd.Timestamp:
    """Return where a walk begins, at most a year before `start` and not before half of what is there; UserError."""
    days = (start - frame.index[0]).days
    if days < LEAST:
        raise UserError(
            f"the data has {days} days before its last year: a backtest needs {LEAST} or more to learn from"
        )
    return max(start - WALK_IN, (frame.index[0] + (start - frame.index[0]) / 2).normalize())


def once(fit: Fit, frame: pd.DataFrame, start: pd.Timestamp, delay: pd.Timedelta) -> pd.DataFrame:
    """Return the hours from `start` on, by one fit on what was known then, with the band of its rolling origins."""
    known = KnownThen(frame, start, delay).power()
    ends = fit_band(predict_unseen(fit, known, 2), known, (recipe := fit(known)).features)
    return predict_with_band(recipe, ends, frame[frame.index >= start])


def first_year(fit: Fit, frame: pd.DataFrame, delay: pd.Timedelta) -> pd.DataFrame:
    """Return all hours after the first year, by a fit on that year alone: how a model ages. Without a band."""
    at = frame.index[0] + pd.DateOffset(years=1)
    return in_gigawatt(frame, refit(fit, KnownThen(frame, at, delay), frame.index[-1] + pd.Timedelta(hours=1)))


def walked(
    frame: pd.DataFrame, said: pd.DataFrame, start: pd.Timestamp, delay: pd.Timedelta
) -> dict[str, pd.DataFrame]:
    """Return the ways "refitted" and "corrected" from `start` on; `said` are walked capacity factors (walk_in on)."""
    first = said.index[0]
    settled = min(first + SETTLE, first + (start - first) / 3).normalize()
    better = corrected(frame, said, settled, delay)
    ways = {"refitted": said, "corrected": better}
    return {
        name: in_gigawatt(frame, way[way.index >= start].join(band(frame, way, start, delay)))
        for name, way in ways.items()
    }


def naive(frame: pd.DataFrame, start: pd.Timestamp, delay: pd.Timedelta) -> dict[str, pd.DataFrame]:
    """Return the ways that need no model: "calendar" (mean of month and hour), "persistence" and "week_ago".

    Persistence is the same hour of the newest day that is known. Their bands are the 10 and 90% quantiles of their
    own errors at that hour of day before `start`.
    """
    known = KnownThen(frame, start, delay).power()
    mean = calendar(frame, start, delay)
    days = -(-delay // pd.Timedelta(days=1))
    made = {"calendar": mean}
    for name, lag in (("persistence", max(days, 1)), ("week_ago", max(days, 7))):
        earlier = frame[TARGETS].reindex(frame.index - pd.Timedelta(days=lag)).set_axis(frame.index)
        made[name] = earlier.fillna(mean)
    return {name: _with_errors(way, frame, known.index, start) for name, way in made.items()}


def calendar(frame: pd.DataFrame, start: pd.Timestamp, delay: pd.Timedelta) -> pd.DataFrame:
    """Return the mean of each month and hour of day, as known at `start`, for all hours. GW."""
    return baseline(KnownThen(frame, start, delay).power(), pd.DatetimeIndex(frame.index))


def _with_errors(way: pd.DataFrame, frame: pd.DataFrame, known: pd.Index, start: pd.Timestamp) -> pd.DataFrame:
    result, errors = way[way.index >= start].copy(), (frame[TARGETS] - way).loc[known]
    for target, capacity in zip(TARGETS, CAPACITY, strict=True):
        by_hour = errors[target].groupby(errors.index.hour)
        for end, level in (("low", (1 - SHARE) / 2), ("high", (1 + SHARE) / 2)):
            reach = by_hour.quantile(level).reindex(result.index.hour, fill_value=0.0).to_numpy()
            result[f"{target}_{end}"] = (result[target] + reach).clip(0, frame.loc[result.index, capacity])
    return result


def in_gigawatt(frame: pd.DataFrame, factors: pd.DataFrame) -> pd.DataFrame:
    """Return capacity factors (with or without a band) times what was installed in their hours."""
    result = factors.copy()
    for target, capacity in zip(TARGETS, CAPACITY, strict=True):
        for name in [name for name in factors if str(name).startswith(target)]:
            result[name] = factors[name] * frame.loc[factors.index, capacity]
    return result


def by_month(frame: pd.DataFrame, ways: dict[str, pd.DataFrame], calendar: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each way and month, and one for all its hours (month "all"), with every score as a column."""
    rows = []
    for name, way in ways.items():
        truth, naive_way = frame.loc[way.index], calendar.reindex(way.index)
        for month, hours in [("all", way.index), *way.groupby(way.index.strftime("%Y-%m")).groups.items()]:
            one = {"way": name, "month": month, "hours": len(hours)}
            rows.append(one | score(truth.loc[hours], way.loc[hours], naive_way.loc[hours]))
    return pd.DataFrame(rows)


def score(truth: pd.DataFrame, way: pd.DataFrame, calendar: pd.DataFrame) -> dict[str, float]:
    """Return all scores of a way: of its prediction, and of its band where it has one."""
    found = scores(truth, way, calendar)
    return found | (band_scores(truth, way) if f"{TARGETS[0]}_low" in way else {})
