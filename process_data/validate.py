"""Check a dataset against the contract (dsgo/data/contract.py) and list everything that breaks it.

Run it with `mlflow run process_data -e validate --env-manager local -P data=...` (a run id, a URI, a parquet or CSV
file, also in a gzip or zip).
"""

import click

from dsgo.base.errors import UserError
from dsgo.data import clock
from dsgo.data.dataset import fetch_dataset, read_dataset
from dsgo.runs import options
from dsgo.runs.step import run_step, start_run


@click.command
@options.data
def main(data: str) -> None:
    """Read without mending, check, list."""
    with start_run("validate"):
        with fetch_dataset(data) as path:
            frame, found = read_dataset(path)
        if lines := found.lines():
            click.echo("\n".join(lines))
            ways = f"{len(lines)} way{'s' * (len(lines) > 1)}"
            raise UserError(f"{data or 'the dataset'} breaks the contract in {ways}, listed above")
        click.echo(f"OK: {len(frame):,} rows")
        if line := clock.report(frame, {})["line"]:
            click.echo(f"Note: {line}")


if __name__ == "__main__":
    run_step(main)
