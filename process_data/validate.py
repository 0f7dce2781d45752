"""Check a dataset against the contract (dsgo/data/contract.py) and list everything that breaks it.

Run it with `mlflow run process_data -e validate --env-manager local -P data=...` (a run id, a URI, a parquet or CSV
file).
"""

import click
import pandas as pd

from dsgo.base.errors import UserError
from dsgo.data import clock
from dsgo.data.contract import violations
from dsgo.data.dataset import fetch_dataset, read_dataset
from dsgo.runs import options
from dsgo.runs.step import run_step, start_run


@click.command
@options.data
def main(data: str) -> None:
    """Read without mending, check, list."""
    with start_run("validate"):
        with fetch_dataset(data) as path:
            try:
                frame = pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path)
            except ValueError as error:  # pyarrow's and pandas's parse errors are both ValueErrors
                what = str(error).splitlines()[0] if path.stat().st_size else "it is empty"
                raise UserError(f"{path} is no parquet or CSV file: {what}") from error
            dataset = frame if (found := violations(frame)) else read_dataset(path)
        if found:
            click.echo("\n".join(found))
            raise UserError(f"{data or 'the dataset'} breaks the contract in {len(found)} ways, listed above")
        click.echo(f"OK: {len(frame):,} rows")
        if line := clock.report(dataset, {})["line"]:
            click.echo(f"Note: {line}")


if __name__ == "__main__":
    run_step(main)
