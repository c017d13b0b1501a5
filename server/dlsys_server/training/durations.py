"""How long jobs like this one took, from the rows of those that succeeded. Few, indexed rows."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from statistics import median

from sqlalchemy import ColumnElement, String, cast, select

from dlsys_server.core.database import Database

from .forecasting import Estimate, Past, estimate
from .gathering import fingerprint
from .queueing import Candidate
from .tables import JobRow

NEWEST = 50
FRESH_SECONDS, FEW_FRESH_SECONDS, FEW = 20.0, 1.0, 10
REMEMBERED = 2000
UNKNOWN_SECONDS = 60.0
ASKED_AT_ONCE = 25
"""Sources looked up in one round; the others are known in the next one."""


class Durations:
    """Estimates of jobs: from runs of the same source, else of the same file name, else of the
    project. Thread-safe; what was read is kept for a while."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._lock = threading.Lock()
        self._past: OrderedDict[tuple[str, ...], tuple[float, list[Past]]] = OrderedDict()

    def of(self, job: Candidate) -> Estimate | None:
        """The estimate of one job; its time limit is the most that it can take."""
        return self.round()(job)

    def round(self) -> Round:
        """For many jobs at one time: each question is answered once, with few queries."""
        return Round(self)

    def past(self, job: Candidate, *, ask: bool) -> tuple[list[Past], bool]:
        """Jobs like it, newest first, and whether the database had to be asked.

        With `ask` false only what is known already, which may be old or nothing.
        """
        asked = False
        for key, alike in (
            ((job.project, job.source, job.source_hash), (JobRow.source_hash == job.source_hash,)),
            ((job.project, job.source), (JobRow.source == job.source,)),
            ((job.project,), ()),
        ):
            found, had_to_ask = self._alike(key, alike, ask=ask)
            asked = asked or had_to_ask
            if found:
                return found, asked
        return [], asked

    def _alike(
        self, key: tuple[str, ...], alike: Sequence[ColumnElement[bool]], *, ask: bool
    ) -> tuple[list[Past], bool]:
        with self._lock:
            at, known = self._past.get(key, (0.0, []))
        fresh = FRESH_SECONDS if len(known) >= FEW else FEW_FRESH_SECONDS
        if not ask or (at and time.monotonic() - at < fresh):
            return known, False
        found = self._newest(key[0], alike)
        with self._lock:
            self._past[key] = (time.monotonic(), found)
            self._past.move_to_end(key)
            while len(self._past) > REMEMBERED:
                self._past.popitem(last=False)
        return found, True

    def _newest(self, project: str, alike: Sequence[ColumnElement[bool]]) -> list[Past]:
        query = (
            select(
                JobRow.started_at,
                JobRow.finished_at,
                cast(JobRow.parameters, String),
                JobRow.cpus,
                JobRow.gpus,
            )
            .where(JobRow.project == project, JobRow.state == "succeeded", *alike)
            .order_by(JobRow.id.desc())
            .limit(NEWEST)
        )
        with self.database.read() as session:
            rows = session.execute(query).all()
        return [
            Past((finished - started).total_seconds(), fingerprint(parameters), cpus, gpus)
            for started, finished, parameters, cpus, gpus in rows
            if started is not None and finished is not None
        ]


class Round:
    """Estimates for one look at the queue."""

    def __init__(self, durations: Durations) -> None:
        self._durations = durations
        self._asked = 0
        self._kin: dict[tuple[str, ...], tuple[list[Past], frozenset[int]]] = {}
        self._found: dict[tuple[object, ...], Estimate | None] = {}
        self._typical: dict[tuple[str, ...], float] = {}

    def __call__(self, job: Candidate) -> Estimate | None:
        """How long the job takes in all; None when nothing in the project succeeded yet."""
        past, seen = self._like(job)
        # Parameters that were never used before are all the same to an estimate.
        parameters = job.parameters if job.parameters in seen else None
        source = (job.project, job.source, job.source_hash)
        key = (*source, parameters, job.cpus, job.gpus, job.timeout)
        if key not in self._found:
            found = estimate(past, job.parameters, job.cpus, job.gpus)
            self._found[key] = _within(found, job.timeout)
        return self._found[key]

    def typical(self, job: Candidate) -> float:
        """Seconds that jobs of this source take, whatever their parameters; for fair turns."""
        key = (job.project, job.source, job.source_hash)
        if key not in self._typical:
            past, _ = self._like(job)
            self._typical[key] = median(one.seconds for one in past) if past else UNKNOWN_SECONDS
        return self._typical[key]

    def _like(self, job: Candidate) -> tuple[list[Past], frozenset[int]]:
        key = (job.project, job.source, job.source_hash)
        if key not in self._kin:
            past, asked = self._durations.past(job, ask=self._asked < ASKED_AT_ONCE)
            self._asked += asked
            self._kin[key] = past, frozenset(one.parameters for one in past)
        return self._kin[key]


def _within(found: Estimate | None, timeout: float | None) -> Estimate | None:
    if found is None or timeout is None:
        return found
    return Estimate(tuple(min(value, timeout) for value in found.values), found.count)
