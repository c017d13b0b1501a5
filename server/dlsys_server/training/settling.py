"""Follows running jobs: their events into the log, their verdict into the row, their files into the
store. The rules for dead supervisors are in `jupyter_dlsys/runtime/supervisor.py`."""

from __future__ import annotations

import logging
import time
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from dlsys_server.access import tokens
from dlsys_server.core import clock
from dlsys_server.core.database import Database
from dlsys_server.core.errors import DlsysError
from dlsys_server.metadata.service import MetadataService
from jupyter_dlsys.contract.spool import tail

from .announcing import Announcer
from .attempts import Status
from .keeping import Keeper
from .launching import Launcher
from .states import HOLDING, move
from .tables import JobRow

log = logging.getLogger(__name__)
SPOOL_TOPICS = frozenset(
    {"job.cell", "job.output", "job.log", "job.progress", "job.error", "job.phase"}
)
FINAL_STATES = {"cancelled": "cancelled", "lost": "lost"}
RUN_STATUS = {"succeeded": "FINISHED", "cancelled": "KILLED"}
CLOSE_SECONDS = 5.0


class Settler:
    """Settles every job that holds slots."""

    def __init__(
        self,
        database: Database,
        launcher: Launcher,
        keeper: Keeper,
        announcer: Announcer,
        metadata: MetadataService,
    ) -> None:
        self.database, self.launcher, self.keeper = database, launcher, keeper
        self.announcer, self.metadata = announcer, metadata
        self.attempts = launcher.attempts
        self.troubles: dict[str, str] = {}
        self._closed_at = 0.0

    def settle(self) -> bool:
        """Look at each running job once; True when there is one."""
        with self.database.read() as session:
            jobs = session.scalars(select(JobRow).where(JobRow.state.in_(HOLDING))).all()
        self.troubles = {}
        for job in jobs:
            try:
                self._settle(job)
            except Exception as error:  # one job's trouble is not the others'
                self.troubles[job.id] = f"{type(error).__name__}: {error}"
                log.exception("job cannot be settled", extra={"job": job.id})
        self._close_runs()
        return bool(jobs)

    def _settle(self, job: JobRow) -> None:
        status = self.attempts.probe(job)
        self._drain(job)
        if status.state == "done":
            self._finish(job.id, status)
        elif status.state == "alive":
            if job.state == "starting":
                self._change(job.id, "running", started_at=clock.now(), reason="Running")
            elif job.state == "cancelling":
                self.attempts.cancel(job)
        elif job.state == "cancelling" and not self.attempts.started(job):
            self.attempts.close_unstarted(job)
        elif self.attempts.started(job):
            self.attempts.launch(job)
        else:
            self.launcher.launch(job.id)

    def _drain(self, job: JobRow) -> None:
        path = self.attempts.folder(job) / "events.jsonl"
        while True:
            found, offset = tail(path, job.spool_offset)
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
            .where(JobRow.id == job.id, JobRow.spool_offset == job.spool_offset)
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
            self.announcer.spooled(session, job, event["topic"], payload)

    def _progress(self, session: Session, job: JobRow, payload: dict[str, Any]) -> None:
        done, total = payload.get("done"), payload.get("total")
        if isinstance(done, int) and isinstance(total, int):
            session.execute(
                update(JobRow)
                .where(JobRow.id == job.id)
                .values(progress_done=done, progress_total=total)
            )

    def _change(self, job_id: str, state: str, **values: Any) -> bool:
        with self.database.write() as session:
            row = session.get(JobRow, job_id)
            if row is None or not move(session, row, state, **values):
                return False
            self.announcer.changed(session, job_id)
            return True

    def _finish(self, job_id: str, status: Status) -> None:
        with self.database.read() as session:
            job = session.get(JobRow, job_id)
        if job is None or job.state not in HOLDING:
            return
        self._drain(job)
        result = status.result or {}
        exit_reason = result.get("reason")
        state = FINAL_STATES.get(exit_reason or "", "failed" if exit_reason else "succeeded")
        if job.state == "starting":
            self._change(job_id, "running", started_at=clock.now(), reason="Running")
            with self.database.read() as session:
                job = session.get(JobRow, job_id) or job
        if state == "cancelled" and job.state == "running":
            self._change(job_id, "cancelling", reason="Cancelling")
        kept = self.keeper.keep(job)
        reason = str(result.get("message") or "") or ("Done" if state == "succeeded" else state)
        values = {**kept, "reason": reason, "exit_reason": exit_reason}
        finished = clock.from_epoch(float(result.get("finished_at") or time.time()))
        with self.database.write() as session:
            row = session.get(JobRow, job_id)
            if row is None or not move(session, row, state, finished_at=finished, **values):
                return
            tokens.revoke(session, job.project, f"job/{job_id}")
            self.announcer.changed(session, job_id)
        self._close_run(job_id)

    def _close_runs(self) -> None:
        """Runs whose end MLflow has not heard of yet, because it was down."""
        if time.monotonic() - self._closed_at < CLOSE_SECONDS:
            return
        self._closed_at = time.monotonic()
        with self.database.read() as session:
            pending = session.scalars(
                select(JobRow.id)
                .where(
                    JobRow.state.in_(("succeeded", "failed", "cancelled", "lost")),
                    JobRow.run_closed.is_(False),
                )
                .limit(20)
            ).all()
        for job_id in pending:
            self._close_run(job_id)

    def _close_run(self, job_id: str) -> None:
        with self.database.read() as session:
            job = session.get(JobRow, job_id)
        if job is None:
            return
        try:
            if job.run_id:
                status = RUN_STATUS.get(job.state, "FAILED")
                self.metadata.finish_run(job.project, job.run_id, status)
        except DlsysError as error:
            log.warning("run not closed yet", extra={"job": job_id, "detail": error.detail})
            return
        with self.database.write() as session:
            session.execute(update(JobRow).where(JobRow.id == job_id).values(run_closed=True))
        self.attempts.remove(job)
