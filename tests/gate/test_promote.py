"""The gate and the rollback on running stores, with real candidates."""

import json

import mlflow
import pytest
from click.testing import CliRunner
from mlflow.models import ModelSignature

from dsgo.base.places import ROOT
from dsgo.gate import promote
from dsgo.gate.promote import main
from dsgo.gate.rollback import main as rollback_main
from dsgo.models import registry
from dsgo.models.training import SIGNATURE
from gate_models import empty_registry, experiment_id, log_code, log_dataset, log_linear, stages

EXPERIMENT = "gate"


@pytest.fixture(scope="module")
def runs(stores, small_dataset):
    """The ids of a process_data run and of candidates on it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", stores.tracking_uri)
        calm = small_dataset[small_dataset["windspeed"] < 11]  # so that a linear model stays within capacity
        calm.attrs = small_dataset.attrs
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
    assert [row["verdict"] for row in registry.gate_table("1")] == ["passed"] * 11


def test_promote__leaves_the_whole_table_on_the_run(gate):
    gate("lr", "bad")
    run_id = last_run().info.run_id

    table = mlflow.load_table("gate.json", run_ids=[run_id])

    assert list(table["model"]) == ["lr"] * 11 + ["<b>bad</b>"] * 11
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
    assert len(registry.gate_table("1")) == 11


def test_promote__a_random_split_saw_the_hold_out(gate):
    done = gate("random")

    assert done.exit_code == 0
    assert "random: last hour it learned from is 2016-12-" in done.stdout.splitlines()[-1]
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

    done = gate(run.info.run_id)

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

    def see_slowly(run, model_id, hold_out):
        registry.promote(registry.register(run.info.run_id, model_id, {}, "").version, "meanwhile", "by hand")
        return see(run, model_id, hold_out)

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
    assert "Error: version 1, now in Production, cannot be compared with: " in done.output
    assert "`dsgo promote VERSION`" in done.output


@pytest.mark.parametrize(
    ("candidates", "says"),
    [
        ([], "run_ids names no candidate"),
        ([",", " "], "run_ids names no candidate"),
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
