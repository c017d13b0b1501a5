"""What becomes of due times: which of them are fired when some were missed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from dlsys_server.core.database import Database

from .expressions import known
from .tables import FiringRow, ScheduleRow

GRACE = timedelta(seconds=60)
"""A time that is found later than this was missed: nobody was there."""
MOST = 100
"""So many missed times are made up for at most, and so many firings wait at most."""


MISSED = "Missed: nobody was there at that time (the platform was off or asleep)"


@dataclass(frozen=True)
class Planned:
    """A due time and what shall come of it."""

    due_at: datetime
    state: str = "pending"
    reason: str = ""


def plan(times: list[datetime], earlier: bool, now: datetime, missed: str) -> list[Planned]:
    """Apply the policy for missed times.

    Args:
        times: due times that nobody has looked at, oldest first; the newest `MOST` of them.
        earlier: there were more, before these.
        missed: skip, last or all.
    """
    late = [due for due in times if now - due > GRACE]
    on_time = [Planned(due) for due in times[len(late) :]]
    if missed == "all":
        left_out, made_up = (late[:1], late[1:]) if earlier else ([], late)
        before = "all before it" if earlier else ""
    elif missed == "last" and not on_time:
        left_out, made_up = late[:-1], late[-1:]
        before = f"{MOST - 2} or more" if earlier else str(len(left_out) - 1)
    else:
        left_out, made_up = late, []
        before = f"{MOST - 1} or more" if earlier else str(len(left_out) - 1)
    found = [Planned(due) for due in made_up] + on_time
    if left_out:
        like = "" if before == "0" else f", like {before}"
        like += " before it" if like and "before" not in before else ""
        found.insert(0, Planned(left_out[-1], "skipped", f"{MISSED}{like}."))
    return found


def due(session: Session, now: datetime) -> list[ScheduleRow]:
    """Schedules with a time to look at."""
    query = select(ScheduleRow).where(
        ScheduleRow.paused.is_(False), ScheduleRow.removed.is_(False), ScheduleRow.next_at <= now
    )
    return list(session.scalars(query.order_by(ScheduleRow.next_at)))


def next_due(session: Session) -> datetime | None:
    """When the next schedule is due."""
    query = select(func.min(ScheduleRow.next_at)).where(
        ScheduleRow.paused.is_(False), ScheduleRow.removed.is_(False)
    )
    return session.scalar(query)


def take(database: Database, row: ScheduleRow, now: datetime) -> list[Planned]:
    """Write down the due times up to `now` and move on to the next, in one transaction.

    Of two that try, one has the times; the other gets none.
    """
    assert row.next_at is not None
    cron = known(row.cron, row.timezone)
    times, earlier = cron.newest(row.next_at, now, MOST)
    planned = plan(times, earlier, now, row.missed)
    with database.write() as session:
        won = session.execute(
            update(ScheduleRow)
            .where(
                ScheduleRow.id == row.id,
                ScheduleRow.next_at == row.next_at,
                ScheduleRow.updated_at == row.updated_at,
                ScheduleRow.paused.is_(False),
                ScheduleRow.removed.is_(False),
            )
            .values(next_at=cron.after(now))
            .execution_options(synchronize_session=False)
        )
        if getattr(won, "rowcount", 0) != 1:
            return []
        planned = _bounded(planned, _waiting(session, row.id))
        write(session, database, row, planned, now)
    return planned


def write(
    session: Session,
    database: Database,
    row: ScheduleRow,
    planned: list[Planned],
    now: datetime,
    *,
    manual: bool = False,
) -> None:
    """Add firings; one that is there already stays as it is."""
    insert = sqlite.insert if database.is_sqlite else postgresql.insert
    for one in planned:
        values = {
            "schedule_id": row.id,
            "due_at": one.due_at,
            "project": row.project,
            "state": one.state,
            "reason": one.reason,
            "manual": manual,
            "created_at": now,
        }
        session.execute(insert(FiringRow).values(**values).on_conflict_do_nothing())


def _waiting(session: Session, schedule_id: str) -> int:
    query = select(func.count()).select_from(FiringRow)
    query = query.where(FiringRow.schedule_id == schedule_id, FiringRow.state == "pending")
    return session.scalar(query) or 0


def _bounded(planned: list[Planned], waiting: int) -> list[Planned]:
    """A schedule whose jobs take longer than its interval does not pile up for ever."""
    if waiting < MOST:
        return planned
    reason = f"{waiting} earlier times are still waiting for their turn."
    return [
        Planned(one.due_at, "skipped", one.reason or reason) if one.state == "pending" else one
        for one in planned
    ]
