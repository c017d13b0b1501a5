"""What each user holds and lately used of the machine, so that who had least comes first."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from datetime import timedelta

from sqlalchemy import func, select

from dlsys_server.core import clock
from dlsys_server.core.database import Database

from .queueing import Candidate, Running
from .slots import Capacity
from .tables import JobRow

HALF_LIFE_SECONDS = 4 * 3600.0
WINDOW_SECONDS = 6 * HALF_LIFE_SECONDS
NEWEST = 3000
FRESH_SECONDS = 10.0


class Shares:
    """Use by owner in seconds of the whole machine; what is past counts half after four hours."""

    def __init__(self, database: Database, capacity: Capacity) -> None:
        self.database, self.capacity = database, capacity
        self._lock = threading.Lock()
        self._read_at: float | None = None
        self._used: dict[str, float] = {}
        self._seen: dict[str, tuple[Running, float]] = {}
        self._ended: dict[str, float] = {}

    def used(self, running: Iterable[Running], now: float) -> dict[str, float]:
        """What the owners used of late, without what they hold now."""
        with self._lock:
            self._notice_ended({one.job.id: one for one in running}, now)
            if self._read_at is None or time.monotonic() - self._read_at > FRESH_SECONDS:
                self._used, self._ended = self._read(now), {}
                self._read_at = time.monotonic()
            owners = self._used.keys() | self._ended.keys()
            return {o: self._used.get(o, 0.0) + self._ended.get(o, 0.0) for o in owners}

    def cost(self, job: Candidate, seconds: float) -> float:
        """What the job takes of the machine."""
        return self.capacity.part(job) * seconds

    def _notice_ended(self, running: dict[str, Running], now: float) -> None:
        """Jobs that ended since the rows were read."""
        for job_id in self._seen.keys() - running.keys():
            one, first_seen = self._seen[job_id]
            seconds = max(0.0, now - (one.started or first_seen))
            owner = one.job.owner
            self._ended[owner] = self._ended.get(owner, 0.0) + self.cost(one.job, seconds)
        first = {job_id: seen for job_id, (_, seen) in self._seen.items()}
        self._seen = {job_id: (one, first.get(job_id, now)) for job_id, one in running.items()}

    def _read(self, now: float) -> dict[str, float]:
        query = (
            select(
                JobRow.owner,
                JobRow.cpus,
                JobRow.gpus,
                JobRow.gpu_share,
                func.coalesce(JobRow.raised_memory_bytes, JobRow.memory_bytes),
                JobRow.started_at,
                JobRow.finished_at,
            )
            .where(JobRow.finished_at > clock.now() - timedelta(seconds=WINDOW_SECONDS))
            .order_by(JobRow.finished_at.desc())
            .limit(NEWEST)
        )
        with self.database.read() as session:
            rows = session.execute(query).all()
        used: dict[str, float] = {}
        for owner, cpus, gpus, share, memory, started, finished in rows:
            if started is None or finished is None:
                continue
            job = Candidate("", "", "", owner, 0, cpus, gpus, share, memory)
            age = max(0.0, now - finished.timestamp())
            seconds = max(0.0, (finished - started).total_seconds())
            fading = 0.5 ** (age / HALF_LIFE_SECONDS)
            used[owner] = used.get(owner, 0.0) + self.cost(job, seconds) * fading
        return used
