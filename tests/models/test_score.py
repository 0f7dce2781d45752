"""`dsgo score`: files in, predictions out, whole or not at all."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from mlflow.models import ModelSignature

from dsgo.cli import main
from dsgo.data.schema import TARGETS, WEATHER
from dsgo.gate.evidence import find_candidate
from dsgo.models import registry
from dsgo.models.bands import BAND
from dsgo.models.loading import load_model
from dsgo.models.training import SIGNATURE
from gate_models import empty_registry, log_code, log_dataset, log_linear

MEASURE = """
import resource, sys
from pathlib import Path
from dsgo.models.score import score
rows = score(Path(sys.argv[1]), Path(sys.argv[2]))
print(rows, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


CONSTANT = """
import mlflow
import pandas as pd

class Constant(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        return pd.DataFrame({"solar_GW": 1.0, "wind_GW": 2.0}, index=model_input.index)

mlflow.models.set_model(Constant())
"""


@pytest.fixture(scope="module")
def model_uri(stores, small_dataset):
    """A linear model in Production, and the URI of its version."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", stores.tracking_uri)
        empty_registry()
        run_id = log_linear(small_dataset, log_dataset(small_dataset, "score"), "score")
        version = registry.register(run_id, find_candidate(run_id)[1], {}, "").version
        registry.promote(version, "for the tests", "gate")
        yield f"models:/BestModel/{version}"
        empty_registry()


@pytest.fixture
def score(tracking, model_uri):
    return lambda *arguments: CliRunner().invoke(main, ["score", *map(str, arguments)])


@pytest.fixture
def weather(small_dataset):
    return small_dataset[WEATHER].head(500)


def test_score__a_csv_gives_the_predictions_of_the_production_model(score, model_uri, weather, small_dataset, tmp_path):
    weather.to_csv(tmp_path / "in.csv")

    done = score(tmp_path / "in.csv", tmp_path / "out.parquet")

    assert done.exit_code == 0, done.output
    assert done.output == f"{tmp_path / 'out.parquet'}: 500 rows\n"
    out = pd.read_parquet(tmp_path / "out.parquet").set_index("utc_timestamp")
    wanted = load_model(model_uri).predict(weather)
    assert list(out.columns) == TARGETS
    assert (out.index == weather.index).all()
    np.testing.assert_allclose(out, wanted, rtol=1e-12)
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["in.csv", "out.parquet"]


@pytest.mark.parametrize("form", ["%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d %H:%M:%S+00:00", "%Y-%m-%dT%H:%MZ"])
def test_score__times_may_be_written_as_iso_8601_allows(score, weather, tmp_path, form):
    weather.to_csv(tmp_path / "in.csv", date_format=form)

    assert score(tmp_path / "in.csv", tmp_path / "out.parquet").exit_code == 0

    assert (pd.read_parquet(tmp_path / "out.parquet")["utc_timestamp"] == weather.index).all()


def test_score__a_dataset_as_process_data_leaves_it_works_too(score, small_dataset, tmp_path):
    small_dataset.to_parquet(tmp_path / "dataset.parquet")
    small_dataset.to_csv(tmp_path / "dataset.csv")

    assert score(tmp_path / "dataset.parquet", tmp_path / "a.parquet").exit_code == 0
    assert score(tmp_path / "dataset.csv", tmp_path / "b.parquet").exit_code == 0

    out = pd.read_parquet(tmp_path / "a.parquet")
    assert len(out) == len(small_dataset)
    pd.testing.assert_frame_equal(out, pd.read_parquet(tmp_path / "b.parquet"))


def test_score__interval_adds_the_models_band(score, model_uri, weather, tmp_path):
    weather.to_csv(tmp_path / "in.csv")

    done = score(tmp_path / "in.csv", tmp_path / "out.parquet", "--interval", "0.8")

    assert done.exit_code == 0, done.output
    out = pd.read_parquet(tmp_path / "out.parquet").set_index("utc_timestamp")
    wanted = load_model(model_uri).predict(weather, params={"interval": 0.8})
    assert list(out.columns) == TARGETS + BAND
    np.testing.assert_allclose(out, wanted[TARGETS + BAND], rtol=1e-12)
    assert (out["wind_GW_low"] < out["wind_GW_high"]).all()


@pytest.mark.parametrize("share", ["0", "1", "80", "much"])
def test_score__an_interval_that_is_no_share_is_refused(score, weather, tmp_path, share):
    weather.to_csv(tmp_path / "in.csv")

    done = score(tmp_path / "in.csv", tmp_path / "out.parquet", "--interval", share)

    assert done.exit_code == 2
    assert "Invalid value for '--interval'" in done.output
    assert not (tmp_path / "out.parquet").exists()


def test_score__a_model_without_a_band_predicts_and_says_so_where_one_is_asked(score, weather, tmp_path):
    (tmp_path / "model.py").write_text(CONSTANT)
    _, model_id = log_code("score", tmp_path / "model.py", ModelSignature(SIGNATURE.inputs, SIGNATURE.outputs))
    weather.to_csv(tmp_path / "in.csv")
    model = ("--model", f"models:/{model_id}")

    assert score(tmp_path / "in.csv", tmp_path / "out.parquet", *model).exit_code == 0
    done = score(tmp_path / "in.csv", tmp_path / "band.parquet", *model, "--interval", "0.8")

    assert list(pd.read_parquet(tmp_path / "out.parquet").columns) == ["utc_timestamp", *TARGETS]
    assert done.exit_code == 2
    assert done.output == (
        f"Error: models:/{model_id}: there is no band: the model was logged before models had one; train it anew, or "
        "ask without --interval\n"
    )
    assert not (tmp_path / "band.parquet").exists()


def test_score__a_model_can_be_named(score, model_uri, weather, tmp_path):
    weather.to_csv(tmp_path / "in.csv")

    assert score(tmp_path / "in.csv", tmp_path / "out.parquet", "--model", model_uri).exit_code == 0
    done = score(tmp_path / "in.csv", tmp_path / "out2.parquet", "--model", "models:/BestModel/9")

    assert done.exit_code == 2
    assert done.output.startswith("Error: no model can be loaded from models:/BestModel/9")


def test_score__without_a_production_version_says_what_to_do(tracking, weather, tmp_path, monkeypatch):
    for module in ("registry", "production"):
        monkeypatch.setattr(f"dsgo.models.{module}.MODEL", "NobodysModel")
    weather.to_csv(tmp_path / "in.csv")

    done = CliRunner().invoke(main, ["score", str(tmp_path / "in.csv"), str(tmp_path / "out.parquet")])

    assert done.exit_code == 2
    assert "was in Production yet: the workflow promotes one" in done.output


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda frame: frame.drop(columns="windspeed"), "has no column windspeed; it has utc_timestamp, temperature"),
        (lambda frame: frame.reset_index(drop=True), "has no column utc_timestamp; it has"),
        (
            lambda frame: frame.tz_localize(None),
            "has no time zone: add Z or an offset such as +01:00 in 500 rows: ",
        ),
        (
            lambda frame: frame.assign(windspeed="fast"),
            "windspeed: is not a number in 500 rows: 'fast' in row 1 (2015-",
        ),
        (
            lambda frame: frame.where(frame.index.to_series() != frame.index[41]),
            "temperature: is empty in 1 row: row 42 (2015-",
        ),
    ],
)
def test_score__a_bad_file_is_one_line_and_leaves_nothing(score, weather, tmp_path, spoil, says):
    spoil(weather).to_csv(tmp_path / "in.csv")
    (tmp_path / "out.parquet").write_text("what was there before")

    done = score(tmp_path / "in.csv", tmp_path / "out.parquet")

    assert done.exit_code == 2
    assert done.output.startswith(f"Error: {tmp_path / 'in.csv'}")
    assert says in done.output
    assert done.output.count("\n") == 1
    assert (tmp_path / "out.parquet").read_text() == "what was there before"
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("content", [b"", b"\x00\xff\xfe", b"PAR1"])
@pytest.mark.parametrize("name", ["in.csv", "in.parquet"])
def test_score__a_file_that_is_none_is_one_line(score, tmp_path, name, content):
    (tmp_path / name).write_bytes(content)

    done = score(tmp_path / name, tmp_path / "out.parquet")

    assert done.exit_code == 2
    assert done.output.startswith("Error: ")
    assert done.output.count("\n") == 1
    assert len(list(tmp_path.iterdir())) == 1


def test_score__wrong_names_are_one_line(score, weather, tmp_path):
    weather.to_parquet(tmp_path / "in.parquet")

    assert "there is no file" in score(tmp_path / "nothing.csv", tmp_path / "out.parquet").output
    assert "must end in .parquet" in score(tmp_path / "in.parquet", tmp_path / "out.csv").output
    assert "is the file that is read" in score(tmp_path / "in.parquet", tmp_path / "in.parquet").output
    assert "there is no folder" in score(tmp_path / "in.parquet", tmp_path / "no" / "out.parquet").output


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no resource module")
def test_score__memory_does_not_grow_with_the_file(tracking, model_uri, weather, tmp_path):
    text = weather.to_csv()
    head, _, rows = text.partition("\n")
    megabytes = {}
    for times in (100, 2000):  # 50,000 and 1,000,000 rows
        with (tmp_path / "in.csv").open("w") as file:
            file.write(head + "\n")
            for _ in range(times):
                file.write(rows)
        command = [sys.executable, "-c", MEASURE, tmp_path / "in.csv", tmp_path / "out.parquet"]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
        scored, megabytes[times] = map(int, done.stdout.split()[-2:])
        assert scored == 500 * times

    assert megabytes[2000] < megabytes[100] + 100  # the file alone is 80 MB, its frame 40 more
