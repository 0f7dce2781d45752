"""A model's band: what it predicts, and between which two values the power is to lie in a share of the hours."""

from typing import Any

import pandas as pd
from mlflow.pyfunc import PyFuncModel

from dsgo.data.schema import TARGETS
from dsgo.models.intervals import SHARE

INTERVAL = "interval"  # the inference parameter of dsgo/models/power_model.py
BAND = [f"{target}_{end}" for target in TARGETS for end in ("low", "high")]
COLUMNS = [f"{target}{end}" for target in TARGETS for end in ("", "_low", "_high")]
NO_BAND = "there is no band: the model was logged before models had one; train it anew"


def has_band(model: PyFuncModel) -> bool:
    """Return whether a model gives a band: its signature has the parameter `interval`."""
    params = model.metadata.signature.params if model.metadata.signature else None
    return any(spec.name == INTERVAL for spec in params or [])


def predict_with_band(model: PyFuncModel, rows: pd.DataFrame, share: float = SHARE) -> pd.DataFrame:
    """Return what a model predicts of some rows, in GW: COLUMNS, whose band is to hold `share` of the hours.

    The band is NaN where the model has none (`has_band`). Raises KeyError for a column that the model should give.
    """
    known = has_band(model)
    asked: dict[str, Any] = {"params": {INTERVAL: share}} if known else {}
    answer = pd.DataFrame(model.predict(rows, **asked))[COLUMNS if known else TARGETS]
    return answer.reindex(columns=COLUMNS)
