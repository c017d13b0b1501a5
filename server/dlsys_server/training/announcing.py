"""Tells the event log about a job, in the transaction of the change."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from dlsys_server.core import clock
from dlsys_server.core.events import EventLog

from .tables import JobRow


class Announcer:
    """Writes `job.changed` and the events that a job's own process spooled."""

    def __init__(self, events: EventLog) -> None:
        self.events = events

    def changed(self, session: Session, job_id: str) -> None:
        """The state, reason or progress of a job is different now."""
        job = session.get(JobRow, job_id, populate_existing=True)
        if job is not None:
            self.spooled(session, job, "job.changed", _summary(job))

    def note(self, session: Session, job: JobRow, text: str) -> None:
        """A word of the platform in the job's log; unlike the reason it stays."""
        payload = {"stream": "system", "text": f"{text}\n", "at": clock.now().timestamp()}
        self.spooled(session, job, "job.log", payload)

    def spooled(self, session: Session, job: JobRow, topic: str, payload: dict[str, Any]) -> None:
        """One event of a job."""
        self.events.append(
            session,
            topic,
            project=job.project,
            subject=f"job/{job.id}",
            actor=job.owner,
            payload=payload,
        )


def _summary(job: JobRow) -> dict[str, Any]:
    return {
        "id": job.id,
        "name": job.name,
        "state": job.state,
        "reason": job.reason,
        "exit_reason": job.exit_reason,
        "attempt": job.attempt,
        "progress": {"done": job.progress_done, "total": job.progress_total},
    }
