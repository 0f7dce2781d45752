"""Find the parameters of keras_nn that err least on folds in time order, inside the training years.

How: dsgo/models/tuning.py.

In: a dataset of process_data (`data`: a run id, a URI, a file; nothing: the newest run). Out: a nested run for each
trial, and the line that trains with the best. It never sees the hold-out. Run it with
`mlflow run keras_nn -e tune --env-manager local`; the same command goes on where it was ended.
"""

from functools import partial
from typing import Any

import click
from optuna.trial import Trial

from dsgo.data.dataset import load_dataset
from dsgo.models.tuning import tune
from dsgo.runs import options
from dsgo.runs.step import run_step, start_run
from keras_nn import fit


def suggest(trial: Trial) -> dict[str, Any]:
    """Return a trial's parameters."""
    return {
        "epochs": trial.suggest_int("epochs", 20, 80, step=20),
        "batch_size": trial.suggest_categorical("batch_size", [128, 256, 512]),
        "learning_rate": trial.suggest_float("learning_rate", 0.0002, 0.005, log=True),
    }


@click.command
@options.data
@options.seed
@options.tuning
def main(data: str, seed: int, trials: int, study: str) -> None:
    """Load, try, say which is best."""
    with start_run("keras_nn_tune"):
        recipe = partial(fit, features="full", seed=seed)
        print(tune("keras_nn", recipe, suggest, load_dataset(data), trials, study, seed))


if __name__ == "__main__":
    run_step(main)
