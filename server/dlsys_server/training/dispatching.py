"""Starts what may start: asks the policy, claims the row, hands the job to the launcher.

It also skips jobs whose upstream did not succeed, and announces that the queue has changed. Rows of
jobs that go on waiting are not touched: why they wait is computed by `explaining`.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING

from sqlalchemy import select
from sqlalchemy.orm import Session

from dlsys_server.core import clock

from .gathering import Gatherer, Upstreams, View
from .launching import Launcher
from .leading import Leadership
from .queueing import Candidate, Running
from .states import move
from .tables import JobRow
from .turns import Turns, outlook

if TYPE_CHECKING:
    from .announcing import Announcer

REPEAT_SECONDS = 2.0
ANNOUNCE_SECONDS = 1.0
PIECE = 100


class Dispatcher:
    """One round at a time, by the one scheduler."""

    def __init__(
        self,
        leadership: Leadership,
        gatherer: Gatherer,
        turns: Turns,
        launcher: Launcher,
        announcer: Announcer,
    ) -> None:
        self.database, self.worker = leadership.leader_database, leadership.worker
        self.gatherer, self.turns = gatherer, turns
        self.launcher, self.announcer = launcher, announcer
        self._decided: tuple[object, ...] = ()
        self._decided_at = 0.0
        self._announced: tuple[object, ...] = (0, 0)
        self._announced_at = 0.0
        self._projects: set[str] = set()
        self.placed_elsewhere: Callable[[], None] = lambda: None

    def dispatch(self, stopping: Callable[[], bool] = lambda: False) -> bool:
        """Start what fits; True while there is something that waits or is to be told."""
        with self.database.read() as session:
            view = self.gatherer.look(session)
            upstreams = self.gatherer.upstreams(session, view)
        if upstreams.doomed:
            self._skip(view, upstreams)
        elif view.waiting:
            self._start(view, upstreams, stopping)
        return self._announce(view) or bool(view.waiting)

    def _start(self, view: View, upstreams: Upstreams, stopping: Callable[[], bool]) -> None:
        if self.launcher.blocked():
            return
        now = time.time()
        owners = {job.owner for job in view.waiting.values()}
        elsewhere = {owner for owner in owners if self.launcher.waits_for(owner)}
        ready = [
            job
            for job in view.waiting.values()
            if job.id not in upstreams.blocking
            and (job.not_before or 0.0) <= now
            and job.owner not in elsewhere
        ]
        # The same queue gives the same answer, but for forecasts and shares, which change slowly.
        asked = (view.stamp, len(ready))
        if asked == self._decided and time.monotonic() - self._decided_at < REPEAT_SECONDS:
            return
        self._decided, self._decided_at = asked, time.monotonic()
        for one in self.choose(ready, view, now):
            if stopping():
                return
            self._begin(one)

    def choose(self, ready: list[Candidate], view: View, now: float) -> list[Running]:
        """What of the ready jobs is to start now, and on which GPUs."""
        workers = self.turns.workers
        least = min((job.cpus for job in ready), default=0.0)
        free = workers.pooled().cpus
        free -= sum(one.job.cpus for one in workers.pooled_running(view.running))
        if not ready or free + 1e-9 < least:
            return []
        times = self.turns.durations.round()
        return workers.place(
            lambda: self.turns.ordered(ready, view.running, times, now),
            view.running,
            self.turns.limits,
            outlook(times, now),
            now,
        )

    def _begin(self, one: Running) -> None:
        with self.database.write() as session:
            row = _as_it_was(session, one.job)
            if row is None:
                return
            values = {"gpu_ids": list(one.gpu_ids), "worker": one.worker, "reason": "Starting"}
            if not move(session, row, "starting", **values):
                return
            self.announcer.changed(session, one.job.id)
        if one.worker == self.worker:
            self.launcher.launch(one.job.id)
        else:
            self.placed_elsewhere()

    def _skip(self, view: View, upstreams: Upstreams) -> None:
        doomed = list(upstreams.doomed.items())
        for start in range(0, len(doomed), PIECE):
            with self.database.write() as session:
                piece = doomed[start : start + PIECE]
                names = _names(session, {upstream for _, (upstream, _) in piece})
                for job_id, (upstream, state) in piece:
                    words = f"{names.get(upstream, 'a job')} ({upstream}) {_ended(state)}"
                    self._skip_one(session, view.waiting[job_id], f"Skipped: {words}")

    def _skip_one(self, session: Session, job: Candidate, reason: str) -> None:
        row = _as_it_was(session, job)
        if row is not None and move(
            session,
            row,
            "skipped",
            reason=reason,
            exit_reason="upstream",
            finished_at=clock.now(),
            run_closed=True,
        ):
            self.announcer.changed(session, job.id)

    def _announce(self, view: View) -> bool:
        """Tell each project that its queue is different, at most once a second; True when it is
        still to be told."""
        if view.stamp == self._announced:
            return False
        if time.monotonic() - self._announced_at < ANNOUNCE_SECONDS:
            return True
        waiting = Counter(job.project for job in view.waiting.values())
        running = Counter(one.job.project for one in view.running)
        projects = waiting.keys() | running.keys()
        told = projects | self._projects
        if told:
            with self.database.write() as session:
                for project in sorted(told):
                    self.announcer.queue(session, project, waiting[project], running[project])
        self._projects = set(projects)
        self._announced, self._announced_at = view.stamp, time.monotonic()
        return False


def _as_it_was(session: Session, job: Candidate) -> JobRow | None:
    row = session.get(JobRow, job.id)
    if row is None or row.state != "queued" or row.revision != job.revision:
        return None
    return row


def _names(session: Session, ids: set[str]) -> dict[str, str]:
    query = select(JobRow.id, JobRow.name).where(JobRow.id.in_(ids))
    return {row[0]: row[1] for row in session.execute(query)}


def _ended(state: str) -> str:
    words = {"failed": "failed", "cancelled": "was cancelled", "skipped": "was skipped"}
    return words.get(state, "was lost" if state == "lost" else "is not there any more")
