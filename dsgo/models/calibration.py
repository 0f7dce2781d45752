"""A band for a model: calibrated on what its recipe predicted of hours that it had not seen (origins.py)."""

from typing import Any

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from dsgo.data.schema import CAPACITY, TARGETS
from dsgo.models.features import SIZE, PowerFeatures
from dsgo.models.intervals import fit_size, interval, size_of
from dsgo.models.recipe import Recipe
from dsgo.models.rows import model_input

# Chosen on 2014-07 to 2015-06 and on 2015, each by what came before: solar's band held 82.4 and 82.0% lopsided, 83.8
# and 83.4% as far to either side; wind's 77.6 and 65.4%, 79.2 and 70.6%.
SCORES = {"solar_GW": "signed", "wind_GW": "absolute"}
BLOCK = pd.Timedelta(days=14)
SETTLED = pd.DateOffset(months=18)  # solar's error falls with the years learned from: earlier origins say too much


@threadpool_limits.wrap(limits=1)  # as in recipe.py
def fit_band(
    unseen: pd.DataFrame, hours: pd.DataFrame, features: PowerFeatures
) -> tuple[dict[str, dict[str, Any]], dict[str, dict[str, Any]]]:
    """Return (models of the error's size, by company and target; tables of quantiles, by target).

    `unseen` is from `origins.predict_unseen`; `hours` are the dataset's hours that it speaks of, with what came. Solar
    is calibrated on daylight alone: night is no guess.
    """
    rows = model_input(hours)
    around, own, names = features.transform(rows), features.alone(rows), list(features.get_feature_names_out())
    at = hours.index.get_indexer(unseen.index)
    sizes: dict[str, dict[str, Any]] = {"around": {}, "alone": {}}
    tables: dict[str, dict[str, Any]] = {}
    settled = (unseen["origin"] >= hours.index[0] + SETTLED).to_numpy()
    for target, capacity in zip(TARGETS, CAPACITY, strict=True):
        truth = (hours[target] / hours[capacity].where(hours[capacity] > 0)).to_numpy("float64")[at]
        counts = np.isfinite(truth)
        if target == "solar_GW":
            counts &= own[at, 0] > 0
            counts &= settled if settled.any() else True
        blocks = ((unseen.index[counts] - hours.index[0]) // BLOCK).to_numpy()
        columns = [names.index(name) for name in SIZE[target]]
        inputs = {"around": around[at][:, columns], "alone": own[at]}
        tables[target] = {"columns": SIZE[target]}
        for company, predicted in (("around", unseen[target]), ("alone", unseen[f"{target}_alone"])):
            sizes[company][target], quantiles = fit_size(
                inputs[company][counts], predicted.to_numpy("float64")[counts], truth[counts], blocks
            )
            tables[target][company] = {SCORES[target]: quantiles[SCORES[target]]}
    return sizes, tables


def predict_with_band(
    recipe: Recipe, band: tuple[dict[str, dict[str, Any]], dict[str, dict[str, Any]]], hours: pd.DataFrame
) -> pd.DataFrame:
    """Return what a fitted recipe predicts of hours in GW, with TARGET_low and TARGET_high (80%, closed at night).

    `band` is from `fit_band`. A logged model does the same (power_model.py); this is for fits that nobody logs.
    """
    sizes, tables = band
    X, names = recipe.features.transform(model_input(hours)), list(recipe.features.get_feature_names_out())
    factors, installed = recipe.factors(hours), hours[CAPACITY].to_numpy("float64")
    result = pd.DataFrame(factors * installed, hours.index, TARGETS)
    for j, target in enumerate(TARGETS):
        columns = [names.index(name) for name in tables[target]["columns"]]
        size = size_of(sizes["around"][target], X[:, columns], factors[:, j])
        ends = interval(factors[:, j], size, tables[target]["around"])
        dark = X[:, names.index("sinel")] <= 0 if target == "solar_GW" else np.zeros(len(hours), bool)
        for name, end in zip(("low", "high"), ends, strict=True):
            result[f"{target}_{name}"] = np.where(dark, factors[:, j], end) * installed[:, j]
    return result
