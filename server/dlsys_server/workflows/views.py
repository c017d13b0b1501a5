"""Rows of schedules and firings as the API shows them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import func, select, tuple_
from sqlalchemy.orm import Session

from dlsys_server.access.principals import Principal
from dlsys_server.core.errors import InvalidInput
from dlsys_server.datasets.naming import Names
from dlsys_server.training.tables import JobRow
from jupyter_dlsys.contract.references import parse_uri
from jupyter_dlsys.contract.schedules import Firing, Schedule

from .expressions import known
from .tables import FiringRow, ScheduleRow

NEXT = 5


def to_schedules(session: Session, rows: list[ScheduleRow], now: datetime) -> list[Schedule]:
    """Schedules with their newest firings."""
    last = {f.schedule: f for f in to_firings(session, _last_firings(session, rows))}
    return [_to_schedule(row, last.get(row.id), now) for row in rows]


def _to_schedule(row: ScheduleRow, last: Firing | None, now: datetime) -> Schedule:
    words, times = "", []
    try:
        cron = known(row.cron, row.timezone)
        words, times = cron.words, [] if row.paused else cron.following(now, NEXT)
    except InvalidInput as error:  # the machine's list of zones changed
        words = error.detail
    return Schedule(
        id=row.id,
        name=row.name,
        project=row.project,
        owner=row.owner,
        cron=row.cron,
        timezone=row.timezone,
        words=words,
        source=row.source,
        parameters=row.submission.get("parameters", {}),
        inputs={name: i["dataset"] for name, i in row.submission.get("inputs", {}).items()},
        follow=row.follow,
        path=row.path,
        missed=row.missed,
        overlap=row.overlap,
        paused=row.paused,
        next_times=times,
        last_firing=last,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def told_inputs(names: Names, caller: Principal, schedules: list[Schedule]) -> list[Schedule]:
    """The schedules without the inputs whose dataset the caller does not see."""
    wanted = {
        (schedule.id, name): parse_uri(reference, schedule.project)[:2]
        for schedule in schedules
        for name, reference in schedule.inputs.items()
    }
    heard = names.heard(caller, list(wanted.values()))
    return [
        schedule.model_copy(
            update={
                "inputs": {
                    name: reference
                    for name, reference in schedule.inputs.items()
                    if wanted[schedule.id, name] in heard
                }
            }
        )
        for schedule in schedules
    ]


def to_firings(session: Session, rows: Iterable[FiringRow]) -> list[Firing]:
    """Firings with the states of their jobs."""
    rows = list(rows)
    jobs = [row.job_id for row in rows if row.job_id]
    query = select(JobRow.id, JobRow.state).where(JobRow.id.in_(jobs))
    states = {row.id: row.state for row in session.execute(query)}
    return [
        Firing(
            schedule=row.schedule_id,
            due_at=row.due_at,
            state=row.state,
            reason=row.reason,
            manual=row.manual,
            job=row.job_id,
            job_state=states.get(row.job_id or ""),
        )
        for row in rows
    ]


def _last_firings(session: Session, rows: list[ScheduleRow]) -> list[FiringRow]:
    newest = (
        select(FiringRow.schedule_id, func.max(FiringRow.due_at))
        .where(FiringRow.schedule_id.in_([row.id for row in rows]))
        .group_by(FiringRow.schedule_id)
    )
    key = tuple_(FiringRow.schedule_id, FiringRow.due_at)
    return list(session.scalars(select(FiringRow).where(key.in_(newest))))
