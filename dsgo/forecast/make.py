"""Making a forecast: Production model and weather forecast in, the coming week with its band out."""

from typing import NamedTuple

import pandas as pd
from mlflow.entities.model_registry import ModelVersion
from mlflow.pyfunc import PyFuncModel
from threadpoolctl import threadpool_limits

from dsgo.base.errors import UserError
from dsgo.data.dataset import Dataset
from dsgo.data.schema import TARGETS
from dsgo.forecast.band import DAYS, DELAY, WARM_UP, widen
from dsgo.forecast.correct import HOUR, LONGEST, correct_wind, learn, wind_history
from dsgo.forecast.predict import choose_fit, predict_ahead, taken
from dsgo.forecast.weather import weather_ahead, weather_behind
from dsgo.models.fits import of_version
from dsgo.models.loading import load_model

DAY = pd.Timedelta(days=1)


class Made(NamedTuple):
    """A forecast: its hours, the hindcasts that its band is made of, its model's URI and its weather's source."""

    hours: pd.DataFrame  # issued, lead, TARGETS, TARGET_low, TARGET_high, TARGET_reach, capacities
    hindcasts: pd.DataFrame  # the same; the band of each is what was known at its issue time
    model: str
    weather: str
    licences: list[str]


def make_forecast(dataset: Dataset, version: ModelVersion, days: int, recorded: pd.DataFrame | None = None) -> Made:
    """Return the forecast of the 168 hours after a dataset's last one, by a registered version.

    For each of the `days` before, a hindcast is made as a forecast would have been, by a fit of that version that has
    not seen what came; where none is so, or no weather forecast of then is known, there is none. `recorded` has hours
    of forecasts that were made at the time: these stand in place of hindcasts. Raises UserError where there is no
    weather forecast, and for a model that has learned from hours after the dataset's last.
    """
    frame, both = dataset.frame, of_version(version)
    issued = frame.index[-1] + HOUR
    serving = choose_fit(both, issued) or (both[0] if both[0].until is None else None)
    if serving is None:
        raise UserError(
            f"version {version.version} has learned from hours after {issued:%Y-%m-%dT%H:%MZ}, where the data ends: a "
            "forecast by it would be none. Take newer data (-P data=...)"
        )
    ahead = weather_ahead(dataset, issued)
    earliest = frame.index[0] + DAYS * DAY
    warm = days + WARM_UP if days else 0  # the first ones have no band by lead time yet: they make it, and go
    before = [at for k in range(warm, 0, -1) if (at := issued - k * DAY) >= earliest and choose_fit(both, at)]
    behind = weather_behind(dataset, before)

    by_fit: dict[str, list[pd.DataFrame]] = {serving.uri: [ahead.frame]}
    for at, rows in behind.groupby("issued"):
        by_fit.setdefault(choose_fit(both, at).uri, []).append(rows)  # type: ignore[union-attr]
    with threadpool_limits(1):  # a few hundred rows a call: threads would only wait for each other
        models = {uri: load_model(uri) for uri in dict.fromkeys([*by_fit, both[-1].uri])}
        lessons = _errors(models[both[-1].uri], frame, both[-1].until or frame.index[-1])
        parts = [_predict(models[uri], dataset, pd.concat(rows), lessons) for uri, rows in by_fit.items()]
    made = pd.concat(parts)
    if recorded is not None:
        then = recorded.loc[recorded["issued"] < issued, made.columns]
        made = pd.concat([made[~made["issued"].isin(then["issued"])], then])
    band = widen(made, frame[TARGETS])
    band = band[(band["issued"] >= issued - days * DAY)]
    now = band["issued"] == issued
    return Made(
        band[now], band[~now], serving.uri, ahead.source, list(dict.fromkeys(dataset.licences + ahead.licences))
    )


def _predict(model: PyFuncModel, dataset: Dataset, weather: pd.DataFrame, lessons: pd.DataFrame) -> pd.DataFrame:
    """Return what a model says of all hours of weather forecasts, its wind corrected by its own last errors."""
    first = weather["issued"].min()
    own = _errors(model, dataset.frame, first - LONGEST * HOUR)
    ahead = predict_ahead(model, dataset.frame, weather)
    return correct_wind(ahead, own, learn(lessons, first - DELAY))


def _errors(model: PyFuncModel, frame: pd.DataFrame, after: pd.Timestamp) -> pd.DataFrame:
    """Return wind said of known weather and wind that came in the hours after, as `wind_history`."""
    rows = frame[frame.index > after]
    if rows.empty:
        return pd.DataFrame(columns=["said", "came"], index=frame.index[:0], dtype="float64")
    said = pd.DataFrame(model.predict(taken(model, rows))).set_axis(rows.index)
    return wind_history(said, rows)
