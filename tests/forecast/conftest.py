"""The sample as a dataset, and a model of it that has not seen the last year."""

from types import SimpleNamespace

import pandas as pd
import pytest
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import SplineTransformer, StandardScaler

from dsgo.data.dataset import Dataset
from dsgo.data.hold_out import split_dataset
from dsgo.data.sample import simulate
from dsgo.models.features import SOLAR, WIND
from dsgo.models.recipe import fit_recipe


def fit(hours):
    """A recipe that is fitted in a second."""

    def make(target):
        return make_pipeline(StandardScaler(), SplineTransformer(n_knots=5, extrapolation="linear"), Ridge(10.0))

    return fit_recipe(hours, make, {"solar_GW": SOLAR, "wind_GW": WIND})


@pytest.fixture(scope="session")
def dataset():
    """The sample, its weather by the right clock."""
    frame = simulate()
    frame.attrs = {"country": "DE", "simulated": True}
    return Dataset(frame, "sample", None)


@pytest.fixture(scope="session")
def judged(dataset, tmp_path_factory):
    """A model fitted on 2013 to 2015, with its band, as it is loaded from its files; called as MLflow's models are."""
    from mlflow.pyfunc import PythonModelContext

    from dsgo.models.origins import predict_unseen
    from dsgo.models.power_model import PowerModel
    from dsgo.models.training import BY_TIME, _save

    train, _ = split_dataset(dataset.frame, "chronological")
    train.attrs = dataset.frame.attrs
    files = _save(fit(train), predict_unseen(fit, train, 2), train, tmp_path_factory.mktemp("judged"))
    model = PowerModel()
    model.load_context(PythonModelContext(files, {}))

    class Loaded:
        metadata = SimpleNamespace(get_input_schema=lambda: BY_TIME.inputs)

        def predict(self, rows: pd.DataFrame, params: dict | None = None) -> pd.DataFrame:
            return model.predict(PythonModelContext({}, {}), rows, params)

    return Loaded()
