"""What a model is given of a dataset."""

import pandas as pd

from dsgo.data.schema import TARGETS, TIME


def model_input(frame: pd.DataFrame) -> pd.DataFrame:
    """Return what a model is given of a dataset: all but the targets, `utc_timestamp` as ISO 8601 text; index kept."""
    given = frame.drop(columns=TARGETS, errors="ignore")
    return given.assign(**{TIME: pd.DatetimeIndex(frame.index).strftime("%Y-%m-%dT%H:%M:%SZ")})
