"""The band by lead time: what it has learned from, and how soon after a shift it holds its share again."""

import numpy as np
import pandas as pd
import pytest

from dsgo.forecast.band import DAYS, LEAST, WARM_UP, widen

START = pd.Timestamp("2016-01-01", tz="UTC")


def forecasts(count, spread, seed=1, capacity=40.0):
    """Forecasts of 20 GW, one a day, and what came: 20 GW with an error of `spread(day, lead)` GW."""
    rng = np.random.default_rng(seed)
    hours = pd.date_range(START, periods=24 * (count + DAYS), freq="h", name="utc_timestamp")
    parts = []
    for day in range(count):
        lead = np.arange(1, 169)
        index = hours[24 * day : 24 * day + 168]
        # The truth is one, so the forecast carries the error.
        said = 20 + spread(day, lead) * rng.standard_normal(168)
        columns = {"issued": index[0], "lead": lead}
        for target in ("solar", "wind"):
            columns |= {f"{target}_GW": said, f"{target}_GW_reach": 1.0, f"{target}_capacity_GW": capacity}
        parts.append(pd.DataFrame(columns, index))
    came = pd.DataFrame({"solar_GW": 20.0, "wind_GW": 20.0}, hours)
    return pd.concat(parts), came


def coverage(band, came, target="wind_GW"):
    """Share of hours inside, by issue day and lead day."""
    truth = came[target].reindex(band.index).to_numpy()
    inside = (band[f"{target}_low"] <= truth) & (truth <= band[f"{target}_high"])
    return inside.groupby([band["issued"], (band["lead"] - 1) // 24]).mean().unstack()


def test_widen__holds_80_percent_at_every_lead_day_where_the_error_grows():
    made, came = forecasts(120, lambda day, lead: 0.5 + lead / 24)

    shares = coverage(widen(made, came), came).iloc[WARM_UP:].mean()

    assert shares.between(0.77, 0.83).all()


def test_widen__recovers_after_a_shift():
    made, came = forecasts(160, lambda day, lead: 1.0 if day < 80 else 3.0)

    shares = coverage(widen(made, came), came)

    assert shares.iloc[60:80].mean().between(0.75, 0.85).all()
    assert (shares.iloc[80:81].mean() < 0.5).all()  # nobody knows it yet
    assert shares.iloc[110:125].mean().between(0.74, 0.86).all()  # three weeks after its truth came
    assert shares.iloc[125:].mean().between(0.75, 0.86).all()


def test_widen__begins_with_the_models_own_band():
    made, came = forecasts(LEAST, lambda day, lead: 5.0)

    band = widen(made, came)

    np.testing.assert_allclose(band["wind_GW_high"] - band["wind_GW"], 1.0)
    np.testing.assert_allclose(band["wind_GW"] - band["wind_GW_low"], 1.0)


def test_widen__of_an_issue_time_knows_nothing_that_came_after_the_day_before_it():
    made, came = forecasts(60, lambda day, lead: 2.0)
    at = START + pd.Timedelta(days=40)
    other = came.copy()
    other.loc[other.index >= at - pd.Timedelta(days=1)] = 39.0

    one, two = (widen(made, truth)[lambda band: band["issued"] <= at] for truth in (came, other))

    pd.testing.assert_frame_equal(one, two)
    later = widen(made, other)
    assert (later[later["issued"] > at + pd.Timedelta(days=10)]["wind_GW_high"] > 38).any()


def test_widen__stays_between_0_and_the_capacity_and_around_the_forecast():
    made, came = forecasts(60, lambda day, lead: 15.0, capacity=30.0)
    made["wind_GW"] = made["wind_GW"].clip(0, 30)

    band = widen(made, came)

    assert (band["wind_GW_low"] >= 0).all()
    assert (band["wind_GW_high"] <= 30).all()
    assert (band["wind_GW_low"] <= band["wind_GW"]).all()
    assert (band["wind_GW"] <= band["wind_GW_high"]).all()


def test_widen__night_stays_shut():
    made, came = forecasts(30, lambda day, lead: 2.0)
    made["solar_GW"] = made["solar_GW_reach"] = 0.0
    came["solar_GW"] = 0.0

    band = widen(made, came)

    assert band["solar_GW_high"].eq(0).all()


@pytest.mark.parametrize("gone", [slice(0, 24 * 20), slice(24 * 10, 24 * 40)])
def test_widen__takes_hours_of_which_nothing_came(gone):
    made, came = forecasts(60, lambda day, lead: 2.0)

    band = widen(made, came.drop(came.index[gone]))

    assert band["wind_GW_high"].notna().all()
