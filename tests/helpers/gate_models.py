"""Small runs for the gate's tests: a process_data run, trainers' runs, and a registry that begins empty."""

import contextlib
import tempfile
from pathlib import Path

import mlflow
from mlflow.exceptions import MlflowException
from sklearn.linear_model import LinearRegression

from dsgo.data.dataset import Dataset
from dsgo.data.schema import TARGETS, WEATHER
from dsgo.models import power_model, registry
from dsgo.models.training import SIGNATURE, log_candidate


def log_dataset(frame, experiment):
    """A finished process_data run with this dataset; returns its id."""
    client = mlflow.MlflowClient()
    run_id = client.create_run(experiment_id(experiment), tags={"dsgo.step": "process_data"}).info.run_id
    with tempfile.TemporaryDirectory() as folder:
        frame.to_parquet(Path(folder, "dataset.parquet"))
        client.log_artifact(run_id, str(Path(folder, "dataset.parquet")), "dataset")
    client.set_terminated(run_id)
    return run_id


def log_linear(frame, data_run_id, experiment, name="lr", scale=1.0, split="chronological", fit=None, uri=None):
    """A finished trainer's run; below 1, `scale` makes its models worse. Returns the run's id.

    `uri` names the data where it is no process_data run's.
    """

    def scaled(hours):
        model = LinearRegression().fit(hours[WEATHER], hours[TARGETS])
        model.coef_ *= scale
        model.intercept_ *= scale
        return model

    dataset = Dataset(frame, uri or f"runs:/{data_run_id}/dataset/dataset.parquet", data_run_id)
    with mlflow.start_run(experiment_id=experiment_id(experiment), run_name=name) as run:
        log_candidate(fit or scaled, dataset, split, origins=1)
    return run.info.run_id


def log_code(experiment, code=power_model.__file__, signature=SIGNATURE, names=("model",), **tags):
    """A finished run with models that are nothing but their code; returns the ids of run and (last) model."""
    with mlflow.start_run(experiment_id=experiment_id(experiment), tags=tags) as run:
        for name in names:
            info = mlflow.pyfunc.log_model(
                name=name, python_model=str(code), signature=signature, pip_requirements=["mlflow"]
            )
    return run.info.run_id, info.model_id


def experiment_id(name):
    client = mlflow.MlflowClient()
    found = client.get_experiment_by_name(name)
    return found.experiment_id if found else client.create_experiment(name)


def empty_registry():
    with contextlib.suppress(MlflowException):
        mlflow.MlflowClient().delete_registered_model(registry.MODEL)


def stages():
    """The versions in each stage, and the one that the alias names."""
    by_stage = {}
    for version in registry.versions():
        by_stage.setdefault(version.current_stage, []).append(version.version)
    return by_stage, mlflow.MlflowClient().get_registered_model(registry.MODEL).aliases.get("production")
