"""Blending: the weighted mean of finished recipes, with weights from what each said of hours that it had not seen."""

import itertools
from dataclasses import dataclass

import mlflow
import numpy as np
import pandas as pd
from mlflow import MlflowClient

from dsgo.base import tags
from dsgo.base.errors import UserError
from dsgo.data.hold_out import split_dataset
from dsgo.data.schema import CAPACITY, TARGETS
from dsgo.models.loading import load_model
from dsgo.models.recipe import Recipe
from dsgo.models.training import JUDGED, SERVING

STEP = 8  # weights are eighths: finer ones would follow chance

Weights = dict[str, float]  # by target


@dataclass(frozen=True)
class Blended:
    """A run to blend: its two recipes, and what its recipe predicted at rolling origins before the hold-out."""

    name: str
    judged: Recipe
    serving: Recipe
    unseen: pd.DataFrame

    @classmethod
    def of(cls, run_id: str, frame: pd.DataFrame, split: str) -> "Blended":
        """Load a finished run of a trainer; UserError where it cannot be blended on this dataset."""
        run = mlflow.get_run(run_id)
        train, test = split_dataset(frame, split)
        until = run.data.tags.get(tags.TRAINED_UNTIL, "")
        if not until or pd.Timestamp(until) != train.index[-1]:
            raise UserError(f"run_ids: {run.info.run_name} ({run_id}) was fitted on other hours than this dataset has")
        path = mlflow.artifacts.download_artifacts(f"runs:/{run_id}/origins/unseen.parquet")
        unseen = pd.read_parquet(path)
        name = run.info.run_name or run_id
        judged, serving = (_recipe(run_id, name, model) for model in (JUDGED, SERVING))
        return cls(name, judged, serving, unseen[~unseen.index.isin(test.index)])


def learn_weights(members: list[Blended], hours: pd.DataFrame) -> list[Weights]:
    """Return weights by target for each member: eighths that add up to 1 and err least at the rolling origins."""
    shares = [each for each in itertools.product(range(STEP + 1), repeat=len(members)) if sum(each) == STEP]
    rows = _common(members)
    weights: list[Weights] = [{} for _ in members]
    for target, capacity in zip(TARGETS, CAPACITY, strict=True):
        truth = (
            (hours[target] / hours[capacity].where(hours[capacity] > 0)).reindex(rows.get_level_values(0)).to_numpy()
        )
        said = np.column_stack([_by_origin(member).loc[rows, target] for member in members])
        errors = [np.nanmean(np.abs(said @ (np.array(each) / STEP) - truth)) for each in shares]
        for weight, share in zip(weights, shares[int(np.argmin(errors))], strict=True):
            weight[target] = share / STEP
    return weights


def mean_of(recipes: list[Recipe], weights: list[Weights]) -> Recipe:
    """Return the weighted mean of recipes as one recipe; a part without weight is left out."""
    blend = Recipe(recipes[0].features, alone=recipes[0].alone)  # rows without neighbours: the same in every recipe
    for target in TARGETS:
        blend.around[target] = [
            [share * weight[target], columns, regressor]
            for recipe, weight in zip(recipes, weights, strict=True)
            for share, columns, regressor in recipe.around[target]
            if weight[target]
        ]
    return blend


def mean_unseen(members: list[Blended], weights: list[Weights]) -> pd.DataFrame:
    """Return what the blend would have predicted at the rolling origins (see origins.py)."""
    rows = _common(members)
    first = _by_origin(members[0]).loc[rows]
    result = {
        target: sum(
            _by_origin(member).loc[rows, target] * weight[target]
            for member, weight in zip(members, weights, strict=True)
        )
        for target in TARGETS
    }
    alone = first[[f"{target}_alone" for target in TARGETS]]
    return pd.DataFrame(result).join(alone).reset_index("origin")


def _by_origin(member: Blended) -> pd.DataFrame:
    return member.unseen.set_index("origin", append=True)


def _common(members: list[Blended]) -> pd.MultiIndex:
    """Return the (hour, origin) that all members have predicted."""
    rows = _by_origin(members[0]).index
    for member in members[1:]:
        rows = rows.intersection(_by_origin(member).index)
    if rows.empty:
        raise UserError("run_ids: the runs have no rolling origin in common: fit them on the same dataset")
    return rows


def _recipe(run_id: str, name: str, model: str) -> Recipe:
    client = MlflowClient()
    run = client.get_run(run_id)
    found = client.search_logged_models(
        [run.info.experiment_id], f"source_run_id = '{run_id}' AND name = '{model}'", max_results=1
    )
    if not found:
        raise UserError(f"run_ids: {name} ({run_id}) has logged no model {model!r}")
    inside = load_model(f"models:/{found[0].model_id}").unwrap_python_model()
    if getattr(inside, "parts", None) is None or inside.network:
        raise UserError(f"run_ids: {name} ({run_id}) cannot be blended: only recipes of trees, lines and kernels can")
    return Recipe(inside.features, inside.parts["around"], inside.parts["alone"])
