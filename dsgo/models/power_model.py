"""The code inside every logged model: raw weather in, solar_GW and wind_GW out, by any trainer, with a band if asked.

MLflow stores this file with the model ("models from code") and runs it from there, so it imports nothing of dsgo; the
features and the band's arithmetic (features.py, intervals.py) are stored beside it. A model goes on predicting as it
did on the day it was trained. No pickle: estimators are a skops or a .keras file, all else is JSON.
"""

import importlib.util
import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel, PythonModelContext

TIME = "utc_timestamp"
WEATHER = ["windspeed", "temperature", "rad_horizontal", "rad_diffuse"]
TARGETS = ["solar_GW", "wind_GW"]
CAPACITY = ["solar_capacity_GW", "wind_capacity_GW"]
NIGHT = -0.06  # sine of the sun's elevation up to which solar power is 0: four degrees below the horizon
PRESENT = 0.4  # share of the 12 hours either side that must be there for the features of the hours around
# What skops does not know by itself of forests, boosting and splines: arrays of numbers, without code of their own.
TRUSTED = [
    "sklearn.tree._tree.Tree",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "scipy.interpolate._bsplines.BSpline",
    "scipy._lib.array_api_compat.numpy._aliases.asarray",
]


class PowerModel(PythonModel):
    """Predict power in GW, from 0 to the installed capacity, from weather in the units of the dataset."""

    def load_context(self, context: PythonModelContext) -> None:
        """Load what stands beside this file: about.json, the estimators, features.py and intervals.py."""
        files = context.artifacts
        self.about = json.loads(Path(files["about"]).read_text(encoding="utf-8"))
        self.parts = _load(files["estimator"])
        self.network = _network(files["network"]) if "network" in files else None
        self.intervals = _module(files["intervals"], "intervals")
        place = self.about["place"]
        self.features = _module(files["features"], "features").PowerFeatures(zone=place["zone"])
        for name in ("place_", "winter_", "shift_"):
            setattr(self.features, name, place[name])

    def predict(
        self, context: PythonModelContext, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        """Return a frame with solar_GW and wind_GW in GW, one row for each row of `model_input`, same index.

        With the parameter `interval` (a share such as 0.8) also solar_GW_low, solar_GW_high, wind_GW_low, wind_GW_high.
        Raises MlflowException where a weather column is empty.
        """
        share = float((params or {}).get("interval") or 0.0)
        if empty := [name for name in WEATHER if model_input[name].isna().any()]:
            raise MlflowException.invalid_parameter_value(f"a row has no {', '.join(empty)}")  # served as a 400
        if not 0 <= share < 1:
            raise MlflowException.invalid_parameter_value(
                f"interval={share:g} is no share: it must lie between 0 and 1"
            )
        installed = self._installed(model_input)
        own_way = self.about["features"] == "weather"  # an estimator of the four weather columns, in GW
        seen = see(self.features, model_input) if share or not own_way else {}
        predicted = self._by_weather(model_input, installed) if own_way else factors(self.parts, self.network, seen)
        result = pd.DataFrame(predicted * installed, columns=TARGETS, index=model_input.index)
        if share:
            for j, target in enumerate(TARGETS):
                low, high = self._band(seen, predicted[:, j], target, share)
                result[f"{target}_low"], result[f"{target}_high"] = low * installed[:, j], high * installed[:, j]
        return result

    def _installed(self, frame: pd.DataFrame) -> np.ndarray:
        """Return the installed capacities (n, 2) in GW; what is not given is the latest that the model learned from."""
        latest = self.about["capacity"]
        columns = [frame[name].fillna(latest[name]) if name in frame else latest[name] for name in CAPACITY]
        return np.column_stack([np.broadcast_to(np.asarray(column, float), len(frame)) for column in columns])

    def _by_weather(self, frame: pd.DataFrame, installed: np.ndarray) -> np.ndarray:
        """Return the capacity factors (n, 2), 0 to 1, of an estimator of the weather columns that predicts GW."""
        power = np.asarray((self.network or self.parts["estimator"].predict)(frame[WEATHER]), dtype="float64")
        return np.clip(np.divide(power, installed, out=np.zeros_like(power), where=installed > 0), 0, 1)

    def _band(self, seen: dict[str, Any], predicted: np.ndarray, target: str, share: float) -> tuple[Any, Any]:
        """Return (low, high) of one target as capacity factors."""
        band = self.about["band"]
        if not band:
            raise MlflowException.invalid_parameter_value("this model was logged without a band: ask without interval")
        sizes, low, high = self.parts["size"], predicted.copy(), predicted.copy()
        rows = {"around": ~seen["lonely"], "alone": seen["lonely"]}
        lit = seen["sine"] > 0 if target == "solar_GW" else np.ones(len(predicted), bool)  # night is no guess
        for company, chosen in rows.items():
            chosen = chosen & lit
            if chosen.any():
                columns = [seen["names"].index(name) for name in band[target]["columns"]]
                X = seen["around"][chosen][:, columns] if company == "around" else seen["alone"][chosen]
                size = self.intervals.size_of(sizes[company][target], X, predicted[chosen])
                table = band[target][company]
                low[chosen], high[chosen] = self.intervals.interval(predicted[chosen], size, table, share)
        return low, high


def see(features: Any, frame: pd.DataFrame) -> dict[str, Any]:
    """Return the features of the hours around ("around", of all rows) and of each row ("alone"), as far as needed.

    `features` is a fitted PowerFeatures. Raises MlflowException for a row without a time.
    """
    if TIME not in frame or frame[TIME].isna().any():
        raise MlflowException.invalid_parameter_value(f"a row has no {TIME}, which this model needs")
    lonely = np.ones(len(frame), bool) if len(frame) == 1 else features.present(frame) < PRESENT
    around: Any = None if lonely.all() else features.transform(frame)
    alone: Any = features.alone(frame) if lonely.any() else None
    names = list(features.get_feature_names_out())
    sine = alone[:, 0] if alone is not None and lonely.all() else around[:, names.index("sinel")]
    return {"around": around, "alone": alone, "lonely": lonely, "names": names, "sine": sine}


def factors(parts: dict[str, Any], network: Callable | None, seen: dict[str, Any]) -> np.ndarray:
    """Return the capacity factors (n, 2), 0 to 1, by the parts of a recipe; solar is 0 at night.

    parts["around"][target] is a list of [weight, feature names, regressor], parts["alone"][target] a regressor of the
    features of a row without neighbours; `network` predicts both targets at once in place of the former.
    """
    lonely, around, names = seen["lonely"], seen["around"], seen["names"]
    result = np.zeros((len(lonely), 2))
    if around is not None:
        if network:
            result[:] = network(around)
        else:
            for j, target in enumerate(TARGETS):
                for weight, columns, regressor in parts["around"][target]:
                    result[:, j] += weight * regressor.predict(around[:, [names.index(name) for name in columns]])
    if lonely.any():
        own = seen["alone"][lonely]
        result[lonely] = np.column_stack([parts["alone"][target].predict(own) for target in TARGETS])
    result[seen["sine"] <= NIGHT, 0] = 0
    return np.clip(result, 0, 1)


def _load(path: str) -> Any:
    import skops.io

    return skops.io.load(path, trusted=TRUSTED)


def _network(path: str) -> Callable:
    import keras

    network = keras.saving.load_model(path)
    # One batch: `network.predict` spends 100 ms on its own machinery, for any number of rows.
    return lambda x: np.asarray(network.predict_on_batch(np.asarray(x, "float32")), "float64")


def _module(path: str, name: str) -> ModuleType:
    """Import a file under a name of this model's own: another model may hold another version of it."""
    spec = importlib.util.spec_from_file_location(f"{name}_{abs(hash(str(path))):x}", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


set_model(PowerModel())
