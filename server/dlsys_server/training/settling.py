"""Follows running jobs: their events into the log, their verdicts to the finisher.

The rules for dead supervisors are in `jupyter_dlsys/runtime/supervisor`.
"""

from __future__ import annotations

import logging
from typing import Any

from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from dlsys_server.core import clock
from dlsys_server.core.database import Database
from dlsys_server.core.leases import LeaseLost
from jupyter_dlsys.contract.spool import tail

from .announcing import Announcer
from .attempts import Status
from .closing import Closer
from .finishing import Finisher
from .launching import Launcher
from .states import HOLDING, QUOTA, move
from .tables import AttemptRow, JobRow

log = logging.getLogger(__name__)
SPOOL_TOPICS = frozenset(
    {
        "job.cell",
        "job.output",
        "job.log",
        "job.progress",
        "job.error",
        "job.phase",
        "job.widgets",
        "job.start",
    }
)


WINDOW = 2**19
"""Bytes of events taken at once from a job; more than any one event has."""


class Settler:
    """Settles every job of this worker that holds slots. `worker` is its name in job rows."""

    def __init__(
        self,
        database: Database,
        launcher: Launcher,
        finisher: Finisher,
        closer: Closer,
        announcer: Announcer,
        worker: str,
    ) -> None:
        self.database, self.launcher, self.announcer = database, launcher, announcer
        self.finisher, self.closer, self.worker = finisher, closer, worker
        self.attempts = launcher.attempts
        self.troubles: dict[str, str] = {}

    def settle(self) -> bool:
        """Look at each running job once; True when there is one.

        Raises:
            LeaseLost: another process settles the jobs of this worker.
        """
        query = select(JobRow).where(
            JobRow.state.in_(HOLDING),
            or_(JobRow.worker == self.worker, JobRow.worker.is_(None)),
        )
        with self.database.read() as session:
            jobs = session.scalars(query).all()
        self.troubles = {}
        for job in jobs:
            try:
                self._settle(job)
            except LeaseLost:
                raise
            except Exception as error:  # one job's trouble is not the others'
                self.troubles[job.id] = f"{type(error).__name__}: {error}"
                log.exception("job cannot be settled", extra={"job": job.id})
        self.closer.close_waiting()
        return bool(jobs)

    def _settle(self, job: JobRow) -> None:
        status = self.attempts.probe(job)
        self._drain(job)
        if status.state == "done":
            self._finish(job, status)
        elif status.state == "alive":
            if job.state == "starting":
                self._run(job)
            elif job.state == "cancelling":
                self.attempts.cancel(job, softly=job.exit_reason == QUOTA)
        elif job.state == "cancelling" and not self.attempts.started(job):
            self.attempts.close_unstarted(job)
        elif self.attempts.started(job):
            self.attempts.launch(job)
        else:
            self.launcher.launch(job.id)

    def _drain(self, job: JobRow, to_the_end: bool = False) -> None:
        """New events into the log: one window of them, so that a flood does not keep the other
        jobs waiting, or all that there are."""
        path = self.attempts.own(job) / "events.jsonl"
        more = True
        while more:
            more = to_the_end
            found, offset = tail(path, job.spool_offset, WINDOW)
            if offset == job.spool_offset:
                return
            with self.database.write() as session:
                if not self._claim(session, job, offset):
                    return
                self._publish(session, job, found)
            job.spool_offset = offset

    def _claim(self, session: Session, job: JobRow, offset: int) -> bool:
        result = session.execute(
            update(JobRow)
            .where(
                JobRow.id == job.id,
                JobRow.attempt == job.attempt,
                JobRow.spool_offset == job.spool_offset,
            )
            .values(spool_offset=offset)
        )
        return getattr(result, "rowcount", 0) == 1

    def _publish(self, session: Session, job: JobRow, found: list[dict[str, Any]]) -> None:
        for event in found:
            if event["topic"] not in SPOOL_TOPICS:
                continue
            payload = {**event["payload"], "at": event["t"]}
            if event["topic"] == "job.progress":
                self._progress(session, job, payload)
            if event["topic"] == "job.start":
                self._started(session, job, payload)
            self.announcer.spooled(session, job, event["topic"], payload)

    def _progress(self, session: Session, job: JobRow, payload: dict[str, Any]) -> None:
        done, total = payload.get("done"), payload.get("total")
        if isinstance(done, int) and isinstance(total, int):
            session.execute(
                update(JobRow)
                .where(JobRow.id == job.id)
                .values(progress_done=done, progress_total=total)
            )

    def _started(self, session: Session, job: JobRow, payload: dict[str, Any]) -> None:
        """Which way it was started is known only to the process itself."""
        mode, reason = str(payload.get("mode"))[:16], str(payload.get("reason") or "")[:1000]
        if mode not in ("parked", "forked", "cold"):
            return
        started = {"start_mode": mode, "start_reason": reason}
        session.execute(update(JobRow).where(JobRow.id == job.id).values(**started))
        session.execute(
            update(AttemptRow)
            .where(AttemptRow.job_id == job.id, AttemptRow.number == job.attempt)
            .values(**started)
        )

    def _run(self, job: JobRow) -> None:
        of = f" (attempt {job.attempt} of {job.retries + 1})" if job.attempt > 1 else ""
        with self.database.write() as session:
            row = session.get(JobRow, job.id)
            if row is None or (row.state, row.attempt) != ("starting", job.attempt):
                return
            values: dict[str, Any] = {"started_at": clock.now(), "not_before": None}
            if move(session, row, "running", reason=f"Running{of}", **values):
                self.announcer.changed(session, job.id)

    def _finish(self, job: JobRow, status: Status) -> None:
        self._drain(job, to_the_end=True)  # the verdict came after the last event
        if job.state == "starting":
            self._run(job)
        with self.database.read() as session:
            now = session.get(JobRow, job.id)
        if now is None or now.state not in HOLDING or now.attempt != job.attempt:
            return
        if self.finisher.finish(now, status):
            self.closer.close(now.id)
