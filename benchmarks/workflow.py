"""How long the workflow takes, against the same steps by `mlflow run` one after another, and when nothing changed.

    python benchmarks/workflow.py

Each way runs on stores of its own, started beforehand, on the simulated sample. Prints the table for README.md here.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import mlflow

from dsgo.base.places import ROOT
from dsgo.stores.running import running_stores

EXPERIMENT = "benchmark"
TRAINERS = ["lr", "rf", "gbm", "kernel", "keras_nn"]
BLENDED = ["kernel", "gbm", "rf"]


def mlflow_run(project: str, tracking_uri: str, *arguments: str) -> float:
    """Run `mlflow run` as a user types it and return its wall time in seconds."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    command = [sys.executable, "-m", "mlflow", "run", project, "--env-manager", "local"]
    begun = time.perf_counter()
    subprocess.run(
        [*command, "--experiment-name", EXPERIMENT, *arguments],
        cwd=ROOT,
        env=os.environ | {"MLFLOW_TRACKING_URI": tracking_uri, "PATH": path},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=True,
    )
    return time.perf_counter() - begun


def one_after_another(tracking_uri: str) -> float:
    """Return the seconds of all steps, each by its own `mlflow run`."""
    client = mlflow.MlflowClient(tracking_uri)
    seconds = sum(mlflow_run(step, tracking_uri) for step in ["process_data", *TRAINERS])
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]

    def run_ids(names: list[str]) -> str:
        runs = client.search_runs(experiments)
        return "run_ids=" + ",".join(run.info.run_id for run in runs if run.info.run_name in names)

    seconds += mlflow_run("blend", tracking_uri, "-P", run_ids(BLENDED))
    seconds += mlflow_run(".", tracking_uri, "-e", "promote", "-P", run_ids([*TRAINERS, "blend"]))
    return seconds + mlflow_run("report", tracking_uri)


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory(prefix="dsgo-") as folder:
        with running_stores(Path(folder, "one"), 23121, 25001) as stores:
            apart = one_after_another(stores.tracking_uri)
        with running_stores(Path(folder, "two"), 23122, 25002) as stores:
            together = mlflow_run(".", stores.tracking_uri)
            unchanged = mlflow_run(".", stores.tracking_uri)
    print(f"{os.cpu_count()} cores\n")
    print("| | seconds | of the first |\n| --- | --- | --- |")
    print(f"| nine steps by `mlflow run`, one after another | {apart:.1f} | |")
    print(f"| the workflow, nothing cached | {together:.1f} | {together / apart:.0%} |")
    print(f"| the workflow again, nothing changed | {unchanged:.1f} | {unchanged / apart:.0%} |")


if __name__ == "__main__":
    main()
