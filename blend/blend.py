"""Blend finished runs: a weighted mean of their models beats each of them.

In: the run ids of trainers with features=full (`run_ids`) and the dataset that they were fitted on (`data`; nothing:
the newest). The weights are learned from what each predicted at its rolling origins, in time order, never of the
hold-out. Out, on the MLflow run: the blend that is judged and the one to serve, hold-out metrics and figures.
`mlflow run blend --env-manager local -P run_ids=A,B,C` runs it.
"""

import click
import mlflow

from dsgo.data.dataset import load_dataset
from dsgo.models.blending import Blended, learn_weights, mean_of, mean_unseen
from dsgo.models.training import log_fitted, summary
from dsgo.runs import options
from dsgo.runs.run_ids import parse_run_ids
from dsgo.runs.step import run_step, start_run


@click.command
@click.option("--run-ids", default="", help="The runs to blend: run ids, with commas between them.")
@options.data
@options.split
def main(run_ids: str, data: str, split: str) -> None:
    """Load the models, learn their weights, log their mean."""
    with start_run("blend"):
        dataset = load_dataset(data)
        members = [Blended.of(run_id, dataset.frame, split) for run_id in parse_run_ids(run_ids)]
        weights = learn_weights(members, dataset.frame)
        mlflow.log_dict({member.name: share for member, share in zip(members, weights, strict=True)}, "weights.json")

        judged = mean_of([member.judged for member in members], weights)
        serving = mean_of([member.serving for member in members], weights)
        metrics = log_fitted(judged, serving, mean_unseen(members, weights), dataset, split)
    print(summary("blend", metrics))


if __name__ == "__main__":
    run_step(main)
