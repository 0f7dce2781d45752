"""Run every notebook in order and keep the executed copies: `python notebooks/run_all.py`, or `make notebooks`.

Those of 1_starting_point come first, then those of this folder. They need MLFLOW_TRACKING_URI, on stores where a
workflow has put a model into Production. The notebooks themselves stay as they are, without outputs.
"""

import tempfile
import time
from pathlib import Path

import click
import nbformat

from dsgo.base.notebook import execute
from dsgo.base.processes import interruptible
from dsgo.models import registry
from dsgo.runs.server import require_tracking

ROOT = Path(__file__).resolve().parents[1]  # the notebooks beside this file, also in a copy of the repository

NOTEBOOKS = [
    "1_starting_point/make_processed_data.ipynb",
    "1_starting_point/model_linreg.ipynb",
    "1_starting_point/model_rf.ipynb",
    "1_starting_point/model_keras.ipynb",
    "1_starting_point/report/weekly_report.ipynb",
    "notebooks/model_linreg.ipynb",
    "notebooks/model_rf.ipynb",
    "notebooks/model_keras.ipynb",
    "notebooks/compare_runs.ipynb",
    "notebooks/get_prod_model.ipynb",
]


@click.command(context_settings={"show_default": True})
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), default=ROOT / "build" / "notebooks")
def main(out: Path) -> None:
    """Execute each, one after the other; the first that fails ends it."""
    with interruptible(), tempfile.TemporaryDirectory(prefix="dsgo-") as scratch:
        require_tracking()
        registry.require_production()
        for name in NOTEBOOKS:
            click.echo(f"{name:45}", nl=False)
            begun = time.monotonic()
            executed = execute(ROOT / name, {}, Path(scratch))
            copy = out / name
            copy.parent.mkdir(parents=True, exist_ok=True)
            nbformat.write(executed, copy.with_suffix(".part"))
            copy.with_suffix(".part").replace(copy)
            click.echo(f"{time.monotonic() - begun:5.1f} s")
    click.echo(f"executed copies in {out}")


if __name__ == "__main__":
    main()
