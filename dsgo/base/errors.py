"""The one kind of error that is a user's mistake."""

import click


class UserError(click.ClickException):
    """A mistake of the user: shown as one line that says what is wrong and what to do, exit code 2, no traceback.

    It is a click exception, so that it ends MLflow's own commands (`mlflow run` among them) in the same way as ours.
    """

    exit_code = 2

    def __init__(self, message: str) -> None:
        """Take the line; line breaks in it are folded into spaces."""
        super().__init__(" ".join(message.split()))

    def _render_traceback_(self) -> list[str]:
        """Return what a notebook shows instead of a traceback (IPython asks for this name)."""
        return [f"Error: {self.message}"]
