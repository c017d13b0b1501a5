"""Times of a past interval that have no job, fired by hand."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from dlsys_server.core.database import Database
from dlsys_server.core.errors import InvalidInput
from jupyter_dlsys.contract.base import FieldProblem
from jupyter_dlsys.contract.schedules import BackfillRequest

from .cron import UTC, Cron
from .expressions import known
from .planning import Planned
from .planning import write as write_planned
from .tables import FiringRow, ScheduleRow

LOOKED_AT = 20_000
"""Due times that are looked at for one request."""
REOPENED = ("skipped", "failed")


def times(
    database: Database, row: ScheduleRow, body: BackfillRequest, now: datetime
) -> list[datetime]:
    """Due times from `start` to `end` without a job, oldest first.

    A time without an offset is meant in the schedule's zone.

    Raises:
        InvalidInput: the interval is not in the past, or has more of them than `limit`.
    """
    cron = known(row.cron, row.timezone)
    start, end = _utc(body.start, cron), min(_utc(body.end, cron), now)
    if start > end:
        detail = "The interval ends before it begins, or has not begun yet."
        problem = FieldProblem(field="start", message=detail)
        raise InvalidInput(detail, hint="Name an interval in the past.", errors=[problem])
    with database.read() as session:
        query = select(FiringRow.due_at).where(
            FiringRow.schedule_id == row.id,
            FiringRow.due_at.between(start, end),
            FiringRow.state.not_in(REOPENED),
        )
        fired = set(session.scalars(query))
    found: list[datetime] = []
    for number, due in enumerate(cron.between(start, end), 1):
        if due not in fired:
            found.append(due)
        if len(found) > body.limit or number > LOOKED_AT:
            raise InvalidInput(
                f"From {body.start} to {body.end} are more than "
                f"{min(body.limit, LOOKED_AT)} times without a job.",
                code="too-many-times",
                hint="Choose a shorter interval, or raise the limit (at most 1000).",
            )
    return found


def write(
    session: Session, database: Database, row: ScheduleRow, found: list[datetime], now: datetime
) -> list[FiringRow]:
    """Make these times pending, in the caller's transaction; those that really became so."""
    wanted = (FiringRow.schedule_id == row.id, FiringRow.due_at.in_(found))
    # New ones first: this waits for a loop that writes the same times, then sees its skipped ones.
    write_planned(session, database, row, [Planned(due) for due in found], now, manual=True)
    session.execute(
        update(FiringRow)
        .where(*wanted, FiringRow.state.in_(REOPENED), FiringRow.job_id.is_(None))
        .values(state="pending", reason="", manual=True, created_at=now)
        .execution_options(synchronize_session=False)
    )
    query = select(FiringRow).where(*wanted, FiringRow.created_at == now)
    return list(session.scalars(query.order_by(FiringRow.due_at)))


def _utc(moment: datetime, cron: Cron) -> datetime:
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=cron.zone)
    return moment.astimezone(UTC)
