"""The one kind of error that is a user's mistake, and the reason in any other error."""

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager

import click

LONGEST = 300  # characters of a reason
REFUSED = (errno.ENAMETOOLONG, errno.EACCES, errno.EINVAL)  # what the system says of a path that it does not take


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


@contextmanager
def refused_paths() -> Iterator[None]:
    """Turn a path that the system does not take (its name is too long, its folder is closed) into a UserError.

    pathlib's own is_file, is_dir and exists raise OSError for these (Python before 3.14).
    """
    try:
        yield
    except OSError as error:
        if error.errno not in REFUSED or not error.filename:
            raise
        path = str(error.filename)
        shown = path if len(path) <= LONGEST // 2 else f"{path[:40]}..."
        raise UserError(f"{shown}: {error.strerror}: name another path") from error


def reason(error: BaseException) -> str:
    """Return why something failed, in one line of at most LONGEST characters: the cause, not the last wrapper.

    Follows `__cause__` and `__context__` down to the error that began it; a UserError on the way has said it already.
    Of its message, stack traces and printed tables are left out.

    >>> try:
    ...     try:
    ...         raise ValueError("cannot convert 'x'")
    ...     except ValueError as cause:
    ...         raise RuntimeError("Failed to enforce schema of data '   windspeed  temperature") from cause
    ... except RuntimeError as wrapper:
    ...     reason(wrapper)
    "cannot convert 'x'"
    >>> reason(KeyError("wind_GW")), reason(TimeoutError())
    ("KeyError: 'wind_GW'", 'TimeoutError')
    """
    seen = {error}  # `raise error from error` is a circle
    while not isinstance(error, UserError) and (below := _below(error)) and below not in seen:
        seen.add(error := below)
    text = _without_prints(str(error))
    if not text or isinstance(error, LookupError):  # of a KeyError the message is the key alone
        text = f"{type(error).__name__}: {text}".removesuffix(": ")
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."


def _below(error: BaseException) -> BaseException | None:
    """Return the error that `error` was raised from, or while; a look-up that failed is no cause but a way to ask."""
    if error.__cause__ or error.__suppress_context__:
        return error.__cause__
    return None if isinstance(error.__context__, LookupError | AttributeError) else error.__context__


def _without_prints(message: str) -> str:
    lines = [line.strip() for line in re.sub(r"\x1b\[[\d;]*m", "", message).splitlines() if line.strip()]
    if any(line.startswith("Traceback (most recent call last)") for line in lines):
        lines = lines[-1:]
    text = " ".join(" ".join(lines).split())
    # MLflow prints the data it was given, then "Error: " and the reason
    return text.rpartition("Error: ")[2] if len(lines) > 1 and "Error: " in text else text
