"""What a model says of some rows, with its band where it has one."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from dsgo.data.schema import TARGETS
from dsgo.models.bands import COLUMNS, has_band, predict_with_band

ROWS = pd.DataFrame({"windspeed": [5.0, 6.0]}, index=["a", "b"])


class Model:
    """Answers with these columns, the band only where it is asked for."""

    def __init__(self, columns, knows_interval):
        params = [SimpleNamespace(name="interval")] if knows_interval else None
        self.columns, self.metadata = columns, SimpleNamespace(signature=SimpleNamespace(params=params))

    def predict(self, rows, params=None):
        names = self.columns if params else [name for name in self.columns if name in TARGETS]
        return pd.DataFrame({name: params["interval"] if params else 1.0 for name in names}, index=rows.index)


def test_predict_with_band__asks_a_model_that_has_one_for_the_share():
    model = Model(COLUMNS[::-1], knows_interval=True)

    answer = predict_with_band(model, ROWS, 0.5)

    assert has_band(model)
    assert list(answer.columns) == COLUMNS
    assert list(answer.index) == ["a", "b"]
    assert (answer == 0.5).all(axis=None)


def test_predict_with_band__of_a_model_without_one_is_the_prediction_alone():
    model = Model(COLUMNS, knows_interval=False)

    answer = predict_with_band(model, ROWS)

    assert not has_band(model)
    assert (answer[TARGETS] == 1.0).all(axis=None)
    assert np.isnan(answer.drop(columns=TARGETS)).all(axis=None)


@pytest.mark.parametrize(("columns", "knows_interval"), [(["solar_GW"], False), (["solar_GW"], True), (TARGETS, True)])
def test_predict_with_band__a_column_that_a_model_owes_is_never_taken_for_empty(columns, knows_interval):
    with pytest.raises(KeyError, match="wind_GW"):
        predict_with_band(Model(columns, knows_interval), ROWS)
