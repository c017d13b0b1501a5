"""The event log: rows written in the transaction of what they tell of, followed by readers.

Readers wait on a wake-up that fires after commit and look into the table, so a stream can always be
resumed by sequence number, over restarts too.  One look serves all readers of a process
(`core/tail.py`).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, func, or_, select, text
from sqlalchemy import event as sqlalchemy_event
from sqlalchemy.orm import Session

from jupyter_dlsys.contract.base import Event

from . import clock
from .bells import CHANNEL, EVENTS
from .database import Database
from .tables import EventRow
from .tail import Tail

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

    def wants(self, event: Event) -> bool:
        """Whether it is one of them."""
        if event.project not in self.projects:
            return False
        if not self.topics and not self.subjects:
            return True
        return event.topic.startswith(self.topics) or event.subject in self.subjects


class EventLog:
    """Appends to and follows the event table."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wake: asyncio.Event = asyncio.Event()
        self._woken = 0.0
        self._tail = Tail(self._all_after, self.last)
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
        self._woken = time.monotonic()
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
        found = self._rows(query, limit)
        last = found[-1].seq if found else since
        return (wanted.told(found) if wanted.told else found), last

    def _all_after(self, since: int) -> list[Event]:
        found: list[Event] = []
        while True:
            more = self._rows(select(EventRow).where(EventRow.seq > since), BATCH)
            found += more
            if len(more) < BATCH:
                return found
            since = more[-1].seq

    def _rows(self, query: Select[EventRow], limit: int) -> list[Event]:
        with self.database.read() as session:
            rows = session.scalars(query.order_by(EventRow.seq).limit(limit))
            return [_to_event(row) for row in rows]

    async def follow(self, since: int, wanted: EventFilter) -> AsyncIterator[list[Event]]:
        """Batches of events after `since`, for ever; an empty batch each `POLL_SECONDS` idle."""
        self.followers += 1
        if self.followers == 1:
            self._tail.restart()
        asked, fresh = 0.0, time.monotonic()
        try:
            while True:
                wake = self._wake
                await self._tail.refresh(fresh)
                newest, found = self._tail.last, self._tail.after(since)
                if found is None:
                    batch, last = await asyncio.to_thread(self._read, since, wanted, BATCH)
                    since = last if last > since else newest
                else:
                    since, batch = newest, [event for event in found if wanted.wants(event)]
                    if wanted.told and (batch or time.monotonic() - asked > POLL_SECONDS):
                        asked = time.monotonic()
                        batch = await asyncio.to_thread(wanted.told, batch)
                if batch:
                    yield batch
                if since < self._tail.last:
                    continue
                try:
                    await asyncio.wait_for(wake.wait(), POLL_SECONDS)
                    fresh = self._woken
                except asyncio.TimeoutError:
                    fresh = time.monotonic() - POLL_SECONDS
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
