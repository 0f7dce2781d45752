"""What stands at an address that is no page: a line, and the way home."""

from typing import Any

import dash_mantine_components as dmc
import flask


def layout(**_: Any) -> Any:
    """Return the page."""
    return dmc.Paper(
        [
            dmc.Title("There is no page at this address", order=1, size="h2", mb="sm"),
            dmc.Anchor("To the first page", href="/", id="home"),
        ],
        p="xl",
        withBorder=True,
        className="card",
        id="nowhere",
    )


def answer_404(server: flask.Flask, paths: list[str]) -> None:
    """Let the frame that Dash answers every address with have status 404 where no page is in it."""

    def set_status(response: flask.Response) -> flask.Response:
        path = f"/{flask.request.path.strip('/')}"
        if response.mimetype == "text/html" and response.status_code == 200 and path not in paths:
            response.status_code = 404
        return response

    server.after_request(set_status)
