"""The event log: rows written in the transaction of what they tell of, followed by readers.

Readers wait on a wake-up that fires after commit and look into the table, so a stream can always be
resumed by sequence number, over restarts too.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import event as sqlalchemy_event
from sqlalchemy import func, or_, select, text
from sqlalchemy.orm import Session

from jupyter_dlsys.contract.base import Event

from . import clock
from .bells import CHANNEL, EVENTS
from .database import Database
from .tables import EventRow

POLL_SECONDS = 1.0
BATCH = 500
Told = Callable[[list[Event]], list[Event]]


@dataclass(frozen=True)
class EventFilter:
    """Which events a reader wants: of these projects, by topic prefix or by exact subject.

    `told` makes of what was found what the reader may hear; it is asked each time.
    """

    projects: tuple[str, ...]
    topics: tuple[str, ...] = ()
    subjects: tuple[str, ...] = ()
    told: Told | None = None


class EventLog:
    """Appends to and follows the event table."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wake: asyncio.Event = asyncio.Event()
        self.followers, self.sender = 0, ""
        self.tell_others: Callable[[], None] = lambda: None
        """Called after commit: other processes have followers, too."""

    def attach(self, loop: asyncio.AbstractEventLoop) -> None:
        """Say on which loop the followers live."""
        self._loop = loop

    def append(
        self,
        session: Session,
        topic: str,
        *,
        project: str,
        subject: str,
        actor: str,
        payload: dict[str, Any] | None = None,
    ) -> None:
        """Add an event to the caller's transaction; followers hear of it when that commits."""
        self._serialise(session)
        session.add(
            EventRow(
                at=clock.now(),
                topic=topic,
                project=project,
                subject=subject,
                actor=actor,
                payload=payload or {},
            )
        )
        if not session.info.get("dlsys_wakes"):
            session.info["dlsys_wakes"] = True
            sqlalchemy_event.listen(session, "after_commit", lambda _s: self.wake(), once=True)

    def _serialise(self, session: Session) -> None:
        """On PostgreSQL, order of commit = order of seq, so that no follower skips a late one;
        and other platforms hear of it with the commit (`core/notices.py`)."""
        if not self.database.is_sqlite and not session.info.get("dlsys_event_lock"):
            told = {"channel": CHANNEL, "text": f"{self.sender} {EVENTS}"}
            lock = "SELECT pg_advisory_xact_lock(7301), pg_notify(:channel, :text)"
            session.execute(text(lock), told)
            session.info["dlsys_event_lock"] = True

    def wake(self) -> None:
        """Tell all followers to look, here and in other processes; callable from any thread."""
        self.hear()
        self.tell_others()

    def hear(self) -> None:
        """Tell the followers of this process to look; callable from any thread."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._fire)

    def _fire(self) -> None:
        self._wake.set()
        self._wake = asyncio.Event()

    def last(self) -> int:
        """The newest sequence number; 0 when there is none."""
        with self.database.read() as session:
            return session.scalar(select(func.max(EventRow.seq))) or 0

    def read(self, since: int, wanted: EventFilter, limit: int = BATCH) -> list[Event]:
        """Events after `since`, oldest first."""
        return self._read(since, wanted, limit)[0]

    def _read(self, since: int, wanted: EventFilter, limit: int) -> tuple[list[Event], int]:
        """The same, and the last one looked at."""
        query = select(EventRow).where(EventRow.seq > since, EventRow.project.in_(wanted.projects))
        alternatives = [EventRow.topic.startswith(t, autoescape=True) for t in wanted.topics]
        if wanted.subjects:
            alternatives.append(EventRow.subject.in_(wanted.subjects))
        if alternatives:
            query = query.where(or_(*alternatives))
        with self.database.read() as session:
            rows = session.scalars(query.order_by(EventRow.seq).limit(limit))
            found = [_to_event(row) for row in rows]
        last = found[-1].seq if found else since
        return (wanted.told(found) if wanted.told else found), last

    async def follow(self, since: int, wanted: EventFilter) -> AsyncIterator[list[Event]]:
        """Batches of events after `since`, for ever; an empty batch each `POLL_SECONDS` idle."""
        self.followers += 1
        try:
            while True:
                wake = self._wake
                before = since
                batch, since = await asyncio.to_thread(self._read, since, wanted, BATCH)
                if batch:
                    yield batch
                if since > before:
                    continue
                try:
                    await asyncio.wait_for(wake.wait(), POLL_SECONDS)
                except asyncio.TimeoutError:
                    yield []
        finally:
            self.followers -= 1


def _to_event(row: EventRow) -> Event:
    return Event(
        seq=row.seq,
        at=row.at,
        topic=row.topic,
        project=row.project,
        subject=row.subject,
        actor=row.actor,
        payload=row.payload,
    )


def subjects_of(kind: str, names: Iterable[str]) -> tuple[str, ...]:
    """Subjects 'kind/name' of names."""
    return tuple(f"{kind}/{name}" for name in names)
