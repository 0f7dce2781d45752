"""Every regressor and transformer of scikit-learn, stored as a trainer's model is, and loaded in another process."""

import subprocess
import sys

import mlflow
import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.base import BaseEstimator
from sklearn.cluster import Birch, BisectingKMeans
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.feature_selection import SelectKBest, r_regression
from sklearn.gaussian_process import GaussianProcessRegressor, kernels
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge, TweedieRegressor
from sklearn.multioutput import MultiOutputRegressor
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, SplineTransformer, StandardScaler
from sklearn.utils import all_estimators

from dsgo.base.errors import UserError
from dsgo.data.dataset import Dataset
from dsgo.data.schema import TARGETS, WEATHER
from dsgo.models import saving
from dsgo.models.power_model import TRUSTED
from dsgo.models.rows import model_input
from dsgo.models.training import log_candidate
from gate_models import experiment_id

LEFT_OUT = {
    "Birch": "skops cannot write its tree of clusters; the test below shows the line that says so",
    "TSNE": "places the rows that it is fitted on and has no transform for others",
}
rng = np.random.default_rng(1)
X = pd.DataFrame(rng.uniform(0.1, 1, (40, 4)), columns=WEATHER)
BOTH = np.column_stack([X["rad_horizontal"] + X["rad_diffuse"], X["windspeed"] ** 2])
ONE, CLASS = BOTH[:, 0], (BOTH[:, 0] > BOTH[:, 0].mean()).astype(int)
TEXTS, DICTS = ["a calm day", "a stormy day"], [{"calm": 1.0}, {"storm": 2.0}]
REGRESSORS = [("ridge", Ridge()), ("line", LinearRegression())]
CLASSIFIERS = [("regression", LogisticRegression()), ("again", LogisticRegression(C=2))]
OPTIONS = {  # what an estimator cannot be made without, or does not take of a few small columns
    "ColumnTransformer": {"transformers": [("scaled", StandardScaler(), WEATHER[:2])]},
    "FeatureHasher": {"n_features": 8},
    "FeatureUnion": {"transformer_list": [("scaled", StandardScaler())]},
    "GaussianRandomProjection": {"n_components": 2},
    "HashingVectorizer": {"n_features": 8},
    "SparseCoder": {"dictionary": np.eye(4)},
    "SparseRandomProjection": {"n_components": 2},
    **{key: {"estimator": Ridge()} for key in ["MultiOutputRegressor", "RegressorChain"]},
    **{key: {"estimator": Ridge()} for key in ["RFE", "RFECV", "SelectFromModel", "SequentialFeatureSelector"]},
    **{key: {"estimators": REGRESSORS} for key in ["StackingRegressor", "VotingRegressor"]},
    **{key: {"estimators": CLASSIFIERS} for key in ["StackingClassifier", "VotingClassifier"]},
}
INPUTS = {  # other than weather, with the power of both kinds for a regressor and of one for a transformer
    "IsotonicRegression": (X[WEATHER[:1]], ONE),
    "StackingRegressor": (X, ONE),
    **dict.fromkeys(["CCA", "PLSCanonical", "PLSRegression", "PLSSVD"], (X, BOTH)),
    "MissingIndicator": (X.mask(X > 0.9), None),
    "KernelCenterer": (X.to_numpy() @ X.to_numpy().T, None),
    "PatchExtractor": (rng.uniform(0, 1, (3, 12, 12)), None),
    "FeatureHasher": (DICTS, None),
    "DictVectorizer": (DICTS, None),
    **dict.fromkeys(["CountVectorizer", "TfidfVectorizer", "HashingVectorizer"], (TEXTS, None)),
    **dict.fromkeys(["LabelBinarizer", "LabelEncoder"], (["calm", "storm", "calm"], None)),
    "MultiLabelBinarizer": ([["calm"], ["storm", "gale"]], None),
    "TfidfTransformer": (np.arange(12).reshape(4, 3), None),
    **dict.fromkeys(["LinearDiscriminantAnalysis", "NeighborhoodComponentsAnalysis"], (X, CLASS)),
    **dict.fromkeys(["StackingClassifier", "VotingClassifier"], (X, CLASS)),
}
OTHER_PROCESS = """
import sys
from pathlib import Path
import numpy as np, pandas as pd, scipy.sparse, skops.io
from dsgo.models.power_model import TRUSTED

folder = Path(sys.argv[1])
inputs = skops.io.load(folder / "inputs.skops", trusted=TRUSTED)
for path in sorted(folder.glob("*.model")):
    estimator = skops.io.load(path, trusted=TRUSTED)
    rows = inputs[path.stem]
    rows = pd.DataFrame(rows["frame"]) if isinstance(rows, dict) else rows
    answer = (estimator.predict if path.stem.startswith("regressor") else estimator.transform)(rows)
    answer = answer.toarray() if scipy.sparse.issparse(answer) else np.asarray(answer)
    np.save(path.with_suffix(".npy"), answer.astype(float))
"""


def fitted(name, cls, kind):
    """An estimator fitted on little, and the rows that it was fitted on."""
    rows, target = INPUTS.get(name, (X, BOTH if kind == "regressor" else ONE))
    estimator = cls(**OPTIONS.get(name, {}))
    if kind == "regressor" and target is BOTH and not estimator.__sklearn_tags__().target_tags.multi_output:
        estimator = MultiOutputRegressor(estimator)
    return (estimator.fit(rows) if target is None else estimator.fit(rows, target)), rows


def answer_of(estimator, kind, rows):
    answer = (estimator.predict if kind == "regressor" else estimator.transform)(rows)
    return answer.toarray().astype(float) if hasattr(answer, "toarray") else np.asarray(answer).astype(float)


@pytest.mark.filterwarnings("ignore")
def test_dump__every_regressor_and_transformer_answers_alike_in_another_process(tmp_path):
    wanted, inputs = {}, {}
    for kind in ("regressor", "transformer"):
        for name, cls in all_estimators(type_filter=kind):
            if name in LEFT_OUT:
                continue
            estimator, rows = fitted(name, cls, kind)
            case = f"{kind}-{name}"
            wanted[case] = answer_of(estimator, kind, rows)
            inputs[case] = {"frame": rows.to_dict("list")} if isinstance(rows, pd.DataFrame) else rows
            saving.dump(estimator, tmp_path / f"{case}.model")
    saving.dump(inputs, tmp_path / "inputs.skops")

    subprocess.run([sys.executable, "-c", OTHER_PROCESS, str(tmp_path)], check=True, timeout=300)

    assert len(wanted) > 100
    for case, answer in wanted.items():
        np.testing.assert_allclose(np.load(tmp_path / f"{case}.npy"), answer, rtol=1e-9, atol=1e-12, err_msg=case)


OF_OPTIONS = {
    "gaussian process": GaussianProcessRegressor(
        kernels.Matern() + kernels.RationalQuadratic() * kernels.DotProduct() ** 2 + kernels.WhiteKernel()
    ),
    "ball tree": KNeighborsRegressor(algorithm="ball_tree", metric="haversine"),
    "minkowski": KNeighborsRegressor(algorithm="kd_tree", p=3),
    "tweedie": MultiOutputRegressor(TweedieRegressor(power=1.5, link="log")),
    "bisecting": make_pipeline(BisectingKMeans(3, algorithm="elkan"), Ridge()),
    "selected": make_pipeline(SelectKBest(r_regression, k=1), Ridge()),
    "clipped": make_pipeline(FunctionTransformer(np.clip, kw_args={"a_min": 0.2, "a_max": 0.8}), Ridge()),
}


@pytest.mark.parametrize("name", OF_OPTIONS)
@pytest.mark.filterwarnings("ignore")
def test_dump__what_an_option_brings_with_it_is_trusted_too(name, tmp_path):
    rows = X[WEATHER[:2]]
    estimator = OF_OPTIONS[name].fit(rows, ONE if name == "selected" else BOTH)

    saving.dump(estimator, tmp_path / "estimator.skops")

    loaded = skops.io.load(tmp_path / "estimator.skops", trusted=TRUSTED)
    np.testing.assert_allclose(loaded.predict(rows), estimator.predict(rows))


class Own(BaseEstimator):
    def transform(self, rows):
        return rows


Own.__module__ = "__main__"  # as if this file were the trainer's script


@pytest.mark.parametrize(
    ("estimator", "says"),
    [
        (Birch(), "without a pickle: Objects of type Birch are not supported yet; take another class"),
        (FunctionTransformer(np.round), "numpy.round is not trusted"),
        (FunctionTransformer(np.round), "add it to TRUSTED in dsgo/models/power_model.py"),
        (Own(), "__main__.Own stands in the trainer's script, which is not there when the model serves"),
    ],
)
def test_dump__what_cannot_be_stored_ends_in_one_line_that_names_it(estimator, says, tmp_path):
    with pytest.raises(UserError) as raised:
        saving.dump(make_pipeline(estimator, Ridge()), tmp_path / "estimator.skops")

    assert says in raised.value.message


def test_log_candidate__a_pipeline_of_splines_and_extra_trees_answers_alike_in_another_process(
    tracking, small_dataset, tmp_path
):
    def fit(hours):
        splines = ColumnTransformer([("splines", SplineTransformer(), WEATHER)])
        trees = ExtraTreesRegressor(10, min_samples_leaf=5, random_state=1)
        return make_pipeline(splines, trees).fit(hours[WEATHER], hours[TARGETS])

    with mlflow.start_run(experiment_id=experiment_id("stranger")) as run:
        metrics = log_candidate(fit, Dataset(small_dataset, "small.csv", None), "chronological")
    model_input(small_dataset.tail(24)).to_parquet(tmp_path / "day.parquet")

    code = (
        "import sys, pandas as pd; from dsgo.models.loading import load_model; "
        "load_model(sys.argv[1]).predict(pd.read_parquet(sys.argv[2])).to_parquet(sys.argv[3])"
    )
    arguments = [f"runs:/{run.info.run_id}/model", str(tmp_path / "day.parquet"), str(tmp_path / "answer.parquet")]
    subprocess.run([sys.executable, "-c", code, *arguments], check=True, timeout=300)

    assert metrics["r2"] > 0.8
    train = small_dataset[small_dataset.index < "2016-01-01"]
    wanted = np.clip(fit(train).predict(small_dataset.tail(24)[WEATHER]), 0, None)
    np.testing.assert_allclose(pd.read_parquet(tmp_path / "answer.parquet")[TARGETS].to_numpy(), wanted)
