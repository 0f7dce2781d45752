"""What every trainer does: fit twice, log both models, judge the first on the hold-out as loaded back, draw it."""

import json
import tempfile
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
from matplotlib.figure import Figure
from mlflow.models import ModelSignature
from mlflow.models.model import ModelInfo
from mlflow.pyfunc import PythonModelContext
from mlflow.types import ColSpec, ParamSchema, ParamSpec, Schema, TensorSpec
from mlflow.types.schema import AnyType
from threadpoolctl import threadpool_limits

from dsgo.base import tags
from dsgo.data.dataset import Dataset
from dsgo.data.hold_out import split_dataset
from dsgo.data.schema import CAPACITY, TARGETS, TIME, WEATHER
from dsgo.models import features as features_file
from dsgo.models import figures, intervals, power_model
from dsgo.models.calibration import fit_band
from dsgo.models.importance import draw as draw_importance
from dsgo.models.importance import importance, partial_dependence, sample_weeks
from dsgo.models.intervals import SHARE
from dsgo.models.metrics import band_scores, baseline, scores
from dsgo.models.origins import predict_unseen, unseen
from dsgo.models.recipe import Recipe, fit_features
from dsgo.models.rows import model_input
from dsgo.models.saving import dump
from dsgo.runs.lineage import tracked

JUDGED, SERVING = "model", "serving"  # names of a run's two logged models
# Inputs of any type: MLflow refuses whole numbers, nullable columns and times where double or string is declared.
# The model itself takes each as what it means, or refuses it by column and row (dsgo/models/power_model.py, `checked`).
INPUTS: list[ColSpec | TensorSpec] = [
    *(ColSpec(AnyType(), name) for name in WEATHER),
    *(ColSpec(AnyType(), name, required=False) for name in [TIME, *CAPACITY]),
]
OUTPUTS = Schema([ColSpec("double", name) for name in TARGETS])
PARAMS = ParamSchema([ParamSpec("interval", "double", 0.0)])  # the share that a band is to hold; 0: no band
SIGNATURE = ModelSignature(Schema(INPUTS), OUTPUTS, PARAMS)
# Of a model that looks at the sun: it needs the time.
BY_TIME = ModelSignature(
    Schema([ColSpec(AnyType(), TIME) if spec.name == TIME else spec for spec in INPUTS]), OUTPUTS, PARAMS
)


def log_dataset(dataset: Dataset) -> None:
    """Log a dataset to the active run as its input, with the process_data run that made it."""
    mlflow.log_input(tracked(dataset.frame, dataset.uri), "training", {"process_data_run_id": dataset.run_id or "none"})
    simulated = dataset.frame.attrs.get("simulated", False)
    mlflow.set_tags({tags.DATA_RUN_ID: dataset.run_id or "none", tags.SIMULATED: simulated, tags.DATA_URI: dataset.uri})


@threadpool_limits.wrap(limits=1)  # as in recipe.py
def log_candidate(
    fit: Callable[[pd.DataFrame], Any], dataset: Dataset, split: str, origins: int = 4, **drawn: Callable[[Any], Figure]
) -> dict[str, float]:
    """Fit a model twice and log both to the active run, each with its band; return the metrics of the judged one.

    `fit` takes hours of the dataset (weather, capacity, targets) and returns an estimator: a Recipe (recipe.py), or a
    scikit-learn regressor or keras model of the weather columns that predicts both targets in GW. It is called with the
    hours before the hold-out, to be judged, with every hour, to serve, and with those before each of `origins` rolling
    origins inside the training time, for the band: it must learn from nothing but what it is given. `drawn`: figures of
    the judged estimator, by name. Raises UserError for one that cannot be stored (`dsgo.models.saving.dump`).
    """
    train, _ = split_dataset(dataset.frame, split)
    judged, serving = fit(train), fit(dataset.frame)
    seen = predict_unseen(fit, train, origins)
    return log_fitted(judged, serving, seen, dataset, split, **drawn)


def summary(name: str, metrics: dict[str, float]) -> str:
    """Return a trainer's last line."""
    return f"{name}: mae {metrics['mae']:.3f} GW, r2 {metrics['r2']:.3f}, skill {metrics['mae_skill']:.3f}"


@threadpool_limits.wrap(limits=1)  # as in recipe.py
def log_fitted(
    judged: Any, serving: Any, seen: pd.DataFrame, dataset: Dataset, split: str, **drawn: Callable[[Any], Figure]
) -> dict[str, float]:
    """Log what `log_candidate` fits: two estimators of a recipe, and what it predicted at its rolling origins.

    The metrics and figures are those of `judged` on the hold-out, as loaded back from its files.
    """
    train, test = split_dataset(dataset.frame, split)
    log_dataset(dataset)
    until = {tags.TRAINED_UNTIL: train.index[-1], tags.SERVING_UNTIL: dataset.frame.index[-1]}
    mlflow.set_tags({name: hour.isoformat() for name, hour in until.items()} | {tags.SPLIT: split})

    # The model that serves takes the hold-out as one more origin: its judged twin has not seen it.
    later = pd.concat([seen, unseen(judged, test, test.index[0])])
    with tempfile.TemporaryDirectory(prefix="dsgo-") as folder:
        _log_model(SERVING, serving, later, dataset.frame, Path(folder, SERVING))
        info, model = _log_model(JUDGED, judged, seen, train, Path(folder, JUDGED))
        predict = partial(model.predict, PythonModelContext({}, {}))
        predicted = predict(model_input(test), {"interval": SHARE})
        later.to_parquet(Path(folder, "unseen.parquet"))
        mlflow.log_artifact(str(Path(folder, "unseen.parquet")), "origins")
    metrics = scores(test, predicted, baseline(train, test.index)) | band_scores(test, predicted)
    mlflow.log_metrics(metrics, model_id=info.model_id)
    simulated = bool(dataset.frame.attrs.get("simulated"))
    found = figures.evaluation(test, predicted, simulated) | {name: draw(judged) for name, draw in drawn.items()}
    found["what_carries_it"] = _what_carries_it(predict, test, simulated)
    for name, figure in found.items():
        mlflow.log_figure(figure, f"figures/{name}.png")
    return metrics


def _what_carries_it(predict: Callable, test: pd.DataFrame, simulated: bool) -> Figure:
    """Log by how much the error grows without each input (importance.csv); return the figure of it."""
    weeks = sample_weeks(test)
    rows = model_input(weeks)
    table = importance(predict, rows, weeks)
    mlflow.log_text(table.to_csv(), "importance.csv")
    curves = [partial_dependence(predict, rows, target) for target in TARGETS]
    return draw_importance(table, curves, " (simulated data)" if simulated else "")


def _log_model(
    name: str, estimator: Any, seen: pd.DataFrame, hours: pd.DataFrame, folder: Path
) -> tuple[ModelInfo, power_model.PowerModel]:
    """Log an estimator with its band; return what MLflow says of it, and the model as loaded back."""
    folder.mkdir()
    files = _save(estimator, seen, hours, folder)
    info = mlflow.pyfunc.log_model(
        name=name,
        python_model=power_model.__file__,
        artifacts=files,
        signature=BY_TIME if isinstance(estimator, Recipe) else SIGNATURE,
        input_example=model_input(hours)[SIGNATURE.inputs.input_names()].head(3).reset_index(drop=True),
        pip_requirements=_requirements(any(path.endswith(".keras") for path in files.values())),
    )
    loaded = power_model.PowerModel()
    loaded.load_context(PythonModelContext(files, {}))
    return info, loaded


def _save(estimator: Any, seen: pd.DataFrame, hours: pd.DataFrame, folder: Path) -> dict[str, str]:
    """Write what the model needs into a folder and return the files by their names in the model."""
    recipe = isinstance(estimator, Recipe)
    features = estimator.features if recipe else fit_features(hours)
    sizes, tables = fit_band(seen, hours, features)
    about = {
        "place": {name: getattr(features, name) for name in ("zone", "place_", "winter_", "shift_")},
        "capacity": {name: float(hours[name].iloc[-1]) for name in CAPACITY},
        "band": tables,
    }
    files = {"about": folder / "about.json", "sizes": folder / "sizes.skops"}
    files["about"].write_text(json.dumps(about), encoding="utf-8")
    dump(sizes, files["sizes"])
    if recipe:
        files["recipe"] = folder / "recipe.skops"
        dump({"around": estimator.around, "alone": estimator.alone}, files["recipe"])
    network, name = (estimator.network, "network") if recipe else (estimator, "estimator")
    if hasattr(network, "layers"):
        files[name] = folder / f"{name}.keras"
        network.save(files[name])
    elif not recipe:
        files[name] = folder / f"{name}.skops"
        dump(estimator, files[name])
    code = {"features": features_file.__file__, "intervals": intervals.__file__}
    return {name: str(path) for name, path in (files | code).items()}


def _requirements(keras: bool) -> list[str]:
    """Return what serving needs, as installed here: left to itself MLflow guesses for seconds."""
    names = ["mlflow", "numpy", "pandas", "scikit-learn", "skops", *(["keras", "tensorflow"] if keras else [])]
    return [f"{name}=={version(name)}" for name in names]
