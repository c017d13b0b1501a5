"""The scheduler: starts queued jobs when their slots are free, follows running ones, ends them.

One thread, woken by submissions and cancels. Each tick first settles what runs, then schedules what
waits. Everything it does can be repeated after a crash: the job row and the attempt folder say how
far it got.
"""

from __future__ import annotations

import contextlib
import logging
import time

from sqlalchemy.exc import SQLAlchemyError

from dlsys_server.core.leases import LeaseLost
from dlsys_server.core.loops import Loop

from .dispatching import Dispatcher
from .launching import Launcher
from .leading import Leadership
from .quota_watch import QuotaWatch
from .settling import Settler
from .slots import Capacity

log = logging.getLogger(__name__)
BUSY_SECONDS = 0.1
IDLE_SECONDS = 2.0
DECIDE_SECONDS = 1.0  # the longest time to the next look at the queue, for back-offs that end


class Scheduler(Loop):
    """Runs ticks until stopped; jobs go on."""

    def __init__(
        self,
        leadership: Leadership,
        capacity: Capacity,
        launcher: Launcher,
        settler: Settler,
        dispatcher: Dispatcher,
        watch: QuotaWatch | None = None,
    ) -> None:
        super().__init__("scheduler", pause=IDLE_SECONDS)
        self.leadership, self.capacity = leadership, capacity
        self.launcher, self.settler, self.dispatcher = launcher, settler, dispatcher
        self.watch = watch
        self._decide_at = 0.0

    def stop(self) -> None:
        """Stop ticking and let go of the leases."""
        super().stop()
        with contextlib.suppress(SQLAlchemyError):  # then the leases just run out
            self.leadership.release()

    def step(self, woken: bool) -> float:
        """A tick; soon again while something runs."""
        decide = woken or time.monotonic() >= self._decide_at
        if decide:
            self._decide_at = time.monotonic() + DECIDE_SECONDS
        try:
            busy = self.tick(decide)
        except LeaseLost as lost:
            log.info("another scheduler took over", extra={"detail": str(lost)})
            return IDLE_SECONDS
        self.error = "; ".join(
            f"job {job}: {trouble}" for job, trouble in self.settler.troubles.items()
        )
        return BUSY_SECONDS if busy else IDLE_SECONDS

    def tick(self, decide: bool = True) -> bool:
        """One round; True while there is something to watch. Without `decide` running jobs are
        only looked at: what may start changes when somebody submits or something ends, which wakes.

        What this worker runs is looked at first, by one process a worker; new jobs are started
        only by the one that leads.

        Raises:
            LeaseLost: another one took over meanwhile; what was begun is not done.
        """
        self.launcher.attempts.reap()
        if not self.leadership.own.hold():
            return False
        running = self.settler.settle()
        if self.watch is not None and self.leadership.leader.hold():
            self.watch.look()
        if not decide:
            return running
        waiting = self.leadership.leader.hold() and self.dispatcher.dispatch(self.stopping)
        return running or waiting
