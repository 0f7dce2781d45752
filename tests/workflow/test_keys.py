"""A finished run is believed only while it is whole: what never hits."""

import mlflow
import pytest

from dsgo.workflow import keys

PARTS = {"entry point": "main", "param max_depth": "10"}


@pytest.fixture
def run_of(tracking, tmp_path, request):
    """A function that makes a run with PARTS as its key and one artifact; returns (its id, a function that looks)."""
    client = mlflow.MlflowClient()
    experiment = client.create_experiment(request.node.name)
    (tmp_path / "out.txt").write_text("whole")

    def make(status="FINISHED", artifact=True):
        tags = keys.as_tags(PARTS) | {"dsgo.step": "rf"}
        run_id = client.create_run(experiment, tags=tags).info.run_id
        if artifact:
            client.log_artifact(run_id, str(tmp_path / "out.txt"), "folder")
        if status != "RUNNING":
            client.set_terminated(run_id, status)
        return run_id, lambda: keys.find(experiment, keys.key(PARTS), ["folder/out.txt"])

    return make


def test_find__gives_the_finished_run_with_that_key(run_of):
    run_id, find = run_of()

    assert find().info.run_id == run_id


@pytest.mark.parametrize("status", ["RUNNING", "FAILED", "KILLED"])
def test_find__a_run_that_is_not_finished_never_hits(run_of, status):
    _, find = run_of(status)

    assert find() is None


def test_find__a_deleted_run_never_hits(run_of):
    run_id, find = run_of()
    mlflow.MlflowClient().delete_run(run_id)

    assert find() is None


def test_find__a_run_whose_artifacts_are_gone_gives_way_to_an_older_one(run_of, tracking):
    older, find = run_of()
    newer, _ = run_of()
    assert find().info.run_id == newer
    uri = mlflow.get_run(newer).info.artifact_uri.removeprefix("mlflow-artifacts:/")
    (tracking.home / "store" / "artifacts" / uri / "folder" / "out.txt").unlink()

    assert find().info.run_id == older


def test_find__another_key_does_not_hit(run_of):
    _, find = run_of()
    other = keys.key(PARTS | {"param max_depth": "11"})

    assert find() is not None
    assert keys.find(find().info.experiment_id, other, []) is None


def test_changes__names_each_part_that_differs_and_nothing_else(run_of):
    _, find = run_of()
    experiment = find().info.experiment_id

    assert keys.changes(experiment, "rf", PARTS) == []
    assert keys.changes(experiment, "rf", {"entry point": "sweep", "file rf.py": "ab"}) == [
        "entry point: main -> sweep",
        "file rf.py: new, ab",
        "param max_depth: gone, was 10",
    ]
    assert keys.changes(experiment, "lr", PARTS) is None
