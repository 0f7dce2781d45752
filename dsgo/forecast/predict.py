"""What a model says of the hours ahead of issue times, with its own band."""

import numpy as np
import pandas as pd
from mlflow import MlflowException
from mlflow.pyfunc import PyFuncModel

from dsgo.base.errors import UserError, reason
from dsgo.data.schema import CAPACITY, TARGETS
from dsgo.models.fits import Fit
from dsgo.models.intervals import SHARE
from dsgo.models.rows import model_input

CONTEXT = pd.Timedelta(days=4)  # of recorded weather before the issue time, which a model's features look at
# Issue times of one call: their hours must not stand side by side, for features look 84 hours around.
APART = CONTEXT + pd.Timedelta(days=7 + 4)


def choose_fit(fits: list[Fit], issued: pd.Timestamp) -> Fit | None:
    """Return the first of a version's fits that has learned from no hour from `issued` on; None where none is known."""
    return next((fit for fit in fits if fit.until is not None and fit.until < issued), None)


def predict_ahead(model: PyFuncModel, frame: pd.DataFrame, weather: pd.DataFrame) -> pd.DataFrame:
    """Return the power of the hours of weather forecasts: issued, lead, TARGETS, TARGET_reach and CAPACITY, in GW.

    `frame` is the dataset, of which hours before each issue time alone are looked at: their weather, and the capacity
    of the last one, which stands for the week. TARGET_reach is how far the model's own band of 80% reaches. Raises
    UserError where the model does not predict.
    """
    by_issue = dict(list(weather.groupby("issued")))
    parts = []
    for together in _apart(sorted(by_issue)):
        rows = [_rows(frame, at, by_issue[at]) for at in together]
        parts.append(_predict(model, pd.concat(rows)))
    return pd.concat(parts).sort_values(["issued", "lead"])


def taken(model: PyFuncModel, rows: pd.DataFrame) -> pd.DataFrame:
    """Return what a model takes of a dataset's columns; MLflow warns of others at each call."""
    given = model_input(rows)
    return given[given.columns.intersection(model.metadata.get_input_schema().input_names())]


def _rows(frame: pd.DataFrame, issued: pd.Timestamp, ahead: pd.DataFrame) -> pd.DataFrame:
    before = frame[(frame.index >= issued - CONTEXT) & (frame.index < issued)].drop(columns=TARGETS)
    latest = frame.loc[frame.index < issued, CAPACITY].iloc[-1]
    return pd.concat([before, ahead.assign(**latest)])


def _predict(model: PyFuncModel, rows: pd.DataFrame) -> pd.DataFrame:
    try:
        said = pd.DataFrame(model.predict(taken(model, rows), params={"interval": SHARE}))
    except MlflowException as error:
        raise UserError(f"the model in Production predicts no week with a band: {reason(error)}") from error
    result = rows[["issued", "lead", *CAPACITY]].copy()
    for target in TARGETS:
        middle, low, high = (said[f"{target}{end}"].to_numpy("float64") for end in ("", "_low", "_high"))
        result[target] = middle
        result[f"{target}_reach"] = np.maximum(high - middle, middle - low)  # one end may be cut off at 0 or capacity
    return result[rows["lead"].notna().to_numpy()].astype({"lead": "int64"})


def _apart(issued: list[pd.Timestamp]) -> list[list[pd.Timestamp]]:
    """Return the issue times in groups whose members are APART from each other."""
    groups: list[list[pd.Timestamp]] = []
    for at in issued:
        group = next((group for group in groups if at - group[-1] >= APART), None)
        if group is None:
            groups.append([at])
        else:
            group.append(at)
    return groups
