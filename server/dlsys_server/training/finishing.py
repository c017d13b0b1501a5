"""The verdict of an attempt becomes the job's: ended, or queued for the next attempt."""

from __future__ import annotations

import random
import time
from datetime import timedelta
from typing import Any

from dlsys_server.access import tokens
from dlsys_server.core import clock
from dlsys_server.core.database import Database

from .announcing import Announcer
from .attempts import Status
from .keeping import Keeper
from .retrying import Again, Ended, decide
from .slots import Capacity
from .states import QUOTA, move, requeue
from .tables import JobRow

FINAL_STATES = {"cancelled": "cancelled", QUOTA: "cancelled", "lost": "lost"}
STOPPED = ("cancelled", "lost", "killed")


class Finisher:
    """Writes verdicts into rows. Of two finishers one wins."""

    def __init__(
        self, database: Database, keeper: Keeper, announcer: Announcer, capacity: Capacity
    ) -> None:
        self.database, self.keeper = database, keeper
        self.announcer, self.capacity = announcer, capacity

    def finish(self, job: JobRow, status: Status) -> bool:
        """End the job's attempt as its supervisor said; True when the job has ended by that."""
        exit_reason, message, finished = _verdict(job, status.result or {})
        state = FINAL_STATES.get(exit_reason or "", "failed" if exit_reason else "succeeded")
        ended = {
            "state": state,
            "reason": message or ("Done" if state == "succeeded" else state.capitalize()),
            "exit_reason": exit_reason,
            "finished_at": clock.from_epoch(finished),
        }
        again = None if job.state == "cancelling" else self._again(job, exit_reason)
        if again is None:
            return self._end(job, ended)
        self._queue(job, ended, again)
        return False

    def _again(self, job: JobRow, exit_reason: str | None) -> Again | None:
        most = job.max_memory_bytes and min(job.max_memory_bytes, self.capacity.memory_bytes)
        about = Ended(exit_reason, job.attempt, job.retries, job.memory_limit, most)
        return decide(about, random.random())

    def _end(self, job: JobRow, ended: dict[str, Any]) -> bool:
        kept = self.keeper.keep(job)
        with self.database.write() as session:
            row = session.get(JobRow, job.id)
            if row is None or (row.state, row.attempt) != (job.state, job.attempt):
                return False
            if not move(session, row, **ended, **kept, not_before=None):
                return False
            tokens.revoke(session, job.project, f"job/{job.id}")
            self.announcer.changed(session, job.id)
        return True

    def _queue(self, job: JobRow, ended: dict[str, Any], again: Again) -> None:
        """Everything of the old attempt is put back in the change that frees its slots."""
        with self.database.write() as session:
            row = session.get(JobRow, job.id)
            if row is None or (row.state, row.attempt) != (job.state, job.attempt):
                return
            moved = requeue(
                session,
                row,
                ended,
                not_before=clock.now() + timedelta(seconds=again.seconds),
                raised_memory_bytes=again.memory if again.memory != job.memory_bytes else None,
                reason=again.reason,
                exit_reason=None,
                progress_done=0,
                progress_total=0,
                start_mode=None,
                start_reason="",
                started_at=None,
            )
            if moved:
                tokens.revoke(session, job.project, f"job/{job.id}")
                self.announcer.changed(session, job.id)


def _verdict(job: JobRow, result: dict[str, Any]) -> tuple[str | None, str, float]:
    """Exit reason, words and the time in epoch seconds, in the light of what was asked of the job.

    A stop that nobody asked for (a shutdown ends supervisors with SIGTERM) is a lost worker, and
    a job that was to be cancelled and ended by force is cancelled.
    """
    exit_reason: str | None = result.get("reason")
    message = str(result.get("message") or "")
    finished = float(result.get("finished_at") or time.time())
    if job.state == "cancelling" and exit_reason in STOPPED:
        return job.exit_reason or "cancelled", job.reason, finished
    if job.state != "cancelling" and exit_reason == "cancelled":
        words = "It was stopped from outside the platform, perhaps by a shutdown of the machine"
        return "lost", words, finished
    return exit_reason, message, finished
