"""What every trainer does: fit twice, log both models, judge the first on the hold-out as loaded back, draw it."""

import tempfile
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
from matplotlib.figure import Figure
from mlflow.models import ModelSignature
from mlflow.models.model import ModelInfo
from mlflow.pyfunc import PythonModelContext
from mlflow.types import ColSpec, Schema
from mlflow.types.schema import AnyType

from dsgo.base import tags
from dsgo.data.dataset import Dataset
from dsgo.data.hold_out import split_dataset
from dsgo.data.schema import CAPACITY, TARGETS, TIME, WEATHER
from dsgo.models import figures, power_model, saving
from dsgo.models.metrics import baseline, scores
from dsgo.runs.lineage import tracked

JUDGED, SERVING = "model", "serving"  # names of a run's two logged models
# Inputs of any type: MLflow refuses whole numbers, nullable columns and times where double or string is declared.
# The model itself takes each as what it means, or refuses it by column and row (dsgo/models/power_model.py, `checked`).
SIGNATURE = ModelSignature(
    inputs=Schema(
        [
            *(ColSpec(AnyType(), name) for name in WEATHER),
            *(ColSpec(AnyType(), name, required=False) for name in [TIME, *CAPACITY]),
        ]
    ),
    outputs=Schema([ColSpec("double", name) for name in TARGETS]),
)


def model_input(frame: pd.DataFrame) -> pd.DataFrame:
    """Return what a model is given of a dataset: all but the targets, `utc_timestamp` as ISO 8601 text; index kept."""
    given = frame.drop(columns=TARGETS, errors="ignore")
    return given.assign(**{TIME: frame.index.strftime("%Y-%m-%dT%H:%M:%SZ")})


def log_dataset(dataset: Dataset) -> None:
    """Log a dataset to the active run as its input, with the process_data run that made it."""
    mlflow.log_input(tracked(dataset.frame, dataset.uri), "training", {"process_data_run_id": dataset.run_id or "none"})
    simulated = dataset.frame.attrs.get("simulated", False)
    mlflow.set_tags({tags.DATA_RUN_ID: dataset.run_id or "none", tags.SIMULATED: simulated, tags.DATA_URI: dataset.uri})


def log_candidate(
    fit: Callable[[pd.DataFrame], Any], dataset: Dataset, split: str, **drawn: Callable[[Any], Figure]
) -> dict[str, float]:
    """Fit a model twice and log both to the active run; return the metrics of the judged one.

    `fit` takes hours of the dataset (weather, capacity, targets) and returns an estimator of the weather columns that
    predicts both targets: a scikit-learn regressor or a keras model. It is called with the hours before the hold-out,
    to be judged, and with every hour, to serve: it must learn from nothing but what it is given. `drawn`: figures of
    the judged estimator, by name. Raises UserError for an estimator that cannot be stored (`dsgo.models.saving.dump`).
    """
    train, _ = split_dataset(dataset.frame, split)
    return log_fitted(fit(train), fit(dataset.frame), dataset, split, **drawn)


def log_fitted(
    judged: Any, serving: Any, dataset: Dataset, split: str, **drawn: Callable[[Any], Figure]
) -> dict[str, float]:
    """Log what `log_candidate` fits: two estimators of the same recipe, of the training part and of every hour.

    The metrics and figures are those of `judged` on the hold-out, as loaded back from its files.
    """
    train, test = split_dataset(dataset.frame, split)
    log_dataset(dataset)
    until = {tags.TRAINED_UNTIL: train.index[-1], tags.SERVING_UNTIL: dataset.frame.index[-1]}
    mlflow.set_tags({name: hour.isoformat() for name, hour in until.items()} | {tags.SPLIT: split})

    with tempfile.TemporaryDirectory(prefix="dsgo-") as folder:
        _log_model(SERVING, serving, test, Path(folder, SERVING))
        info, model = _log_model(JUDGED, judged, test, Path(folder, JUDGED))
        predicted = model.predict(PythonModelContext({}, {}), model_input(test))
    metrics = scores(test, predicted, baseline(train, test.index))
    mlflow.log_metrics(metrics, model_id=info.model_id)
    simulated = bool(dataset.frame.attrs.get("simulated"))
    found = figures.evaluation(test, predicted, simulated) | {name: draw(judged) for name, draw in drawn.items()}
    for name, figure in found.items():
        mlflow.log_figure(figure, f"figures/{name}.png")
    return metrics


def _log_model(name: str, estimator: Any, test: pd.DataFrame, folder: Path) -> tuple[ModelInfo, power_model.PowerModel]:
    """Log an estimator as a PowerModel; return what MLflow says of it, and the model as loaded back."""
    folder.mkdir()
    path = _save(estimator, folder)
    info = mlflow.pyfunc.log_model(
        name=name,
        python_model=power_model.__file__,
        artifacts={"estimator": str(path)},
        signature=SIGNATURE,
        input_example=model_input(test)[SIGNATURE.inputs.input_names()].head(3).reset_index(drop=True),
        pip_requirements=_requirements(path),
    )
    loaded = power_model.PowerModel()
    loaded.load_context(PythonModelContext({"estimator": str(path)}, {}))
    return info, loaded


def _save(estimator: Any, folder: Path) -> Path:
    if hasattr(estimator, "layers"):
        path = folder / "estimator.keras"
        estimator.save(path)
    else:
        path = folder / "estimator.skops"
        saving.dump(estimator, path)
    return path


def _requirements(path: Path) -> list[str]:
    """Return what serving needs, as installed here: left to itself MLflow guesses for seconds."""
    kind = ["keras", "tensorflow"] if path.suffix == ".keras" else ["scikit-learn", "skops"]
    return [f"{name}=={version(name)}" for name in ["mlflow", "numpy", "pandas", *kind]]
