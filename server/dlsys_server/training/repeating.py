"""`jobs.retry`: an ended job once more, as a new one."""

from __future__ import annotations

import json

from sqlalchemy import select
from sqlalchemy.orm import Session

from dlsys_server.access.principals import Principal
from dlsys_server.core import clock, idempotency
from dlsys_server.core.database import Database
from dlsys_server.core.errors import Conflict
from dlsys_server.core.ids import new_id
from jupyter_dlsys.contract.jobs import TERMINAL_STATES, Job

from .announcing import Announcer
from .checkpoints import Checkpoints
from .finding import find_job
from .quota_gate import Gate, candidate
from .tables import JobRow
from .views import to_job

SAME = (
    "project",
    "name",
    "kind",
    "source",
    "source_hash",
    "bundle_sha",
    "environment_sha",
    "parameters",
    "inputs",
    "cpus",
    "gpus",
    "gpu_share",
    "memory_bytes",
    "max_memory_bytes",
    "priority",
    "timeout_seconds",
    "retries",
    "variables",
    "cold",
)


class Repeater:
    """Makes the new job: what was kept of the old one, and its last checkpoint."""

    def __init__(
        self, database: Database, announcer: Announcer, checkpoints: Checkpoints, gate: Gate
    ) -> None:
        self.database, self.announcer = database, announcer
        self.checkpoints, self.gate = checkpoints, gate

    def retry(self, caller: Principal, project: str, job_id: str, key: str | None) -> Job:
        """Queue a job that ended again, for the caller.

        Raises:
            NotFound: no such job in the project.
            Conflict: it has not ended.
            Forbidden: it would go over a quota of the caller or the project.
        """
        asked = idempotency.fingerprint("jobs.retry", project, job_id)
        with self.database.read() as session:
            if first := idempotency.recall(session, caller.name, key, asked):
                return Job.model_validate(first)
            old = find_job(session, project, job_id)
        if old.state not in TERMINAL_STATES:
            raise Conflict(
                f"Job {old.name} is {old.state}; only a job that has ended can be run again.",
                code="job-not-ended",
                hint=f"`dlsys jobs cancel {old.id}` ends it.",
            )
        checkpoint = self._checkpoint(old)
        need = self.gate.need(candidate(old, json.dumps(old.parameters)))
        with self.database.write() as session:
            if first := idempotency.recall(session, caller.name, key, asked):
                return Job.model_validate(first)
            warnings = self.gate.admit(session, caller.name, project, need)
            job = _copy(session, old, caller)
            job.checkpoint_sha, job.gpu_hours = checkpoint, need.least or None
            session.add(job)
            session.flush()
            self.announcer.changed(session, job.id)
            for text in warnings:
                self.announcer.note(session, job, text)
            answer = to_job(job)
            answer.warnings = warnings
            idempotency.remember(session, caller.name, key, asked, answer)
        return answer

    def _checkpoint(self, old: JobRow) -> str | None:
        """Its last checkpoint, also in the moment in which it is not in the store yet."""
        if old.state == "succeeded" or old.run_closed:
            return old.checkpoint_sha
        kept = self.checkpoints.keep(old)
        with self.database.read() as session:
            now = session.get(JobRow, old.id)
        return kept or (now.checkpoint_sha if now else None)


def _copy(session: Session, old: JobRow, caller: Principal) -> JobRow:
    same = {name: getattr(old, name) for name in SAME}
    return JobRow(
        **same,
        id=new_id(),
        owner=caller.name,
        state="queued",
        reason="Waiting to start",
        after=_still_ahead(session, old),
        retry_of=old.id,
        gpu_ids=[],
        artifacts=[],
        start_reason="",
        attempt=1,
        revision=0,
        spool_offset=0,
        run_closed=False,
        progress_done=0,
        progress_total=0,
        created_at=clock.now(),
    )


def _still_ahead(session: Session, old: JobRow) -> list[str]:
    """Jobs it comes after; those that ended without success are what the retry is to pass over."""
    rows = session.execute(select(JobRow.id, JobRow.state).where(JobRow.id.in_(old.after)))
    failed = {row.id for row in rows if row.state in TERMINAL_STATES - {"succeeded"}}
    return [job for job in old.after if job not in failed]
