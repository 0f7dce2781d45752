"""What the report says of forecasts: next week first, then how last week's did."""

import re

import pandas as pd
import pytest

from dsgo.data.dataset import Dataset
from dsgo.data.sample import simulate
from dsgo.data.schema import TARGETS
from dsgo.models.bands import BAND
from gate_models import experiment_id
from made_forecasts import hours_from, log_forecast
from scripts import load_script
from weekly import numbers
from weekly.ahead import keep_forecasts, read_forecasts

EXPERIMENT = "report ahead"
START = pd.Timestamp("2016-12-19", tz="UTC")
NEWEST = pd.Timestamp("2017-01-01", tz="UTC")


@pytest.fixture(scope="module")
def frame():
    hours = simulate().loc["2015":]
    hours.attrs = {"simulated": True, "country": "DE"}
    return hours


def test_keep_forecasts__finds_next_weeks_and_what_was_said_of_last_week(tracking, frame, tmp_path):
    dataset = Dataset(frame, "sample", None)
    log_forecast(frame, NEWEST, EXPERIMENT, "none", off=1.1, hindcasts=14)
    keep_forecasts(experiment_id(EXPERIMENT), dataset, START, tmp_path)

    ahead, last, about = read_forecasts(tmp_path)
    assert (about["version"], about["weather"], about["hindcast"]) == ("1", "simulated", True)
    assert ahead["issued"].count() == 168
    assert ahead["wind_GW"].iloc[72:].to_numpy() == pytest.approx(hours_from(frame, NEWEST, 1.1)["wind_GW"].to_numpy())
    assert ahead["wind_GW"].iloc[:72].to_numpy() == pytest.approx(frame["wind_GW"].iloc[-72:].to_numpy())
    assert last["issued"].unique().tolist() == [START]
    assert last["said"].to_numpy() == pytest.approx(1.1 * last["came"].to_numpy())

    log_forecast(frame, START, EXPERIMENT, "none", off=1.3)
    keep_forecasts(experiment_id(EXPERIMENT), dataset, START, tmp_path)
    _, last, about = read_forecasts(tmp_path)
    assert about["hindcast"] is False
    assert last["said"].to_numpy() == pytest.approx(1.3 * last["came"].to_numpy())


def test_write__begins_with_next_week_and_how_last_weeks_forecast_did(tracking, frame, tmp_path, monkeypatch):
    script = load_script("report", "report")
    monkeypatch.setattr(script, "find_browser", lambda: None)
    log_forecast(frame, NEWEST, EXPERIMENT, "none", off=1.1, hindcasts=14)
    hours = numbers.with_predictions(frame, frame.reindex(columns=TARGETS + BAND))
    model = {"name": "a model", "trained_until": None, "facts": {"Model": "a model"}, "gate": [], "simulated": False}
    about = {"place": "Germany", "simulated": True, "model": model, "quality": None, "author": "A", "data": "here"}
    about |= {"drift": {"said": "", "beyond": []}, "prepared": "2026-01-01T00:00:00+00:00"}
    keep_forecasts(experiment_id("report without forecasts"), Dataset(frame, "sample", None), START, tmp_path)
    plain = script.write(hours, about, START, tmp_path)
    text = (plain / "report.html").read_text(encoding="utf-8")
    assert "no forecast of it was made. <code>mlflow run forecast --env-manager local</code>" in text

    (tmp_path / "with").mkdir()
    keep_forecasts(experiment_id(EXPERIMENT), Dataset(frame, "sample", None), START, tmp_path / "with")
    page = script.write(hours, about, START, tmp_path / "with")

    text = re.sub(r"<script\b.*?</script>", "", (page / "report.html").read_text(encoding="utf-8"), flags=re.DOTALL)
    heads = re.findall(r"<h2[^>]*>([^<]+)", text)
    assert heads[:3] == [
        "Next week",
        "How last week\N{RIGHT SINGLE QUOTATION MARK}s forecast did",
        "The week in figures",
    ]
    expected = hours_from(frame, NEWEST, 1.1)
    assert f"<b>{expected['wind_GW'].sum():,.0f} GWh</b> of wind power" in text
    assert "The seven days from Sunday 1 Jan 2017, 00:00 UTC" in text
    assert "nan" not in re.sub(r"<style\b.*?</style>", "", text, flags=re.DOTALL)
