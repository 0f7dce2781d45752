"""The gate's rules, each on its own: frames in, rows out."""

from dataclasses import replace

import pandas as pd
import pytest
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, Schema

from dsgo.data.hold_out import split_dataset
from dsgo.data.schema import TARGETS
from dsgo.gate.rules import BETTER, Evidence, Incumbent, Seen, failures, judge, passed
from dsgo.models.metrics import baseline, scores
from dsgo.models.training import SIGNATURE


@pytest.fixture(scope="module")
def parts(two_years):
    return split_dataset(two_years, "chronological")


@pytest.fixture(scope="module")
def evidence(parts):
    """Build evidence of a model that predicts a frame; by default the truth and 0.3 GW."""
    train, test = parts
    until = pd.Timestamp("2015-12-31 23:00", tz="UTC")

    def build(predicted=None, name="lr", run_id="a" * 32, serving=None):
        predicted = test[TARGETS] + 0.3 if predicted is None else predicted
        figures = scores(test, predicted, baseline(train, test.index))
        serving = predicted if serving is None else serving
        fits = [Seen(one, SIGNATURE, 5.0, loaded=True) for one in (predicted, serving)]
        return Evidence(name, run_id, *fits, figures, until)

    return build


@pytest.fixture
def incumbent(parts):
    """Build what is to be beaten: a model that errs by `error` GW on the hold-out's hours from `since` on."""

    def build(error=0.3, since="2016-01-01", run_id="b" * 32, **options):
        predicted = parts[1].loc[since:, TARGETS] + error
        return Incumbent("version 3", run_id, SIGNATURE, **{"in_production": True, "predicted": predicted} | options)

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
    assert len(rows) == len({row["rule"] for row in rows}) == 16
    assert all(row.keys() == {"model", "run_id", "rule", "figure", "limit", "verdict"} for row in rows)


@pytest.mark.parametrize(("error", "wins"), [(0.2985, True), (0.2986, False), (0.4, False)])
def test_judge__a_candidate_takes_the_margin_off_the_incumbents_error(evidence, incumbent, failed, parts, error, wins):
    rules = failed(evidence(parts[1][TARGETS] + error), incumbent(0.3))

    assert rules.get("mae, GW") == (None if wins else pytest.approx(error))


def test_judge__the_margin_is_of_the_metric_that_is_asked_for(evidence, incumbent, failed, parts):
    predicted = parts[1][TARGETS] + 0.29
    predicted.iloc[0] += 10.0  # a little in mae, much in rmse

    assert failed(evidence(predicted), incumbent(), metric="mae", margin=0.0) == {}
    assert failed(evidence(predicted), incumbent(), metric="rmse", margin=0.0).keys() == {"rmse, GW", BETTER}


def test_judge__better_in_a_few_weeks_alone_is_not_better(evidence, incumbent, failed, parts):
    predicted = parts[1][TARGETS] + 0.31
    predicted.loc["2016-03-01":"2016-03-10"] -= 0.31  # so much better there that the year's mean is below

    rules = failed(evidence(predicted), incumbent(0.302), margin=0.0)

    assert rules.keys() == {BETTER}
    assert 50 < rules[BETTER] < 95
    assert rules == failed(evidence(predicted), incumbent(0.302), margin=0.0)  # seeded


def test_judge__the_incumbent_itself_is_not_better_than_itself(evidence, incumbent, failed):
    rules = failed(evidence(), incumbent(0.3, run_id="a" * 32), margin=0.0)

    assert rules == {BETTER: 0}


@pytest.mark.parametrize(
    ("margin", "limit"), [(0.0, "at most 0.3 (as version 3)"), (0.1, "at most 0.27 (10% below version 3)")]
)
def test_judge__says_the_margin_in_words(evidence, incumbent, parts, margin, limit):
    rows = judge(evidence(), incumbent(), SIGNATURE, parts[1], "mae", margin)

    assert next(row["limit"] for row in rows if row["rule"] == "mae, GW") == limit


def test_judge__compares_only_on_hours_that_the_incumbent_did_not_learn_from(evidence, incumbent, failed, parts):
    predicted = parts[1][TARGETS] + 0.4
    predicted.loc["2016-10-01":] -= 0.2

    assert failed(evidence(predicted), incumbent(0.3, since="2016-10-01")) == {}
    assert failed(evidence(predicted), incumbent(0.19, since="2016-10-01")).keys() == {
        "mae, GW, since 2016-10-01",
        BETTER,
    }


def test_judge__an_incumbent_that_saw_the_hold_out_blocks_nobody_and_the_table_says_so(evidence, incumbent, parts):
    left_out = incumbent(predicted=parts[1].iloc[:0], left_out="version 3 is left out: it saw all")

    rows = judge(evidence(), left_out, SIGNATURE, parts[1], "mae", 0.005)

    assert passed(rows)
    assert next(row["limit"] for row in rows if row["rule"] == "mae, GW") == "version 3 is left out: it saw all"


def test_judge__what_was_in_production_last_must_be_reached_not_beaten(evidence, incumbent, failed):
    assert failed(evidence(), incumbent(0.3, in_production=False)) == {}
    assert failed(evidence(), incumbent(0.29, in_production=False)).keys() == {"mae, GW"}


def test_judge__a_short_hold_out_decides_nothing(evidence, parts):
    test = parts[1].iloc[:4319]
    short = replace(
        evidence(), judged=Seen(test[TARGETS] + 0.3, SIGNATURE), serving=Seen(test[TARGETS] + 0.3, SIGNATURE, 5.0)
    )

    rows = judge(short, None, SIGNATURE, test, "mae", 0.005)

    assert failures(rows) == "hours of the hold-out is 4319, must be at least 4,320 (180 days)"


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

    assert failed(evidence(predicted, serving=parts[1][TARGETS] + 0.3)) == {"lowest power, GW": -0.001}


def test_judge__one_hour_above_the_capacity_of_that_hour_fails(evidence, failed, parts):
    test = parts[1]
    predicted = test[TARGETS].clip(upper=30.0) + 0.3
    at_capacity, above = predicted.copy(), predicted.copy()
    at_capacity.iloc[5, 1] = test["wind_capacity_GW"].iloc[5]
    above.iloc[5, 1] = test["wind_capacity_GW"].iloc[5] + 0.001

    assert failed(evidence(at_capacity)) == {}
    assert failed(evidence(above, serving=predicted)) == {"hours not within installed capacity": 1}


def with_signature(evidence, signature):
    return replace(evidence, judged=replace(evidence.judged, signature=signature))


def test_judge__a_column_more_fails_where_it_is_required_and_the_data_lacks_it(evidence, failed, parts):
    column = ColSpec("double", "humidity")
    required = ModelSignature(Schema([*SIGNATURE.inputs, column]), SIGNATURE.outputs)
    optional = ModelSignature(
        Schema([*SIGNATURE.inputs, ColSpec("double", "humidity", required=False)]), SIGNATURE.outputs
    )

    assert failed(with_signature(evidence(), required)) == {"needs columns that are not in the data": "humidity"}
    assert failed(with_signature(evidence(), optional)) == {}
    rows = judge(with_signature(evidence(), required), None, SIGNATURE, parts[1].assign(humidity=0.5), "mae", 0.005)
    assert passed(rows)


def test_judge__outputs_are_kept_and_more_of_them_are_welcome(evidence, failed):
    low = ColSpec("double", "solar_GW_low")
    more = ModelSignature(SIGNATURE.inputs, Schema([*SIGNATURE.outputs, low]))
    less = ModelSignature(SIGNATURE.inputs, Schema([ColSpec("double", "solar_GW"), low]))

    assert failed(with_signature(evidence(), more)) == {}
    assert failed(with_signature(evidence(), less)) == {"keeps the outputs": "it lacks 'wind_GW': double (required)"}


def test_judge__a_model_without_a_signature_fails_by_that(evidence, failed):
    rules = failed(with_signature(evidence(), None))

    assert rules.keys() == {"needs columns that are not in the data", "keeps the outputs"}
    assert set(rules.values()) == {"not known: it has no signature"}


@pytest.mark.parametrize("until", [pd.Timestamp("2016-01-01", tz="UTC"), pd.Timestamp("2016-12-30", tz="UTC")])
def test_judge__a_model_that_learned_from_the_hold_out_fails(evidence, failed, until):
    rules = failed(replace(evidence(), until=until))

    assert list(rules) == ["last hour it learned from"]


def test_judge__a_model_of_which_nobody_knows_what_it_learned_from_fails_with_the_reason(evidence, failed):
    rules = failed(replace(evidence(), until=None, doubt="the tag is nonsense"))

    assert rules == {"last hour it learned from": "the tag is nonsense"}


def test_judge__the_serving_fit_agrees_with_the_judged_one(evidence, failed, parts):
    truth = parts[1][TARGETS]
    judged = (truth + 2.0).clip(upper=30.0)
    learned_by_heart, swapped = truth, truth[["wind_GW", "solar_GW"]].set_axis(TARGETS, axis=1)

    assert failed(evidence(judged, serving=learned_by_heart)) == {}
    assert failed(evidence(judged, serving=judged * 0.98 + 0.1)) == {}
    for broken in (swapped, judged * 0 + judged.mean(), judged * 0.3, judged.shift(12).bfill()):
        assert failed(evidence(judged, serving=broken)).keys() == {"serving fit: apart from the judged one, GW"}


def test_judge__the_serving_fit_stays_within_0_and_capacity(evidence, failed, parts):
    serving = parts[1][TARGETS] + 0.3
    serving.iloc[4, 0], serving.iloc[5, 1], serving.iloc[6, 1] = -0.1, 80.0, float("nan")

    rules = failed(evidence(serving=serving))

    assert rules["serving fit: hours not from 0 to capacity"] == 3


def test_judge__a_serving_fit_that_is_slow_or_does_not_load_fails(evidence, failed, parts):
    one = evidence()
    nothing = pd.DataFrame(float("nan"), parts[1].index, TARGETS)

    assert failed(replace(one, serving=replace(one.serving, milliseconds=199.9))) == {}
    assert failed(replace(one, serving=replace(one.serving, milliseconds=200.0))) == {"one row, ms": 200.0}
    rules = failed(replace(one, serving=Seen(nothing, problem="a file is missing")))
    assert rules["serving fit: loads and predicts"] == "a file is missing"


def test_judge__a_model_that_does_not_load_fails_with_its_reason(evidence, failed, parts):
    nothing = pd.DataFrame(float("nan"), parts[1].index, TARGETS)

    rules = failed(replace(evidence(nothing), judged=Seen(nothing, problem="it may hold a pickle")))

    assert rules["loads and predicts"] == "it may hold a pickle"
    assert rules["lowest power, GW"] is None
