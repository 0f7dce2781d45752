"""Fit a neural network of solar and wind power on the weather: two hidden layers of 32, inputs normalised inside.

In: a dataset of process_data (`data`: a run id, a URI, a file; nothing: the newest run). Out, on the MLflow run: the
model that is judged, its losses by epoch, hold-out metrics and figures, and the model to serve. Run it with
`mlflow run keras_nn --env-manager local`.
"""

import os
import sys
from typing import Any

import click
import mlflow
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from dsgo.data.dataset import load_dataset
from dsgo.data.hold_out import split_dataset
from dsgo.data.schema import TARGETS, WEATHER
from dsgo.models.training import log_candidate
from dsgo.runs import options
from dsgo.runs.step import run_step, start_run
from learning_curves import learning_curves

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # before TensorFlow is imported: its notes on the CPU are no news


def arrays(hours: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Return the weather and the targets of the hours, as keras takes them."""
    return hours[WEATHER].to_numpy("float32"), hours[TARGETS].to_numpy("float32")


def network_for(hours: pd.DataFrame, seed: int, learning_rate: float) -> Any:
    """Return a network (keras.Sequential) that normalises as the hours' weather needs it, ready to be fitted."""
    import keras  # seconds: not before a mistake in the parameters or the data was said

    keras.utils.set_random_seed(seed)
    normalise = keras.layers.Normalization()
    normalise.adapt(arrays(hours)[0])
    hidden = [keras.layers.Dense(32, activation="relu"), keras.layers.Dense(32, activation="relu")]
    layers = [keras.Input((len(WEATHER),)), normalise, *hidden, keras.layers.Dense(len(TARGETS))]
    network = keras.Sequential(layers)
    network.compile(
        optimizer=keras.optimizers.Adam(learning_rate),
        loss="mse",
        metrics=[keras.metrics.MeanAbsoluteError(name="epoch_mae")],  # "mae" is the hold-out's, of the whole run
        steps_per_execution=32,  # the same numbers in half the time
    )
    return network


@click.command
@options.trainer
@click.option("--epochs", type=click.IntRange(min=1), default=50, show_default=True)
@click.option("--batch-size", type=click.IntRange(min=1), default=256, show_default=True)
@click.option("--learning-rate", type=click.FloatRange(min=0, min_open=True), default=0.001, show_default=True)
def main(data: str, split: str, seed: int, epochs: int, batch_size: int, learning_rate: float) -> None:
    """Load, fit, log."""
    with start_run("keras_nn"):
        dataset = load_dataset(data)
        _, test = split_dataset(dataset.frame, split)

        def fit(hours: pd.DataFrame) -> Any:
            network = network_for(hours, seed, learning_rate)
            # The hold-out is only watched: nothing is chosen by it. The network that serves has learned from it.
            held_out = not test.index.isin(hours.index).any()
            watch = {"validation_data": arrays(test), "callbacks": [mlflow.keras.MlflowCallback()]} if held_out else {}
            network.fit(
                *arrays(hours),
                epochs=epochs,
                batch_size=batch_size,
                validation_batch_size=4096,
                verbose="auto" if sys.stdout.isatty() else 0,
                **watch,
            )
            return network

        def curves(network: Any) -> Figure:
            return learning_curves(network.history.history)

        metrics = log_candidate(fit, dataset, split, learning_curves=curves)
    print(f"keras_nn: mae {metrics['mae']:.3f} GW, r2 {metrics['r2']:.3f}, skill {metrics['mae_skill']:.3f}")


if __name__ == "__main__":
    run_step(main)
