"""From a pending firing to a job: whose turn it is, and what happens when the last has not ended.

Everything can be repeated after a crash, and by two platforms on one database at the same time: the
job's run key is unique, and a firing is settled once.
"""

from __future__ import annotations

import logging
from itertools import groupby
from typing import get_args

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from dlsys_server.access.principals import Identity, Principal
from dlsys_server.access.scopes import Scope, expand
from dlsys_server.core.database import Database
from dlsys_server.core.errors import DlsysError, Forbidden, InvalidInput, Unavailable
from dlsys_server.core.store import ObjectStore
from dlsys_server.training.service import TrainingService
from dlsys_server.training.tables import JobRow
from jupyter_dlsys.contract.jobs import TERMINAL_STATES, Job, JobState, SubmitRequest

from . import following, keeping
from .planning import GRACE
from .tables import FiringRow, ScheduleRow
from .telling import Teller

log = logging.getLogger(__name__)
WINDOW = 1000
LATE = "Made up for: nobody was there at that time (the platform was off or asleep)."
UNFINISHED = tuple(state for state in get_args(JobState) if state not in TERMINAL_STATES)


class Submitter:
    """Gives pending firings their turn. Schedules of `account` may follow files; '': of nobody."""

    def __init__(
        self,
        database: Database,
        store: ObjectStore,
        training: TrainingService,
        teller: Teller,
        identity: Identity,
        account: str,
    ) -> None:
        self.database, self.store, self.training = database, store, training
        self.teller, self.identity, self.account = teller, identity, account

    def advance(self, schedule_id: str | None = None) -> bool:
        """Submit what is pending and may go; True when something still waits."""
        query = (
            select(FiringRow, ScheduleRow)
            .join(ScheduleRow, ScheduleRow.id == FiringRow.schedule_id)
            .where(FiringRow.state == "pending")
            .order_by(FiringRow.due_at)
            .limit(WINDOW)
        )
        if schedule_id is not None:
            query = query.where(FiringRow.schedule_id == schedule_id)
        with self.database.read() as session:
            found = [(firing, schedule) for firing, schedule in session.execute(query)]
        found.sort(key=lambda pair: pair[1].id)
        waits = [
            self._turns(schedule, [firing for firing, _ in group])
            for schedule, group in groupby(found, key=lambda pair: pair[1])
        ]
        return any(waits)

    def _turns(self, schedule: ScheduleRow, pending: list[FiringRow]) -> bool:
        """One schedule's firings, oldest first."""
        waits = False
        for place, firing in enumerate(pending):
            busy = self._unfinished(schedule, firing)
            if not busy and not waits:
                waits = not self._submit(schedule, firing)
                continue
            policy = schedule.overlap if _on_time(firing) else "queue"
            last = busy[0] if busy else "before it"
            if policy == "skip":
                self.settle(schedule, firing, "skipped", f"The last job ({last}) had not ended.")
            elif policy == "replace" and any(_on_time(later) for later in pending[place + 1 :]):
                self.settle(schedule, firing, "skipped", "The next time came before its turn.")
            else:
                waits = True
                if policy == "replace":
                    self._stop(schedule, busy)
                doing = "Stopping" if policy == "replace" else "Waiting for"
                self.note(schedule, firing, f"{doing} the last job ({last})")
        return waits

    def _unfinished(self, schedule: ScheduleRow, firing: FiringRow) -> list[str]:
        """Jobs of the schedule that have not ended, but not the one of this very firing."""
        query = select(JobRow.id, JobRow.schedule, JobRow.run_key).where(
            JobRow.project == schedule.project, JobRow.state.in_(UNFINISHED)
        )
        with self.database.read() as session:
            found = session.execute(query.order_by(JobRow.id))
            return [i for i, of, key in found if of == schedule.id and key != firing.run_key]

    def _stop(self, schedule: ScheduleRow, jobs: list[str]) -> None:
        caller = Principal.of(
            f"the schedule '{schedule.name}'",
            "service",
            schedule.project,
            (schedule.project,),
            expand(frozenset({Scope.MANAGE})),
        )
        for job in jobs:
            self.training.cancel(caller, schedule.project, job)

    # -- one firing

    def _submit(self, schedule: ScheduleRow, firing: FiringRow) -> bool:
        """False when it has to be tried again."""
        try:
            job = self._job(schedule, firing)
        except IntegrityError:  # another platform submitted it at the same moment
            return False
        except Unavailable as error:
            self.note(schedule, firing, f"Trying again: {error.detail}")
            return False
        except DlsysError as error:
            self.settle(schedule, firing, "failed", f"{error.detail} {error.hint}".strip())
        except SQLAlchemyError:
            raise
        except Exception as error:
            log.exception("firing cannot be submitted", extra={"schedule": schedule.id})
            self.settle(schedule, firing, "failed", f"{type(error).__name__}: {error}")
        else:
            reason = "" if _on_time(firing) or firing.manual else LATE
            self.settle(schedule, firing, "submitted", reason, job.id)
        return True

    def _job(self, schedule: ScheduleRow, firing: FiringRow) -> Job:
        body = self.submission(schedule)
        return self.training.submit(
            self._owner(schedule),
            schedule.project,
            body,
            None,
            run_key=firing.run_key,
            schedule=schedule.id,
        )

    def _owner(self, schedule: ScheduleRow) -> Principal:
        """The owner with the rights of today, and none but to submit.

        Raises:
            Forbidden: they may no longer submit here.
        """
        person = self.identity.person(schedule.owner)
        if person is None or not person.may(Scope.SUBMIT, schedule.project):
            raise Forbidden(
                f"{schedule.owner} may no longer submit jobs in {schedule.project}.",
                code="owner-lost-rights",
                hint="Give them a role that may, or make the schedule again as somebody else.",
            )
        return Principal.of(
            schedule.owner,
            "user",
            schedule.project,
            (schedule.project,),
            expand(frozenset({Scope.SUBMIT})),
        )

    def submission(self, schedule: ScheduleRow) -> SubmitRequest:
        """What to submit now.

        Raises:
            InvalidInput: the file that is followed cannot be a job.
        """
        kept = keeping.unpack(self.store, schedule.submission)
        if not schedule.follow:
            return kept
        if schedule.owner != self.account:
            raise InvalidInput(
                f"The platform does not run as {schedule.owner} any more, so it cannot read "
                f"{schedule.path} for them.",
                hint="Make the schedule again, without following the file.",
            )
        return following.with_file(kept, schedule.path)

    def note(self, schedule: ScheduleRow, firing: FiringRow, reason: str) -> None:
        """Say why a firing waits."""
        if firing.reason == reason:
            return
        with self.database.write() as session:
            row = session.get(FiringRow, (firing.schedule_id, firing.due_at), with_for_update=True)
            if row is not None and row.state == "pending" and row.reason != reason:
                row.reason = reason
                self.teller.fired(session, schedule, row)

    def settle(
        self,
        schedule: ScheduleRow,
        firing: FiringRow,
        state: str,
        reason: str,
        job: str | None = None,
    ) -> None:
        """Say what came of a firing. A job that was submitted is told of whatever came between."""
        with self.database.write() as session:
            row = session.get(FiringRow, (firing.schedule_id, firing.due_at), with_for_update=True)
            if row is None or row.job_id or (row.state != "pending" and job is None):
                return
            row.state, row.reason, row.job_id = state, reason, job
            self.teller.fired(session, schedule, row)


def _on_time(firing: FiringRow) -> bool:
    return firing.created_at - firing.due_at <= GRACE
