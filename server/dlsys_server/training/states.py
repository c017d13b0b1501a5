"""The one owner of the job state machine.

       ┌──────────────┬──────────┐  an attempt failed, and another one is due
       ▼              │          │
    queued ──► starting ──► running ──► succeeded | failed | lost
       │           │            │
       ▼           └──────┬─────┘
    cancelled|skipped     ▼
                      cancelling ──► cancelled | succeeded | failed | lost

A change is a compare-and-set on (state, attempt, revision): of two that race one wins, and the
other is told so. Slots are held by the states in HOLDING, so they are freed by the same change.
The row of the attempt is opened, followed and closed by the same change, too.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import update
from sqlalchemy.orm import Session

from dlsys_server.core import clock

from .tables import AttemptRow, JobRow

TRANSITIONS: dict[str, frozenset[str]] = {
    "queued": frozenset({"starting", "cancelled", "skipped", "failed"}),
    "starting": frozenset({"running", "cancelling", "succeeded", "failed", "lost", "queued"}),
    "running": frozenset({"cancelling", "succeeded", "failed", "lost", "queued"}),
    "cancelling": frozenset({"cancelled", "succeeded", "failed", "lost"}),
    "succeeded": frozenset(),
    "failed": frozenset(),
    "cancelled": frozenset(),
    "skipped": frozenset(),
    "lost": frozenset(),
}
HOLDING = ("starting", "running", "cancelling")
QUOTA = "quota"
"""Exit reason, known from `cancelling` on, of a job that the platform stops for its quota."""
_CHANGED = "dlsys_changed_attempts"


def move(session: Session, job: JobRow, state: str, **values: Any) -> bool:
    """Change the state of `job` as it was read; False when somebody else was first.

    Raises:
        ValueError: the machine has no such transition.
    """
    return _change(session, job, state, values, {**values, "state": state})


def requeue(session: Session, job: JobRow, ended: dict[str, Any], **values: Any) -> bool:
    """Queue a job for its next attempt; `ended` are the last columns of the one that is over."""
    values = {**values, "attempt": job.attempt + 1, "gpu_ids": [], "spool_offset": 0}
    return _change(session, job, "queued", values, ended)


def _change(
    session: Session, job: JobRow, state: str, values: dict[str, Any], attempt: dict[str, Any]
) -> bool:
    if state not in TRANSITIONS[job.state]:
        raise ValueError(f"a job cannot go from {job.state} to {state}")
    job_id, before, number = job.id, job.state, job.attempt
    result = session.execute(
        update(JobRow)
        .where(
            JobRow.id == job_id,
            JobRow.state == before,
            JobRow.attempt == number,
            JobRow.revision == job.revision,
        )
        .values(state=state, revision=JobRow.revision + 1, **values)
        .execution_options(synchronize_session=False)
    )
    won = getattr(result, "rowcount", 0) == 1
    session.expire_all()
    if won and (state in HOLDING or before in HOLDING):
        _follow(session, job_id, number, attempt)
    return won


def _follow(session: Session, job_id: str, number: int, values: dict[str, Any]) -> None:
    """The attempt's row says what happened to the attempt; it is opened when it starts."""
    job, row = session.get(JobRow, job_id), session.get(AttemptRow, (job_id, number))
    if job is None:
        return
    if row is None:
        row = AttemptRow(job_id=job_id, number=number, created_at=clock.now())
        row.start_reason, row.memory_bytes = "", job.memory_limit
        session.add(row)
    for name in ("state", "reason", "exit_reason", "started_at", "finished_at"):
        if values.get(name) is not None or (name in values and name == "exit_reason"):
            setattr(row, name, values[name])
    if job.attempt == number:
        row.start_mode, row.start_reason = job.start_mode, job.start_reason
    session.flush()
    session.info.setdefault(_CHANGED, []).append((job_id, number))


def changed_attempts(session: Session, job_id: str) -> list[AttemptRow]:
    """Attempts of the job that `move` touched in this transaction and nobody asked for yet."""
    waiting: list[tuple[str, int]] = session.info.pop(_CHANGED, [])
    session.info[_CHANGED] = [key for key in waiting if key[0] != job_id]
    numbers = dict.fromkeys(number for job, number in waiting if job == job_id)
    found = (session.get(AttemptRow, (job_id, number)) for number in numbers)
    return [row for row in found if row is not None]
