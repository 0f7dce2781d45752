"""The code inside every logged model, on estimators that no trainer here uses but the next one may."""

from decimal import Decimal

import mlflow
import numpy as np
import pandas as pd
import pytest
import skops.io
from mlflow.exceptions import MlflowException
from mlflow.pyfunc import PythonModelContext
from sklearn.ensemble import ExtraTreesRegressor, HistGradientBoostingRegressor
from sklearn.multioutput import MultiOutputRegressor

from dsgo.data.schema import CAPACITY, TARGETS, TIME, WEATHER
from dsgo.models.loading import load_model
from dsgo.models.power_model import PowerModel, checked
from dsgo.models.rows import model_input
from saved_model import save_model


@pytest.mark.parametrize(
    "estimator",
    [
        MultiOutputRegressor(HistGradientBoostingRegressor(max_iter=5, random_state=1)),
        ExtraTreesRegressor(5, random_state=1),
    ],
    ids=["gradient boosting", "extra trees"],
)
def test_power_model__loads_the_usual_estimators_without_a_pickle(estimator, small_dataset, tmp_path):
    estimator.fit(small_dataset[WEATHER], small_dataset[TARGETS])
    skops.io.dump(estimator, tmp_path / "estimator.skops")
    context, model = PythonModelContext({"estimator": str(tmp_path / "estimator.skops")}, {}), PowerModel()

    model.load_context(context)

    predicted = model.predict(context, small_dataset)[TARGETS].to_numpy()
    wanted = estimator.predict(small_dataset[WEATHER]).clip(min=0)
    assert (predicted == np.minimum(wanted, small_dataset[CAPACITY].to_numpy())).all()
    assert (model.predict(context, small_dataset[WEATHER]).to_numpy() == wanted).all()


HOURS = pd.date_range("2016-06-01", periods=3, freq="h", tz="Europe/Berlin", name=TIME)
ROWS = pd.DataFrame({name: [5, 6, 7] for name in WEATHER})
FRAMES = {
    "whole numbers": ROWS,
    "floats": ROWS.astype("float64"),
    "floats of 32 bits": ROWS.astype("float32"),
    "nullable": ROWS.convert_dtypes(),
    "decimals": ROWS.map(Decimal),
    "text of digits": ROWS.astype(str),
    "objects": ROWS.astype(object),
    "an index of times": ROWS.set_axis(HOURS),
    "a column of times": ROWS.assign(**{TIME: HOURS}),
    "times as text": ROWS.assign(**{TIME: HOURS.astype(str)}),
    "times of two offsets": ROWS.assign(**{TIME: ["2016-10-30T02:00+02:00", "2016-10-30 02:00:00+01", HOURS[0]]}),
    "no time in any row": ROWS.assign(**{TIME: None}),
    "other columns": ROWS.assign(place="Kiel"),
    "another index": ROWS.set_axis(["a", "b", "c"]),
    "a capacity now and then": ROWS.assign(solar_capacity_GW=[None, 99, 100]),
}


@pytest.fixture(scope="module")
def fitted(small_dataset, tmp_path_factory):
    """A model in a folder, as a trainer logs it; its path."""
    folder = tmp_path_factory.mktemp("model")
    estimator = ExtraTreesRegressor(5, random_state=1).fit(small_dataset[WEATHER], small_dataset[TARGETS])
    return save_model(estimator, folder)


@pytest.mark.parametrize("load", [load_model, mlflow.pyfunc.load_model], ids=["dsgo", "mlflow"])
@pytest.mark.parametrize("form", FRAMES)
def test_power_model__takes_a_notebooks_frame_as_it_is(fitted, form, load):
    model, frame = load(fitted), FRAMES[form]

    predicted = model.predict(frame)

    wanted = model.predict(ROWS.astype("float64"))
    assert (predicted.to_numpy() == wanted.to_numpy()).all()
    assert list(predicted.index) == list(frame.index)


def test_power_model__takes_what_trainers_and_gate_give(fitted, small_dataset):
    power = load_model(fitted).predict(model_input(small_dataset))

    assert power.index.equals(small_dataset.index)
    assert (power.to_numpy() <= small_dataset[CAPACITY].to_numpy()).all()


def test_power_model__gives_no_rows_for_none(fitted):
    for frame in (ROWS.head(0), pd.DataFrame(columns=WEATHER)):
        assert load_model(fitted).predict(frame).to_dict("list") == {"solar_GW": [], "wind_GW": []}


@pytest.mark.parametrize(
    ("spoilt", "says"),
    [
        (
            {"windspeed": [5, -5, 500]},
            "windspeed is -5, not within 0 and 100 in row 2; windspeed is 500, not ",
        ),
        (
            {"temperature": [5, 290, np.inf]},
            "temperature is inf, no number in row 3; temperature is 290.0, ",
        ),
        (
            {"rad_diffuse": [None, "fog", [1]]},
            "rad_diffuse is empty in row 1; rad_diffuse is 'fog', no number in row",
        ),
        ({"rad_horizontal": [0, -0.1, -1]}, "rad_horizontal is -1.0, not within 0 and 1500 in row 3"),
        (
            {"wind_capacity_GW": [35, -1, 35000]},
            "wind_capacity_GW is -1, not within 0 and 1000 in row 2; ",
        ),
        (
            {TIME: ["yesterday", "2016-01-01", HOURS[0]]},
            "utc_timestamp is 'yesterday', no time in row 1; ",
        ),
        (
            {TIME: HOURS.tz_localize(None)},
            "utc_timestamp is '2016-06-01 00:00:00', without a zone (add Z ",
        ),
        ({TIME: [HOURS[0], None, HOURS[1]]}, "utc_timestamp is empty in row 2"),
        ({TIME: [1, 2, 3]}, "utc_timestamp is '1', no time in row 1"),
        ({TIME: HOURS, "windspeed": [5, 5, 101]}, "not within 0 and 100 in row 3 (2016-06-01T00:00:00Z)"),
    ],
)
def test_checked__refuses_by_column_and_row(spoilt, says):
    with pytest.raises(MlflowException) as error:
        checked(ROWS.assign(**spoilt))

    assert says in error.value.message


def test_checked__names_ten_fields_and_the_count():
    with pytest.raises(MlflowException, match=r" in row 10 and 14 more$"):
        checked(pd.concat([ROWS] * 8).assign(windspeed=-7))
