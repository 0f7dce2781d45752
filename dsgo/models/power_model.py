"""The code inside every logged model: raw weather in, solar_GW and wind_GW out, by any trainer, with a band if asked.

MLflow stores this file with the model ("models from code") and runs it from there, so it imports nothing of dsgo; the
features and the band's arithmetic (features.py, intervals.py) are stored beside it. A model goes on predicting as it
did on the day it was trained. No pickle: estimators are skops or .keras files, all else is JSON.
"""

import importlib.util
import json
import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import sklearn
from mlflow.exceptions import MlflowException
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel, PythonModelContext
from threadpoolctl import ThreadpoolController

WEATHER = ["windspeed", "temperature", "rad_horizontal", "rad_diffuse"]
TARGETS = ["solar_GW", "wind_GW"]
CAPACITY = ["solar_capacity_GW", "wind_capacity_GW"]
TIME = "utc_timestamp"
# What is physically possible, as dsgo/data/schema.py has it: m/s, degrees C, W/m2, GW.
LIMITS = {
    "windspeed": (0.0, 100.0),
    "temperature": (-90.0, 60.0),
    "rad_horizontal": (0.0, 1500.0),
    "rad_diffuse": (0.0, 1500.0),
    "solar_capacity_GW": (0.0, 1000.0),
    "wind_capacity_GW": (0.0, 1000.0),
}
NOISE = {"windspeed": 0.05, "rad_horizontal": 0.5, "rad_diffuse": 0.5}  # below zero by no more counts as 0
# A zone at the end of date and time, as dsgo/data/columns.py has it.
ZONE = re.compile(r"(?i)^(.*\d[T ]\d.*?)\s*(?:(Z|UTC|GMT)|([+-]\d\d:?\d\d|[+-]\d\d))\s*(?:\[[\w/+-]+\])?\s*$")
YEAR = re.compile(r"\d{4}-")
SHOWN = 10  # fields that a refusal names
NIGHT = -0.06  # sine of the sun's elevation up to which solar power is 0: three and a half degrees below the horizon
PRESENT = 0.4  # share of the 12 hours either side that must be there for the features of the hours around
# What skops does not know by itself of scikit-learn's regressors and transformers: arrays of numbers, and functions
# that only compute. Each by its name: all of "sklearn." would let through what opens files.
_COMPUTES = {
    "numpy": "clip dtype max mean median min nan_to_num",
    "scipy._lib.array_api_compat.numpy._aliases": "asarray",
    "scipy.interpolate._bsplines": "BSpline",
    "scipy.sparse._csc": "csc_array csc_matrix",
    "scipy.sparse._csr": "csr_array csr_matrix",
    "sklearn._loss.loss": "HalfTweedieLoss HalfTweedieLossIdentity",
    "sklearn.cluster._bisect_k_means": "_BisectingTree",
    "sklearn.cluster._kmeans": "_kmeans_single_elkan _kmeans_single_lloyd",
    "sklearn.ensemble._hist_gradient_boosting.predictor": "TreePredictor",
    "sklearn.feature_selection._mutual_info": "mutual_info_regression",
    "sklearn.feature_selection._univariate_selection": "chi2 f_classif f_regression r_regression",
    "sklearn.gaussian_process.kernels": "CompoundKernel ConstantKernel DotProduct ExpSineSquared Exponentiation Matern "
    "PairwiseKernel Product RBF RationalQuadratic Sum WhiteKernel",
    "sklearn.metrics._dist_metrics": "BrayCurtisDistance64 CanberraDistance64 ChebyshevDistance64 DiceDistance64 "
    "EuclideanDistance64 HammingDistance64 HaversineDistance64 JaccardDistance64 MahalanobisDistance64 "
    "ManhattanDistance64 MinkowskiDistance64 RogersTanimotoDistance64 RussellRaoDistance64 SEuclideanDistance64 "
    "SokalMichenerDistance64 SokalSneathDistance64",
    "sklearn.neighbors._ball_tree": "BallTree",
    "sklearn.neighbors._kd_tree": "KDTree",
    "sklearn.neural_network._stochastic_optimizers": "AdamOptimizer SGDOptimizer",
    "sklearn.tree._tree": "Tree",
    "sklearn.utils._bunch": "Bunch",
}
TRUSTED = [f"{module}.{name}" for module, names in _COMPUTES.items() for name in names.split()]


class PowerModel(PythonModel):
    """Predict power in GW, never below 0 nor above the installed capacity, from weather in the dataset's units."""

    sizes: dict[str, Any] = {}  # noqa: RUF012  # models of the error's size; empty: there is no band
    estimate: Callable | None = None  # of the four weather columns, in GW; None: `parts` predict from the features
    about: dict[str, Any] = {}  # noqa: RUF012  # what about.json says; read only

    def load_context(self, context: PythonModelContext) -> None:
        """Load what stands beside this file, as dsgo/models/training.py writes it."""
        files = context.artifacts
        if "about" in files:
            self.about = json.loads(Path(files["about"]).read_text(encoding="utf-8"))
            self.intervals, place = _module(files["intervals"], "intervals"), self.about["place"]
            self.features = _module(files["features"], "features").PowerFeatures(zone=place["zone"])
            for name in ("place_", "winter_", "shift_"):
                setattr(self.features, name, place[name])
        if "estimator" in files:
            network = Path(files["estimator"]).suffix == ".keras"
            self.estimate = _network(files["estimator"]) if network else _load(files["estimator"]).predict
        else:
            self.parts = _load(files["recipe"])
            self.network = _network(files["network"]) if "network" in files else None
        self.sizes = _load(files["sizes"]) if "sizes" in files else {}
        self.threads = ThreadpoolController()  # of the libraries that are loaded by now

    def predict(
        self, context: PythonModelContext, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        """Return a frame with solar_GW and wind_GW in GW, one row for each row of `model_input`, same index.

        With the parameter `interval` (a share such as 0.8) also solar_GW_low, solar_GW_high, wind_GW_low, wind_GW_high.
        No prediction is above the installed capacity; where that is not given, the latest that the model learned from
        stands in. Raises MlflowException as `checked`, and where what was asked needs a time and there is none.
        """
        # A call is short: threads that are started for it, or wait for a core, take longer than its work.
        with self.threads.limit(limits=1):
            return self._predict(model_input, self._share(params))

    def _predict(self, model_input: pd.DataFrame, share: float) -> pd.DataFrame:
        table = checked(model_input)
        ends = [f"{target}_{end}" for target in TARGETS for end in ("low", "high")] if share else []
        if not len(table):
            return pd.DataFrame(columns=TARGETS + ends, index=model_input.index, dtype="float64")
        if TIME not in table and (share or not self.estimate):
            what = "a band" if self.estimate else "this model"
            raise MlflowException.invalid_parameter_value(f"no column {TIME} with times, which {what} needs")
        installed = np.column_stack([self._installed(table, name) for name in CAPACITY])
        seen = {} if self.estimate and not share else see(self.features, table)
        if self.estimate:
            power = np.fmin(np.clip(np.asarray(self.estimate(table[WEATHER]), dtype="float64"), 0, None), installed)
        else:
            # The features are finite and the estimators were fitted: to check both again costs a single row its time.
            with sklearn.config_context(assume_finite=True, skip_parameter_validation=True):
                power = factors(self.parts, self.network, seen) * installed
        result = pd.DataFrame(power, columns=TARGETS, index=model_input.index)
        if share:
            predicted = np.divide(power, installed, out=np.zeros_like(power), where=installed > 0)
            for j, target in enumerate(TARGETS):
                low, high = self._band(seen, predicted[:, j], target, share)
                result[f"{target}_low"] = np.minimum(low * installed[:, j], power[:, j])
                result[f"{target}_high"] = np.maximum(high * installed[:, j], power[:, j])
        return result

    def _share(self, params: dict[str, Any] | None) -> float:
        share = float((params or {}).get("interval") or 0.0)
        if not 0 <= share < 1:
            raise MlflowException.invalid_parameter_value(f"interval={share:g} is no share: it lies between 0 and 1")
        if share and not self.sizes:
            raise MlflowException.invalid_parameter_value("this model was logged without a band: ask without interval")
        return share

    def _installed(self, table: pd.DataFrame, name: str) -> np.ndarray:
        """Return the installed capacity in GW (n,); what is not given is the latest that the model learned from."""
        latest = self.about.get("capacity", {}).get(name, np.nan)
        return table[name].fillna(latest).to_numpy() if name in table else np.full(len(table), latest)

    def _band(self, seen: dict[str, Any], predicted: np.ndarray, target: str, share: float) -> tuple[Any, Any]:
        """Return (low, high) of one target as capacity factors."""
        table, low, high = self.about["band"][target], predicted.copy(), predicted.copy()
        lit = seen["sine"] > 0 if target == "solar_GW" else np.ones(len(predicted), bool)  # night is no guess
        for company, chosen in {"around": lit & ~seen["lonely"], "alone": lit & seen["lonely"]}.items():
            if chosen.any():
                columns = [seen["names"].index(name) for name in table["columns"]]
                X = seen["around"][chosen][:, columns] if company == "around" else seen["alone"][chosen]
                size = self.intervals.size_of(self.sizes[company][target], X, predicted[chosen])
                low[chosen], high[chosen] = self.intervals.interval(predicted[chosen], size, table[company], share)
        return low, high


def checked(model_input: pd.DataFrame) -> pd.DataFrame:
    """Return weather, and installed capacity where it is given, as float64; `utc_timestamp` as times in UTC.

    Columns may be of any type that holds numbers (whole, nullable, text of digits); `utc_timestamp` may be a column or
    the index, of times or of text, or not there. Raises MlflowException (a 400 when served) that names up to ten fields
    that are empty, no number, physically impossible, or no time with a zone, by column and row (from 1).
    """
    if missing := [name for name in WEATHER if name not in model_input]:
        raise MlflowException.invalid_parameter_value(f"no column {', '.join(missing)}")
    columns: dict[str, Any] = {}  # made a frame at the end, for a single row is to take a millisecond or two
    wrong: list[str] = []

    def refuse(column: str, what: str, rows: np.ndarray, values: Any) -> None:
        for i in np.flatnonzero(rows):
            value, time = values[i], columns[TIME][i] if TIME in columns else pd.NaT
            at = f" ({time:%Y-%m-%dT%H:%M:%SZ})" if pd.notna(time) else ""
            shown = repr(value[:40]) if isinstance(value, str) else str(value)[:40]
            wrong.append(f"{column} is {what.format(shown)} in row {i + 1}{at}")

    times = model_input.index.to_series() if model_input.index.name == TIME else model_input.get(TIME)
    if times is not None and (given := times.notna().to_numpy()).any():
        texts = [str(text).strip() for text in times.astype("str").to_numpy("object")]
        zones = [ZONE.search(text) for text in texts]
        whole = [_utc(zone) if zone else text.upper() for zone, text in zip(zones, texts, strict=True)]
        written = [text if YEAR.match(text) else None for text in whole]  # pandas takes "-1" for a year
        utc = pd.to_datetime(written, utc=True, format="ISO8601", errors="coerce")
        is_time, has_zone = utc.notna(), np.array([zone is not None for zone in zones])
        refuse(TIME, "empty", ~given, texts)
        refuse(TIME, "{}, no time", ~is_time & given, texts)
        refuse(TIME, "{}, without a zone (add Z or an offset)", ~has_zone & is_time & given, texts)
        columns[TIME] = utc
    for name in [name for name in LIMITS if name in model_input]:
        values = model_input[name]
        if values.dtype.kind in "iuf" and isinstance(values.dtype, np.dtype):
            numbers = values.to_numpy("float64")
        else:
            numbers = pd.to_numeric(values.astype("object"), errors="coerce").to_numpy("float64", na_value=np.nan)
        empty, (low, high) = values.isna().to_numpy(), LIMITS[name]
        if name in WEATHER:
            refuse(name, "empty", empty, values.array)
        refuse(name, "{}, no number", ~empty & ~np.isfinite(numbers), values.array)
        beyond = np.isfinite(numbers) & ((numbers < low - NOISE.get(name, 0.0)) | (numbers > high))
        refuse(name, f"{{}}, not within {low:g} and {high:g}", beyond, values.array)
        columns[name] = np.maximum(numbers, low)  # noise around zero
    if wrong:
        more = f" and {len(wrong) - SHOWN:,} more" if len(wrong) > SHOWN else ""
        raise MlflowException.invalid_parameter_value(f"{'; '.join(wrong[:SHOWN])}{more}")
    return pd.DataFrame(columns, index=model_input.index)


def _utc(zone: re.Match[str]) -> str:
    return f"{zone[1]}{zone[3] or 'Z'}".upper()


def see(features: Any, table: pd.DataFrame) -> dict[str, Any]:
    """Return the features of the hours around ("around", of all rows) and of each row ("alone"), as far as needed.

    `features` is a fitted PowerFeatures; `table` has weather and utc_timestamp.
    """
    lonely = np.ones(len(table), bool) if len(table) == 1 else features.present(table) < PRESENT
    around: Any = None if lonely.all() else features.transform(table)
    alone: Any = features.alone(table) if lonely.any() else None
    names = list(features.get_feature_names_out())
    sine = alone[:, 0] if around is None else around[:, names.index("sinel")]
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
