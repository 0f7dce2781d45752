"""A project with the real graph, whose steps do in a moment what they are told to: `-P lr.do=fail`."""

from pathlib import Path

SCRIPT = """
import sys
from finish import finish

name, do, output = sys.argv[1:]
if not do.startswith(("fail", "sleep", "promote")):
    finish(output.split("+"))  # no import of MLflow: a second for each step of each workflow
    sys.exit()

import time
import click, mlflow
from dsgo.runs.step import run_step, start_run

@click.command
@click.argument("name")
@click.argument("do")
@click.argument("output")
def main(name, do, output):
    with start_run(name):
        if do == "fail":
            print("there is no wind today", flush=True)
            raise RuntimeError("no wind")
        if do.startswith("sleep"):
            time.sleep(float(do.removeprefix("sleep")))
        if do.startswith("promote"):
            from dsgo.models import registry
            registry.promote(do.removeprefix("promote"), "by the step", "gate")
        for path in output.split("+"):
            mlflow.log_text("whole", path)

run_step(main)
"""
FINISH = """
import json, os, time, urllib.request

def finish(paths):
    run_id, experiment = os.environ["MLFLOW_RUN_ID"], os.environ["MLFLOW_EXPERIMENT_ID"]
    for path in paths:
        send("PUT", f"mlflow-artifacts/artifacts/{experiment}/{run_id}/artifacts/{path}", b"whole")
    end = {"run_id": run_id, "status": "FINISHED", "end_time": int(time.time() * 1000)}
    send("POST", "mlflow/runs/update", json.dumps(end).encode())

def send(method, path, body):
    url, headers = f"{os.environ['MLFLOW_TRACKING_URI']}/api/2.0/{path}", {"Content-Type": "application/json"}
    urllib.request.urlopen(urllib.request.Request(url, body, headers, method=method), timeout=60).close()
"""
STEPS = {
    "process_data": (
        ["source", "start", "end", "now", "country", "weather_late", "power_late"],
        "dataset/dataset.parquet",
    ),
    "lr": (["data"], "model/MLmodel+serving/MLmodel"),
    "rf": (["data"], "model/MLmodel+serving/MLmodel"),
    "gbm": (["data"], "model/MLmodel+serving/MLmodel"),
    "kernel": (["data"], "model/MLmodel+serving/MLmodel"),
    "blend": (["run_ids", "data"], "model/MLmodel+serving/MLmodel"),
    "keras_nn": (["data"], "model/MLmodel+serving/MLmodel"),
    "report": (["data"], "report/report.html"),
    "forecast": (["data"], "forecast/forecast.parquet"),
}
PROMOTE = (["run_ids", "to", "metric", "margin", "data"], "gate.json")


def entry(name, step, parameters, output, script="step.py"):
    lines = [f"  {name}:", "    parameters:", '      do: {type: string, default: ""}']
    lines += [f'      {parameter}: {{type: string, default: ""}}' for parameter in parameters]
    return "\n".join([*lines, f"    command: python {script} {step} {{do}} {output}", ""])


def write_fake_project(root: Path) -> Path:
    """Write the project and return its root."""
    for step, (parameters, output) in STEPS.items():
        (root / step).mkdir(parents=True)
        (root / step / "step.py").write_text(SCRIPT)
        (root / step / "finish.py").write_text(FINISH)
        text = f"name: {step}\nentry_points:\n" + entry("main", step, parameters, output)
        (root / step / "MLproject").write_text(text)
    (root / "step.py").write_text(SCRIPT)
    (root / "finish.py").write_text(FINISH)
    (root / "MLproject").write_text("name: fake\nentry_points:\n" + entry("promote", "promote", *PROMOTE))
    (root / "requirements.txt").write_text("")
    return root
