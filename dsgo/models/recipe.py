"""A recipe: regressors of the capacity factor on the features of an hour, fitted as every trainer of ours does it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from sklearn.kernel_approximation import Nystroem
from sklearn.linear_model import Ridge
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from dsgo.base.errors import UserError
from dsgo.data.countries import COUNTRIES
from dsgo.data.schema import CAPACITY, TARGETS
from dsgo.models.features import PowerFeatures, to_hours
from dsgo.models.power_model import NIGHT, factors, see
from dsgo.models.rows import model_input

DECAY = 1.0  # an hour counts exp(-DECAY) of one a year later; chosen on rolling origins inside 2013 to 2015
LEAST = 100  # hours that a target is learned from
Make = Callable[[str], Any]  # target -> unfitted regressor


@dataclass
class Recipe:
    """Fitted regressors: `around` by target as [weight, feature names, regressor], `alone` for rows without neighbours.

    `network` predicts both targets from all features at once, in place of `around`.
    """

    features: PowerFeatures
    around: dict[str, list[list[Any]]] = field(default_factory=dict)
    alone: dict[str, Any] = field(default_factory=dict)
    network: Any = None

    def factors(self, hours: pd.DataFrame) -> np.ndarray:
        """Return the capacity factors (n, 2), 0 to 1, of a dataset's hours."""
        network = None if self.network is None else (lambda x: np.asarray(self.network.predict_on_batch(x), "float64"))
        parts = {"around": self.around, "alone": self.alone}
        return factors(parts, network, see(self.features, model_input(hours)))


def fit_features(hours: pd.DataFrame) -> PowerFeatures:
    """Return the features fitted for a dataset's hours: at its country's place, or where its radiation says it is."""
    known = COUNTRIES.get(str(hours.attrs.get("country", "")))
    features = PowerFeatures(latitude=None, longitude=None, zone="UTC")
    if known:
        features = PowerFeatures(latitude=known.latitude, longitude=known.longitude, zone=known.zone)
    return features.fit(model_input(hours))


@dataclass(frozen=True)
class Lesson:
    """What a target is learned from: which hours, their capacity factors and their weights (rows of those hours)."""

    rows: np.ndarray
    factors: np.ndarray
    weights: np.ndarray


def begin(hours: pd.DataFrame) -> tuple[Recipe, np.ndarray, dict[str, Lesson]]:
    """Return a recipe that predicts rows without neighbours, the features of all hours, and each target's lesson.

    Recent years weigh more, and solar learns from daylight alone.
    """
    recipe = Recipe(fit_features(hours))
    rows = model_input(hours)
    own, age = recipe.features.alone(rows), year_weights(hours)
    lessons = {}
    for target, capacity in zip(TARGETS, CAPACITY, strict=True):
        taught = learned_from(hours, own[:, 0], target)
        if taught.sum() < LEAST:
            raise UserError(
                f"only {taught.sum()} of the hours {hours.index[0]:%Y-%m-%d} to {hours.index[-1]:%Y-%m-%d} tell of "
                f"{target}: {LEAST} or more with installed capacity (and daylight, for solar) are needed"
            )
        factor = (hours[target] / hours[capacity]).to_numpy("float64")[taught]
        lessons[target] = Lesson(taught, factor, age[taught])
        recipe.alone[target] = fit_weighted(make_alone(), own[taught], factor, age[taught])
    return recipe, recipe.features.transform(rows), lessons


# One thread: a step shares the cores with others, and threads of OpenMP that wait for a core burn it meanwhile.
@threadpool_limits.wrap(limits=1)
def fit_recipe(hours: pd.DataFrame, make: Make, columns: dict[str, list[str]]) -> Recipe:
    """Return a recipe with a regressor a target: `make` gives it unfitted, `columns` are the features that it sees."""
    recipe, Z, lessons = begin(hours)
    names = list(recipe.features.get_feature_names_out())
    for target, lesson in lessons.items():
        chosen = [names.index(name) for name in columns[target]]
        regressor = fit_weighted(make(target), Z[lesson.rows][:, chosen], lesson.factors, lesson.weights)
        recipe.around[target] = [[1.0, columns[target], regressor]]
    return recipe


def learned_from(hours: pd.DataFrame, sine: np.ndarray, target: str) -> np.ndarray:
    """Return which hours teach a target: those with capacity, and for solar those whose sun stands above NIGHT."""
    installed = (hours[CAPACITY[TARGETS.index(target)]] > 0).to_numpy()
    return installed & (sine > NIGHT) if target == "solar_GW" else installed


def year_weights(hours: pd.DataFrame) -> np.ndarray:
    """Return the weight of each hour, exp(-DECAY * age in years), age counted from the last one."""
    at = to_hours(hours.index)
    return np.exp(-DECAY * (at.max() - at) / 8766)


def fit_weighted(regressor: Any, X: np.ndarray, y: np.ndarray, weights: np.ndarray) -> Any:
    """Fit with sample weights, given to the last step of a pipeline."""
    if isinstance(regressor, Pipeline):
        return regressor.fit(X, y, **{f"{regressor.steps[-1][0]}__sample_weight": weights})
    return regressor.fit(X, y, sample_weight=weights)


def make_kernel(gamma: float, alpha: float, components: int, seed: int = 0) -> Pipeline:
    """Return a ridge on a Nystroem map of an RBF kernel: smooth where trees are steps, and fitted in a second."""
    return make_pipeline(
        StandardScaler(), Nystroem(gamma=gamma, n_components=components, random_state=seed), Ridge(alpha)
    )


def make_alone() -> Pipeline:
    """Return the regressor for rows without neighbours, the same in every recipe."""
    return make_kernel(gamma=0.03, alpha=0.1, components=300)
