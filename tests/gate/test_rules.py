"""The gate's rules, each on its own: frames in, rows out."""

from dataclasses import replace

import pandas as pd
import pytest
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, Schema

from dsgo.data.dataset import split_dataset
from dsgo.data.schema import TARGETS
from dsgo.gate.rules import Evidence, failures, judge, passed
from dsgo.models.metrics import baseline, scores
from dsgo.models.training import SIGNATURE


@pytest.fixture(scope="module")
def parts(small_dataset):
    return split_dataset(small_dataset, "chronological")


@pytest.fixture(scope="module")
def evidence(parts):
    """Build evidence of a model that predicts a frame; by default the truth and 0.3 GW."""
    train, test = parts
    until = pd.Timestamp("2015-12-31 23:00", tz="UTC")

    def build(predicted=None, name="lr", run_id="a" * 32):
        predicted = test[TARGETS] + 0.3 if predicted is None else predicted
        figures = scores(test, predicted, baseline(train, test.index))
        return Evidence(name, run_id, predicted, figures, 5.0, SIGNATURE, until)

    return build


@pytest.fixture
def failed(parts):
    """The rules that a candidate fails, as {rule: figure}."""

    def rules(candidate, incumbent=None, reference=SIGNATURE, metric="mae", margin=0.005):
        rows = judge(candidate, incumbent, reference, parts[1], metric, margin)
        assert passed(rows) == (not failures(rows))
        return {row["rule"]: row["figure"] for row in rows if row["verdict"] == "failed"}

    return rules


def test_judge__a_good_first_candidate_passes_every_rule(evidence, parts):
    rows = judge(evidence(), None, SIGNATURE, parts[1], "mae", 0.005)

    assert passed(rows)
    assert len(rows) == len({row["rule"] for row in rows}) == 11
    assert all(row.keys() == {"model", "run_id", "rule", "figure", "limit", "verdict"} for row in rows)


@pytest.mark.parametrize(("error", "wins"), [(0.2985, True), (0.2986, False), (0.3, False), (0.4, False)])
def test_judge__a_candidate_takes_the_margin_off_the_incumbents_error(evidence, failed, parts, error, wins):
    incumbent = evidence(name="version 3", run_id="b" * 32)  # mae 0.3 GW

    rules = failed(evidence(parts[1][TARGETS] + error), incumbent)

    assert rules == ({} if wins else {"mae, GW": pytest.approx(error)})


def test_judge__the_margin_is_of_the_metric_that_is_asked_for(evidence, failed, parts):
    predicted = parts[1][TARGETS] + 0.29
    predicted.iloc[0] += 3.0  # a little in mae, much in rmse
    incumbent = evidence(name="version 3", run_id="b" * 32)

    assert failed(evidence(predicted), incumbent, metric="mae", margin=0.0) == {}
    assert failed(evidence(predicted), incumbent, metric="rmse", margin=0.0).keys() == {"rmse, GW"}


def test_judge__the_baseline_has_no_skill_over_itself(evidence, failed, parts):
    train, test = parts

    rules = failed(evidence(baseline(train, test.index)))

    assert rules["skill over the baseline"] == 0


def test_judge__each_target_needs_its_r2(evidence, failed, parts):
    predicted = (parts[1][TARGETS] + 0.3).assign(wind_GW=parts[1]["wind_GW"].mean())

    assert failed(evidence(predicted)) == {"r2 of wind": pytest.approx(0)}


def test_judge__one_hour_without_a_number_fails(evidence, failed, parts):
    predicted = parts[1][TARGETS] + 0.3
    predicted.iloc[5, 0] = float("nan")

    rules = failed(evidence(predicted))

    assert rules["hours without a number"] == 1
    assert rules["mae, GW" if "mae, GW" in rules else "skill over the baseline"] is None


def test_judge__one_negative_hour_fails(evidence, failed, parts):
    predicted = parts[1][TARGETS] + 0.3
    predicted.iloc[5, 0] = -0.001

    assert failed(evidence(predicted)) == {"lowest power, GW": -0.001}


def test_judge__one_hour_above_the_capacity_of_that_hour_fails(evidence, failed, parts):
    test = parts[1]
    predicted = test[TARGETS].clip(upper=30.0) + 0.3
    at_capacity, above = predicted.copy(), predicted.copy()
    at_capacity.iloc[5, 1] = test["wind_capacity_GW"].iloc[5]
    above.iloc[5, 1] = test["wind_capacity_GW"].iloc[5] + 0.001

    assert failed(evidence(at_capacity)) == {}
    assert failed(evidence(above)) == {"hours not within installed capacity": 1}


def test_judge__a_signature_with_a_column_more_fails(evidence, failed):
    wider = ModelSignature(Schema([*SIGNATURE.inputs, ColSpec("double", "humidity")]), SIGNATURE.outputs)

    rules = failed(replace(evidence(), signature=wider))

    assert rules == {"keeps the signature": "inputs differ: 'humidity': double (required)"}
    assert failed(replace(evidence(), signature=wider), reference=wider) == {}
    assert failed(replace(evidence(), signature=None)) == {"keeps the signature": "it has none"}


@pytest.mark.parametrize("until", [None, pd.Timestamp("2016-01-01", tz="UTC"), pd.Timestamp("2016-12-30", tz="UTC")])
def test_judge__a_model_that_learned_from_the_hold_out_fails(evidence, failed, until):
    rules = failed(replace(evidence(), trained_until=until))

    assert list(rules) == ["last hour it learned from"]


def test_judge__a_slow_model_fails(evidence, failed):
    assert failed(replace(evidence(), milliseconds=199.9)) == {}
    assert failed(replace(evidence(), milliseconds=200.0)) == {"one row, ms": 200.0}


def test_judge__a_model_that_does_not_load_fails_with_its_reason(evidence, failed, parts):
    nothing = pd.DataFrame(float("nan"), parts[1].index, TARGETS)

    rules = failed(replace(evidence(nothing), problem="it may hold a pickle", milliseconds=float("nan")))

    assert rules["loads and predicts"] == "it may hold a pickle"
    assert rules["lowest power, GW"] is None
    assert "one row, ms" in rules
