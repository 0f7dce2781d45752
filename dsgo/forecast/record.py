"""The record: every forecast ever made, and the hindcasts, laid beside what came.

Forecasts are the runs of the step `forecast`; a forecast is never changed, so each file is fetched once a process.
"""

import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

import mlflow
import numpy as np
import pandas as pd
from mlflow.entities import Run
from mlflow.exceptions import MlflowException

from dsgo.base import tags
from dsgo.data.schema import TARGETS, TIME
from dsgo.models.metrics import baseline, inside_band, pinball

FORECAST, HINDCASTS = "forecast/forecast.parquet", "forecast/hindcasts.parquet"
MOST = 5000  # runs that are looked at
ENDS = [f"{target}{end}" for target in TARGETS for end in ("", "_low", "_high")]
COLUMNS = ["issued", TIME, "lead", *ENDS]  # those of a forecast's file that are kept for good
LAID = ["issued", "lead", "lead_day", "month", "hour", "hindcast", "said", "low", "high", "came", "capacity"]
LAID += ["persistence", "climatology", "target"]
BY = {"lead_day": "lead day", "lead": "hour ahead", "month": "month", "hour": "hour of day"}


@dataclass(frozen=True)
class Forecast:
    """A forecast that was made: its run, the first hour that it speaks of (UTC), and what it was made of."""

    run_id: str
    issued: pd.Timestamp
    made: pd.Timestamp  # when the step ran
    version: str
    weather: str
    simulated: bool
    country: str | None
    data_run_id: str
    licences: tuple[str, ...]

    def hours(self) -> pd.DataFrame:
        """Return its hours: COLUMNS (TIME as index), and what the band was made of."""
        return _read(self.run_id, FORECAST)

    def hindcasts(self) -> pd.DataFrame | None:
        """Return the forecasts for issue times before it that its run made, with the same columns; None without."""
        return _read(self.run_id, HINDCASTS)


def forecasts(experiment_id: str, country: str | None, simulated: bool) -> list[Forecast]:
    """Return the forecasts of a country's data in an experiment, the newest issue time first.

    Of several with one issue time the last that was made counts.
    """
    found = mlflow.MlflowClient().search_runs(
        [experiment_id],
        f"tags.`{tags.STEP}` = 'forecast' and attributes.status = 'FINISHED' and tags.`{tags.ISSUED}` LIKE '%Z'",
        max_results=MOST,
        order_by=["attributes.start_time ASC"],
    )
    return among(list(found), country, simulated)


def among(runs: list[Run], country: str | None, simulated: bool) -> list[Forecast]:
    """Return the forecasts among finished runs, as `forecasts`; the runs in the order in which they were made."""
    every = [of_run(run) for run in runs if run.data.tags.get(tags.STEP) == "forecast" and tags.ISSUED in run.data.tags]
    by_issue = {one.issued: one for one in every if (one.country, one.simulated) == (country, simulated)}
    return [by_issue[at] for at in sorted(by_issue, reverse=True)]


def of_run(run: Run) -> Forecast:
    """Return the forecast of a finished run of the step `forecast`."""
    known = run.data.tags
    country, licences = known.get(tags.COUNTRY, "none"), known.get(tags.LICENCES, "none")
    return Forecast(
        run.info.run_id,
        pd.Timestamp(known[tags.ISSUED]),
        pd.Timestamp(run.info.start_time, unit="ms", tz="UTC"),
        known.get(tags.VERSION, ""),
        known.get(tags.WEATHER, ""),
        known.get(tags.SIMULATED) == "True",
        None if country == "none" else country,
        known.get(tags.DATA_RUN_ID, ""),
        () if licences == "none" else tuple(licences.split("\n")),
    )


def hours_of(made: list[Forecast]) -> pd.DataFrame | None:
    """Return the hours of all forecasts, with the columns of `Forecast.hours`; None where `made` is empty."""
    with ThreadPoolExecutor(8) as pool:
        parts = list(pool.map(Forecast.hours, made))
    return pd.concat(parts).sort_values(["issued", "lead"]) if parts else None


def collect(made: list[Forecast]) -> pd.DataFrame:
    """Return the hours of all forecasts, and of the newest one's hindcasts where no forecast has their issue time.

    Columns: those of `Forecast.hours`, and `hindcast` (true or false); no rows where `made` is empty.
    """
    hours = hours_of(made)
    if hours is None:
        return pd.DataFrame(columns=[*COLUMNS, "hindcast"]).set_index(TIME)
    parts, before = [hours.assign(hindcast=False)], made[0].hindcasts()
    if before is not None:
        parts.append(before[~before["issued"].isin([one.issued for one in made])].assign(hindcast=True))
    return pd.concat(parts).sort_values(["issued", "lead"])


def lay_beside(said: pd.DataFrame, frame: pd.DataFrame) -> pd.DataFrame:
    """Return the hours of forecasts of which a dataset knows what came, a row for each target, in GW.

    Columns LAID: besides what `said` has of them, what came, the installed capacity, and what the naive forecasts would
    have said: persistence (the same hour of the last day before the issue time) and climatology (the mean of that
    month and hour of day in the hours before the first issue time; NaN where there are none).
    """
    said = said[said.index.isin(frame.index)]
    if said.empty:
        none = pd.DatetimeIndex([], tz="UTC", name=TIME)
        return pd.DataFrame(columns=LAID, index=none).astype({"hindcast": bool})
    hours = pd.DatetimeIndex(said.index)
    day = (said["lead"].to_numpy() - 1) // 24 + 1
    about = {"issued": said["issued"].to_numpy(), "lead": said["lead"].to_numpy(), "lead_day": day}
    about |= {"month": hours.month, "hour": hours.hour}
    if "hindcast" in said:
        about["hindcast"] = said["hindcast"].to_numpy()
    before = frame[frame.index < said["issued"].min()]
    naive = baseline(before, hours) if len(before) else pd.DataFrame(np.nan, hours, TARGETS)
    came, last = frame.reindex(hours), frame.reindex(hours - pd.to_timedelta(24 * day, unit="h"))
    parts = []
    for target in TARGETS:
        values = {"said": said[target], "low": said[f"{target}_low"], "high": said[f"{target}_high"]}
        values |= {"came": came[target], "capacity": came[f"{target.removesuffix('_GW')}_capacity_GW"]}
        values |= {"persistence": last[target], "climatology": naive[target]}
        columns = {name: np.asarray(value) for name, value in (about | values).items()}
        parts.append(pd.DataFrame(columns, hours).assign(target=target))
    return pd.concat(parts)


def figures(laid: pd.DataFrame, by: str = "lead_day") -> pd.DataFrame:
    """Return how forecasts did, by target and one of BY: a row each.

    Columns: hours, mae (GW), nmae (mae as a share of installed capacity), bias (GW, said less came), coverage (share of
    hours inside the band; of solar by daylight), width (GW, of the band there), pinball (GW, mean of the losses of low,
    said and high as 10, 50 and 90% quantiles), skill_persistence and skill_climatology (1 - mae / mae of the naive one,
    over the hours that have it).
    """
    error = laid["said"] - laid["came"]
    open_ = laid["high"] > laid["low"]
    inside = inside_band(laid["came"], laid["low"], laid["high"])
    loss = pinball(laid["came"], laid["low"], laid["said"], laid["high"])
    table = laid[["target", by]].assign(mae=error.abs(), bias=error, pinball=loss, capacity=laid["capacity"])
    table["coverage"] = inside.astype(float).where(open_)
    table["width"] = (laid["high"] - laid["low"]).where(open_)
    naives = ("persistence", "climatology")
    for name in naives:
        naive = (laid[name] - laid["came"]).abs()
        table[name], table[f"mae_{name}"] = naive, error.abs().where(naive.notna())
    groups = table.groupby(["target", by])
    result = groups.mean()
    result["nmae"] = result["mae"] / result["capacity"]
    for name in naives:
        result[f"skill_{name}"] = 1 - result[f"mae_{name}"] / result[name]
    result.insert(0, "hours", groups.size())
    names = ["hours", "mae", "nmae", "bias", "coverage", "width", "pinball"]
    return result[[*names, *(f"skill_{name}" for name in naives)]].reset_index()


def as_metrics(hours: pd.DataFrame, table: pd.DataFrame) -> dict[str, float]:
    """Return what a forecast's run has as metrics: the week's energy in GWh, and how its hindcasts did by lead day."""
    metrics = {f"{target.removesuffix('_GW')}_GWh": float(hours[target].sum()) for target in TARGETS}
    for row in table.to_dict("records"):
        name = f"{row['target'].removesuffix('_GW')}_day_{row['lead_day']}"
        metrics |= {
            f"{figure}_{name}": float(row[figure]) for figure in ("nmae", "coverage") if row[figure] == row[figure]
        }
    return metrics


def in_words(hours: pd.DataFrame) -> str:
    """Return the week's energy, and the hour of most power of each target, in words."""
    parts = []
    for target in TARGETS:
        most = hours[target].idxmax()
        name = target.removesuffix("_GW")
        parts.append(f"{name} {hours[target].sum():,.0f} GWh, most {hours[target].max():.1f} GW at {most:%a %H:%MZ}")
    return "; ".join(parts)


def standing(made: list[Forecast], now: datetime) -> str:
    """Return which forecast stands where none can be made, with its age, in words."""
    if not made:
        return "No forecast was made before"
    last = made[0]
    hours = (pd.Timestamp(now) - last.made) / pd.Timedelta(hours=1)
    return f"The last forecast stands: {last.issued:%Y-%m-%dT%H:%MZ}, made {hours:,.0f} hours ago (run {last.run_id})"


def in_one_line(table: pd.DataFrame) -> str:
    """Return the error of the day ahead (lead day 1) by target as a share of installed capacity, in a line.

    `table` is from `figures` by lead day.
    """
    first = table[table["lead_day"] == 1]
    shares = [f"{row['target'].removesuffix('_GW')} {row['nmae']:.2%}" for row in first.to_dict("records")]
    return (
        f"share of installed capacity, mean absolute error, the first day ahead: {', '.join(shares) or 'nothing came'}"
    )


@lru_cache(maxsize=MOST)
def _read(run_id: str, path: str) -> pd.DataFrame | None:
    if path == HINDCASTS and not _is_there(run_id):
        return None
    with tempfile.TemporaryDirectory(prefix="dsgo-") as folder:
        return pd.read_parquet(mlflow.artifacts.download_artifacts(run_id=run_id, artifact_path=path, dst_path=folder))


def _is_there(run_id: str) -> bool:
    try:
        return any(item.path == HINDCASTS for item in mlflow.MlflowClient().list_artifacts(run_id, "forecast"))
    except MlflowException:
        return False
