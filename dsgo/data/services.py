"""Asking public web services: politely, again after a failure, and from the disk what changes no more."""

import hashlib
import json
import os
import re
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, TypeVar

import pooch
import requests
import tenacity
from filelock import FileLock, Timeout
from rich.console import Console
from rich.progress import track

from dsgo.base.errors import UserError
from dsgo.base.files import write_whole

TIMEOUT = (10, 60)  # seconds to connect, and between two pieces of an answer
LONGEST_ANSWER = 300.0  # seconds for a whole answer
TRIES = 6
LONGEST_WAIT = 120.0  # seconds that a service may ask us to wait; a longer wait ends with a line that says so
LOCK_WAIT = 3600.0  # seconds for other processes that ask the same service
T = TypeVar("T")


class AnswerError(UserError):
    """A service refused (`status` is its HTTP status, None for no answer) or answered in a form that is not known."""

    def __init__(self, message: str, status: int | None = None) -> None:
        """Take the line and the status."""
        super().__init__(message)
        self.status = status


class _AgainError(Exception):
    """The same question may be answered a little later: in `wait` seconds, None where the service does not say."""

    def __init__(self, why: str, wait: float | None = None, status: int | None = None) -> None:
        super().__init__(why)
        self.wait, self.status = wait, status


@dataclass(frozen=True)
class Service:
    """A public service: its address (the variable `variable` names a mirror), and the pause that it asks for.

    The pause is kept between calls to the public address, by all processes of a user together. A mirror needs none.
    """

    name: str
    address: str
    variable: str
    pause: float  # seconds after a call of weight 1

    @property
    def base(self) -> str:
        """The address that is asked."""
        return (os.environ.get(self.variable) or self.address).rstrip("/")

    def get(
        self, path: str, params: dict[str, str], read: Callable[[Any], T], keep: bool = False, weight: float = 1.0
    ) -> T:
        """Return what `read` makes of the JSON that the service answers; with `keep` from the disk, once it was asked.

        Keep what is not revised any more. Tried again after a broken connection, a cut answer, 429 (after the time that
        it names) and 5xx. Raises AnswerError, in a line, where the service refuses (`error.status` 404: it has nothing
        there), cannot be reached, or where `read` finds another form than the one known; such an answer is not kept.
        """
        question = json.dumps([self.base, path, sorted(params.items())])
        kept = _folder() / self.name / f"{hashlib.sha256(question.encode()).hexdigest()[:32]}.json"
        if keep and kept.is_file():
            try:
                return self.read(json.loads(kept.read_bytes()), read)
            except (AnswerError, ValueError):
                kept.unlink()  # spoilt on the disk, or of a form that an older version took: ask again
        answer = self._ask(path, params, weight)
        result = self.read(answer, read)
        if keep:
            with self._lock():
                write_whole(kept, json.dumps(answer).encode())
        return result

    def read(self, answer: Any, read: Callable[[Any], T]) -> T:
        """Return what `read` makes of an answer; AnswerError, with a piece of it, where it finds another form."""
        try:
            return read(answer)
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            raise self.odd(f"{type(error).__name__} {error}", answer) from error

    def odd(self, what: str, shown: object) -> AnswerError:
        """Return the error for an answer of another form: what is not as known, and a piece of the answer."""
        return AnswerError(f"{self.name} answers in another form than the one known: {what[:200]}: {str(shown)[:200]}")

    def require(self, condition: object, what: str, shown: object) -> None:
        """Raise AnswerError with a piece of the answer where a condition on its form does not hold."""
        if not condition:
            raise self.odd(what, shown)

    def _ask(self, path: str, params: dict[str, str], weight: float) -> Any:
        def wait(state: tenacity.RetryCallState) -> float:
            error = state.outcome.exception() if state.outcome else None
            asked = error.wait if isinstance(error, _AgainError) else None
            return 2.0**state.attempt_number if asked is None else asked

        retry = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(_AgainError),
            stop=tenacity.stop_after_attempt(TRIES),
            wait=wait,
            reraise=True,
        )
        try:
            return retry(self._once, path, params, weight)
        except _AgainError as error:
            line = f"{self.name} could not be asked: {error}, {TRIES} times ({self.base}{path}); what came is kept: "
            raise AnswerError(f"{line}run again later", error.status) from error

    def _lock(self) -> FileLock:
        folder = _folder() / self.name
        folder.mkdir(parents=True, exist_ok=True)
        return FileLock(folder / "lock", timeout=LOCK_WAIT)

    def _once(self, path: str, params: dict[str, str], weight: float) -> Any:
        """Ask once, one call at a time, after the pause. The next call's time is the time of the file `next_call`."""
        next_call = _folder() / self.name / "next_call"
        pause = self.pause * weight if self.base == self.address else 0.0
        try:
            with self._lock():
                if pause and next_call.exists():
                    time.sleep(min(max(0.0, next_call.stat().st_mtime - time.time()), LONGEST_WAIT))
                try:
                    return self._answer(*self._fetch(path, params), path)
                finally:
                    if pause:
                        next_call.touch()
                        os.utime(next_call, (time.time() + pause,) * 2)
        except Timeout:
            minutes = f"{LOCK_WAIT / 60:.0f} minutes"
            raise AnswerError(f"other processes have been asking {self.name} for {minutes}: end them") from None

    def _fetch(self, path: str, params: dict[str, str]) -> tuple[requests.Response, bytes]:
        """Return the response and its whole body."""
        end = time.monotonic() + LONGEST_ANSWER
        try:
            with requests.get(
                self.base + path, params=params, timeout=TIMEOUT, stream=True, headers={"User-Agent": "DSGoPipeline"}
            ) as response:
                body = bytearray()
                for piece in response.iter_content(2**16):
                    body += piece
                    if time.monotonic() > end:
                        raise _AgainError(f"its answer was not whole after {LONGEST_ANSWER:.0f} s")
                return response, bytes(body)
        except ValueError as error:  # of requests: no http or https URL
            raise AnswerError(f"{self.variable}={self.base} is no address that can be asked: {error}") from None
        except requests.Timeout:
            raise _AgainError(f"no answer within {TIMEOUT[1]} s") from None
        except requests.RequestException:
            raise _AgainError("no connection, or it broke off") from None

    def _answer(self, response: requests.Response, body: bytes, path: str) -> Any:
        status = response.status_code
        if status == requests.codes.too_many or status >= 500:
            reason = _reason(body) or response.reason
            wait = _wait(response.headers.get("Retry-After", ""), reason)
            if wait is not None and wait > LONGEST_WAIT:
                line = f"{self.name} asks to wait {wait / 60:.0f} minutes (it answered {status}: {reason})"
                raise AnswerError(f"{line}; what came is kept: run again then", status)
            raise _AgainError(f"it answered {status} ({reason})", wait, status)
        if status >= 400:
            raise AnswerError(f"{self.name} refused {path} with {status}: {_reason(body) or response.reason}", status)
        try:
            return json.loads(body)
        except ValueError:
            raise _AgainError(f"its answer was cut off, or is no JSON: {body[:60]!r}") from None


def progress(items: Sequence[T], what: str) -> Iterable[T]:
    """Yield the items with a bar on a terminal; nothing is shown where the output is a log."""
    console = Console(stderr=True)
    return track(items, what, console=console, transient=True, disable=not console.is_terminal)


def _folder() -> Path:
    return Path(pooch.os_cache("dsgo"))


def _wait(retry_after: str, reason: str) -> float | None:
    """Return the seconds that a service asks for: by Retry-After, or in Open-Meteo's words; None if it says nothing.

    >>> _wait("7", ""), _wait("", "Minutely API request limit exceeded. Please try again in one minute."), _wait("", "")
    (7.0, 60.0, None)
    """
    if retry_after.strip().isdigit():
        return float(retry_after)
    if retry_after:
        try:
            return max(0.0, (parsedate_to_datetime(retry_after) - datetime.now(UTC)).total_seconds())
        except (ValueError, TypeError):  # no date, or one without a zone
            return None
    words = {"minute": 60.0, "hour": 3600.0, "tomorrow": 86400.0}
    return next((seconds for word, seconds in words.items() if word in reason.lower()), None)


def _reason(body: bytes) -> str:
    """Return what the body of a refusal says, in a piece that fits a line."""
    text = body.decode("utf-8", "replace")
    try:
        answer = json.loads(text)
        said = answer.get("reason") or answer["detail"]
        text = said[0]["msg"] if isinstance(said, list) else said
    except (ValueError, LookupError, TypeError, AttributeError):
        pass
    return re.sub(r"\s+", " ", str(text))[:200].strip()
