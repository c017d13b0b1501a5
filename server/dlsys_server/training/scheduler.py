"""The scheduler: starts queued jobs when their slots are free, follows running ones, ends them.

One thread, woken by submissions and cancels. Each tick first settles what runs, then schedules what
waits. Everything it does can be repeated after a crash: the job row and the attempt folder say how
far it got.
"""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from sqlalchemy import select

from dlsys_server.core.database import Database

from .launching import Launcher
from .settling import Settler
from .slots import Capacity, Slots
from .states import HOLDING, move
from .tables import JobRow

if TYPE_CHECKING:
    from .announcing import Announcer

log = logging.getLogger(__name__)
BUSY_SECONDS = 0.1
IDLE_SECONDS = 2.0
QUEUE_WINDOW = 200


class Scheduler:
    """Runs ticks until stopped."""

    def __init__(
        self,
        database: Database,
        capacity: Capacity,
        launcher: Launcher,
        settler: Settler,
        announcer: Announcer,
    ) -> None:
        self.database, self.capacity = database, capacity
        self.launcher, self.settler, self.announcer = launcher, settler, announcer
        self._wake, self._stopping = threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None
        self.error = ""

    def start(self) -> None:
        """Begin ticking in a thread."""
        self._thread = threading.Thread(target=self._run, name="scheduler", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop ticking; jobs go on."""
        self._stopping.set()
        self.wake()
        if self._thread is not None:
            self._thread.join(15)

    def wake(self) -> None:
        """Tick soon."""
        self._wake.set()

    def _run(self) -> None:
        while not self._stopping.is_set():
            busy = False
            try:
                busy = self.tick()
                self.error = "; ".join(
                    f"job {job}: {trouble}" for job, trouble in self.settler.troubles.items()
                )
            except Exception as error:
                self.error = f"{type(error).__name__}: {error}"
                log.exception("scheduler tick failed")
            self._wake.wait(BUSY_SECONDS if busy else IDLE_SECONDS)
            self._wake.clear()

    def tick(self) -> bool:
        """One round; True while there is something to watch."""
        self.launcher.attempts.reap()
        running = self.settler.settle()
        waiting = self.schedule()
        return running or waiting

    def schedule(self) -> bool:
        """Start what fits, in order of priority and age; say to the others why they wait."""
        with self.database.read() as session:
            queue = session.scalars(
                select(JobRow)
                .where(JobRow.state == "queued")
                .order_by(JobRow.priority.desc(), JobRow.id)
                .limit(QUEUE_WINDOW)
            ).all()
            if not queue:
                return False
            holding = session.scalars(select(JobRow).where(JobRow.state.in_(HOLDING))).all()
        slots = Slots.left(self.capacity, holding)
        blocked = self.launcher.blocked()
        gpus_reserved = False
        for position, job in enumerate(queue):
            if self._stopping.is_set():
                break
            lacking = blocked or ("a free GPU" if job.gpus and gpus_reserved else "")
            lacking = lacking or slots.lacking(job)
            if lacking:
                gpus_reserved = gpus_reserved or job.gpus > 0
                self._explain(job, lacking, position)
                continue
            self._begin(job, slots)
        return True

    def _begin(self, job: JobRow, slots: Slots) -> None:
        gpu_ids = slots.take(job)
        with self.database.write() as session:
            if not move(session, job, "starting", gpu_ids=gpu_ids, reason="Starting"):
                return
            self.announcer.changed(session, job.id)
        self.launcher.launch(job.id)

    def _explain(self, job: JobRow, lacking: str, position: int) -> None:
        reason = f"Waiting for {lacking}" + (f" ({position} ahead of you)" if position else "")
        if reason == job.reason:
            return
        with self.database.write() as session:
            row = session.get(JobRow, job.id)
            if row is not None and row.state == "queued":
                row.reason = reason
                session.flush()
                self.announcer.changed(session, job.id)
