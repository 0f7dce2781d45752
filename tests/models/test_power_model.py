"""The code inside every logged model, on estimators that no trainer here uses but the next one may."""

import pytest
import skops.io
from mlflow.pyfunc import PythonModelContext
from sklearn.ensemble import ExtraTreesRegressor, HistGradientBoostingRegressor
from sklearn.multioutput import MultiOutputRegressor

from dsgo.data.schema import TARGETS, WEATHER
from dsgo.models.power_model import PowerModel


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
    assert (predicted == estimator.predict(small_dataset[WEATHER]).clip(min=0)).all()
