"""Asking public web services: politely, again after a failure, and from the disk what changes no more."""

import hashlib
import json
import os
import re
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pooch
import requests
import tenacity

from dsgo.base.errors import UserError
from dsgo.base.files import write_whole

TIMEOUT = (10, 60)  # seconds to connect, and between two pieces of an answer
TRIES = 5
LONGEST_WAIT = 120.0  # seconds that a service may ask us to wait; a longer wait ends with a line that says so


class AnswerError(UserError):
    """A service refused (`status` is its HTTP status), or answered in another form than the one known."""

    def __init__(self, message: str, status: int | None = None) -> None:
        """Take the line and the status."""
        super().__init__(message)
        self.status = status


class _AgainError(Exception):
    """The same question may be answered a little later: `wait` seconds, None where the service does not say."""

    def __init__(self, why: str, wait: float | None = None) -> None:
        super().__init__(why)
        self.wait = wait


@dataclass
class Service:
    """A public service: its address (the variable `variable` names a mirror), and the pause that it asks for."""

    name: str
    address: str
    variable: str
    pause: float = 0.0  # seconds between two calls; the public address asks for it, a mirror does not
    folder: Path | None = None  # of the kept answers; None: the user's cache
    _last: float = field(default=-1e9, repr=False)

    @property
    def base(self) -> str:
        """The address that is asked."""
        return os.environ.get(self.variable, self.address).rstrip("/")

    def get(self, path: str, params: dict[str, Any] | None = None, keep: bool = False) -> Any:
        """Return the JSON that the service answers; with `keep` from the disk, where it was asked before.

        Keep what is not revised any more. Tried again after a broken connection, a cut answer, 429 (after the time that
        it names) and 5xx. Raises AnswerError, in a line, where it refuses (`error.status` 404: it has nothing there) or
        cannot be reached.
        """
        kept = self._kept(path, params or {})
        if keep and kept.is_file():
            return json.loads(kept.read_bytes())
        answer = self._ask(path, params or {})
        if keep:
            kept.parent.mkdir(parents=True, exist_ok=True)
            write_whole(kept, json.dumps(answer).encode())
        return answer

    def _kept(self, path: str, params: dict[str, Any]) -> Path:
        question = json.dumps([self.base, path, sorted(params.items())])
        folder = self.folder or Path(pooch.os_cache("dsgo"))
        return folder / self.name / f"{hashlib.sha256(question.encode()).hexdigest()[:32]}.json"

    def _ask(self, path: str, params: dict[str, Any]) -> Any:
        def wait(state: tenacity.RetryCallState) -> float:
            error = state.outcome.exception() if state.outcome else None
            asked = error.wait if isinstance(error, _AgainError) else None
            return asked if asked is not None else min(2.0 ** (state.attempt_number - 1), 30.0)

        retry = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(_AgainError),
            stop=tenacity.stop_after_attempt(TRIES),
            wait=wait,
            reraise=True,
        )
        try:
            return retry(self._once, path, params)
        except _AgainError as error:
            raise AnswerError(f"{self.name} ({self.base}) could not be asked: {error}, {TRIES} times") from error

    def _once(self, path: str, params: dict[str, Any]) -> Any:
        if self.base == self.address:
            time.sleep(max(0.0, self._last + self.pause - time.monotonic()))
        try:
            response = requests.get(f"{self.base}{path}", params=params, timeout=TIMEOUT)
        except requests.Timeout:
            raise _AgainError(f"no answer within {TIMEOUT[1]} s") from None
        except (requests.ConnectionError, requests.exceptions.ChunkedEncodingError):
            raise _AgainError("no connection, or it broke off") from None
        except (requests.RequestException, ValueError) as error:
            raise AnswerError(f"{self.variable}={self.base} is no address that can be asked: {error}") from None
        finally:
            self._last = time.monotonic()
        return self._read(response, path)

    def _read(self, response: requests.Response, path: str) -> Any:
        status = response.status_code
        if status == requests.codes.too_many:
            wait = _wait(response)
            if wait is not None and wait > LONGEST_WAIT:
                raise AnswerError(f"{self.name} asks to wait: {_reason(response)}. Run again then; what came is kept")
            raise _AgainError("it had too many calls (429)", wait)
        if status >= 500:
            raise _AgainError(f"it answered {status}")
        if status >= 400:
            raise AnswerError(f"{self.name} refused {path} with {status}: {_reason(response)}", status)
        try:
            return response.json()
        except ValueError:
            raise _AgainError("its answer was cut off, or is no JSON") from None


def _wait(response: requests.Response) -> float | None:
    """Return the seconds that a 429 asks for: by Retry-After, or by Open-Meteo's words; None where it says nothing."""
    if text := response.headers.get("Retry-After", ""):
        return float(text) if text.strip().isdigit() else LONGEST_WAIT
    words = {"minute": 61.0, "hour": 3600.0, "tomorrow": 86400.0, "daily": 86400.0}
    reason = _reason(response).lower()
    return next((seconds for word, seconds in words.items() if word in reason), None)


def _reason(response: requests.Response) -> str:
    try:
        body = response.json()
    except ValueError:
        body = None
    if isinstance(body, dict):
        detail = body.get("reason") or body.get("detail") or body.get("message")
        if isinstance(detail, list) and detail and isinstance(detail[0], dict):
            detail = detail[0].get("msg")
        if detail:
            return str(detail)[:200]
    return re.sub(r"\s+", " ", response.text)[:200] or response.reason


def require(condition: object, service: Service, what: str, shown: object) -> None:
    """Raise AnswerError with a piece of the answer where it does not have the form known."""
    if not condition:
        raise AnswerError(f"{service.name} answers in another form than the one known: {what}: {str(shown)[:200]}")
