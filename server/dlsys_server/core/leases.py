"""Leases: who may do what only one may do at a time, over processes and machines.

A lease is a row. It is taken or renewed by one compare-and-set, and its `fence` grows with each new
holder. Time only decides when somebody else may take it; that one who lost it changes nothing more
is decided by the fence, which `FencedDatabase` checks in the transaction of each change.

Method: fencing tokens as in M. Kleppmann, "How to do distributed locking" (2016).
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from sqlalchemy import func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from . import clock
from .database import Database
from .tables import LeaseRow


class LeaseLost(Exception):
    """Somebody else holds the lease now; nothing of the transaction was done."""


class Lease:
    """One holder's view of a lease. Used by one thread.

    Args:
        holder: who we are. Two lives of one holder (a process that was killed and its successor)
            share the name, so that the successor need not wait for the first one's lease to end;
            the caller makes sure that the first is dead or does not mind.
        seconds: how long a lease outlives its last renewal.
    """

    def __init__(self, database: Database, name: str, holder: str, seconds: float = 15.0) -> None:
        self.database, self.name, self.holder, self.seconds = database, name, holder, seconds
        self.fence = 0
        """Number of this holding; 0 before the first."""
        self._ask_at = 0.0
        self._held = False

    def hold(self) -> bool:
        """Take the lease, or renew it when a third of its time has passed; True while it is ours.

        Repeated as often as one likes: it only asks the database when there is something to do.
        """
        asked = time.monotonic()
        if asked < self._ask_at:
            return self._held
        with self.database.write() as session:
            self._held = (self._held and self._renew(session)) or self._take(session)
        self._ask_at = asked + self.seconds / (3 if self._held else 10)
        return self._held

    def release(self) -> None:
        """Let the next one have it at once."""
        if not self._held:
            return
        self._held, self._ask_at = False, 0.0
        with self.database.write() as session:
            session.execute(
                update(LeaseRow)
                .where(LeaseRow.name == self.name, LeaseRow.fence == self.fence)
                .values(until=self._now(session))
            )

    def check(self, session: Session) -> None:
        """Make sure that it is still ours, and keep it so until the transaction ends.

        Raises:
            LeaseLost: it is not.
        """
        query = select(LeaseRow.fence).where(LeaseRow.name == self.name)
        fence = session.scalar(query.with_for_update(read=True))
        if not self._held or fence != self.fence:
            self._held, self._ask_at = False, 0.0
            raise LeaseLost(f"the lease '{self.name}' has another holder")

    def _renew(self, session: Session) -> bool:
        until = self._now(session) + timedelta(seconds=self.seconds)
        return self._set(session, self.fence, fence=self.fence, until=until)

    def _take(self, session: Session) -> bool:
        row = session.get(LeaseRow, self.name)
        now = self._now(session)
        until = now + timedelta(seconds=self.seconds)
        if row is None:
            return self._create(session, until)
        successor = self.fence == 0 and row.holder == self.holder
        if row.until > now and not successor:
            return False
        found = row.fence
        if not self._set(session, found, fence=found + 1, holder=self.holder, until=until):
            return False
        self.fence = found + 1
        return True

    def _create(self, session: Session, until: datetime) -> bool:
        try:
            with session.begin_nested():
                session.add(LeaseRow(name=self.name, holder=self.holder, fence=1, until=until))
        except IntegrityError:  # another one made it first
            return False
        self.fence = 1
        return True

    def _set(self, session: Session, found: int, **values: object) -> bool:
        result = session.execute(
            update(LeaseRow)
            .where(LeaseRow.name == self.name, LeaseRow.fence == found)
            .values(**values)
            .execution_options(synchronize_session=False)
        )
        return getattr(result, "rowcount", 0) == 1

    def _now(self, session: Session) -> datetime:
        """On PostgreSQL the server's clock: holders may be on machines that disagree."""
        if self.database.is_sqlite:
            return clock.now()
        found: datetime = session.scalar(select(func.clock_timestamp())) or clock.now()
        return found


class FencedDatabase(Database):
    """A database in which each write is done only while a lease is ours.

    `write()` raises LeaseLost, and does nothing, when it is not.
    """

    def __init__(self, database: Database, lease: Lease) -> None:
        self.url, self.is_sqlite, self.engine = database.url, database.is_sqlite, database.engine
        self.lease = lease

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A session that commits at the end of the block if the lease is ours all the time."""
        with super().write() as session:
            self.lease.check(session)
            yield session
