"""The `dsgo` command. Each subcommand imports what it needs when it runs, so that `dsgo --help` answers at once."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from dsgo.base.errors import UserError, reason, refused_paths
from dsgo.base.processes import hear_ctrl_c
from dsgo.base.store_terms import FTP_PORT

PORT = click.IntRange(1, 65535)
home_option = click.option(
    "--home", type=click.Path(path_type=Path, file_okay=False), help="Folder of all data.  [default: server/]"
)
ftp_port_option = click.option("--ftp-port", type=PORT, default=FTP_PORT, help="Port of the artifact store.")
mlflow_port_option = click.option("--mlflow-port", type=PORT, default=5000, help="Port of the tracking server.")


class Commands(click.Group):
    """The subcommands; a path that the system does not take ends each in one line."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the subcommand."""
        with refused_paths():
            return super().invoke(ctx)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
def main() -> None:
    """Germany's hourly solar and wind power: from raw data to models that can be trusted."""
    hear_ctrl_c()


@main.command()
@home_option
@ftp_port_option
@mlflow_port_option
@click.option(
    "--direct", is_flag=True, help="Clients reach artifacts by ftp:// instead of through the tracking server."
)
def up(home: Path | None, ftp_port: int, mlflow_port: int, direct: bool) -> None:
    """Run the artifact store and the tracking server until Ctrl-C.

    Exit code 0 after Ctrl-C or SIGTERM, and if they are up already (nothing is touched then); 1 if one dies; 2 for a
    mistake, such as a port that is taken.
    """
    from dsgo.base.processes import interruptible
    from dsgo.stores.home import AlreadyUpError
    from dsgo.stores.running import SERVER, running_stores

    try:
        with interruptible(), running_stores(home or SERVER, ftp_port, mlflow_port, direct) as stores:
            click.echo(f"tracking server  {stores.tracking_uri}  (log: {stores.log('tracking server')})")
            click.echo(f"artifact store   {stores.ftp_uri}  (log: {stores.log('artifact store')})")
            click.echo(f"\nIn another terminal:  export MLFLOW_TRACKING_URI={stores.tracking_uri}")
            click.echo("Ctrl-C ends both.")
            stores.watch()
    except AlreadyUpError as error:
        click.echo(error.message)
    except KeyboardInterrupt:
        click.echo("Both stores have ended.")


@main.command()
@click.option("--once", is_flag=True, help="End after the table, instead of staying up until Ctrl-C.")
@home_option
@ftp_port_option
@mlflow_port_option
@click.option("--dashboard-port", type=PORT, default=8050, help="Port of the dashboard.")
def demo(once: bool, home: Path | None, ftp_port: int, mlflow_port: int, dashboard_port: int) -> None:
    """Go the whole way on the simulated sample: stores, workflow, models compared, report, dashboard."""
    from dsgo.base.processes import interruptible
    from dsgo.base.terminal import console
    from dsgo.demo import run_demo, running_dashboard
    from dsgo.stores.running import SERVER, running_stores

    screen = console()
    try:
        with interruptible(), running_stores(home or SERVER, ftp_port, mlflow_port) as stores:
            run_demo(stores, screen)
            if not once:
                with running_dashboard(stores, dashboard_port) as address:
                    screen.print(f"dashboard        {address}\n\nCtrl-C ends all.")
                    stores.watch()
    except KeyboardInterrupt:
        screen.print("Everything has ended.")


@main.command()
@click.argument("folder", type=click.Path(path_type=Path))
@home_option
def backup(folder: Path, home: Path | None) -> None:
    """Copy runs, registry and artifacts into the new FOLDER, while the stores run or not.

    Everything that a store acknowledged before is in it; users and passwords are not. A backup that does not end
    leaves no FOLDER.
    """
    from dsgo.base.processes import interruptible
    from dsgo.stores.backup import back_up, summary
    from dsgo.stores.running import SERVER

    with interruptible():
        made = back_up((home or SERVER).absolute(), folder.absolute())
    click.echo(f"{folder}: {summary(made)}")


@main.command()
@click.argument("folder", type=click.Path(path_type=Path))
@home_option
def restore(folder: Path, home: Path | None) -> None:
    """Put the backup in FOLDER into a home that holds no data and whose stores are not up.

    The whole backup is checked before anything is written. Runs of `dsgo up` hold no host, so the home may come up
    anywhere; runs of `dsgo up --direct` hold the artifact store's host and port: bring it up on the same --ftp-port.
    """
    from dsgo.base.processes import interruptible
    from dsgo.stores.backup import restore, summary
    from dsgo.stores.running import SERVER

    home = home or SERVER
    with interruptible():
        made = restore(folder.absolute(), home.absolute())
    click.echo(f"{home}: {summary(made)}")


@main.command()
@click.argument("version")
@click.option("--why", default="", help="Kept in the history.")
def promote(version: str, why: str) -> None:
    """Put a VERSION of BestModel into Production by hand; the one there is archived.

    For a version that the gate left in Staging, or to end a state that MLflow's UI left (two versions in Production).
    """
    from dsgo.models import registry

    with one_line():
        if registry.promote(version, why or f"dsgo promote {version}", "by hand"):
            unchecked = "" if registry.files_in_reach(version) else "; its files were not checked: no server to ask"
            click.echo(f"version {version} of {registry.MODEL} is in Production{unchecked}")
            return
        said = registry.look().said
    kept = f"; the reason {why!r} is not kept" if why else ""
    click.echo(f"nothing to do: {said} already{kept}")


@main.command()
def history() -> None:
    """Show what was in Production, from when to when and why, the newest first."""
    from rich.table import Table
    from rich.text import Text

    from dsgo.base.terminal import console
    from dsgo.models import registry

    with one_line():
        state = registry.look()
    table = Table("version", "since (UTC)", "until (UTC)", "how", "why", box=None)
    for entry in state.history:
        until = f"{entry.until:%Y-%m-%d %H:%M:%S}" if entry.until else "now"
        cells = [entry.version or "none", f"{entry.since:%Y-%m-%d %H:%M:%S}", until, entry.how, entry.why]
        table.add_row(*map(Text, cells))
    if state.history:
        console().print(table)
    if any(entry.how == "unrecorded" for entry in state.history):
        click.echo("unrecorded: seen afterwards. What came and went between two looks is not known.")
    if state.to_do:
        click.echo(state.said)


@main.command()
@click.argument("source", metavar="IN", type=click.Path(path_type=Path))
@click.argument("target", metavar="OUT", type=click.Path(path_type=Path))
@click.option("--model", help="URI of a model.  [default: models:/BestModel/Production]", show_default=False)
@click.option(
    "--interval",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    help="Share of the hours that a band is to hold, such as 0.8; nothing: no band.",
)
def score(source: Path, target: Path, model: str | None, interval: float | None) -> None:
    """Predict each row of IN (CSV or parquet, of any length) into OUT (parquet).

    IN has utc_timestamp and the weather columns of a dataset; OUT has utc_timestamp, solar_GW and wind_GW, and with
    --interval the ends of the band: solar_GW_low, solar_GW_high, wind_GW_low, wind_GW_high.
    """
    from dsgo.models.score import score

    with one_line(tracking=model is None or model.startswith(("models:/", "runs:/"))):
        rows = score(source, target, model, interval)
    click.echo(f"{target}: {rows:,} rows")


@main.command()
@click.argument("step")
@click.option("-P", "params", multiple=True, metavar="NAME=VALUE", help="As given to `mlflow run .`, several times.")
@click.option("--experiment-name", default="predicting_wind_solar", help="Where the step ran before.")
def why(step: str, params: tuple[str, ...], experiment_name: str) -> None:
    """Show why STEP of the workflow would run again: what changed since its last finished run."""
    from dsgo.pipeline import why

    with one_line():
        lines = why(step, params, experiment_name)
    click.echo("\n".join(lines))


@main.command()
@click.option(
    "--by",
    type=click.Choice(["lead_day", "lead", "month", "hour"]),
    default="lead_day",
    help="What a row of the table is: a day or an hour ahead, a month, an hour of day (UTC).",
)
@click.option("--experiment-name", default="predicting_wind_solar", help="Where the forecasts were made.")
def verify(by: str, experiment_name: str) -> None:
    """Show how good the forecasts were: every forecast ever made, and hindcasts, against what came."""
    from rich.table import Table

    from dsgo.base.terminal import console
    from dsgo.forecast.verify import verify

    with one_line():
        found = verify(experiment_name, by)
    table = Table(*found.header, box=None)
    for row in found.rows:
        table.add_row(*row)
    click.echo(found.about)
    console().print(table)
    click.echo(found.line)


@main.command()
@click.option("--experiment-name", default="predicting_wind_solar", help="Whose data and forecasts are looked at.")
def check(experiment_name: str) -> None:
    """Say how model, data, error and coverage stand, each with its limit: for cron or a monitor.

    Exit code 1 if one is an alarm, 0 if none is.
    """
    from dsgo.forecast.lights import NOT_KNOWN, check

    with one_line():
        found = check(experiment_name)
    for name, status in found.items():
        level, words = (status.level, status.words) if status else ("-", NOT_KNOWN)
        click.echo(f"{name:<9} {level:<8} {words}")
    if any(status and status.level == "alarm" for status in found.values()):
        raise SystemExit(1)


@contextmanager
def one_line(tracking: bool = True) -> Iterator[None]:
    """Turn an error of the stores into one line, exit code 2; show no bar for each small download."""
    from mlflow.exceptions import MlflowException

    from dsgo.runs.server import require_tracking

    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    try:
        if tracking:
            require_tracking()
        yield
    except MlflowException as error:
        raise UserError(f"the stores refused or did not answer: {reason(error)}") from error


if __name__ == "__main__":
    main()
