"""Fit a neural network of solar and wind power on the weather: two hidden layers of 32, inputs normalised inside.

In: a dataset of process_data (`data`: a run id, a URI, a file; nothing: the newest run). Out, on the MLflow run: the
model, every epoch's loss and mae, the hold-out metrics and figures. `mlflow run keras_nn --env-manager local` runs it.
"""

import os
import sys

import click
import mlflow

from dsgo.data.dataset import load_dataset, split_dataset
from dsgo.data.schema import TARGETS, WEATHER
from dsgo.models.training import log_candidate
from dsgo.runs import options
from dsgo.runs.step import run_step, start_run
from learning_curves import learning_curves

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # before TensorFlow is imported: its notes on the CPU are no news


@click.command
@options.trainer
@click.option("--epochs", type=click.IntRange(min=1), default=50, show_default=True)
@click.option("--batch-size", type=click.IntRange(min=1), default=256, show_default=True)
@click.option("--learning-rate", type=click.FloatRange(min=0, min_open=True), default=0.001, show_default=True)
def main(data: str, split: str, seed: int, epochs: int, batch_size: int, learning_rate: float) -> None:
    """Load, fit, log."""
    with start_run("keras_nn"):
        dataset = load_dataset(data)
        train, test = split_dataset(dataset.frame, split)

        import keras  # seconds: after the checks above, so that a mistake is said at once

        keras.utils.set_random_seed(seed)
        mlflow.keras.autolog(log_models=False, log_datasets=False)
        normalise = keras.layers.Normalization()
        normalise.adapt(train[WEATHER].to_numpy("float32"))
        layers = [keras.layers.Dense(32, activation="relu"), keras.layers.Dense(32, activation="relu")]
        network = keras.Sequential([keras.Input((len(WEATHER),)), normalise, *layers, keras.layers.Dense(len(TARGETS))])
        epoch_mae = keras.metrics.MeanAbsoluteError(name="epoch_mae")  # "mae" is the hold-out's, of the whole run
        network.compile(
            optimizer=keras.optimizers.Adam(learning_rate),
            loss="mse",
            metrics=[epoch_mae],
            steps_per_execution=32,  # the same numbers in half the time
        )
        x, y, x_test, y_test = (
            frame[columns].to_numpy("float32") for frame in (train, test) for columns in (WEATHER, TARGETS)
        )
        history = network.fit(
            x,
            y,
            epochs=epochs,
            batch_size=batch_size,
            validation_data=(x_test, y_test),  # only watched: nothing is chosen by it
            validation_batch_size=4096,
            verbose="auto" if sys.stdout.isatty() else 0,
        )

        curves = learning_curves(history.history)
        metrics = log_candidate(network, train, test, dataset, learning_curves=curves)
    print(f"keras_nn: mae {metrics['mae']:.3f} GW, r2 {metrics['r2']:.3f}, skill {metrics['mae_skill']:.3f}")


if __name__ == "__main__":
    run_step(main)
