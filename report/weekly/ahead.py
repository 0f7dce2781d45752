"""What was forecast: the week after the one reported, and the week reported itself, beside what came."""

import json
from pathlib import Path

import pandas as pd

from dsgo.data.dataset import Dataset
from dsgo.data.schema import TARGETS
from dsgo.forecast import record
from weekly.numbers import HOUR, WEEK

NEXT, LAST, ABOUT = "next_week.parquet", "last_week.parquet", "ahead.json"
DAYS_BEFORE = pd.Timedelta(days=3)  # of what came, left of the forecast


def keep_forecasts(experiment_id: str, dataset: Dataset, start: pd.Timestamp, folder: Path) -> None:
    """Write to a folder what was forecast of the week after `start`'s, and of that week, as far as there is such.

    NEXT has the hours of the newest forecast issued in the week after the one reported, with what came; LAST those of
    the last forecast, or else hindcast, issued within a day before the week reported, laid beside what came
    (record.lay_beside); ABOUT who made the first, and whether the second is a hindcast.
    """
    made = record.forecasts(experiment_id, dataset.country, dataset.simulated)
    about = {}
    if newest := next((one for one in made if start + WEEK <= one.issued <= start + 2 * WEEK), None):
        hours = newest.hours()
        before = dataset.frame.loc[newest.issued - DAYS_BEFORE : newest.issued - HOUR, TARGETS]
        pd.concat([before, hours]).to_parquet(folder / NEXT)
        about = {"version": newest.version, "weather": newest.weather, "made": newest.made.isoformat()}
    said = next((one.hours() for one in made if start - 24 * HOUR < one.issued <= start), None)
    hindcast = said is None
    if hindcast and newest and (before := newest.hindcasts()) is not None:
        issues = before["issued"][(before["issued"] > start - 24 * HOUR) & (before["issued"] <= start)]
        said = before[before["issued"] == issues.max()]
    if said is not None and len(laid := record.lay_beside(said, dataset.frame)):
        laid.to_parquet(folder / LAST)
    (folder / ABOUT).write_text(json.dumps(about | {"hindcast": hindcast}), encoding="utf-8")


def read_forecasts(folder: Path) -> tuple[pd.DataFrame | None, pd.DataFrame | None, dict]:
    """Return what `keep_forecasts` wrote: (NEXT, LAST, ABOUT), None for what is not there."""
    tables = [pd.read_parquet(folder / name) if (folder / name).is_file() else None for name in (NEXT, LAST)]
    about = json.loads((folder / ABOUT).read_text(encoding="utf-8")) if (folder / ABOUT).is_file() else {}
    return tables[0], tables[1], about
