"""Find the parameters of rf that err least on folds in time order, inside the training years (dsgo/models/tuning.py).

In: a dataset of process_data (`data`: a run id, a URI, a file; nothing: the newest run). Out: a nested run for each
trial, and the line that trains with the best. It never sees the hold-out. Run it with
`mlflow run rf -e tune --env-manager local`; the same command goes on where it was ended.
"""

from functools import partial
from typing import Any

import click
from optuna.trial import Trial

from dsgo.data.dataset import load_dataset
from dsgo.models.tuning import tune
from dsgo.runs import options
from dsgo.runs.step import run_step, start_run
from rf import fit


def suggest(trial: Trial) -> dict[str, Any]:
    """Return a trial's parameters."""
    return {
        "n_estimators": trial.suggest_int("n_estimators", 32, 128, step=32),
        "max_depth": trial.suggest_categorical("max_depth", [0, 12, 16, 20]),
        "min_samples_leaf": trial.suggest_int("min_samples_leaf", 2, 16, log=True),
    }


@click.command
@options.data
@options.seed
@options.tuning
def main(data: str, seed: int, trials: int, study: str) -> None:
    """Load, try, say which is best."""
    with start_run("rf_tune"):
        recipe = partial(fit, features="full", seed=seed)
        print(tune("rf", recipe, suggest, load_dataset(data), trials, study, seed))


if __name__ == "__main__":
    run_step(main)
