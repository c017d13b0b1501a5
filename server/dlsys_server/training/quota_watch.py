"""GPU-hours while jobs run: a warning when they run out, a stop when they have.

The stop is a soft cancel: the running cell or script gets a KeyboardInterrupt and a few seconds, in
which it may save a checkpoint; the last one is kept for `dlsys jobs retry`.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from dlsys_server.access.quota_words import Standing
from dlsys_server.access.quotas import QuotaService
from dlsys_server.core.database import Database
from jupyter_dlsys.contract.quotas import QuotaKind

from .announcing import Announcer
from .states import QUOTA, move
from .tables import JobRow

LOOK_SECONDS = 1.0
RESUME = "`dlsys jobs retry {id}` goes on from its last checkpoint once there are more."


class QuotaWatch:
    """Looks at running jobs with GPUs, for the one scheduler that leads."""

    def __init__(self, database: Database, quotas: QuotaService, announcer: Announcer) -> None:
        self.database, self.quotas, self.announcer = database, quotas, announcer
        self._looked_at = float("-inf")

    def look(self) -> bool:
        """Warn and stop whom it concerns, once a second; True when a job was stopped."""
        if time.monotonic() - self._looked_at < LOOK_SECONDS:
            return False
        self._looked_at = time.monotonic()
        if not self.quotas.table().limited("gpu_hours"):
            return False
        query = select(JobRow.id, JobRow.owner, JobRow.project, JobRow.quota_told).where(
            JobRow.state.in_(("starting", "running")), JobRow.gpus > 0
        )
        with self.database.read() as session:
            jobs = session.execute(query).all()
        if not jobs:
            return False
        tight = {
            (one.kind, one.name): one
            for one in self.quotas.positions("gpu_hours")
            if one.level in ("near", "full")
        }
        stops = [self._look(tight, *job) for job in jobs]
        return any(stops)

    def _look(
        self,
        tight: Mapping[tuple[QuotaKind, str], Standing],
        job: str,
        owner: str,
        project: str,
        told: str,
    ) -> bool:
        keys: tuple[tuple[QuotaKind, str], ...] = (("user", owner), ("project", project))
        mine = [tight[key] for key in keys if key in tight]
        full = [one for one in mine if one.level == "full"]
        if full:
            with self.database.write() as session:
                return self._stop(session, job, full[0])
        if mine and told != _month(mine[0]):
            with self.database.write() as session:
                self._warn(session, job, mine)
        return False

    def _stop(self, session: Session, job_id: str, standing: Standing) -> bool:
        job = session.get(JobRow, job_id)
        if job is None or job.state not in ("starting", "running"):
            return False
        words = f"Stopped: {standing.words()}"
        if not move(session, job, "cancelling", reason=words, exit_reason=QUOTA):
            return False
        self.announcer.quota(session, job_id, "quota.exceeded", standing)
        text = f"{words}. {standing.remedy()} {RESUME.format(id=job_id)}"
        self.announcer.note(session, session.get_one(JobRow, job_id), text)
        self.announcer.changed(session, job_id)
        return True

    def _warn(self, session: Session, job_id: str, mine: Sequence[Standing]) -> None:
        """Once a month for each job, also with several platforms."""
        told = _month(mine[0])
        won = session.execute(
            update(JobRow)
            .where(JobRow.id == job_id, JobRow.quota_told != told)
            .values(quota_told=told)
        )
        if getattr(won, "rowcount", 0) != 1:
            return
        job = session.get_one(JobRow, job_id)
        for standing in mine:
            self.announcer.quota(session, job_id, "quota.near", standing)
            text = f"{standing.words()}: at the limit this job is stopped. {standing.remedy()}"
            self.announcer.note(session, job, text)


def _month(standing: Standing) -> str:
    return f"{standing.now:%Y-%m}"
