"""Other platforms on the same database: who lives, where, with what; and that we do.

Only on PostgreSQL: a SQLite file has one platform.
"""

from __future__ import annotations

import contextlib
import hashlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, func, select
from sqlalchemy.exc import SQLAlchemyError

from .database import Database
from .errors import Unavailable
from .loops import Loop
from .tables import LeaseRow, PlatformRow

BEAT_SECONDS = 4.0
LIVING_SECONDS = 15.0
FORGOTTEN_SECONDS = 7 * 24 * 3600.0
FRESH_SECONDS = 2.0


def tag_of(worker: str) -> str:
    """A worker's name as eight letters and digits."""
    return hashlib.sha256(worker.encode()).hexdigest()[:8]


@dataclass(frozen=True)
class Peer:
    """A platform that lives."""

    worker: str
    tag: str
    name: str
    url: str
    secret: str
    cpus: float
    memory_bytes: int
    gpus: tuple[str, ...]
    seen_at: datetime


class Peers:
    """The platforms that live, this one among them, as known a moment ago. Thread-safe."""

    def __init__(self, database: Database, worker: str) -> None:
        self.database, self.worker, self.many = database, worker, not database.is_sqlite
        self._lock = threading.Lock()
        self._read_at = -FRESH_SECONDS
        self._living: dict[str, Peer] = {}
        self._holders: dict[str, str] = {}

    def living(self) -> dict[str, Peer]:
        """By worker."""
        return self._look()[0]

    def holder(self, lease: str) -> str | None:
        """Who has a lease, living or not; None when nobody does."""
        return self._look()[1].get(lease)

    def url(self, worker: str) -> str:
        """Where a platform listens.

        Raises:
            Unavailable: it is away.
        """
        found = self.living().get(worker)
        if found is None:
            raise Unavailable(
                f"The platform that has this ({worker}) is away.",
                code="platform-away",
                hint="It is there again when that platform is; `dlsys workers` shows which live.",
                retry_after=5,
            )
        return found.url

    def tagged(self, tag: str) -> str | None:
        """The worker with this tag, if it lives."""
        return next((p.worker for p in self.living().values() if p.tag == tag), None)

    def trusts(self, secret: str) -> bool:
        """Whether this is the hash of the token of another living platform's operator."""
        return any(p.secret == secret for p in self.living().values())

    def _look(self) -> tuple[dict[str, Peer], dict[str, str]]:
        if not self.many:
            return {}, {}
        with self._lock:
            if time.monotonic() - self._read_at > FRESH_SECONDS:
                self._living, self._holders = self._read()
                self._read_at = time.monotonic()
            return self._living, self._holders

    def _read(self) -> tuple[dict[str, Peer], dict[str, str]]:
        with self.database.read() as session:
            now = session.scalar(select(func.clock_timestamp()))
            assert now is not None
            rows = session.scalars(
                select(PlatformRow)
                .where(PlatformRow.seen_at > now - timedelta(seconds=LIVING_SECONDS))
                .order_by(PlatformRow.worker)
            ).all()
            leases = session.scalars(select(LeaseRow).where(LeaseRow.until > now)).all()
        return {row.worker: _peer(row) for row in rows}, {row.name: row.holder for row in leases}


class Presence(Loop):
    """Says every few seconds that this platform lives.

    Args:
        about: the other columns of its row.
    """

    def __init__(self, peers: Peers, about: Callable[[], dict[str, object]]) -> None:
        super().__init__("presence", pause=BEAT_SECONDS)
        self.peers, self.about = peers, about

    def start(self) -> None:
        """Begin, where there may be others."""
        if self.peers.many:
            super().start()

    def stop(self) -> None:
        """Take the row back, so that nobody waits for this platform."""
        super().stop()
        if self.peers.many:
            with contextlib.suppress(SQLAlchemyError), self.peers.database.write() as session:
                mine = PlatformRow.worker == self.peers.worker
                session.execute(delete(PlatformRow).where(mine))

    def step(self, woken: bool) -> float:
        """A beat."""
        with self.peers.database.write() as session:
            now = session.scalar(select(func.clock_timestamp()))
            assert now is not None
            row = session.get(PlatformRow, self.peers.worker)
            if row is None:
                row = PlatformRow(worker=self.peers.worker, started_at=now)
                session.add(row)
            row.tag, row.seen_at = tag_of(self.peers.worker), now
            for name, value in self.about().items():
                setattr(row, name, value)
            old = now - timedelta(seconds=FORGOTTEN_SECONDS)
            session.execute(delete(PlatformRow).where(PlatformRow.seen_at < old))
        self.error = ""
        return BEAT_SECONDS


def _peer(row: PlatformRow) -> Peer:
    return Peer(
        row.worker,
        row.tag,
        row.name,
        row.url,
        row.secret,
        row.cpus,
        row.memory_bytes,
        tuple(row.gpus),
        row.seen_at,
    )
