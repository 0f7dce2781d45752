"""What every trainer does after the fit: log the model, judge it on the hold-out as it will be loaded, draw it."""

import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
from matplotlib.figure import Figure
from mlflow.models import ModelSignature
from mlflow.pyfunc import PythonModelContext
from mlflow.types import ColSpec, Schema

from dsgo.base import tags
from dsgo.data.dataset import Dataset
from dsgo.data.schema import CAPACITY, TARGETS, TIME, WEATHER
from dsgo.models import figures, power_model
from dsgo.models.metrics import baseline, scores
from dsgo.runs.lineage import tracked

SIGNATURE = ModelSignature(
    inputs=Schema(
        [
            *(ColSpec("double", name) for name in WEATHER),
            ColSpec("string", TIME, required=False),  # ISO 8601 with Z, as JSON and the raw files hold it
            *(ColSpec("double", name, required=False) for name in CAPACITY),
        ]
    ),
    outputs=Schema([ColSpec("double", name) for name in TARGETS]),
)


def model_input(frame: pd.DataFrame) -> pd.DataFrame:
    """Return what a model is given of a dataset: weather, capacity and `utc_timestamp` as ISO 8601 text; index kept."""
    return frame[WEATHER + CAPACITY].assign(**{TIME: frame.index.strftime("%Y-%m-%dT%H:%M:%SZ")})


def log_dataset(dataset: Dataset) -> None:
    """Log a dataset to the active run as its input, with the process_data run that made it."""
    mlflow.log_input(tracked(dataset.frame, dataset.uri), "training", {"process_data_run_id": dataset.run_id or "none"})
    simulated = dataset.frame.attrs.get("simulated", False)
    mlflow.set_tags({tags.DATA_RUN_ID: dataset.run_id or "none", tags.SIMULATED: simulated})


def log_candidate(
    estimator: Any, train: pd.DataFrame, test: pd.DataFrame, dataset: Dataset, **extra_figures: Figure
) -> dict[str, float]:
    """Log a fitted estimator to the active run as a PowerModel, with its hold-out metrics, figures and input.

    `estimator` is fitted on the weather columns of `train` and predicts both targets: a scikit-learn regressor or a
    keras model. The metrics are those of the model as loaded back from its files. Returns them.
    """
    log_dataset(dataset)
    mlflow.set_tag(tags.TRAINED_UNTIL, train.index[-1].isoformat())  # the gate judges on later hours only
    with tempfile.TemporaryDirectory(prefix="dsgo-") as folder:
        path = _save(estimator, Path(folder))
        info = mlflow.pyfunc.log_model(
            name="model",
            python_model=power_model.__file__,
            artifacts={"estimator": str(path)},
            signature=SIGNATURE,
            input_example=model_input(test).head(3).reset_index(drop=True),
            pip_requirements=_requirements(path),
        )
        context = PythonModelContext({"estimator": str(path)}, {})
        loaded = power_model.PowerModel()
        loaded.load_context(context)
        predicted = loaded.predict(context, model_input(test))
    metrics = scores(test, predicted, baseline(train, test.index))
    mlflow.log_metrics(metrics, model_id=info.model_id)
    drawn = figures.evaluation(test, predicted, simulated=bool(dataset.frame.attrs.get("simulated")))
    for name, figure in (drawn | extra_figures).items():
        mlflow.log_figure(figure, f"figures/{name}.png")
    return metrics


def _save(estimator: Any, folder: Path) -> Path:
    if hasattr(estimator, "layers"):
        path = folder / "estimator.keras"
        estimator.save(path)
    else:
        import skops.io

        path = folder / "estimator.skops"
        skops.io.dump(estimator, path)
    return path


def _requirements(path: Path) -> list[str]:
    """Return what serving needs, as installed here: left to itself MLflow guesses for seconds."""
    kind = ["keras", "tensorflow"] if path.suffix == ".keras" else ["scikit-learn", "skops"]
    return [f"{name}=={version(name)}" for name in ["mlflow", "numpy", "pandas", *kind]]
