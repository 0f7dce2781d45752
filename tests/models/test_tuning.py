"""A study tries parameters inside the training years alone, prunes what is poor, and is taken up again."""

import functools
import re

import mlflow
import optuna
import pandas as pd
import pytest
from sklearn.linear_model import Ridge

from dsgo.base.errors import UserError
from dsgo.base.places import ROOT
from dsgo.data.dataset import Dataset
from dsgo.data.sample import simulate
from dsgo.data.schema import TARGETS, WEATHER
from dsgo.models import tuning
from gate_models import experiment_id

HOLD_OUT = pd.Timestamp("2016-01-01", tz="UTC")


@pytest.fixture(scope="module")
def dataset():
    """Every sixth day of four simulated years."""
    frame = simulate()
    frame = frame[frame.index.day_of_year % 6 == 1]
    frame.attrs = {"country": "DE", "simulated": True}
    return Dataset(frame, "file.parquet", None)


class Watched:
    """A ridge of the weather; keeps the last hour that it was fitted on, and the first and last that it predicted."""

    def __init__(self):
        self.fitted, self.asked = [], []

    def fit(self, hours, alpha):
        watched, model = self, Ridge(alpha).fit(hours[WEATHER], hours[TARGETS])
        self.fitted.append(hours.index[-1])

        class Model:
            def predict(self, weather):
                watched.asked.append((weather.index[0], weather.index[-1]))
                return model.predict(weather)

        return Model()


def suggest(trial):
    return {"alpha": trial.suggest_float("alpha", 0.1, 1000, log=True)}


def run(dataset, fit, trials, path, suggest=suggest):
    """A study's line, and the id of its run."""
    with mlflow.start_run(experiment_id=experiment_id("tuning")) as parent:
        return tuning.tune("lr", fit, suggest, dataset, trials, str(path), seed=1), parent.info.run_id


def children(parent):
    found = mlflow.MlflowClient().search_runs([experiment_id("tuning")], f"tags.`mlflow.parentRunId` = '{parent}'")
    return [child for child in found if "alpha" in child.data.params]


def test_tune__never_sees_the_hold_out_and_keeps_a_week_between_a_folds_parts(tracking, dataset, tmp_path):
    watched = Watched()

    run(dataset, watched.fit, 2, tmp_path / "study.db")

    assert len(watched.fitted) == len(watched.asked) == 2 * tuning.FOLDS
    assert max(last for _, last in watched.asked) < HOLD_OUT
    for until, (first, _) in zip(watched.fitted, watched.asked, strict=True):
        assert first - until >= pd.Timedelta(days=7)


def test_tune__is_taken_up_again_and_says_the_line_that_trains_with_the_best(tracking, dataset, tmp_path, capsys):
    path, first, second = tmp_path / "study.db", Watched(), Watched()

    run(dataset, first.fit, 3, path)
    line, parent = run(dataset, second.fit, 5, path)

    assert (len(first.fitted), len(second.fitted)) == (3 * tuning.FOLDS, 2 * tuning.FOLDS)
    assert "3 trials of lr: 2 more to do" in capsys.readouterr().out
    assert [child.info.run_name for child in children(parent)] == ["trial 4", "trial 3"]
    best = optuna.load_study(study_name="lr", storage=f"sqlite:///{path}").best_trial
    assert line.endswith(f"mlflow run lr --env-manager local -P alpha={best.params['alpha']}")
    assert re.match(rf"best of 5: mae {best.value:.3f} GW", line)


def test_tune__prunes_a_trial_that_is_worse_than_the_median(tracking, dataset, tmp_path):
    alphas = iter([1.0, 1.0, 1.0, 1.0, 1e12])
    watched = Watched()

    line, parent = run(dataset, watched.fit, 5, tmp_path / "study.db", lambda _: {"alpha": next(alphas)})

    assert len(watched.fitted) == 4 * tuning.FOLDS + 1
    assert children(parent)[0].data.tags["pruned"] == "after fold 1 of 3"
    assert "alpha=1.0" in line


def test_tune__goes_on_after_a_kill_in_the_middle_of_a_trial(tracking, dataset, tmp_path):
    path = tmp_path / "study.db"

    def killed(hours, alpha):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(dataset, killed, 2, path)
    run(dataset, Watched().fit, 2, path)

    states = [trial.state.name for trial in optuna.load_study(study_name="lr", storage=f"sqlite:///{path}").trials]
    assert states == ["FAIL", "COMPLETE", "COMPLETE"]


def test_tune__refuses_a_study_of_other_data_and_a_file_that_is_none(tracking, dataset, tmp_path):
    fit, path = Watched().fit, tmp_path / "study.db"
    run(dataset, fit, 1, path)
    (tmp_path / "note.txt").write_text("no study" * 400)

    other = Dataset(dataset.frame.iloc[24:], "file.parquet", None)
    with pytest.raises(UserError, match="was made on other data: give another file"):
        run(other, fit, 1, path)
    with pytest.raises(UserError, match=r"note.txt is no file that a study can be kept in"):
        run(dataset, fit, 1, tmp_path / "note.txt")


def test_entry_point__tunes_boosting(mlflow_run, tracking, dataset, tmp_path):
    dataset.frame.to_parquet(tmp_path / "dataset.parquet")
    go = functools.partial(mlflow_run, ROOT / "gbm", "tune", "tuning", data=tmp_path / "dataset.parquet")

    done = go(trials=1, study=tmp_path / "study.db")

    assert done.returncode == 0, done.stderr
    assert re.search(r"^mlflow run gbm --env-manager local -P max_iter=\d+ -P learning_rate=0\.", done.stdout, re.M)
