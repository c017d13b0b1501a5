"""Jobs of a database that comes from a backup: what ran then runs here no more.

Each gets the verdict `lost` in the folder of its attempt, as a supervisor would write it, and this
machine as its worker. The scheduler finds it at its next start: the job is tried again while it has
attempts left, or else lost. Leases of the platform that was backed up run out by themselves.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

from sqlalchemy import or_, select, update

from dlsys_server.core.database import Database
from dlsys_server.core.locks import held_elsewhere

from .closing import ENDED
from .states import HOLDING
from .tables import JobRow
from .worker import worker_name

WORDS = "It ran when the backup was made from which the platform was restored"


def take_over(database: Database, attempts: Path) -> int:
    """Give the jobs that ran, and those not closed yet, to the worker of this folder; how many
    ran. May be repeated."""
    worker = worker_name(attempts)
    with database.read() as session:
        jobs = session.execute(
            select(JobRow.id, JobRow.attempt).where(JobRow.state.in_(HOLDING))
        ).all()
    for job_id, attempt in jobs:
        _verdict(attempts / job_id / str(attempt))
    unclosed = JobRow.state.in_(ENDED) & JobRow.run_closed.is_(False)
    with database.write() as session:
        session.execute(
            update(JobRow)
            .where(or_(JobRow.state.in_(HOLDING), unclosed))
            .values(worker=worker)
            .execution_options(synchronize_session=False)
        )
    return len(jobs)


def running(attempts: Path) -> int:
    """Attempts of this folder whose supervisors live."""
    return sum(held_elsewhere(lock) for lock in attempts.glob("*/*/lock"))


def _verdict(folder: Path) -> None:
    result = {"exit_code": -1, "reason": "lost", "message": WORDS, "finished_at": time.time()}
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    part = folder / "result.tmp"
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as out:
        json.dump(result, out)
        out.flush()
        os.fsync(out.fileno())
    part.rename(folder / "result.json")
