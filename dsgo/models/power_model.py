"""The code inside every logged model: raw weather in, solar_GW and wind_GW out, whichever trainer made it.

MLflow stores this one file with the model ("models from code") and runs it from there, so it imports nothing of dsgo:
a model goes on predicting as it did on the day it was trained. No pickle: the estimator is a skops or a .keras file.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel, PythonModelContext

FEATURES = ["windspeed", "temperature", "rad_horizontal", "rad_diffuse"]
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
ZONE = r"(?i)^(.*\d[T ]\d.*?)\s*(?:(Z|UTC|GMT)|([+-]\d\d:?\d\d|[+-]\d\d))\s*(?:\[[\w/+-]+\])?\s*$"
SHOWN = 10  # fields that a refusal names
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
    """Predict power in GW, never below 0 nor above a capacity that is given, from weather in the dataset's units."""

    def load_context(self, context: PythonModelContext) -> None:
        """Load the estimator that stands beside this file."""
        path = context.artifacts["estimator"]
        if Path(path).suffix == ".keras":
            import keras

            network = keras.saving.load_model(path)
            # One batch: `network.predict` spends 100 ms on its own machinery, for any number of rows.
            self.estimate = lambda x: network.predict_on_batch(x.to_numpy("float32"))
        else:
            import skops.io

            self.estimate = skops.io.load(path, trusted=TRUSTED).predict

    def predict(
        self, context: PythonModelContext, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        """Return a frame with solar_GW and wind_GW in GW, one row for each row of `model_input`, same index.

        Where `model_input` has installed capacity, no prediction is above it. Raises MlflowException as `checked`.
        """
        table = checked(model_input)
        if not len(table):
            return pd.DataFrame(columns=TARGETS, index=model_input.index, dtype="float64")
        power = np.clip(np.asarray(self.estimate(table[FEATURES]), dtype="float64"), 0, None)
        power = np.fmin(power, table.reindex(columns=CAPACITY).to_numpy())  # where it is known
        return pd.DataFrame(power, columns=TARGETS, index=model_input.index)


def checked(model_input: pd.DataFrame) -> pd.DataFrame:
    """Return weather, and installed capacity where it is given, as float64; `utc_timestamp` as times in UTC.

    Columns may be of any type that holds numbers (whole, nullable, text of digits); `utc_timestamp` may be a column or
    the index, of times or of text, or not there. Raises MlflowException (a 400 when served) that names up to ten fields
    that are empty, no number, physically impossible, or no time with a zone, by column and row (from 1).
    """
    if missing := [name for name in FEATURES if name not in model_input]:
        raise MlflowException.invalid_parameter_value(f"no column {', '.join(missing)}")
    table = pd.DataFrame(index=model_input.index)
    wrong: list[str] = []

    def refuse(column: str, what: str, rows: np.ndarray, values: pd.Series) -> None:
        for i in np.flatnonzero(rows):
            value, time = values.iloc[i], table[TIME].iloc[i] if TIME in table else pd.NaT
            at = f" ({time:%Y-%m-%dT%H:%M:%SZ})" if pd.notna(time) else ""
            shown = repr(value[:40]) if isinstance(value, str) else str(value)[:40]
            wrong.append(f"{column} is {what.format(shown)} in row {i + 1}{at}")

    times = model_input.index.to_series() if model_input.index.name == TIME else model_input.get(TIME)
    if times is not None and (given := times.notna().to_numpy()).any():
        texts = times.astype("str").str.strip()
        parts = texts.str.extract(ZONE)
        has_zone = parts[0].notna()
        written = (parts[0] + parts[2].fillna("Z")).where(has_zone, texts).str.upper()
        written = written.where(written.str.match(r"\d{4}-"))  # pandas takes "-1" for a year
        utc = pd.to_datetime(written, utc=True, format="ISO8601", errors="coerce")
        is_time = utc.notna().to_numpy()
        refuse(TIME, "empty", ~given, times)
        refuse(TIME, "{}, no time", ~is_time & given, texts)
        refuse(TIME, "{}, without a zone (add Z or an offset)", ~has_zone.to_numpy() & is_time & given, texts)
        table[TIME] = utc.array
    for name in [name for name in LIMITS if name in model_input]:
        values = model_input[name]
        numbers = pd.to_numeric(values.astype("object"), errors="coerce").to_numpy("float64", na_value=np.nan)
        empty, (low, high) = values.isna().to_numpy(), LIMITS[name]
        if name in FEATURES:
            refuse(name, "empty", empty, values)
        refuse(name, "{}, no number", ~empty & ~np.isfinite(numbers), values)
        beyond = np.isfinite(numbers) & ((numbers < low - NOISE.get(name, 0.0)) | (numbers > high))
        refuse(name, f"{{}}, not within {low:g} and {high:g}", beyond, values)
        table[name] = np.maximum(numbers, low)  # noise around zero
    if wrong:
        more = f" and {len(wrong) - SHOWN:,} more" if len(wrong) > SHOWN else ""
        raise MlflowException.invalid_parameter_value(f"{'; '.join(wrong[:SHOWN])}{more}")
    return table


set_model(PowerModel())
