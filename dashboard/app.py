"""The dashboard on the Production model: `python dashboard/app.py`, then http://127.0.0.1:8050.

It follows the tracking server of MLFLOW_TRACKING_URI, which need not be up yet. live.py is what it knows, pages/ what
it shows; everything it needs in the browser comes from here, nothing from the internet.
"""

import logging
import tempfile
from pathlib import Path

import click
import dash
import dash_mantine_components as dmc
import waitress
from dash import Dash

import live
from downloads import add_downloads
from dsgo.base.errors import UserError
from dsgo.base.network import LOOPBACK
from dsgo.base.processes import interruptible
from dsgo.runs.server import tracking_uri
from guard import add_guard, host_of
from monitoring import add_monitoring

HERE = Path(__file__).resolve().parent
THREADS = 8
EVERYWHERE = ("0.0.0.0", "::", "*", "")


def create_app(hosts: list[str]) -> Dash:
    """Return the app with its pages, which answers on loopback and `hosts`; `live.start` begins to fill it."""
    from pages import explore, models, next_week, nowhere, overview, record, what_if, years
    from shell import shell

    dmc.pre_render_color_scheme()
    app = Dash(
        __name__,
        use_pages=True,
        pages_folder="",
        assets_folder=str(HERE / "assets"),
        title="Sun & wind",
        update_title="",
        index_string=(HERE / "index.html").read_text(),
        suppress_callback_exceptions=True,  # a page's controls are there only while it is open
    )
    pages = {"Next week": next_week, "Record": record, "Overview": overview, "Explore": explore}
    pages |= {"Years": years, "Models": models, "What if": what_if}
    for order, (name, page) in enumerate(pages.items()):
        title = f"{name} · Sun & wind"
        dash.register_page(name, path=page.PATH, name=name, title=title, layout=page.layout, order=order)
    dash.register_page("not_found_404", title="No such page · Sun & wind", layout=nowhere.layout)
    app.layout = shell
    nowhere.answer_404(app.server, [page.PATH for page in pages.values()])
    add_guard(app.server, hosts)
    add_downloads(app.server)
    add_monitoring(app.server)
    return app


@click.command(context_settings={"show_default": True})
@click.option("--host", default=LOOPBACK, help="Address to listen on; any other lets others in.")
@click.option("--allowed-hosts", default="", help="Names under which others reach it, with commas between them.")
@click.option("--port", type=click.IntRange(1, 65535), default=8050)
@click.option("--experiment", default="predicting_wind_solar", help="The experiment whose runs are shown.")
def main(host: str, allowed_hosts: str, port: int, experiment: str) -> None:
    """Show the dashboard until Ctrl-C."""
    logging.basicConfig(format="%(name)s: %(message)s")
    names = [name.strip() for name in allowed_hosts.split(",") if name.strip()]
    if wrong := [name for name in names if not host_of(name)]:
        raise UserError(f"--allowed-hosts: {wrong[0]!r} is no name: write NAME or NAME:PORT, without http://")
    if host in EVERYWHERE and not names:
        raise UserError(f"--host {host} lets others in: say under which names, with --allowed-hosts NAME,NAME")
    tracking_uri()  # missing or mistyped: said at once. Its server need not be up yet
    app = create_app(names if host in EVERYWHERE else [*names, f"[{host}]" if ":" in host else host])
    with tempfile.TemporaryDirectory(prefix="dsgo-dashboard-") as folder, interruptible():
        try:
            server = waitress.create_server(app.server, host=host, port=port, threads=THREADS)
        except OSError as error:
            raise UserError(f"{host}:{port} cannot be listened on ({error.strerror}): choose another --port") from None
        tempfile.tempdir = folder  # MLflow leaves each model that it fetches in a folder of its own
        follower = live.start(experiment)
        try:
            click.echo(f"dashboard        http://{host}:{port}  (Ctrl-C ends it)")
            server.run()
        except KeyboardInterrupt:
            pass
        finally:
            follower.end()
            follower.join(2)  # what it is fetching may still come
            tempfile.tempdir = None


if __name__ == "__main__":
    main()
