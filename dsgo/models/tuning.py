"""Tuning: the parameters of a trainer that err least on folds in time order, inside the training years.

The hold-out is cut off before anything else. A fold fits on what lies a week or more before it, so that no weather
front reaches over, and is judged on the half year after. Trials that do worse than the median of those before are
pruned. The study lies in an SQLite file of its own and is taken up again by the same command.
"""

import hashlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import optuna
import pandas as pd
from optuna.trial import FrozenTrial, Trial, TrialState
from rich.progress import Progress
from sqlalchemy.exc import SQLAlchemyError

from dsgo.base.errors import UserError, reason
from dsgo.base.places import ROOT
from dsgo.data.dataset import Dataset
from dsgo.data.hold_out import split_dataset
from dsgo.data.schema import CAPACITY, TARGETS
from dsgo.models.origins import MONTHS, factors_of, origins
from dsgo.models.training import log_dataset

FOLDS = 3
GAP = pd.Timedelta(days=7)  # between what a fold learns from and what it is judged on
FILE = ROOT / "build" / "tune.db"  # of the studies, where no other is named
DONE = (TrialState.COMPLETE, TrialState.PRUNED)
Fit = Callable[..., Any]  # of hours, with the parameters by name


def folds(hours: pd.DatetimeIndex) -> list[tuple[pd.Timestamp, pd.Timestamp]]:
    """Return (beginning, end) of the stretches to judge on, in time order; what is fitted ends a GAP before each.

    >>> found = folds(pd.date_range("2013-01-01", "2015-12-31 23:00", freq="h", tz="UTC"))
    >>> [f"{begin:%Y-%m-%d} {end:%Y-%m-%d}" for begin, end in found]
    ['2014-07-01 2015-01-01', '2015-01-01 2015-07-01', '2015-07-01 2016-01-01']
    """
    return [(begin, begin + pd.DateOffset(months=MONTHS)) for begin in origins(hours, FOLDS)]


def tune(
    name: str,
    fit: Fit,
    suggest: Callable[[Trial], dict[str, Any]],
    dataset: Dataset,
    trials: int,
    study: str,
    seed: int,
) -> str:
    """Run a trainer's study until it has `trials`, a nested run each; return the line that trains with the best.

    `fit` is the trainer's own, `suggest` gives its parameters for a trial, `study` is the SQLite file ("": FILE).
    Raises UserError where the file is no study, or one of other data.
    """
    train, _ = split_dataset(dataset.frame, "chronological")
    log_dataset(dataset)
    path = Path(study).expanduser().absolute() if study else FILE
    found = _open(path, name, train, seed)
    for stale in found.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):  # its process was ended
        found.tell(stale.number, state=TrialState.FAIL)
    before = len(found.get_trials(deepcopy=False, states=DONE))
    if before:
        print(f"{path} has {before} trials of {name}: {max(trials - before, 0)} more to do")
    with Progress(disable=not sys.stdout.isatty()) as progress:
        bar = progress.add_task(f"{name}: trials", total=trials, completed=before)

        def advance(_: optuna.Study, __: FrozenTrial) -> None:
            progress.advance(bar)

        if trials > before:
            found.optimize(lambda trial: judge(trial, fit, suggest, train), trials - before, callbacks=[advance])
    best = found.best_trial
    given = best.user_attrs["params"]
    mlflow.log_params({f"best_{key}": value for key, value in given.items()} | {"study_file": str(path)})
    mlflow.log_metric("fold_mae", float(best.value or 0))
    params = " ".join(f"-P {key}={value}" for key, value in given.items())
    return f"best of {trials}: mae {best.value:.3f} GW on the folds\nmlflow run {name} --env-manager local {params}"


def judge(trial: Trial, fit: Fit, suggest: Callable[[Trial], dict[str, Any]], train: pd.DataFrame) -> float:
    """Return the mean error of a trial over the folds (GW), logged as a nested run; TrialPruned where it is poor."""
    params = suggest(trial)
    trial.set_user_attr("params", params)
    errors: list[float] = []
    parent = mlflow.active_run()
    ours = parent.info.experiment_id if parent else None
    with mlflow.start_run(experiment_id=ours, run_name=f"trial {trial.number}", nested=True):
        mlflow.log_params(params)
        for step, (begin, end) in enumerate(folds(pd.DatetimeIndex(train.index))):
            known, ahead = train[train.index < begin - GAP], train[(train.index >= begin) & (train.index < end)]
            known.attrs = ahead.attrs = train.attrs
            predicted = factors_of(fit(known, **params), ahead) * ahead[CAPACITY].to_numpy("float64")
            errors.append(float(np.abs(predicted - ahead[TARGETS].to_numpy("float64")).mean()))
            mlflow.log_metric("fold_mae", float(np.mean(errors)), step=step)
            trial.report(float(np.mean(errors)), step)
            if trial.should_prune():
                mlflow.set_tag("pruned", f"after fold {step + 1} of {FOLDS}")
                raise optuna.TrialPruned
    return float(np.mean(errors))


def _open(path: Path, name: str, train: pd.DataFrame, seed: int) -> optuna.Study:
    """Return the study of a trainer in an SQLite file, begun where it is not there."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    digest = hashlib.sha256(pd.util.hash_pandas_object(train).to_numpy().tobytes()).hexdigest()[:16]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        found = optuna.create_study(
            storage=f"sqlite:///{path}",
            study_name=name,
            load_if_exists=True,
            pruner=optuna.pruners.MedianPruner(n_startup_trials=4),
        )
    except (SQLAlchemyError, OSError, RuntimeError) as error:
        raise UserError(f"study={path} is no file that a study can be kept in: {reason(error)}") from error
    if found.user_attrs.setdefault("data", digest) != digest:
        raise UserError(f"study={path} was made on other data: give another file, -P study=FILE")
    found.set_user_attr("data", digest)
    found.sampler = optuna.samplers.TPESampler(seed=seed + len(found.trials))  # taken up again: other draws
    return found
