"""The code inside every logged model: raw weather in, solar_GW and wind_GW out, whichever trainer made it.

MLflow stores this one file with the model ("models from code") and runs it from there, so it imports nothing of dsgo:
a model goes on predicting as it did on the day it was trained. No pickle: the estimator is a skops or a .keras file.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel, PythonModelContext

FEATURES = ["windspeed", "temperature", "rad_horizontal", "rad_diffuse"]
TARGETS = ["solar_GW", "wind_GW"]
# What skops does not know by itself of forests and of gradient boosting: arrays of nodes, without code of their own.
TRUSTED = ["sklearn.tree._tree.Tree", "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor"]


class PowerModel(PythonModel):
    """Predict power in GW, never below 0, from weather columns in the units of the dataset."""

    def load_context(self, context: PythonModelContext) -> None:
        """Load the estimator that stands beside this file."""
        path = context.artifacts["estimator"]
        if Path(path).suffix == ".keras":
            import keras

            network = keras.saving.load_model(path)
            # One batch: `network.predict` spends 100 ms on its own machinery, for any number of rows.
            self.estimate = lambda x: network.predict_on_batch(x.to_numpy("float32"))
        else:
            import skops.io

            self.estimate = skops.io.load(path, trusted=TRUSTED).predict

    def predict(
        self, context: PythonModelContext, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        """Return a frame with solar_GW and wind_GW in GW, one row for each row of `model_input`, same index.

        Raises MlflowException where a weather column is empty.
        """
        if empty := [name for name in FEATURES if model_input[name].isna().any()]:
            raise MlflowException.invalid_parameter_value(f"a row has no {', '.join(empty)}")  # served as a 400
        power = np.clip(np.asarray(self.estimate(model_input[FEATURES]), dtype="float64"), 0, None)
        return pd.DataFrame(power, columns=TARGETS, index=model_input.index)


set_model(PowerModel())
