"""The loop that looks at the clock: writes down what is due, then gives it its turn.

One thread. More than one platform may do this on one database: see `planning.take`.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import datetime

from dlsys_server.core import clock
from dlsys_server.core.database import Database
from dlsys_server.core.errors import DlsysError

from . import planning
from .submitting import Submitter

log = logging.getLogger(__name__)
LOOK_SECONDS = 5.0
"""Looks at least so often: the machine may have slept, another platform may have added one."""
WAITING_SECONDS = 1.0
SHORTEST_SECONDS = 0.01


class Firer:
    """Runs ticks until stopped. `now` is the clock."""

    def __init__(
        self, database: Database, submitter: Submitter, now: Callable[[], datetime] = clock.now
    ) -> None:
        self.database, self.submitter, self.now = database, submitter, now
        self._wake, self._stopping = threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None
        self.error = ""

    def start(self) -> None:
        """Begin in a thread."""
        self._thread = threading.Thread(target=self._run, name="schedules", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop; what is pending goes on with the next start."""
        self._stopping.set()
        self.wake()
        if self._thread is not None:
            self._thread.join(15)

    def wake(self) -> None:
        """Look soon."""
        self._wake.set()

    def _run(self) -> None:
        while not self._stopping.is_set():
            seconds = WAITING_SECONDS
            try:
                seconds = self.tick()
            except Exception as error:
                self.error = f"{type(error).__name__}: {error}"
                log.exception("schedules cannot be looked at")
            self._wake.wait(seconds)
            self._wake.clear()

    def tick(self) -> float:
        """One round; seconds until the next one is worth it."""
        now, troubles = self.now(), []
        with self.database.read() as session:
            rows = planning.due(session, now)
        for row in rows:
            try:
                planning.take(self.database, row, now)
            except DlsysError as error:
                troubles.append(f"{row.name}: {error.detail}")
        waits = self.submitter.advance()
        self.error = "; ".join(troubles)
        if waits or troubles:
            return WAITING_SECONDS
        with self.database.read() as session:
            following = planning.next_due(session)
        if following is None:
            return LOOK_SECONDS
        seconds = (following - self.now()).total_seconds()
        return min(LOOK_SECONDS, max(SHORTEST_SECONDS, seconds))
