"""Who may do what: one process settles the jobs of a worker, one in all decides what starts."""

from __future__ import annotations

from dataclasses import dataclass

from dlsys_server.core.database import Database
from dlsys_server.core.leases import FencedDatabase, Lease

LEASE_SECONDS = 15.0


@dataclass(frozen=True)
class Leadership:
    """The two leases of a scheduler, and databases that are written only while they are held."""

    worker: str
    own: Lease
    leader: Lease
    own_database: FencedDatabase
    leader_database: FencedDatabase

    @classmethod
    def of(
        cls, database: Database, worker: str, holder: str = "", seconds: float = LEASE_SECONDS
    ) -> Leadership:
        """Leases of a worker. `holder` tells two schedulers of one worker apart; by default the
        next process of a worker takes over from the one before it, which must be dead."""
        own = Lease(database, f"worker/{worker}"[:64], holder or worker, seconds)
        leader = Lease(database, "scheduler", holder or worker, seconds)
        databases = FencedDatabase(database, own), FencedDatabase(database, leader)
        return cls(worker, own, leader, *databases)

    def release(self) -> None:
        """Let others take over at once."""
        self.leader.release()
        self.own.release()
