"""The loop that looks at the clock: writes down what is due, then gives it its turn.

One thread. More than one platform may do this on one database: see `planning.take`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from dlsys_server.core import clock
from dlsys_server.core.database import Database
from dlsys_server.core.errors import DlsysError
from dlsys_server.core.loops import Loop

from . import planning
from .submitting import Submitter

LOOK_SECONDS = 5.0
"""Looks at least so often: the machine may have slept, another platform may have added one."""
WAITING_SECONDS = 1.0
SHORTEST_SECONDS = 0.01


class Firer(Loop):
    """Runs ticks until stopped; what is pending goes on with the next start. `now` is the clock."""

    def __init__(
        self, database: Database, submitter: Submitter, now: Callable[[], datetime] = clock.now
    ) -> None:
        super().__init__("schedules", pause=WAITING_SECONDS)
        self.database, self.submitter, self.now = database, submitter, now

    def step(self, woken: bool) -> float:
        """A tick, whoever called for it."""
        return self.tick()

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
