"""What is left to do when a job has ended, and may have to wait: MLflow hears of it, the checkpoint
is kept, the folder goes. Folders that no job needs any more go, too."""

from __future__ import annotations

import logging
import re
import time

from sqlalchemy import or_, select, update

from dlsys_server.core.database import Database
from dlsys_server.core.errors import DlsysError
from dlsys_server.metadata.service import MetadataService

from .attempts import Attempts
from .checkpoints import Checkpoints
from .states import TRANSITIONS
from .tables import JobRow

log = logging.getLogger(__name__)
ENDED = tuple(state for state, following in TRANSITIONS.items() if not following)
RUN_STATUS = {"succeeded": "FINISHED", "cancelled": "KILLED"}
CLOSE_SECONDS = 5.0
JOB_ID = re.compile(r"[0-9A-HJKMNP-TV-Z]{26}")


class Closer:
    """Closes ended jobs of this worker; every step can be repeated."""

    def __init__(
        self,
        database: Database,
        attempts: Attempts,
        metadata: MetadataService,
        checkpoints: Checkpoints,
        worker: str,
    ) -> None:
        self.database, self.attempts, self.worker = database, attempts, worker
        self.metadata, self.checkpoints = metadata, checkpoints
        self._closed_at = 0.0
        self._strangers: set[str] | None = None

    def close_waiting(self) -> None:
        """Ended jobs that could not be closed yet, because MLflow or the store was down."""
        if time.monotonic() - self._closed_at < CLOSE_SECONDS:
            return
        self._closed_at = time.monotonic()
        with self.database.read() as session:
            pending = session.scalars(
                select(JobRow.id)
                .where(
                    JobRow.state.in_(ENDED),
                    JobRow.run_closed.is_(False),
                    or_(JobRow.worker == self.worker, JobRow.worker.is_(None)),
                )
                .limit(20)
            ).all()
        for job_id in pending:
            self.close(job_id)
        self._sweep()

    def close(self, job_id: str) -> None:
        """Do what is left for one job, or leave it for later."""
        with self.database.read() as session:
            job = session.get(JobRow, job_id)
        if job is None or job.state not in ENDED:
            return
        try:
            if job.run_id:
                status = RUN_STATUS.get(job.state, "FAILED")
                self.metadata.finish_run(job.project, job.run_id, status)
            kept = None if job.state == "succeeded" else self.checkpoints.keep(job)
            size = self.checkpoints.keeper.store.size(kept) if kept else 0
        except DlsysError as error:
            log.warning("job not closed yet", extra={"job": job_id, "detail": error.detail})
            return
        with self.database.write() as session:
            session.execute(
                update(JobRow)
                .where(JobRow.id == job_id, JobRow.run_closed.is_(False))
                .values(run_closed=True, checkpoint_sha=kept, kept_bytes=JobRow.kept_bytes + size)
            )
        self.attempts.remove(job)

    def _sweep(self) -> None:
        """Once after the start: folders of jobs that are unknown or over, and their processes."""
        if self._strangers is None:
            names = (path.name for path in self.attempts.root.glob("*") if path.is_dir())
            self._strangers = {name for name in names if JOB_ID.fullmatch(name)}
        for name in list(self._strangers):
            if self._removed(name):
                self._strangers.discard(name)

    def _removed(self, job_id: str) -> bool:
        """True when there is nothing more to do about a folder."""
        with self.database.read() as session:
            job = session.get(JobRow, job_id)
        if job is not None and (job.state not in ENDED or not job.run_closed):
            return True
        numbers = [p.name for p in (self.attempts.root / job_id).glob("*") if p.name.isdigit()]
        tries = [JobRow(id=job_id, attempt=int(number)) for number in numbers]
        stopped = [self._stopped(attempt) for attempt in tries]  # each of them is asked to end
        if not all(stopped):
            return False
        log.warning("folder of no live job removed", extra={"job": job_id})
        self.attempts.remove(JobRow(id=job_id, attempt=1))
        return True

    def _stopped(self, attempt: JobRow) -> bool:
        """Whether nothing of an attempt runs; else it is asked to end."""
        status = self.attempts.probe(attempt)
        if status.state == "done":
            return True
        if status.state == "alive":
            self.attempts.cancel(attempt)
            return False
        if self.attempts.started(attempt):
            self.attempts.launch(attempt)
            return False
        self.attempts.close_unstarted(attempt)
        return True
