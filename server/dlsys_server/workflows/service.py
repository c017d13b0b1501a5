"""Verbs of schedules."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from dlsys_server.access.principals import Identity, Principal
from dlsys_server.access.scopes import Scope
from dlsys_server.api.paging import Paging
from dlsys_server.core import clock, idempotency
from dlsys_server.core.database import Database
from dlsys_server.core.errors import Forbidden, InvalidInput, NotFound
from dlsys_server.core.events import EventLog
from dlsys_server.core.ids import new_id
from dlsys_server.core.store import ObjectStore
from dlsys_server.training.service import TrainingService
from jupyter_dlsys.contract.base import Page
from jupyter_dlsys.contract.jobs import SubmitRequest
from jupyter_dlsys.contract.schedules import (
    BackfillRequest,
    CronExplanation,
    CronRequest,
    Firing,
    Schedule,
    ScheduleChange,
    ScheduleRequest,
)

from . import backfilling, expressions, following, keeping, planning
from .cron import Cron
from .firing import Firer
from .submitting import Submitter
from .tables import FiringRow, ScheduleRow
from .telling import Teller
from .views import NEXT, to_firings, to_schedules


class ScheduleService:
    """Create, change, fire. `account` is whom the platform runs as."""

    def __init__(
        self,
        database: Database,
        store: ObjectStore,
        training: TrainingService,
        teller: Teller,
        firer: Firer,
        account: str,
    ) -> None:
        self.database, self.store, self.training = database, store, training
        self.teller, self.firer, self.account = teller, firer, account

    @classmethod
    def of(
        cls,
        database: Database,
        store: ObjectStore,
        events: EventLog,
        training: TrainingService,
        identity: Identity,
        account: str,
    ) -> ScheduleService:
        """The room, with a loop that has not been started."""
        teller = Teller(events)
        submitter = Submitter(database, store, training, teller, identity, account)
        firer = Firer(database, submitter)
        return cls(database, store, training, teller, firer, account)

    # -- make and change

    def create(
        self, caller: Principal, project: str, body: ScheduleRequest, key: str | None
    ) -> Schedule:
        """Check everything that can be checked now, then keep it.

        Raises:
            InvalidInput, Refused, NotFound: the expression, the source or an input cannot work.
            Forbidden: the caller may not let the platform follow a file.
        """
        asked = idempotency.fingerprint("schedules.create", project, body)
        with self.database.read() as session:
            if first := idempotency.recall(session, caller.name, key, asked):
                return Schedule.model_validate(first)
        cron = expressions.parse(body.cron, body.timezone)
        path = following.place(caller, self.account, body.path) if body.follow else ""
        submission = self._checked(caller, project, body.submission, body.name, path)
        row = self._row(caller, project, body, cron, submission, path)
        with self.database.write() as session:
            if first := idempotency.recall(session, caller.name, key, asked):
                return Schedule.model_validate(first)
            session.add(row)
            session.flush()
            self.teller.changed(session, row, caller.name)
            answer = to_schedules(session, [row], row.created_at)[0]
            idempotency.remember(session, caller.name, key, asked, answer)
        self.firer.wake()
        return answer

    def _checked(
        self, caller: Principal, project: str, submission: SubmitRequest, name: str, path: str
    ) -> SubmitRequest:
        """The submission as it is kept; of a followed file without its texts."""
        if submission.after:
            raise InvalidInput(
                "The jobs of a schedule cannot wait for a job.",
                hint="Leave `after` out; `overlap` says what happens while the last one runs.",
            )
        now = following.with_file(submission, path) if path else submission
        self.training.check(now)
        self.training.check_inputs(caller, project, submission.inputs)
        kept = {"name": submission.name or name}
        if path:
            empty = now.source.model_copy(update={"content": ""})
            return now.model_copy(update={**kept, "source": empty, "modules": []})
        return now.model_copy(update=kept)

    def _row(
        self,
        caller: Principal,
        project: str,
        body: ScheduleRequest,
        cron: Cron,
        submission: SubmitRequest,
        path: str,
    ) -> ScheduleRow:
        now = clock.now()
        source = submission.source.path.rpartition("/")[2]
        return ScheduleRow(
            id=new_id(),
            project=project,
            owner=caller.name,
            name=body.name or submission.name or source.rpartition(".")[0],
            cron=cron.expression,
            timezone=cron.zone.key,
            source=source,
            submission=keeping.pack(self.store, submission),
            follow=body.follow,
            path=path,
            missed=body.missed,
            overlap=body.overlap,
            paused=False,
            removed=False,
            next_at=cron.after(now),
            created_at=now,
            updated_at=now,
        )

    def update(
        self, caller: Principal, project: str, schedule_id: str, body: ScheduleChange
    ) -> Schedule:
        """Change a schedule; its history stays."""
        with self.database.read() as session:
            row = _find(session, project, schedule_id)
        _check_owner(caller, row, strictly=body.submission is not None)
        values: dict[str, Any] = body.model_dump(
            include={"name", "missed", "overlap"}, exclude_none=True
        )
        if body.cron is not None or body.timezone is not None:
            cron = expressions.parse(body.cron or row.cron, body.timezone or row.timezone)
            values |= {"cron": cron.expression, "timezone": cron.zone.key}
            values["next_at"] = cron.after(clock.now())
        if body.submission is not None:
            name = body.name or row.name
            submission = self._checked(caller, project, body.submission, name, row.path)
            values["submission"] = keeping.pack(self.store, submission)
            values["source"] = submission.source.path.rpartition("/")[2]
        return self._change(caller, project, schedule_id, **values)

    def pause(self, caller: Principal, project: str, schedule_id: str) -> Schedule:
        """Stop firing until it is resumed; what waits for its turn is skipped."""
        reason = "The schedule was paused while it waited for its turn."
        return self._change(caller, project, schedule_id, reason, paused=True)

    def resume(self, caller: Principal, project: str, schedule_id: str) -> Schedule:
        """Fire again from now on."""
        with self.database.read() as session:
            row = _find(session, project, schedule_id)
        _check_owner(caller, row)
        if not row.paused:
            return self.show(project, schedule_id)
        following_at = expressions.known(row.cron, row.timezone).after(clock.now())
        return self._change(caller, project, schedule_id, paused=False, next_at=following_at)

    def remove(self, caller: Principal, project: str, schedule_id: str) -> None:
        """End it; its jobs and their history stay."""
        reason = "The schedule was removed while it waited for its turn."
        self._change(caller, project, schedule_id, reason, removed=True, next_at=None)

    def _change(
        self,
        caller: Principal,
        project: str,
        schedule_id: str,
        skip: str = "",
        **values: Any,
    ) -> Schedule:
        """Set fields; with `skip` what is pending is skipped, for that reason."""
        now = clock.now()
        with self.database.write() as session:
            row = _find(session, project, schedule_id, lock=True)
            for name, value in {**values, "updated_at": now}.items():
                setattr(row, name, value)
            session.flush()
            if skip:
                session.execute(
                    update(FiringRow)
                    .where(FiringRow.schedule_id == row.id, FiringRow.state == "pending")
                    .values(state="skipped", reason=skip)
                )
            self.teller.changed(session, row, caller.name)
            answer = to_schedules(session, [row], now)[0]
        self.firer.wake()
        return answer

    # -- look

    def page(self, project: str, paging: Paging) -> Page[Schedule]:
        """Schedules, newest first."""
        query = select(ScheduleRow).where(
            ScheduleRow.project == project, ScheduleRow.removed.is_(False)
        )
        if paging.cursor:
            query = query.where(ScheduleRow.id < paging.cursor)
        query = query.order_by(ScheduleRow.id.desc()).limit(paging.limit + 1)
        with self.database.read() as session:
            rows = list(session.scalars(query))
            more, rows = len(rows) > paging.limit, rows[: paging.limit]
            items = to_schedules(session, rows, clock.now())
        return Page(items=items, next_cursor=rows[-1].id if more else None)

    def show(self, project: str, schedule_id: str) -> Schedule:
        """One schedule.

        Raises:
            NotFound: no such schedule in the project.
        """
        with self.database.read() as session:
            return to_schedules(session, [_find(session, project, schedule_id)], clock.now())[0]

    def history(self, project: str, schedule_id: str, paging: Paging) -> Page[Firing]:
        """Firings, newest first, with the state of their jobs."""
        query = select(FiringRow).where(FiringRow.schedule_id == schedule_id)
        if paging.cursor:
            query = query.where(FiringRow.due_at < _moment(paging.cursor))
        query = query.order_by(FiringRow.due_at.desc()).limit(paging.limit + 1)
        with self.database.read() as session:
            _find(session, project, schedule_id)
            rows = list(session.scalars(query))
            more, rows = len(rows) > paging.limit, rows[: paging.limit]
            items = to_firings(session, rows)
        return Page(items=items, next_cursor=rows[-1].due_at.isoformat() if more else None)

    def explain(self, body: CronRequest) -> CronExplanation:
        """A cron expression in words, and its next five times."""
        cron = expressions.parse(body.cron, body.timezone)
        return CronExplanation(
            cron=cron.expression,
            timezone=cron.zone.key,
            words=cron.words,
            next_times=cron.following(clock.now(), NEXT),
        )

    def active(self) -> int:
        """Schedules that will fire, and firings that wait for their turn."""
        live = select(func.count()).select_from(ScheduleRow)
        live = live.where(ScheduleRow.paused.is_(False), ScheduleRow.removed.is_(False))
        waiting = select(func.count()).select_from(FiringRow).where(FiringRow.state == "pending")
        with self.database.read() as session:
            return (session.scalar(live) or 0) + (session.scalar(waiting) or 0)

    # -- fire

    def run_now(self, caller: Principal, project: str, schedule_id: str, key: str | None) -> Firing:
        """Fire once now, besides the plan; `overlap` holds for it too."""
        asked = idempotency.fingerprint("schedules.run", project, schedule_id)
        now = clock.now()
        with self.database.write() as session:
            row = _find(session, project, schedule_id)
            _check_owner(caller, row)
            if first := idempotency.recall(session, caller.name, key, asked):
                now = Firing.model_validate(first).due_at
            else:
                planned = [planning.Planned(now)]
                planning.write(session, self.database, row, planned, now, manual=True)
                answer = Firing(schedule=row.id, due_at=now, state="pending", manual=True)
                idempotency.remember(session, caller.name, key, asked, answer)
        self.firer.submitter.advance(schedule_id)
        self.firer.wake()
        with self.database.read() as session:
            return to_firings(session, [session.get_one(FiringRow, (schedule_id, now))])[0]

    def backfill(
        self, caller: Principal, project: str, schedule_id: str, body: BackfillRequest
    ) -> list[Firing]:
        """Fire for each due time of a past interval that has no job; one after the other.

        Raises:
            InvalidInput: the interval is not in the past, or has more times than `limit`.
        """
        with self.database.read() as session:
            row = _find(session, project, schedule_id)
        _check_owner(caller, row)
        now = clock.now()
        times = backfilling.times(self.database, row, body, now)
        with self.database.write() as session:
            found = backfilling.write(session, self.database, row, times, now)
            answer = to_firings(session, found)
            if found:
                self.teller.changed(session, row, caller.name)
        self.firer.wake()
        return answer


def _find(session: Session, project: str, schedule_id: str, lock: bool = False) -> ScheduleRow:
    row = session.get(ScheduleRow, schedule_id, with_for_update=lock)
    if row is None or row.project != project or row.removed:
        raise NotFound(
            f"There is no schedule '{schedule_id}' in {project}.",
            code="no-such-schedule",
            hint="`dlsys schedules list` shows them.",
        )
    return row


def _check_owner(caller: Principal, row: ScheduleRow, strictly: bool = False) -> None:
    """Its jobs run as its owner, so nobody else may say what they run, or make them run."""
    if caller.name == row.owner or (not strictly and caller.may(Scope.MANAGE, row.project)):
        return
    raise Forbidden(
        f"The schedule '{row.name}' belongs to {row.owner}, as whom its jobs run.",
        code="not-your-schedule",
        hint="Ask them to change it, or make one of your own.",
    )


def _moment(cursor: str) -> datetime:
    try:
        moment = datetime.fromisoformat(cursor)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise InvalidInput("The cursor is not one of this list.", hint="Take it from next_cursor.")
    return moment
