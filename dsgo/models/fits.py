"""A recipe's two fits: the judged one, of the hours before the hold-out, and the one to serve, of every hour."""

from contextlib import suppress
from dataclasses import dataclass

import mlflow
import pandas as pd
from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from dsgo.base import tags
from dsgo.models.training import JUDGED, SERVING


@dataclass(frozen=True)
class Fit:
    """A logged model and the last hour that it learned from."""

    uri: str
    until: pd.Timestamp | None  # UTC; None: not known
    doubt: str = ""  # why it is not known


def of_run(run: Run) -> dict[str, Fit]:
    """Return the models that a trainer's run has logged, by name: JUDGED, SERVING, as far as they are there."""
    return {
        name: Fit(f"models:/{model_id}", *until(run.data.tags, tag))
        for name, tag in ((JUDGED, tags.TRAINED_UNTIL), (SERVING, tags.SERVING_UNTIL))
        if (model_id := _model_id(run, name))
    }


def of_version(version: ModelVersion) -> list[Fit]:
    """Return the fits behind a version: what serves, and after it the judged one where it is another.

    A version that the gate registered names both in its tags. Of one registered by hand, or by the gate of before, the
    run that trained it tells.
    """
    own = f"models:/{version.name}/{version.version}"
    run = None
    with suppress(MlflowException):  # a run that was deleted since: what the version's own tags say is left
        run = mlflow.get_run(version.run_id) if version.run_id else None
    known = (run.data.tags if run else {}) | version.tags
    judged = version.tags.get(tags.JUDGED) or (_model_id(run, JUDGED) if run else None)
    if judged is None or judged in (version.source or ""):
        return [Fit(own, *until(known, tags.TRAINED_UNTIL))]
    return [Fit(own, *until(known, tags.SERVING_UNTIL)), Fit(f"models:/{judged}", *until(known, tags.TRAINED_UNTIL))]


def past_uri(version: ModelVersion) -> str:
    """Return the model to look back with: what serves has learned from the past, the judged fit has not seen all of it.

    A version that names no judged fit (one from before, or registered by hand) is looked back with itself.
    """
    judged = version.tags.get(tags.JUDGED)
    return f"models:/{judged}" if judged else f"models:/{version.name}/{version.version}"


def until(known: dict[str, str], tag: str) -> tuple[pd.Timestamp | None, str]:
    """Return the time in UTC that a tag holds, and why it holds none: (time, "") or (None, reason).

    >>> until({"dsgo.trained_until": "2015-12-31T23:00:00+00:00"}, "dsgo.trained_until")
    (Timestamp('2015-12-31 23:00:00+0000', tz='UTC'), '')
    >>> until({"dsgo.trained_until": "2015-12-31T23:00:00"}, "dsgo.trained_until")[1]
    "the tag dsgo.trained_until, '2015-12-31T23:00:00', has no time zone: add Z or an offset"
    >>> until({"dsgo.trained_until": "spring"}, "dsgo.trained_until")[1], until({}, "dsgo.trained_until")[1]
    ("the tag dsgo.trained_until, 'spring', is no time", 'the run has no tag dsgo.trained_until')
    """
    text = known.get(tag)
    if text is None:
        return None, f"the run has no tag {tag}"
    try:
        time = pd.Timestamp(text)
    except (ValueError, OverflowError, TypeError):
        time = pd.NaT
    if pd.isna(time):
        return None, f"the tag {tag}, {text[:60]!r}, is no time"
    if time.tz is None:
        return None, f"the tag {tag}, {text[:60]!r}, has no time zone: add Z or an offset"
    return time.tz_convert("UTC"), ""


def _model_id(run: Run, name: str) -> str | None:
    found = MlflowClient().search_logged_models(
        [run.info.experiment_id], f"source_run_id = '{run.info.run_id}' AND name = '{name}'"
    )
    return found[0].model_id if found else None
