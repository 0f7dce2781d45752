"""Recipes on little data, and what the fits of a trainer must not do."""

from functools import partial

import numpy as np
import pytest

from dsgo.base.errors import UserError
from dsgo.data.schema import CAPACITY, TARGETS
from dsgo.models.calibration import fit_band
from dsgo.models.origins import predict_unseen
from scripts import load_script

FITS = {
    "lr": {"features": "full"},
    "rf": {"features": "full", "n_estimators": 4, "max_depth": 0, "min_samples_leaf": 0, "seed": 1},
    "gbm": {"features": "full", "seed": 1, "max_iter": 5},
    "kernel": {"components": 600, "seed": 1},
}


@pytest.fixture(params=FITS)
def fit(request):
    """The fit of a trainer that takes no network."""
    return partial(load_script(request.param, request.param).fit, **FITS[request.param])


@pytest.mark.filterwarnings("ignore:n_components > n_samples")
@pytest.mark.parametrize("start", ["2015-01-01", "2015-07-01"])
def test_fit__learns_from_a_month_and_its_band_too(two_years, fit, start):
    month = two_years.loc[start:].head(30 * 24)
    month.attrs = two_years.attrs

    recipe, seen = fit(month), predict_unseen(fit, month, 2)
    sizes, tables = fit_band(seen, month, recipe.features)

    factors = recipe.factors(two_years.loc["2016"])
    assert np.isfinite(factors).all()
    assert ((factors >= 0) & (factors <= 1)).all()
    assert set(sizes["around"]) == set(tables) == set(TARGETS)


def test_fit__says_what_it_lacks_to_learn_from(two_years, fit):
    without = two_years.head(60 * 24).assign(**{CAPACITY[0]: 0.0})

    with pytest.raises(UserError, match="only 0 of the hours 2015-01-01 to 2015-03-01 tell of solar_GW: 100 or more"):
        fit(without)


def test_fit__of_the_weather_of_another_year_is_seen(two_years, fit):
    """An error far too low would be a leak: with the weather of the wrong year there is nothing to predict by."""
    train, test = two_years.loc["2015"].head(120 * 24), two_years.loc["2016"].head(120 * 24)
    train.attrs = test.attrs = two_years.attrs
    wrong = test.copy()
    weather = ["windspeed", "temperature", "rad_horizontal", "rad_diffuse"]
    wrong[weather] = train[weather].to_numpy()
    recipe = fit(train)

    def error(hours):
        return np.abs(recipe.factors(hours) * test[CAPACITY].to_numpy() - test[TARGETS].to_numpy()).mean()

    assert error(wrong) > 1.5 * error(test)
