"""What if: the answer of its one row."""

import sys
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from dsgo.base.places import ROOT
from dsgo.data.schema import TARGETS, TIME
from dsgo.models.features import PowerFeatures
from dsgo.models.power_model import PRESENT

sys.path.append(str(ROOT / "dashboard"))
import live
from pages import what_if


class Model:
    """Predicts the wind speed, a band of 1 GW to either side, and 99 where it takes the rows for the hours around."""

    def __init__(self, params):
        self.metadata = SimpleNamespace(signature=SimpleNamespace(params=params))

    def predict(self, rows, params=None):
        company = PowerFeatures().present(rows.assign(**{TIME: pd.to_datetime(rows[TIME], utc=True)})) >= PRESENT
        power = rows["windspeed"].where(~company, 99.0)
        table = pd.DataFrame({target: power for target in TARGETS})
        if params:
            assert params == {"interval": 0.8}
            for target in TARGETS:
                table[f"{target}_low"], table[f"{target}_high"] = power - 1, power + 1
        return table


@pytest.mark.parametrize("band", [True, False])
def test_answer__asks_each_row_alone_and_gives_its_band_where_there_is_one(band):
    made = live.Predictions("key", Model([SimpleNamespace(name="interval")] if band else None), {}, {})
    values = (5.0, 10.0, 100.0, 50.0, 12.0, 40.0, 50.0)

    curves = what_if.answer(made, what_if.SLIDERS, "2016-12-31", values)

    reach = 1.0 if band else np.nan
    np.testing.assert_array_equal(curves[0, -1], [[5.0, 5.0 - reach, 5.0 + reach]] * 2)
    np.testing.assert_allclose(curves[0, :-1, 0, 0], what_if.points_of(what_if.SLIDERS[0]))
    np.testing.assert_array_equal(curves[4, :24, 1, 0], 5.0)  # the hours of a day are not each other's company
