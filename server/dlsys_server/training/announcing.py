"""Tells the event log about a job, in the transaction of the change."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from dlsys_server.access.quota_words import Standing
from dlsys_server.core import clock
from dlsys_server.core.events import EventLog

from .states import changed_attempts
from .tables import JobRow


class Announcer:
    """Writes `job.changed`, `job.attempt` and the events that a job's own process spooled.

    Events of attempts after the first carry their number as `attempt`. A `job.attempt` with a new
    number comes before every event of that attempt and after every one of those before.
    """

    def __init__(self, events: EventLog) -> None:
        self.events = events

    def changed(self, session: Session, job_id: str) -> None:
        """The state, reason or progress of a job is different now."""
        job = session.get(JobRow, job_id, populate_existing=True)
        if job is None:
            return
        for attempt in changed_attempts(session, job_id):
            told = {"number": attempt.number, "state": attempt.state, "reason": attempt.reason}
            self._append(session, job, "job.attempt", told)
        self._append(session, job, "job.changed", _summary(job))

    def note(self, session: Session, job: JobRow, text: str) -> None:
        """A word of the platform in the job's log; unlike the reason it stays."""
        payload = {"stream": "system", "text": f"{text}\n", "at": clock.now().timestamp()}
        self.spooled(session, job, "job.log", payload)

    def quota(self, session: Session, job_id: str, topic: str, standing: Standing) -> None:
        """GPU-hours run out while a job uses them, or have."""
        told = {
            "kind": standing.kind,
            "name": standing.name,
            "resource": standing.resource,
            "used": round(standing.used, 6),
            "limit": standing.limit,
            "words": standing.words(),
        }
        self._append(session, session.get_one(JobRow, job_id), topic, told)

    def spooled(self, session: Session, job: JobRow, topic: str, payload: dict[str, Any]) -> None:
        """One event of a job's newest attempt."""
        if job.attempt > 1:
            payload = {**payload, "attempt": job.attempt}
        self._append(session, job, topic, payload)

    def queue(self, session: Session, project: str, waiting: int, running: int) -> None:
        """The project's queue is different: so many wait, so many hold slots."""
        self.events.append(
            session,
            "queue.changed",
            project=project,
            subject="queue",
            actor="platform",
            payload={"waiting": waiting, "running": running},
        )

    def _append(self, session: Session, job: JobRow, topic: str, payload: dict[str, Any]) -> None:
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
