"""The Production model behind `mlflow models serve`: one server for all requests, started as docs/07 says."""

import contextlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import mlflow
import psutil
import pytest
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, Schema

from dsgo.base.network import free_port
from dsgo.base.places import ROOT
from dsgo.data.schema import TARGETS, TIME, WEATHER
from dsgo.gate.evidence import find_candidate
from dsgo.models import registry
from dsgo.models.bands import BAND, COLUMNS
from dsgo.models.loading import load_model
from dsgo.models.rows import model_input
from dsgo.models.training import SIGNATURE
from gate_models import empty_registry, log_code, log_dataset, log_linear

ROW = [5.0, 10.0, 100.0, 50.0]
NEEDS_TIME = """
import mlflow
import pandas as pd

class ByHour(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        hour = pd.to_datetime(model_input["utc_timestamp"]).dt.hour
        return pd.DataFrame({"solar_GW": hour * 1.0, "wind_GW": hour * 2.0})

mlflow.models.set_model(ByHour())
"""


@contextlib.contextmanager
def serving(uri, port, tracking_uri, log):
    """`mlflow models serve -m URI -p PORT --env-manager local`, answering; gives the port, ends the server."""
    command = [sys.executable, "-m", "mlflow", "models", "serve", "-m", uri, "-p", str(port), "--env-manager", "local"]
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = os.environ | {"MLFLOW_TRACKING_URI": tracking_uri, "PATH": path}
    with log.open("w") as out:
        server = psutil.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
    try:
        deadline = time.monotonic() + 120
        while True:
            with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/ping", timeout=2):
                break
            assert server.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.2)
        yield port
    finally:
        tree = [*server.children(recursive=True), server]
        for process in tree:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        server.wait(30)


def ask(port, columns, *rows, **params):
    """The status and the answer to a dataframe_split of those rows, with the parameters of inference, if any."""
    asked = {"dataframe_split": {"columns": columns, "data": rows}} | ({"params": params} if params else {})
    body = json.dumps(asked).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{port}/invocations", body, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


@pytest.fixture(scope="module")
def model(stores, small_dataset):
    """The id of the logged model in Production."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", stores.tracking_uri)
        empty_registry()
        run_id = log_linear(small_dataset, log_dataset(small_dataset, "serving"), "serving")
        model_id = find_candidate(run_id)[1]
        registry.promote(registry.register(run_id, model_id, {}, "").version, "for the tests", "gate")
        yield model_id
        empty_registry()


@pytest.fixture(scope="module")
def port(stores, model, tmp_path_factory):
    log = tmp_path_factory.mktemp("serving") / "log"
    with serving("models:/BestModel/Production", free_port(), stores.tracking_uri, log) as port:
        yield port


def test_serving__answers_dataframe_split_as_the_model_predicts(port, tracking, small_dataset):
    rows = model_input(small_dataset).head(3)

    status, answer = ask(port, list(rows.columns), *rows.to_numpy().tolist())

    assert status == 200
    wanted = load_model("models:/BestModel/1").predict(rows)
    assert answer == {"predictions": wanted.to_dict(orient="records")}


def test_serving__gives_the_band_that_is_asked_for(port, tracking, small_dataset):
    rows = model_input(small_dataset).iloc[[11, 12]]

    status, answer = ask(port, list(rows.columns), *rows.to_numpy().tolist(), interval=0.8)
    wide = ask(port, list(rows.columns), *rows.to_numpy().tolist(), interval=0.95)[1]

    assert status == 200
    wanted = load_model("models:/BestModel/1").predict(rows, params={"interval": 0.8})
    assert answer == {"predictions": wanted.to_dict(orient="records")}
    for narrow, wider in zip(answer["predictions"], wide["predictions"], strict=True):
        assert sorted(narrow) == sorted(COLUMNS)
        for target in TARGETS:
            assert wider[f"{target}_low"] <= narrow[f"{target}_low"] <= narrow[target] <= narrow[f"{target}_high"]
            assert narrow[f"{target}_high"] <= wider[f"{target}_high"]
        assert wider["wind_GW_high"] - wider["wind_GW_low"] > narrow["wind_GW_high"] - narrow["wind_GW_low"]


@pytest.mark.parametrize("share", [1.0, -0.1, 80])
def test_serving__a_share_that_is_none_gets_a_400(port, share):
    status, answer = ask(port, [TIME, *WEATHER], ["2016-06-01T12:00Z", *ROW], interval=share)

    assert status == 400
    assert f"interval={share:g} is no share: it lies between 0 and 1" in answer["message"]


def test_serving__a_band_needs_a_time_and_a_share_that_is_a_number(port):
    without_time = ask(port, WEATHER, ROW, interval=0.8)
    no_number = ask(port, [TIME, *WEATHER], ["2016-06-01T12:00Z", *ROW], interval="wide")

    assert (without_time[0], no_number[0]) == (400, 400)
    assert "no column utc_timestamp with times, which a band needs" in without_time[1]["message"]
    assert "`wide`" in no_number[1]["message"]


def test_serving__weather_alone_is_enough_and_whole_numbers_are_numbers(port):
    assert ask(port, WEATHER, ROW)[0] == 200
    assert ask(port, WEATHER, [5, 10, 100, 50])[1] == ask(port, WEATHER, ROW)[1]


@pytest.mark.parametrize(
    ("columns", "row", "says"),
    [
        (WEATHER[1:], ROW[1:], "Model is missing inputs ['windspeed']"),
        (WEATHER, ["fast", *ROW[1:]], "windspeed is 'fast', no number in row 1"),
        (WEATHER, [None, *ROW[1:]], "windspeed is empty in row 1"),
        (WEATHER, [-5.0, *ROW[1:]], "windspeed is -5.0, not within 0 and 100 in row 1"),
        (WEATHER, [float("inf"), *ROW[1:]], "windspeed is inf, no number in row 1"),
        ([TIME, *WEATHER], ["yesterday", *ROW], "utc_timestamp is 'yesterday', no time in row 1"),
        ([TIME, *WEATHER], ["2016-01-01T00:00", *ROW], "without a zone (add Z or an offset) in row 1"),
        ([TIME, *WEATHER], ["2016-01-01T00Z", 500.0, *ROW[1:]], "500.0, not within 0 and 100 in row 1 (2016-01-01T00:"),
        (WEATHER, ROW[:2], "4 columns passed, passed data had 2 columns"),
    ],
)
def test_serving__a_bad_row_gets_a_400_that_names_what_is_wrong(port, columns, row, says):
    status, answer = ask(port, columns, row)

    assert status == 400
    assert says in answer["message"]
    assert "stack_trace" not in answer


def test_serving__an_empty_batch_has_no_predictions(port):
    assert ask(port, WEATHER) == (200, {"predictions": []})


def test_serving__predicts_no_more_than_is_installed(port):
    status, answer = ask(port, [*WEATHER, "solar_capacity_GW", "wind_capacity_GW"], [20.0, *ROW[1:], 1.0, 1])

    assert status == 200
    assert max(answer["predictions"][0].values()) == 1.0


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
def test_serving__the_chapters_curl_lines_are_answered(port):
    chapter = (ROOT / "docs" / "07_serving.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```\w*\n(.*?)^```", chapter, re.DOTALL | re.MULTILINE)
    line, with_band = [line for block in blocks for line in block.splitlines() if line.startswith("curl ")]
    assert "127.0.0.1:8003/invocations" in line

    for curl, columns in ((line, TARGETS), (with_band, TARGETS + BAND)):
        command = shlex.split(curl.replace(":8003/", f":{port}/"))
        done = subprocess.run([*command, "--silent"], capture_output=True, text=True, timeout=60, check=True)

        (prediction,) = json.loads(done.stdout)["predictions"]
        assert list(prediction) == columns
        assert all(value >= 0 for value in prediction.values())


def test_serving__the_workshops_ftp_uri_is_served_too(stores, model, tmp_path):
    client = mlflow.MlflowClient(stores.tracking_uri)
    path = client.get_logged_model(model).artifact_location.removeprefix("mlflow-artifacts:/")
    uri = f"ftp://guest@127.0.0.1:{stores.ftp_port}/artifacts/{path}"

    with serving(uri, free_port(), stores.tracking_uri, tmp_path / "log") as port:
        assert ask(port, WEATHER, ROW)[0] == 200


def test_serving__a_model_that_needs_the_time_says_so_to_a_row_without(stores, tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", stores.tracking_uri)
    (tmp_path / "by_hour.py").write_text(NEEDS_TIME)
    inputs = Schema([column for column in SIGNATURE.inputs if column.name != TIME] + [ColSpec("string", TIME)])
    _, model_id = log_code("serving", tmp_path / "by_hour.py", ModelSignature(inputs, SIGNATURE.outputs))

    with serving(f"models:/{model_id}", free_port(), stores.tracking_uri, tmp_path / "log") as port:
        status, answer = ask(port, WEATHER, ROW)
        with_time = ask(port, [TIME, *WEATHER], ["2016-06-01T12:00:00Z", *ROW])
        with_band = ask(port, [TIME, *WEATHER], ["2016-06-01T12:00:00Z", *ROW], interval=0.8)

    assert status == 400
    assert "Model is missing inputs ['utc_timestamp']" in answer["message"]
    assert with_time == (200, {"predictions": [{"solar_GW": 12.0, "wind_GW": 24.0}]})
    assert with_band == with_time  # a model of before knows no band
