"""What waits and what runs, gathered from rows. Rows that have not changed are not read again."""

from __future__ import annotations

import json
import threading
import time
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import String, cast, func, select
from sqlalchemy.orm import Session

from .queueing import Candidate, Running
from .states import HOLDING
from .tables import JobRow

PIECE = 500
FINAL = frozenset({"succeeded", "failed", "cancelled", "skipped", "lost"})
REMEMBERED = 50_000
REPEAT_SECONDS = 5.0
"""All is read again after so long, whatever the tally says."""
_COLUMNS = (
    JobRow.id,
    JobRow.revision,
    JobRow.name,
    JobRow.project,
    JobRow.owner,
    JobRow.priority,
    JobRow.cpus,
    JobRow.gpus,
    JobRow.gpu_share,
    func.coalesce(JobRow.raised_memory_bytes, JobRow.memory_bytes).label("memory"),
    JobRow.created_at,
    JobRow.not_before,
    cast(JobRow.after, String).label("after"),
    JobRow.attempt,
    JobRow.reason,
    JobRow.source,
    JobRow.source_hash,
    cast(JobRow.parameters, String).label("parameters"),
    JobRow.timeout_seconds,
    JobRow.worker,
)


@dataclass(frozen=True)
class View:
    """The queue at one moment. `waiting` by id, oldest first; `stamp` is equal when all is."""

    waiting: Mapping[str, Candidate] = field(default_factory=dict)
    running: Sequence[Running] = ()
    stamp: tuple[int, int] = (0, 0)


@dataclass(frozen=True)
class Upstreams:
    """Of jobs that wait for others: those that may start, those that wait (and for which), and
    those that never will, with the one that did not succeed and its state."""

    blocking: Mapping[str, frozenset[str]] = field(default_factory=dict)
    doomed: Mapping[str, tuple[str, str]] = field(default_factory=dict)


class Gatherer:
    """Reads the queue. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._revisions: list[tuple[str, int]] = []
        self._holders: list[tuple[Any, ...]] = []
        self._counted: tuple[Any, ...] = ()
        self._read_at = -REPEAT_SECONDS
        self._view = View()
        self._final: dict[str, str] = {}

    def look(self, session: Session) -> View:
        """The queue as it is now."""
        with self._lock:
            tally, holders = self._tally(session), self._holding(session)
            recent = time.monotonic() - self._read_at < REPEAT_SECONDS
            if recent and tally == self._counted and holders == self._holders:
                return self._view
            self._counted, self._read_at = tally, time.monotonic()
            queued = select(JobRow.id, JobRow.revision).where(JobRow.state == "queued")
            revisions = [(row[0], row[1]) for row in session.execute(queued)]
            if revisions == self._revisions and holders == self._holders:
                return self._view
            before = self._view
            waiting = before.waiting
            if revisions != self._revisions:
                waiting = self._refreshed(session, revisions)
            running = [_running(holder) for holder in holders]
            stamp = (
                before.stamp[0] + (revisions != self._revisions),
                before.stamp[1] + (holders != self._holders),
            )
            self._revisions, self._holders = revisions, holders
            self._view = View(waiting, running, stamp)
            return self._view

    def upstreams(self, session: Session, view: View) -> Upstreams:
        """Which of the waiting jobs wait for others."""
        dependent = [job for job in view.waiting.values() if job.after]
        if not dependent:
            return Upstreams()
        alive = view.waiting.keys() | {one.job.id for one in view.running}
        wanted = {other for job in dependent for other in job.after} - alive
        with self._lock:
            ended = self._states(session, wanted)
        blocking: dict[str, frozenset[str]] = {}
        doomed: dict[str, tuple[str, str]] = {}
        for job in dependent:
            failed = next((o for o in job.after if _failed(ended.get(o)) or o in doomed), None)
            if failed is not None:
                doomed[job.id] = (failed, ended.get(failed, "skipped"))
                continue
            open_ones = frozenset(o for o in job.after if ended.get(o) != "succeeded")
            if open_ones:
                blocking[job.id] = open_ones
        return Upstreams(blocking, doomed)

    def _states(self, session: Session, wanted: Iterable[str]) -> dict[str, str]:
        """Final states; a state that is final stays, so it is asked for once."""
        if len(self._final) > REMEMBERED:
            self._final.clear()
        unknown = sorted(set(wanted) - self._final.keys())
        found = {job_id: self._final[job_id] for job_id in wanted if job_id in self._final}
        for piece in _pieces(unknown):
            query = select(JobRow.id, JobRow.state).where(JobRow.id.in_(piece))
            states = {row[0]: row[1] for row in session.execute(query)}
            for job_id in piece:
                state = states.get(job_id, "removed")
                if state in FINAL or state == "removed":
                    found[job_id] = self._final[job_id] = state
        return found

    def _refreshed(
        self, session: Session, revisions: Sequence[tuple[str, int]]
    ) -> dict[str, Candidate]:
        known = self._view.waiting
        stale = [
            job_id
            for job_id, revision in revisions
            if job_id not in known or known[job_id].revision != revision
        ]
        fresh: dict[str, Candidate] = {}
        for piece in _pieces(stale):
            for row in session.execute(select(*_COLUMNS).where(JobRow.id.in_(piece))):
                fresh[row.id] = _candidate(row)
        found = (fresh.get(job_id) or known.get(job_id) for job_id, _ in sorted(revisions))
        return {job.id: job for job in found if job is not None}

    def _tally(self, session: Session) -> tuple[Any, ...]:
        """Different whenever the queue is: what comes is newest or was running, what goes counts.
        Read from the index alone."""
        counted = select(func.count(), func.max(JobRow.id), func.sum(JobRow.revision))
        return tuple(session.execute(counted.where(JobRow.state == "queued")).one())

    def _holding(self, session: Session) -> list[tuple[Any, ...]]:
        query = (
            select(*_COLUMNS, JobRow.gpu_ids, JobRow.started_at)
            .where(JobRow.state.in_(HOLDING))
            .order_by(JobRow.id)
        )
        return [
            (_candidate(row), tuple(row.gpu_ids), row.started_at) for row in session.execute(query)
        ]


def _failed(state: str | None) -> bool:
    return state is not None and state != "succeeded"


def _running(holder: tuple[Any, ...]) -> Running:
    job, gpu_ids, started = holder
    return Running(job, gpu_ids, _epoch(started), job.worker)


def _candidate(row: Any) -> Candidate:
    return Candidate(
        id=row.id,
        name=row.name,
        project=row.project,
        owner=row.owner,
        priority=row.priority,
        cpus=row.cpus,
        gpus=row.gpus,
        gpu_share=row.gpu_share,
        memory_limit=row.memory,
        since=row.created_at.timestamp(),
        not_before=_epoch(row.not_before),
        after=tuple(json.loads(row.after)) if row.after not in ("[]", None) else (),
        attempt=row.attempt,
        revision=row.revision,
        reason=row.reason,
        source=row.source,
        source_hash=row.source_hash,
        parameters=fingerprint(row.parameters),
        timeout=row.timeout_seconds,
        worker=row.worker or "",
    )


def fingerprint(parameters: str | None) -> int:
    """Parameters as the database has them, as a number to compare."""
    return zlib.crc32((parameters or "").encode())


def _epoch(moment: datetime | None) -> float | None:
    return None if moment is None else moment.timestamp()


def _pieces(ids: Sequence[str]) -> Iterable[Sequence[str]]:
    return (ids[start : start + PIECE] for start in range(0, len(ids), PIECE))
