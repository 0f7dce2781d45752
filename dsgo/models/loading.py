"""Loading logged models safely: code from a file and data, as dsgo.models.training logs them; nothing is unpickled."""

import mlflow
from mlflow.exceptions import MlflowException
from mlflow.models.model import ModelInfo
from mlflow.pyfunc import PyFuncModel

from dsgo.base.errors import UserError, reason

LOADER = "mlflow.pyfunc.loaders.code_model"  # "models from code": MLflow's only loader that needs no pickle


def model_info(uri: str) -> ModelInfo:
    """Return what a model's MLmodel file says, its signature among it; the model itself is neither fetched nor run.

    Raises UserError where `uri` names no model, and for a model that loading would unpickle: a pickle from the network
    can run anything, unseen.
    """
    try:
        info = mlflow.models.get_model_info(uri)
    except (MlflowException, OSError) as error:
        raise UserError(f"no model can be loaded from {uri}: {reason(error)}") from error
    flavor = info.flavors.get("python_function", {})
    if flavor.get("loader_module") != LOADER or "python_model" in flavor:
        raise UserError(
            f"the model {uri} may hold a pickle, which is not opened here: log it as code, as "
            "dsgo/models/training.py does"
        )
    return info


def load_model(uri: str) -> PyFuncModel:
    """Return the model that `uri` names, ready to predict; UserError as `model_info`, or where its files are broken."""
    model_info(uri)
    try:
        return mlflow.pyfunc.load_model(uri)
    except Exception as error:  # a foreign model's own code may raise anything
        raise UserError(f"the model {uri} does not load: {reason(error)}") from error
