"""Fit a neural network of solar and wind power: on all features, or on the four weather columns.

In: a dataset of process_data (`data`: a run id, a URI, a file; nothing: the newest run). Out, on the MLflow run: the
model that is judged, its losses by epoch, hold-out metrics and figures, and the model to serve. Run it with
`mlflow run keras_nn --env-manager local`.
"""

import os
import sys
from functools import partial
from typing import Any

import click
import mlflow
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from dsgo.data.dataset import load_dataset
from dsgo.data.schema import CAPACITY, TARGETS, WEATHER
from dsgo.models.recipe import begin, year_weights
from dsgo.models.training import log_candidate, summary
from dsgo.runs import options
from dsgo.runs.step import run_step, start_run
from learning_curves import learning_curves

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # before TensorFlow is imported: its notes on the CPU are no news
WATCHED = 0.15  # the last share of the training time, on which the training is watched and stopped


def network_for(X: np.ndarray, seed: int, learning_rate: float, width: int) -> Any:
    """Return a network (keras.Sequential) that normalises as its inputs X need it, ready to be fitted."""
    import keras  # seconds: not before a mistake in the parameters or the data was said

    keras.utils.set_random_seed(seed)
    normalise = keras.layers.Normalization()
    normalise.adapt(X)
    hidden = [keras.layers.Dense(width, activation="relu"), keras.layers.Dense(width, activation="relu")]
    network = keras.Sequential([keras.Input((X.shape[1],)), normalise, *hidden, keras.layers.Dense(len(TARGETS))])
    network.compile(
        optimizer=keras.optimizers.Adam(learning_rate),
        loss="mse",
        weighted_metrics=[keras.metrics.MeanAbsoluteError(name="epoch_mae")],  # "mae" is the hold-out's, of the run
        steps_per_execution=32,  # the same numbers in half the time
    )
    return network


def fit(hours: pd.DataFrame, features: str, seed: int, epochs: int, batch_size: int, learning_rate: float) -> Any:
    """Return a model fitted on the hours; 0 stands for what suits the features.

    It stops where the last part of their time says that it learns no more.
    """
    import keras

    if features == "weather":
        epochs, learning_rate = epochs or 50, learning_rate or 0.001
        X, y, weights = hours[WEATHER].to_numpy("float32"), hours[TARGETS].to_numpy("float32"), np.ones(len(hours))
        recipe, width = None, 32
    else:
        epochs, learning_rate = epochs or 20, learning_rate or 0.003
        recipe, X, _ = begin(hours)
        y = np.clip(hours[TARGETS].to_numpy("float32") / hours[CAPACITY].to_numpy("float32"), 0, 1)
        weights, width = year_weights(hours), 64
    network, first = network_for(X, seed, learning_rate, width), int(len(hours) * (1 - WATCHED))
    watching = keras.callbacks.EarlyStopping(patience=10, restore_best_weights=True, start_from_epoch=10)
    network.fit(
        X[:first],
        y[:first],
        sample_weight=weights[:first],
        validation_data=(X[first:], y[first:], weights[first:]),
        epochs=epochs,
        batch_size=batch_size,
        validation_batch_size=4096,
        verbose="auto" if sys.stdout.isatty() else 0,
        callbacks=[watching],
    )
    if recipe is None:
        return network
    recipe.network = network
    return recipe


def curves(model: Any) -> Figure:
    """Return how the judged network learned, and log it epoch by epoch."""
    history = getattr(model, "network", model).history.history
    for epoch in range(len(history["loss"])):
        mlflow.log_metrics({name: values[epoch] for name, values in history.items()}, step=epoch)
    return learning_curves(history)


@click.command
@options.trainer
@click.option("--epochs", type=click.IntRange(min=0), default=0, help="0: 20; with features=weather 50.")
@click.option("--batch-size", type=click.IntRange(min=1), default=256, show_default=True)
@click.option("--learning-rate", type=click.FloatRange(min=0), default=0, help="0: 0.003; with features=weather 0.001.")
def main(data: str, split: str, features: str, seed: int, **params: float) -> None:
    """Load, fit, log."""
    with start_run("keras_nn"):
        recipe = partial(fit, features=features, seed=seed, **params)
        metrics = log_candidate(recipe, load_dataset(data), split, origins=1, learning_curves=curves)
    print(summary("keras_nn", metrics))


if __name__ == "__main__":
    run_step(main)
