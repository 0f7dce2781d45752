"""Connections kept for reuse, a few to each server; a request whose connection broke is made again on another one.

They belong to the process: every repository of one login shares them, a forked child begins with none, and the end of
the process closes them.
"""

import atexit
import ftplib
import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import TypeVar

from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import ABORTED, PERMISSION_DENIED

from dsgo.artifacts.ftp import control
from dsgo.artifacts.ftp.address import Login
from dsgo.artifacts.ftp.connection import Connection
from dsgo.artifacts.ftp.control import Lost, Refused, Unreachable

BUSY = ("421", "425", "426")  # replies that tell of the connection, not of the request
CONNECTIONS = 8  # at most, to one server with one login
IDLE = 5  # seconds that an unused connection is kept
DELAYS = (0.1, 0.5, 1, 2, 4)  # seconds before each further attempt; together longer than others keep what they leave

Item = TypeVar("Item")
Result = TypeVar("Result")


class Pool:
    """The connections of one login."""

    def __init__(self, login: Login) -> None:
        """Begin with none."""
        self.login = login
        self._limit = CONNECTIONS
        self._open = 0
        self._idle: list[tuple[float, Connection]] = []  # with the time they were last used; the newest last
        self._changed = threading.Condition()
        self._timer: threading.Timer | None = None
        self._was_reached = False

    # ---- requests

    def run(self, what: str, work: Callable[[Connection], Result], stop: threading.Event | None = None) -> Result:
        """Return what `work` does on a connection; if that breaks, it is called again on another, after a while.

        `what` ("store /a/b") stands in messages. Raises MlflowException: PERMISSION_DENIED for what is refused, ABORTED
        for a store that is full, down, silent or otherwise unable. A server that cannot be reached at the first attempt
        of this process is given up at once; a silent one after two times TIMEOUT.
        """
        stop = stop or threading.Event()
        first_failure = None
        for delay in (*DELAYS, None):
            try:
                with self._connection() as connection:
                    connection.stop = stop
                    return work(connection)
            except Lost as error:
                problem: Exception = error
            except ftplib.Error as error:
                if str(error)[:3] not in BUSY:
                    raise self._refusal(error, what) from error
                problem = error
            now = time.monotonic()
            first_failure = first_failure or now
            is_over = delay is None or now - first_failure > control.TIMEOUT or stop.is_set()
            if is_over or (isinstance(problem, Unreachable) and not self._was_reached):
                raise self._failure(problem, what) from problem
            stop.wait(delay)
        raise AssertionError("unreachable")

    def run_each(
        self, what: str, work: Callable[[Connection, Item], Result], items: list[Item], done: Callable[[], None]
    ) -> list[Result]:
        """Run `work` for every item, several at a time; the first that fails ends it, and Ctrl-C does at once.

        `what` has a field for the item ("store {}"); `done` is called after each.
        """
        stop = threading.Event()

        def one(item: Item) -> Result:
            result = self.run(what.format(item), lambda connection: work(connection, item), stop)
            done()
            return result

        if len(items) < 2:
            return [one(item) for item in items]
        threads = ThreadPoolExecutor(min(CONNECTIONS, (len(items) + 1) // 2), "ftp")
        try:
            futures = [threads.submit(one, item) for item in items]
            wait(futures, return_when=FIRST_EXCEPTION)
            threads.shutdown(cancel_futures=True)
        except BaseException:  # Ctrl-C, wherever it comes: what is in hand ends, instead of being waited for
            stop.set()
            threads.shutdown(cancel_futures=True)
            raise
        for future in futures:
            if not future.cancelled():
                future.result()
        return [future.result() for future in futures]

    # ---- connections

    @contextmanager
    def _connection(self) -> Iterator[Connection]:
        connection = self._take()
        try:
            yield connection
        except BaseException:
            connection.close()
            with self._changed:
                self._forget(1)
            raise
        with self._changed:
            self._idle.append((time.monotonic(), connection))
            self._changed.notify()
            if self._timer is None:
                self._start_timer(IDLE)

    def _take(self) -> Connection:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._idle or self._open < self._limit)
                connection = self._idle.pop()[1] if self._idle else None
                self._open += connection is None
            try:
                if connection is None:
                    connection = Connection(self.login)
                    self._was_reached = True
                    return connection
                if connection.is_usable():
                    return connection
                connection.close()
            except BaseException as error:
                with self._changed:
                    self._forget(1)
                    if self._open and isinstance(error, Lost | ftplib.Error):
                        self._limit = self._open  # it takes no more than it has: go on with these
                        continue
                raise
            with self._changed:
                self._forget(1)

    def _forget(self, closed: int) -> None:
        self._open -= closed
        if not self._open:
            self._limit = CONNECTIONS
        self._changed.notify_all()

    def _start_timer(self, seconds: float) -> None:
        self._timer = threading.Timer(seconds, self._drop_idle)
        self._timer.daemon = True
        self._timer.start()

    def _drop_idle(self) -> None:
        """Close what has been idle for long; look again as long as there is anything."""
        with self._changed:
            now = time.monotonic()
            old = [connection for used, connection in self._idle if now - used >= IDLE]
            self._idle = [each for each in self._idle if now - each[0] < IDLE]
            self._forget(len(old))
            self._timer = None
            if self._idle:
                self._start_timer(self._idle[0][0] + IDLE - now)
        for connection in old:
            connection.hang_up()

    def close(self) -> None:
        """Close the idle connections."""
        with self._changed:
            idle, self._idle = self._idle, []
            self._forget(len(idle))
        for _, connection in idle:
            connection.hang_up()

    # ---- messages

    def _failure(self, problem: Exception, what: str) -> MlflowException:
        reason = self._one_line(problem)
        if isinstance(problem, Unreachable):
            message = f"the artifact store {self.login.server} does not answer ({reason}): is it running?"
        elif isinstance(problem, ftplib.Error):
            message = f"the artifact store {self.login.server} refused: {reason} (to {what}): try again later"
        else:
            message = f"the artifact store {self.login.server} broke off: {reason} (to {what}): try again later"
        return MlflowException(message, ABORTED)

    def _refusal(self, error: Exception, what: str) -> MlflowException:
        reply = self._one_line(error)
        if isinstance(error, Refused):
            advice = error.advice
        elif ("TLS" in reply or "encryption" in reply) and not self.login.tls:
            advice = "begin the artifact URI with ftps://"
        elif reply.startswith("530"):
            advice = f"check the user {self.login.user} and the password (in DSGO_FTP_PASSWORD or ~/.netrc)"
        elif reply.startswith(("452", "552")):
            advice = "make room there"
        elif reply.startswith(("550", "553")):
            advice = f"check that {self.login.user} may do this, and that the path can be"
        else:
            advice = "ask the person who runs it"
        message = f"the artifact store {self.login.server} refused: {reply} (to {what}): {advice}"
        return MlflowException(message, PERMISSION_DENIED if reply[:3] in ("530", "550") else ABORTED)

    def _one_line(self, error: Exception) -> str:
        return " ".join(str(error).split()).replace(self.login.password, "***")


_pools: dict[Login, Pool] = {}
_lock = threading.Lock()


def pool_of(login: Login) -> Pool:
    """Return this process's pool for a login."""
    with _lock:
        if login not in _pools:
            _pools[login] = Pool(login)
        return _pools[login]


@atexit.register
def close_all() -> None:
    """Close all idle connections of this process."""
    for pool in list(_pools.values()):
        pool.close()


def _begin_anew() -> None:
    """Forget, in a forked child, the connections that are its parent's: its copies are closed without a word."""
    global _pools, _lock
    _pools, _lock = {}, threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_anew)
