"""Bands hold what they promise on hours like those they were calibrated on, and follow a shift."""

import numpy as np
import pytest

from dsgo.models.intervals import LEVELS, fit_size, interval, size_of, track


@pytest.fixture(scope="module")
def hours():
    """Predictions whose error grows with the first feature: (X, predicted, truth)."""
    rng = np.random.default_rng(5)
    X = rng.uniform(0, 1, (9000, 3))
    predicted = rng.uniform(0.3, 0.7, 9000)
    return X, predicted, np.clip(predicted + rng.normal(0, 0.01 + 0.08 * X[:, 0]), 0, 1)


@pytest.mark.parametrize("share", [0.5, 0.8, 0.95])
def test_interval__holds_the_share_that_was_asked_for(hours, share):
    X, predicted, truth = (part[:6000] for part in hours)
    model, quantiles = fit_size(X, predicted, truth, np.arange(6000) // 336)
    X, predicted, truth = (part[6000:] for part in hours)

    low, high = interval(predicted, size_of(model, X, predicted), quantiles, share)

    assert np.mean((truth >= low) & (truth <= high)) == pytest.approx(share, abs=0.03)
    wide, narrow = X[:, 0] > 0.8, X[:, 0] < 0.2
    assert (high - low)[wide].mean() > 2 * (high - low)[narrow].mean()


def test_interval__lies_between_nothing_and_all_that_is_installed():
    low, high = interval(np.array([0.01, 0.99]), np.array([0.5, 0.5]), {"absolute": [1.0] * len(LEVELS)})

    assert (low.tolist(), high.tolist()) == ([0.0, 0.49], [0.51, 1.0])


def test_track__recovers_after_a_shift_with_the_truth_a_day_late():
    rng = np.random.default_rng(7)
    predicted = np.full(8000, 0.5)
    truth = 0.5 + rng.normal(0, 0.05, 8000)
    truth[4000:] += 0.08  # from then on everything comes higher than is said
    quantiles = {"signed": np.quantile(rng.normal(0, 1, 50_000), LEVELS).tolist()}

    low, high = track(predicted, truth, np.full(8000, 0.05), quantiles, np.ones(8000, bool))

    inside = (truth >= low) & (truth <= high)
    assert inside[1000:4000].mean() == pytest.approx(0.8, abs=0.02)
    assert inside[4000:4100].mean() < 0.6
    assert inside[5000:].mean() == pytest.approx(0.8, abs=0.02)


def test_track__learns_nothing_from_hours_that_do_not_count_or_have_no_truth():
    truth = np.full(500, 0.9)
    quantiles = {"signed": np.linspace(-2, 2, len(LEVELS)).tolist()}
    first = track(np.full(500, 0.5), truth, np.full(500, 0.05), quantiles, np.zeros(500, bool))
    second = track(np.full(500, 0.5), truth * np.nan, np.full(500, 0.05), quantiles, np.ones(500, bool))

    for low, high in (first, second):
        assert len(set(low)) == len(set(high)) == 1


def test_track__sees_no_truth_before_it_has_come():
    rng = np.random.default_rng(3)
    truth = rng.uniform(0, 1, 300)
    quantiles = {"signed": np.linspace(-1, 1, len(LEVELS)).tolist()}
    other = truth.copy()
    other[200:] = 0.0

    ends = [track(np.full(300, 0.5), each, np.full(300, 0.1), quantiles, np.ones(300, bool)) for each in (truth, other)]

    np.testing.assert_array_equal(ends[0][0][:224], ends[1][0][:224])
    assert (ends[0][0][224:] != ends[1][0][224:]).any()
