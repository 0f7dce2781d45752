"""A model in a folder, as a trainer logs it, without a server."""

import mlflow
import skops.io

from dsgo.models import power_model
from dsgo.models.training import SIGNATURE


def save_model(estimator, folder):
    """Save an estimator of the weather columns in a folder; return the model's path."""
    skops.io.dump(estimator, folder / "estimator.skops")
    mlflow.pyfunc.save_model(
        folder / "model",
        python_model=power_model.__file__,
        artifacts={"estimator": str(folder / "estimator.skops")},
        signature=SIGNATURE,
        pip_requirements=["mlflow"],
    )
    return str(folder / "model")
