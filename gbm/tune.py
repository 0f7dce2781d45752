"""Find the parameters of gbm that err least on folds in time order, inside the training years (dsgo/models/tuning.py).

In: a dataset of process_data (`data`: a run id, a URI, a file; nothing: the newest run). Out: a nested run for each
trial, and the line that trains with the best. It never sees the hold-out. Run it with
`mlflow run gbm -e tune --env-manager local`; the same command goes on where it was ended.
"""

from functools import partial
from typing import Any

import click
from optuna.trial import Trial

from dsgo.data.dataset import load_dataset
from dsgo.models.tuning import tune
from dsgo.runs import options
from dsgo.runs.step import run_step, start_run
from gbm import fit


def suggest(trial: Trial) -> dict[str, Any]:
    """Return a trial's parameters."""
    return {
        "max_iter": trial.suggest_int("max_iter", 100, 600, step=50),
        "learning_rate": trial.suggest_float("learning_rate", 0.02, 0.2, log=True),
        "max_leaf_nodes": trial.suggest_int("max_leaf_nodes", 8, 64, log=True),
        "min_samples_leaf": trial.suggest_int("min_samples_leaf", 10, 200, log=True),
    }


@click.command
@options.data
@options.seed
@options.tuning
def main(data: str, seed: int, trials: int, study: str) -> None:
    """Load, try, say which is best."""
    with start_run("gbm_tune"):
        recipe = partial(fit, features="full", seed=seed)
        print(tune("gbm", recipe, suggest, load_dataset(data), trials, study, seed))


if __name__ == "__main__":
    run_step(main)
