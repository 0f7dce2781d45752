"""The gate and the rollback on running stores, with real candidates."""

import json
import warnings

import mlflow
import pytest
from click.testing import CliRunner
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, Schema

from dsgo.base.places import ROOT
from dsgo.gate import promote
from dsgo.gate.evidence import find_candidate
from dsgo.gate.promote import main
from dsgo.gate.rollback import main as rollback_main
from dsgo.models import fits, registry
from dsgo.models.training import SIGNATURE
from gate_models import empty_registry, experiment_id, log_code, log_dataset, log_linear, stages

EXPERIMENT = "gate"


@pytest.fixture(scope="module")
def runs(stores, two_years):
    """The ids of a process_data run and of candidates on it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", stores.tracking_uri)
        calm = two_years[two_years["windspeed"] < 11]  # so that a linear model stays within capacity
        calm.attrs = two_years.attrs
        data = log_dataset(calm, EXPERIMENT)
        return {
            "data": data,
            "lr": log_linear(calm, data, EXPERIMENT),
            "worse": log_linear(calm, data, EXPERIMENT, "worse", scale=0.9),
            "bad": log_linear(calm, data, EXPERIMENT, "<b>bad</b>", scale=0.3),
            "random": log_linear(calm, data, EXPERIMENT, "random", split="random"),
        }


@pytest.fixture
def gate(tracking, runs):
    """A function that runs the gate on candidates by their names in `runs`, or by run id; the registry begins empty."""

    def run(*names, **options):
        arguments = ["--run-ids", ",".join(runs.get(name, name) for name in names), "--data", runs["data"]]
        for name, value in options.items():
            arguments += [f"--{name}", str(value)]
        return CliRunner().invoke(main, arguments)

    empty_registry()
    yield run
    empty_registry()


def last_run():
    return mlflow.MlflowClient().get_run(mlflow.last_active_run().info.run_id)


def test_promote__the_best_candidate_goes_to_production(gate, runs):
    done = gate("worse", "lr", "bad")

    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines()[-1].startswith("version 1 of BestModel is in Production. lr: mae ")
    assert stages() == ({"Production": ["1"]}, "1")
    version = registry.production()
    assert version.run_id == runs["lr"]
    logged = mlflow.MlflowClient().get_run(runs["lr"]).data.metrics
    assert float(version.tags["gate.mae"]) == pytest.approx(logged["mae"], rel=1e-5)
    assert last_run().data.metrics["r2_wind"] == pytest.approx(logged["r2_wind"])
    assert [row["verdict"] for row in registry.gate_table("1")] == ["passed"] * 16


def test_promote__leaves_the_whole_table_on_the_run(gate):
    gate("lr", "bad")
    run_id = last_run().info.run_id

    table = mlflow.load_table("gate.json", run_ids=[run_id])

    assert list(table["model"]) == ["lr"] * 16 + ["<b>bad</b>"] * 16
    assert set(table["verdict"]) == {"passed", "failed"}
    shown_as_table = json.loads(last_run().data.tags["mlflow.loggedArtifacts"])  # by MLflow's UI
    assert shown_as_table == [{"path": "gate.json", "type": "table"}]


def test_promote__links_run_dataset_gate_and_workflow_in_the_description(gate, runs, stores, monkeypatch):
    client = mlflow.MlflowClient()
    workflow = client.create_run(experiment_id(EXPERIMENT)).info.run_id
    step = client.create_run(experiment_id(EXPERIMENT), tags={"mlflow.parentRunId": workflow}).info.run_id
    monkeypatch.setenv("MLFLOW_RUN_ID", step)

    gate("lr")

    description = registry.production().description
    assert description.startswith("lr: mae ")
    assert "(simulated data)" in description
    for name, run_id in {"run": runs["lr"], "dataset": runs["data"], "gate": step, "workflow": workflow}.items():
        assert f"[{name}]({stores.tracking_uri}/#/runs/{run_id})" in description


def test_promote__twice_changes_nothing_and_says_why(gate):
    gate("worse", "lr")
    before = registry.history()

    done = gate("worse", "lr")

    assert done.exit_code == 0
    last = done.stdout.splitlines()[-1]
    assert last.startswith("no candidate passes, nothing changes. ")
    assert "(0.5% below version 1, this very model)" in last
    assert stages() == ({"Production": ["1"]}, "1")
    assert registry.history() == before


def test_promote__a_better_candidate_takes_the_place_of_the_incumbent(gate):
    gate("worse")

    done = gate("lr")

    assert done.exit_code == 0
    assert stages() == ({"Production": ["2"], "Archived": ["1"]}, "2")
    assert [entry.version for entry in registry.history()] == ["2", "1"]
    assert "version 1 has " in registry.history()[0].why


def test_promote__to_staging_leaves_production_to_a_person(gate):
    gate("worse")

    gate("lr", to="Staging")
    again = gate("lr", to="Staging")

    assert again.exit_code == 0
    assert stages() == ({"Production": ["1"], "Staging": ["2"]}, "1")


def test_promote__to_none_registers_only(gate):
    gate("lr", to="none")

    assert [version.current_stage for version in registry.versions()] == ["None"]
    assert len(registry.gate_table("1")) == 16


def test_promote__a_random_split_saw_the_hold_out(gate):
    done = gate("random")

    assert done.exit_code == 2
    assert ". The gate: no candidate passes, nothing changes" in done.output
    assert "random: last hour it learned from is 2016-12-" in last_run().data.tags["dsgo.conclusion"]
    assert registry.versions() == []


def test_promote__a_pickled_model_is_refused_and_never_opened(gate, tmp_path):
    opened = tmp_path / "opened"

    class Pickled(mlflow.pyfunc.PythonModel):
        def predict(self, context, model_input, params=None):
            return model_input

        def __reduce__(self):
            return (open, (str(opened), "w"))

    with mlflow.start_run(experiment_id=experiment_id(EXPERIMENT)) as run:
        mlflow.pyfunc.log_model(name="model", python_model=Pickled(), signature=SIGNATURE, pip_requirements=["mlflow"])
    opened.unlink(missing_ok=True)

    done = gate(run.info.run_id, to="none")

    assert done.exit_code == 0
    assert "may hold a pickle, which is not opened here" in done.stdout.splitlines()[-1]
    assert not opened.exists()


def test_promote__a_candidate_that_breaks_fails_and_the_others_are_judged(gate, tmp_path):
    code = tmp_path / "breaks.py"
    code.write_text(
        "import mlflow\n"
        "class Breaks(mlflow.pyfunc.PythonModel):\n"
        "    def predict(self, context, model_input, params=None):\n"
        "        raise RuntimeError('out of order')\n"
        "mlflow.models.set_model(Breaks())\n"
    )
    broken, _ = log_code(EXPERIMENT, code, ModelSignature(SIGNATURE.inputs, SIGNATURE.outputs))

    done = gate(broken, "lr")

    assert done.exit_code == 0
    assert "out of order" in done.output
    assert stages() == ({"Production": ["1"]}, "1")
    assert done.stdout.splitlines()[-1].startswith("version 1 of BestModel is in Production. lr")


def test_promote__gives_way_to_a_promotion_in_between(gate, monkeypatch):
    gate("worse")
    gate("bad", to="none")
    see = promote.observe_candidate

    def see_slowly(run, hold_out):
        model_id = find_candidate(run.info.run_id)[1]
        registry.promote(registry.register(run.info.run_id, model_id, {}, "").version, "meanwhile", "by hand")
        return see(run, hold_out)

    monkeypatch.setattr(promote, "observe_candidate", see_slowly)

    done = gate("lr")

    assert done.exit_code == 2
    assert "another version went to Production while this gate was judging" in done.output
    assert registry.history()[0].why == "meanwhile"


def test_promote__a_production_version_whose_files_are_gone_is_said_with_the_way_on(gate, runs, stores):
    gate("worse")
    folder = stores.home / "store" / "artifacts" / experiment_id(EXPERIMENT) / "models"
    hidden = folder.rename(folder.with_name("hidden"))
    try:
        done = gate("lr")
    finally:
        hidden.rename(folder)

    assert done.exit_code == 2
    assert "Error: version 1, now in Production, does not load: " in done.output
    assert "Nothing changes. Look at the data and the stores first" in done.output
    assert "rollback" not in done.output


def log_broken(tmp_path, body, names=("model", "serving"), signature=SIGNATURE, until="2015-12-31T23:00:00+00:00"):
    """A finished run whose models are code of someone else's making; `body` is that of predict."""
    code = tmp_path / "theirs.py"
    code.write_text(
        "import mlflow, numpy as np, pandas as pd\n"
        "class Theirs(mlflow.pyfunc.PythonModel):\n"
        "    def predict(self, context, model_input, params=None):\n"
        f"        {body}\n"
        "mlflow.models.set_model(Theirs())\n"
    )
    tags = {"dsgo.trained_until": until} if until is not None else {}
    return log_code(EXPERIMENT, code, signature, names, **tags)[0]


TWO = "pd.DataFrame({'solar_GW': 1.0, 'wind_GW': 1.0}, model_input.index)"


ODD_MODELS = [  # body of predict, the rule that fails, what it says
    ("raise RuntimeError('out of order')", "loads and predicts", "out of order"),
    ("return model_input['humidity']", "loads and predicts", "KeyError: 'humidity'"),
    ("return np.zeros((3, 2))", "loads and predicts", "rows with 3"),
    ("return pd.DataFrame({'power': 1.0}, model_input.index)", "loads and predicts", "no column solar_GW, wind_GW"),
    ("return None", "loads and predicts", "rows with 0"),
    ("return 'sunny'", "loads and predicts", "DataFrame constructor not properly called!"),
    (f"return {TWO}.assign(wind_GW='a lot')", "loads and predicts", "could not convert string to float: 'a lot'"),
    (f"return {TWO}[::-1]", "loads and predicts", "its answer has not the index of the rows that it was given"),
    (f"return {TWO} * np.inf", "hours without a number", "8"),
    (f"return {TWO} * np.nan", "hours without a number", "8"),
]
ODD_TAGS = [  # dsgo.trained_until, what the rule says; None: it passes
    (None, "the run has no tag dsgo.trained_until"),
    ("2015-12-31T23:00:00", "the tag dsgo.trained_until, '2015-12-31T23:00:00', has no time zone: add Z or an offset"),
    ("yesterday, I think", "the tag dsgo.trained_until, 'yesterday, I think', is no time"),
    ("9" * 40, f"the tag dsgo.trained_until, '{'9' * 40}', is no time"),
    ("NaT", "the tag dsgo.trained_until, 'NaT', is no time"),
    ("2016-01-01T01:00:00+02:00", None),  # 2015-12-31 23:00 UTC
    ("2016-01-01T00:00:00Z", "2016-01-01 00:00"),
]


def test_promote__models_and_tags_of_someone_elses_making_fail_their_own_rule_and_the_others_are_judged(gate, tmp_path):
    broken = [log_broken(tmp_path, body) for body, _, _ in ODD_MODELS]
    odd = [log_broken(tmp_path, f"return {TWO}", until=until) for until, _ in ODD_TAGS]

    done = gate(*broken, *odd, "lr")

    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines()[-1].startswith("version 1 of BestModel is in Production. lr: mae ")
    rows = mlflow.load_table("gate.json", run_ids=[last_run().info.run_id])
    for run_id, (_, rule, says) in zip(broken, ODD_MODELS, strict=True):
        row = rows[(rows["run_id"] == run_id) & (rows["rule"] == rule)].iloc[0]
        assert row["verdict"] == "failed"
        assert says in str(row["figure"])
    for run_id, (_, says) in zip(odd, ODD_TAGS, strict=True):
        row = rows[(rows["run_id"] == run_id) & (rows["rule"] == "last hour it learned from")].iloc[0]
        assert row["verdict"] == ("failed" if says else "passed")
        assert says is None or row["figure"] == says


def test_promote__a_candidate_without_a_serving_fit_is_told_what_to_do(gate, tmp_path):
    old = log_broken(tmp_path, f"return {TWO}", names=("model",))

    done = gate(old, to="none")

    assert "the run has logged no model `serving`, fitted on every hour: train it again" in done.stdout


def test_promote__says_the_cause_and_not_the_data_that_was_printed(gate, tmp_path):
    whole_numbers = Schema([ColSpec("long", "windspeed")])
    odd = log_broken(tmp_path, f"return {TWO}", signature=ModelSignature(whole_numbers, SIGNATURE.outputs))

    done = gate(odd, to="none")

    reason = last_run().data.tags["dsgo.conclusion"]
    assert "loads and predicts is Incompatible input types for column windspeed." in reason
    assert "Failed to enforce schema" not in done.output


def test_promote__what_serves_is_the_fit_on_every_hour_and_names_the_judged_one(gate, runs):
    gate("lr")

    version = registry.production()
    judged, serving = (fits.of_run(mlflow.get_run(runs["lr"]))[name].uri for name in ("model", "serving"))
    assert version.source == serving
    assert f"models:/{version.tags['dsgo.judged']}" == judged == fits.past_uri(version)
    assert version.tags["dsgo.trained_until"] == "2015-12-31T23:00:00+00:00"
    assert version.tags["dsgo.serving_until"] == "2016-12-31T23:00:00+00:00"
    assert [str(fit.until)[:10] for fit in fits.of_version(version)] == ["2016-12-31", "2015-12-31"]


def test_promote__the_share_of_resamplings_is_in_the_table_and_the_tags(gate):
    gate("worse")
    assert "gate.better_percent" not in registry.production().tags

    gate("lr")

    (share,) = [row["figure"] for row in registry.gate_table("2") if row["rule"].startswith("better in %")]
    assert 95 <= share <= 100
    assert float(registry.production().tags["gate.better_percent"]) == pytest.approx(share, rel=1e-5)


def by_hand(run_id, name="model", **tags):
    """A version registered and moved to Production by hand, from a run's logged model."""
    model_id = fits.of_run(mlflow.get_run(run_id))[name].uri.removeprefix("models:/")
    version = registry.register(run_id, model_id, tags, "").version
    registry.promote(version, "by hand", "by hand")
    return version


@pytest.mark.parametrize("name", ["model", "serving"])
def test_promote__a_production_version_registered_by_hand_is_compared_through_its_judged_model(gate, runs, name):
    by_hand(runs["lr"], name)

    done = gate("worse")

    assert done.exit_code == 0, done.output
    assert "below version 1)" in done.stdout
    assert "version 1 is left out" not in done.stdout
    assert stages() == ({"Production": ["1"]}, "1")


@pytest.mark.parametrize("name", ["model", "serving"])
def test_promote__a_production_version_that_saw_the_hold_out_neither_wins_by_it_nor_blocks(gate, runs, name):
    by_hand(runs["random"], name)

    done = gate("lr")

    assert done.exit_code == 0, done.output
    assert "version 1 is left out: it learned from hours until 2016-12-31" in done.stdout
    assert stages()[0]["Production"] == ["2"]
    assert "version 1 is left out" in registry.history()[0].why


def test_promote__a_production_version_of_unknown_training_does_not_block(gate, tmp_path):
    by_hand(log_broken(tmp_path, f"return {TWO}", until="who knows"))

    done = gate("lr")

    assert "version 1 is left out: which hours it learned from is not known (the tag dsgo.trained_until" in done.stdout
    assert stages()[0]["Production"] == ["2"]


def test_promote__a_production_version_that_saw_a_part_is_compared_on_the_rest(gate, runs, tmp_path):
    by_hand(log_broken(tmp_path, f"return {TWO}", until="2016-09-30T23:00:00Z"))

    done = gate("lr")

    assert "mae, GW, since 2016-10-01" in done.stdout
    assert stages()[0]["Production"] == ["2"]
    assert "; since 2016-10-01 " in registry.history()[0].why


def test_promote__a_production_version_from_before_there_were_two_fits_is_judged_itself(gate, runs, tmp_path):
    by_hand(log_broken(tmp_path, f"return {TWO}", names=("model",)))

    done = gate("lr")

    assert done.exit_code == 0, done.output
    assert "below version 1)" in done.stdout
    assert stages()[0]["Production"] == ["2"]


def test_promote__data_that_production_cannot_predict_changes_nothing_and_does_not_blame_the_model(gate, tmp_path):
    by_hand(log_broken(tmp_path, "raise ValueError('odd data')"))

    done = gate("lr")

    assert done.exit_code == 2
    assert "Error: version 1, now in Production, cannot predict this data: odd data. Nothing changes." in done.output
    assert "process_data -e validate" in done.output
    assert "rollback" not in done.output
    assert stages()[0]["Production"] == ["1"]


def archive(version):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        mlflow.MlflowClient().transition_model_version_stage(registry.MODEL, version, "Archived")


def test_promote__with_nothing_in_production_the_last_one_must_be_reached(gate):
    gate("lr")
    archive("1")

    done = gate("worse")

    assert done.exit_code == 2
    assert "the last was version 1: `dsgo promote 1` puts it back. The gate: no candidate passes" in done.output
    assert "as version 1, the last in Production" in done.output
    assert registry.production() is None

    done = gate("worse", "lr")

    assert done.exit_code == 0, done.output
    assert registry.production().version == "1"


@pytest.mark.parametrize(
    ("candidates", "says"),
    [
        ([], "run_ids names no run"),
        ([",", " "], "run_ids names no run"),
        (["abc"], "'abc' is no run id"),
        (["0" * 32], "there is no run 00000000000000000000000000000000"),
        (["data"], "has logged no model"),
        (["deleted"], "is deleted"),
        (["running"], "is RUNNING, not finished"),
        (["failed"], "is FAILED, not finished"),
    ],
)
def test_promote__a_useless_candidate_is_one_line(gate, runs, candidates, says):
    client = mlflow.MlflowClient()
    made = {name: client.create_run(experiment_id(EXPERIMENT)).info.run_id for name in ("deleted", "running", "failed")}
    client.delete_run(made["deleted"])
    client.set_terminated(made["failed"], "FAILED")

    done = gate(*(made.get(name, name) for name in candidates))

    assert done.exit_code == 2
    assert done.output.startswith("Error: ")
    assert says in done.output
    assert last_run().info.status == "FAILED"


@pytest.mark.parametrize("option", [{"to": "Prod"}, {"metric": "r2"}, {"margin": 1.5}, {"margin": -0.1}])
def test_promote__a_useless_option_is_refused(gate, option):
    done = gate("lr", **option)

    assert done.exit_code == 2
    assert registry.versions() == []


def test_promote_and_rollback__as_projects(gate, runs, mlflow_run):
    gate("worse")

    candidates = f"{runs['lr']},{runs['worse']}"
    done = mlflow_run(ROOT, "promote", EXPERIMENT, run_ids=candidates)  # no data: the newest of the experiment
    assert done.returncode == 0, done.stderr
    assert stages() == ({"Production": ["2"], "Archived": ["1"]}, "2")

    done = mlflow_run(ROOT, "rollback", EXPERIMENT, why="a try")
    assert done.returncode == 0, done.stderr
    assert "version 1 of BestModel is back in Production, version 2 is archived" in done.stdout
    assert stages() == ({"Production": ["1"], "Archived": ["2"]}, "1")
    assert registry.history()[0].why == "a try"


def test_rollback__with_nothing_to_go_back_to_is_one_line_on_a_failed_run(gate):
    gate("lr")

    done = CliRunner().invoke(rollback_main)

    assert done.exit_code == 2
    assert done.output.startswith("Error: version 1 has no Production version before it to go back to")
    assert last_run().info.status == "FAILED"
    assert stages() == ({"Production": ["1"]}, "1")
