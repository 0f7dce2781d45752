"""A login in an address reaches no run: neither by `mlflow run` nor by any other MLflow client of this environment."""

import mlflow
import pytest
from mlflow.entities import Metric, Param, RunTag

from dsgo.base import tags
from dsgo.base.errors import UserError

TOKEN = "ghp_0123456789abcdef"
ADDRESS = f"https://x-access-token:{TOKEN}@git.example/a.git"


def everything(stores):
    """All that the stores have on disk."""
    return b"".join(path.read_bytes() for path in stores.home.rglob("*") if path.is_file())


@pytest.mark.parametrize(
    ("project", "params"),
    [
        (".", {"project": ADDRESS}),
        (".", {"lr.data": ADDRESS}),
        ("lr", {"data": f"ftp://guest:{TOKEN}@store.example/data.csv"}),
    ],
)
def test_mlflow_run__login_in_a_parameter_is_refused_before_anything_runs(stores, mlflow_run, project, params):
    experiment = f"token {project} {next(iter(params))}"
    done = mlflow_run(project, experiment=experiment, **params)

    name, value = next(iter(params.items()))
    assert done.returncode == 2, done.stderr
    errors = [line for line in done.stderr.splitlines() if "Error: " in line]
    assert errors == [
        f"Error: {name}={value.replace(f'x-access-token:{TOKEN}@', '').replace(f':{TOKEN}', '')} holds a login: "
        "leave it out; git takes it from its credential helper, FTP from DSGO_FTP_PASSWORD or ~/.netrc"
    ]
    assert TOKEN not in done.stdout + done.stderr
    assert "Running command" not in done.stderr
    client = mlflow.MlflowClient(stores.tracking_uri)
    run = client.search_runs([client.get_experiment_by_name(experiment).experiment_id])[0]
    assert (run.info.status, run.data.params) == ("FAILED", {})
    assert run.data.tags[tags.ERROR] == errors[0].removeprefix("Error: ")
    assert TOKEN.encode() not in everything(stores)


def test_client__login_is_left_out_of_tags_and_refused_in_parameters(stores):
    client = mlflow.MlflowClient(stores.tracking_uri)
    run_id = client.create_run("0", tags={"mlflow.source.name": f"{ADDRESS}#lr"}).info.run_id
    client.set_tag(run_id, "of-set_tag", ADDRESS)
    client.log_batch(run_id, tags=[RunTag("of-log_batch", ADDRESS)], metrics=[Metric("m", 1.0, 0, 0)])
    client.log_param(run_id, "plain", "ftp://guest@127.0.0.1/a")
    found = client.get_run(run_id).data
    assert found.tags["mlflow.source.name"] == "https://git.example/a.git#lr"
    assert {found.tags["of-set_tag"], found.tags["of-log_batch"]} == {"https://git.example/a.git"}
    assert (found.metrics, found.params) == ({"m": 1.0}, {"plain": "ftp://guest@127.0.0.1/a"})

    with pytest.raises(UserError, match="holds a login"):
        client.log_param(run_id, "project", ADDRESS)
    with pytest.raises(UserError, match="holds a login"):
        client.log_batch(run_id, params=[Param("fine", "1"), Param("project", ADDRESS)])
    assert client.get_run(run_id).data.params == {"plain": "ftp://guest@127.0.0.1/a"}
    assert client.get_run(run_id).info.status == "FAILED"
    assert TOKEN.encode() not in everything(stores)
