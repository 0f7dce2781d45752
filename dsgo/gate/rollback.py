"""Put the last Production version of BestModel back; called again, the one before.

Run it with `mlflow run . -e rollback --env-manager local -P why="..."`; `dsgo history` shows what was and is.
"""

import click
import mlflow

from dsgo.base import tags
from dsgo.models import registry
from dsgo.runs.step import run_step, start_run


@click.command
@click.option("--why", default="", help="Kept in the history.")
def main(why: str) -> None:
    """Roll back, say so."""
    with start_run("rollback"):
        left, back = registry.rollback(why or "mlflow run . -e rollback")
        sentence = f"version {back} of {registry.MODEL} is back in Production, version {left} is archived"
        mlflow.set_tag(tags.CONCLUSION, sentence)
    print(sentence)


if __name__ == "__main__":
    run_step(main)
