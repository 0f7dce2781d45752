"""The dashboard's arithmetic: thinning of long lines, rolling weeks, summaries."""

import base64
import sys

import numpy as np
import pandas as pd
import pytest

from dsgo.base.places import ROOT

sys.path.append(str(ROOT / "dashboard"))
import series

HOURS = pd.date_range("2015-01-01", "2016-12-31 23:00", freq="h", tz="UTC")
GRID = series.Grid.of(HOURS)


def test_thin__every_peak_of_a_long_line_is_drawn_within_the_hours_of_its_point():
    values = np.random.default_rng(1).normal(size=GRID.length)
    values[[777, 9001]] = 99, -99
    first, step, points = series.thin(values, slice(0, GRID.length))

    assert len(points) <= series.MOST_POINTS
    assert first == 0
    for position in (777, 9001):
        drawn = int(np.flatnonzero(points == values[position])[0])
        assert drawn // 2 == position // (2 * step)  # two points for each stretch
    assert np.isin(points, values).all()


def test_thin__a_stretch_without_records_is_a_gap():
    values = np.ones(GRID.length)
    values[5000:6000] = np.nan
    _, step, points = series.thin(values, slice(0, GRID.length))

    assert np.isnan(points[5000 // step + 2 : 6000 // step - 2]).all()
    assert np.isfinite(points[: 5000 // step - 2]).all()


def test_thin__a_line_does_not_flicker_while_it_is_moved():
    values = np.random.default_rng(2).normal(size=GRID.length)
    begin, step, points = series.thin(values, slice(1000, 11000))
    later, same, others = series.thin(values, slice(1500, 11500))

    assert step == same
    shift = (later - begin) // step
    np.testing.assert_array_equal(points[shift : shift + 500], others[:500])


def test_years_of__is_the_mean_of_seven_days_and_29_february_is_a_gap_in_other_years():
    values = np.random.default_rng(3).uniform(size=GRID.length)
    weeks = series.years_of(GRID, values)

    at = (31 + 28) * 4 - 1  # 29 February, 00:00; the curve begins at 06:00
    assert np.isnan(weeks[2015][at + 1 : at + 5]).all()
    end = GRID.position(pd.Timestamp("2016-02-29", tz="UTC"))
    assert weeks[2016][at] == pytest.approx(values[end - 168 : end].mean())
    end = GRID.position(pd.Timestamp("2015-03-01 06:00", tz="UTC"))
    assert weeks[2015][at + 5] == pytest.approx(values[end - 168 : end].mean())


def test_summary__counts_only_hours_with_a_record_and_a_prediction():
    recorded = np.array([1.0, 2.0, np.nan, 4.0])
    found = series.summary(recorded, np.array([2.0, 2.0, 9.0, np.nan]), np.full(4, 10.0))

    assert (found.hours, found.recorded, found.predicted) == (2, 3.0, 4.0)
    assert (found.mae, found.bias, found.capacity_factor) == (0.5, 0.5, 0.15)
    assert series.summary(recorded * np.nan, recorded, recorded).hours == 0


def drawn(trace, name, kind):
    return np.frombuffer(base64.b64decode(trace[name]["bdata"]), kind)


def test_outline__closes_each_stretch_of_hours_without_a_gap():
    low, high = np.zeros(GRID.length), np.ones(GRID.length)
    low[12] = high[12] = np.nan
    trace = series.outline(GRID, (low, high), slice(10, 15))

    hours = (drawn(trace, "x", "<f8") - GRID.start.timestamp() * 1000) / 3_600_000
    assert hours.tolist() == [10, 11, 11, 10, 10, 13, 14, 14, 13, 13]
    np.testing.assert_array_equal(drawn(trace, "y", "<f4"), [1, 1, 0, 0, np.nan, 1, 1, 0, 0, np.nan])


def test_outline__of_a_long_period_reaches_from_the_lowest_to_the_highest_hour():
    low = np.random.default_rng(4).uniform(1, 2, GRID.length)
    low[777], high = 0.5, low + 1
    high[9001] = 9
    trace = series.outline(GRID, (low, high), slice(0, GRID.length))

    x, y = drawn(trace, "x", "<f8"), drawn(trace, "y", "<f4")
    assert len(y) <= 2 * series.MOST_POINTS + 1
    for hour, value in ((777, 0.5), (9001, 9.0)):
        at = (x[y == np.float32(value)] - GRID.start.timestamp() * 1000) / 3_600_000
        assert np.abs(at - hour).max() < 2 * GRID.length / series.MOST_POINTS * 2
