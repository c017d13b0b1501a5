"""Looks at running jobs every two seconds and keeps what they use."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import psutil
from sqlalchemy import delete, insert, select
from sqlalchemy.orm import Session

from dlsys_server.core import clock
from dlsys_server.core.database import Database

from .attempts import Attempts
from .gpus import GpuReader, use_of
from .machine import Machine
from .memory import JobMemory
from .processes import Table, scan, supervised
from .states import HOLDING
from .tables import JobRow, UsageRow
from .usage import LOOK_SECONDS, Point, Series

log = logging.getLogger(__name__)


@dataclass
class Watched:
    """A job that runs."""

    series: Series
    memory: JobMemory = field(default_factory=JobMemory)


class Sampler:
    """A thread. It reads the process table only while jobs run, and writes once a round."""

    def __init__(
        self, database: Database, attempts: Attempts, machine: Machine, gpus: GpuReader
    ) -> None:
        self.database, self.attempts = database, attempts
        self.machine, self.gpus = machine, gpus
        self._watched: dict[str, Watched] = {}
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self.error = ""

    def start(self) -> None:
        """Begin to look."""
        self._thread = threading.Thread(target=self._run, name="usage", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop; jobs go on, and the next start goes on with their points."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(15)
        self.gpus.close()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self.machine.look()
                self.sample()
                self.error = ""
            except Exception as error:
                self.error = f"Use of jobs is not recorded: {type(error).__name__}: {error}"
                log.exception("sampling failed")
            self._stopping.wait(LOOK_SECONDS)

    def sample(self) -> None:
        """One round."""
        with self.database.read() as session:
            running = session.scalars(select(JobRow).where(JobRow.state.in_(HOLDING))).all()
            begun = [job for job in running if self._watch(session, job)]
        if not begun and not self._watched:
            return
        now = clock.now()
        due = [job for job in begun if self._watched[job.id].series.due(now)]
        if due:
            table, boot = scan(), psutil.boot_time()
            for job in due:
                self._look(job, now, table, boot)
        ended = self._watched.keys() - {job.id for job in running}
        for job_id in ended:
            self._watched[job_id].series.settle()
        self._keep()
        for job_id in ended:
            del self._watched[job_id]

    def pending(self, job_id: str) -> Point | None:
        """The newest look at a job, while it is not kept yet."""
        watched = self._watched.get(job_id)
        return watched.series.pending if watched else None

    def _watch(self, session: Session, job: JobRow) -> bool:
        """Watch the job's newest attempt; False before that has begun."""
        known = self._watched.get(job.id)
        if known is not None and known.series.attempt == job.attempt:
            return True
        started = _started(self.attempts.folder(job))
        if started is None:
            return False
        kept = read_points(session, job.id)
        self._watched[job.id] = Watched(Series.begin(job.attempt, kept, started))
        return True

    def _look(self, job: JobRow, now: datetime, table: Table, boot: float) -> None:
        found = supervised(self.attempts.folder(job), table, boot)
        if not found.job:
            return
        watched = self._watched[job.id]
        pids = [process.pid for process in found.job]
        gpu = use_of(self.gpus.states(), job.gpu_ids, pids, job.gpu_share >= 1)
        watched.series.look(
            now,
            sum(process.cpu_seconds for process in (*found.supervisor, *found.job)),
            watched.memory.bytes(found.job),
            len(found.job),
            gpu,
        )

    def _keep(self) -> None:
        """Write what is new, of all jobs at once."""
        changed = {job: w.series for job, w in self._watched.items() if w.series.fresh}
        if not changed:
            return
        rows = [
            {"job_id": job, **point._asdict()}
            for job, series in changed.items()
            for point in (series.points if series.fresh < 0 else series.points[-series.fresh :])
        ]
        anew = [job for job, series in changed.items() if series.fresh < 0]
        with self.database.write() as session:
            if anew:
                session.execute(delete(UsageRow).where(UsageRow.job_id.in_(anew)))
            session.execute(insert(UsageRow), rows)
        for series in changed.values():
            series.fresh = 0


def read_points(session: Session, job_id: str) -> list[Point]:
    """The kept points of a job, oldest first."""
    columns = [getattr(UsageRow, name) for name in Point._fields]
    query = select(*columns).where(UsageRow.job_id == job_id).order_by(UsageRow.at)
    return [Point(*row) for row in session.execute(query)]


def _started(folder: Path) -> datetime | None:
    """When the attempt began."""
    try:
        return clock.from_epoch((folder / "pid").stat().st_mtime)
    except OSError:
        return None
