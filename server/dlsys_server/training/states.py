"""The one owner of the job state machine.

    queued ──► starting ──► running ──► succeeded | failed | lost
       │           │            │
       ▼           └──────┬─────┘
    cancelled|skipped     ▼
                      cancelling ──► cancelled | succeeded | failed | lost

A change is a compare-and-set on (state, attempt, revision): of two that race one wins, and the
other is told so. Slots are held by the states in HOLDING, so they are freed by the same change.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import update
from sqlalchemy.orm import Session

from .tables import JobRow

TRANSITIONS: dict[str, frozenset[str]] = {
    "queued": frozenset({"starting", "cancelled", "skipped", "failed"}),
    "starting": frozenset({"running", "cancelling", "succeeded", "failed", "lost", "queued"}),
    "running": frozenset({"cancelling", "succeeded", "failed", "lost"}),
    "cancelling": frozenset({"cancelled", "succeeded", "failed", "lost"}),
    "succeeded": frozenset(),
    "failed": frozenset(),
    "cancelled": frozenset(),
    "skipped": frozenset(),
    "lost": frozenset(),
}
HOLDING = ("starting", "running", "cancelling")


def move(session: Session, job: JobRow, state: str, **values: Any) -> bool:
    """Change the state of `job` as it was read; False when somebody else was first.

    Raises:
        ValueError: the machine has no such transition.
    """
    if state not in TRANSITIONS[job.state]:
        raise ValueError(f"a job cannot go from {job.state} to {state}")
    result = session.execute(
        update(JobRow)
        .where(
            JobRow.id == job.id,
            JobRow.state == job.state,
            JobRow.attempt == job.attempt,
            JobRow.revision == job.revision,
        )
        .values(state=state, revision=JobRow.revision + 1, **values)
        .execution_options(synchronize_session=False)
    )
    won = getattr(result, "rowcount", 0) == 1
    session.expire_all()
    return won
