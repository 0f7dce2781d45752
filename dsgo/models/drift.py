"""Drift: how a dataset stands against the one that a model learned from, as a table of findings with their limits.

Weather and yield of the newest year are compared month by month with what the model learned from; its errors, the
clock, the sensors and the fleet by the newest four weeks. What cannot be compared (too few hours, no month in common)
has no row.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
from mlflow.entities import Run
from mlflow.entities.model_registry import ModelVersion
from mlflow.pyfunc import PyFuncModel

from dsgo.base import tags
from dsgo.base.errors import UserError, reason
from dsgo.base.status import ERROR_LIMITS, Level, judge
from dsgo.data import clock, suspects
from dsgo.data.dataset import Dataset, load_dataset
from dsgo.data.schema import CAPACITY, OPTIONAL, TARGETS, WEATHER
from dsgo.models import fits
from dsgo.models.loading import load_model
from dsgo.models.rows import model_input

PSI_LIMITS = (0.1, 0.25)  # of a year against many
FLEET_LIMITS = (0.05, 0.20)  # change of capacity, or of power in like weather, as a share
LOST_LIMITS = (0.05, 0.20)  # share of the newest four weeks' hours; process_data warns and refuses at the same
YEAR = 8766  # hours
LEAST = 14 * 24  # hours to compare
SEASONS = {"winter": (12, 1, 2), "spring": (3, 4, 5), "summer": (6, 7, 8), "autumn": (9, 10, 11)}
Predict = Callable[[pd.DataFrame], pd.DataFrame]


@dataclass(frozen=True)
class Finding:
    """One figure against its two limits (above the first a warning, above the second an alarm), with the reason."""

    name: str
    figure: float
    limits: tuple[float, float]
    level: Level
    words: str

    def row(self) -> dict[str, str | float]:
        """Return it as a row of the table that users see."""
        limits = f"warning above {self.limits[0]:.2g}, alarm above {self.limits[1]:.2g}"
        return {"what": self.name, "figure": self.figure, "limits": limits, "level": self.level, "why": self.words}


@dataclass(frozen=True)
class Drift:
    """What was found, or the problem: why a model's data cannot be compared with."""

    findings: tuple[Finding, ...] = ()
    problem: str = ""

    @property
    def beyond(self) -> list[Finding]:
        """What is beyond a limit, alarms first."""
        return sorted((one for one in self.findings if one.level != "good"), key=lambda one: one.level)

    @property
    def said(self) -> str:
        """What was found, in a sentence."""
        if self.problem:
            return self.problem
        within, beyond = len(self.findings) - len(self.beyond), [f"{one.name}: {one.words}" for one in self.beyond]
        return "; ".join([f"{within} of {len(self.findings)} figures of drift are within their limits", *beyond])

    def log(self) -> None:
        """Leave the table (drift.json) and a metric for each figure on the active run."""
        if self.findings:
            mlflow.log_table(pd.DataFrame([one.row() for one in self.findings]), "drift.json")
            mlflow.log_metrics({f"drift.{one.name.replace(' ', '_')}": one.figure for one in self.findings})


def check_version(version: ModelVersion, dataset: Dataset) -> Drift:
    """Return how a dataset stands against the one that a registered version learned from."""
    try:
        model = load_model(fits.past_uri(version))
    except UserError as error:
        return Drift(problem=error.message)
    return check(version.run_id, model, dataset)


def check(run_id: str | None, model: PyFuncModel, dataset: Dataset) -> Drift:
    """Return how a dataset stands against the one that a trainer's run learned from; `model` is its judged fit."""

    def predict(hours: pd.DataFrame) -> pd.DataFrame:
        answer = pd.DataFrame(model.predict(model_input(hours)))
        return pd.DataFrame(answer[TARGETS].to_numpy("float64"), hours.index, TARGETS)

    try:
        run = mlflow.get_run(run_id or "of no run")
        reference = _learned_from(run, dataset)
        until, _ = fits.until(run.data.tags, tags.TRAINED_UNTIL)
        hold_out = reference[reference.index > until] if until is not None else reference.iloc[:0]
        return Drift(tuple(findings(reference, hold_out, dataset.frame, predict)))
    except Exception as error:  # a foreign model's own code may raise anything
        return Drift(problem=f"the data cannot be compared with what the model learned from: {reason(error)}")


def _learned_from(run: Run, dataset: Dataset) -> pd.DataFrame:
    """Return the dataset that a trainer's run learned from; UserError where it is not there as it was."""
    uri = run.data.tags.get(tags.DATA_URI)  # MLflow's inputs do not tell: of two datasets that begin alike it keeps one
    if uri is None:
        raise UserError(f"the run {run.info.run_id} names no data")
    if uri == dataset.uri and uri.startswith("runs:/"):
        return dataset.frame
    if Path(uri).is_file() and Path(uri).stat().st_mtime * 1000 > run.info.start_time:
        raise UserError(f"the file {uri} has changed since")
    return load_dataset(uri).frame


def findings(reference: pd.DataFrame, hold_out: pd.DataFrame, new: pd.DataFrame, predict: Predict) -> Iterator[Finding]:
    """Yield the findings of `new` against `reference`, the hours that a model learned from.

    All have a dataset's columns; `hold_out` are the hours of `reference` that the judged fit did not learn from,
    `predict` is that fit (GW).
    """
    year = new[new.index > new.index[-1] - pd.Timedelta(days=365)]
    for name in [name for name in WEATHER + OPTIONAL if name in year and name in reference]:
        yield from _distribution(name, reference[name], year[name])
    for target, installed in zip(TARGETS, CAPACITY, strict=True):
        name = target.removesuffix("_GW")
        shares = [frame[target] / frame[installed].where(frame[installed] > 0) for frame in (reference, year)]
        yield from _distribution(f"{name} capacity factor", *shares)
        yield from _fleet(name, reference[installed].iloc[-1], new[installed].iloc[-1])
    yield from _errors(hold_out, year, predict)
    yield from _clock(reference, suspects.newest(new))
    yield _sensors(suspects.newest(new))


def psi(reference: pd.Series, new: pd.Series) -> float:
    """Return the population stability index: how far a new distribution lies from the reference's, 0 if they are alike.

    The sum over bins of (p - q) ln(p / q), p the share of the new values in a bin, q of the reference's. Bins are the
    reference's deciles in each month, weighed as the new months are, so that the season is no difference; it must have
    every new month. Up to 0.1 is commonly read as no change, above 0.25 as a great one (N. Siddiqi, Credit Risk
    Scorecards, 2006).

    >>> hours = pd.date_range("2015-01-01", "2015-12-31 23:00", freq="h", tz="UTC")
    >>> wind = pd.Series(np.random.default_rng(0).weibull(2, len(hours)) * 5, hours)
    >>> round(psi(wind, wind), 3), round(psi(wind, wind * 1.5), 1)
    (0.0, 0.5)
    """
    p, q = np.full(10, 0.5), np.full(10, 0.5)  # half an hour more in each bin: no logarithm of 0
    for month, values in new.groupby(pd.DatetimeIndex(new.index).month):
        known = reference[pd.DatetimeIndex(reference.index).month == month]
        edges = np.quantile(known, np.arange(1, 10) / 10)
        p += np.bincount(np.searchsorted(edges, values), minlength=10)
        q += np.bincount(np.searchsorted(edges, known), minlength=10) * len(values) / len(known)
    p, q = p / p.sum(), q / q.sum()
    return float(((p - q) * np.log(p / q)).sum())


def _distribution(name: str, reference: pd.Series, new: pd.Series) -> Iterator[Finding]:
    """Yield how a column of the newest year is distributed, over the year and by season; the worst of them counts.

    By chance alone a PSI is inversely proportional to the hours (B. Yurdakul, Statistical Properties of Population
    Stability Index, 2018): the limits are those of a year, so a season, a quarter of it, has four times them.
    """
    reference, new = reference.dropna(), new.dropna()
    months = {when: pd.DatetimeIndex(part.index).month for when, part in (("then", reference), ("now", new))}
    shown, worst = [], None
    for season, members in {"the year": tuple(range(1, 13)), **SEASONS}.items():
        common = [month for month in members if month in months["then"] and month in months["now"]]
        now, then = new[months["now"].isin(common)], reference[months["then"].isin(common)]
        if min(len(now), len(then)) < LEAST:
            continue
        figure, more = psi(then, now), max(1.0, YEAR / len(now), YEAR / len(then))
        limits = (PSI_LIMITS[0] * more, PSI_LIMITS[1] * more)
        shown.append(f"{season} {figure:.2f}")
        if worst is None or figure / limits[0] > worst[1] / worst[2][0]:
            worst = season, figure, limits
    if worst:
        season, figure, limits = worst
        yield _finding(name, figure, limits, f"PSI: {', '.join(shown)}; judged by {season}")


def _fleet(name: str, then: float, now: float) -> Iterator[Finding]:
    if then > 0:
        words = f"{now:.2f} GW installed, {now / then - 1:+.1%} since the model learned"
        yield _finding(f"{name} capacity", abs(now / then - 1), FLEET_LIMITS, words)


def _errors(hold_out: pd.DataFrame, year: pd.DataFrame, predict: Predict) -> Iterator[Finding]:
    """Yield by target the error of the newest four weeks, and what the newest year gave in like weather.

    Both stand against the hold-out; errors are shares of installed capacity. An error is held against the mean one at
    like predictions (deciles), for it grows with power; what a month gave against the hold-out's same month.
    """
    if hold_out.empty:
        return
    then, now = (hours.join(predict(hours)[TARGETS].add_suffix("_predicted")) for hours in (hold_out, year))
    for target, installed in zip(TARGETS, CAPACITY, strict=True):
        name, said = target.removesuffix("_GW"), f"{target}_predicted"
        known, recent = (part[part[installed] > 0] for part in (then, suspects.newest(now)))
        if min(len(known), len(recent)) < LEAST:
            continue
        edges = np.quantile(known[said] / known[installed], np.arange(1, 10) / 10)
        bins = [np.searchsorted(edges, part[said] / part[installed]) for part in (known, recent)]
        errors = [(part[said] - part[target]).abs() / part[installed] for part in (known, recent)]
        normal = pd.Series(bins[1]).map(errors[0].groupby(bins[0]).mean()).mean()
        if normal > 0:
            error = errors[1].mean()
            words = f"{error:.1%} of capacity in the newest four weeks, {normal:.1%} in the hold-out's like hours"
            yield _finding(f"{name} error", error / normal, ERROR_LIMITS, words)
        sums = [part.groupby(pd.DatetimeIndex(part.index).month)[[target, said]].sum() for part in (then, now)]
        common = sums[0].index.intersection(sums[1].index)
        before, after = (part.loc[common, target].sum() / part.loc[common, said].sum() for part in sums)
        if before > 0 and np.isfinite(after):
            words = f"in like weather the newest year gave {after / before - 1:+.1%} against the hold-out"
            yield _finding(f"{name} yield", abs(after / before - 1), FLEET_LIMITS, words)


def _clock(reference: pd.DataFrame, newest: pd.DataFrame) -> Iterator[Finding]:
    """Yield by how many hours the weather's stamps have moved against those of power."""
    pairs = zip(clock.lateness(reference), clock.lateness(newest), strict=True)
    moved = [now - then for then, now in pairs if then is not None and now is not None]
    if moved:
        most = max(moved, key=abs)
        how = f"has moved by {abs(most)} h, {'early' if most < 0 else 'late'}," if most else "stands as it did"
        words = f"the weather of the newest four weeks {how} against power"
        yield _finding("clock", abs(most), (0, 0), words)


def _sensors(newest: pd.DataFrame) -> Finding:
    hours = suspects.NEWEST // suspects.HOUR
    still = suspects.stuck(newest)
    lost = 1 - (~still.any(axis=1)).sum() / hours
    names = [str(name) for name in still.columns[still.any()]]
    words = f"{hours - len(newest)} of {hours} hours of the newest four weeks are missing or were set aside"
    return _finding("sensors", lost, LOST_LIMITS, words + (f"; {', '.join(names)} stood still" if names else ""))


def _finding(name: str, figure: float, limits: tuple[float, float], words: str) -> Finding:
    return Finding(name, float(figure), limits, judge(figure, limits), words)
