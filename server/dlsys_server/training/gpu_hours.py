"""What users and projects use through jobs: GPU-hours of this month, jobs that run, bytes left.

Nothing is added up as time goes by: the rows of attempts say when each began and ended, whatever
was restarted or tried again meanwhile, and whichever platform process asks.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Float, case, func, literal, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from dlsys_server.access.quota_words import month
from dlsys_server.core import clock
from dlsys_server.core.tables import UtcDateTime
from jupyter_dlsys.contract.quotas import QuotaKind

from .states import HOLDING
from .tables import AttemptRow, JobRow

HOUR = 3600.0


def gpu_hours(
    session: Session, kind: QuotaKind, names: Collection[str] | None = None
) -> Mapping[str, float]:
    """GPU-hours since the beginning of the month (UTC): of attempts that ended, and of those that
    run up to now. A quarter of a GPU for an hour is a quarter."""
    now = clock.now()
    begin, who = month(now), _who(kind)
    held = JobRow.gpus * JobRow.gpu_share
    used = _hours(session, AttemptRow.started_at, AttemptRow.finished_at, begin) * held
    ended = (
        select(who, func.sum(used))
        .select_from(AttemptRow)
        .join(JobRow, JobRow.id == AttemptRow.job_id)
        .where(AttemptRow.finished_at > begin, AttemptRow.started_at.is_not(None), JobRow.gpus > 0)
        .group_by(who)
    )
    found: dict[str, float] = {
        name: float(hours or 0.0) for name, hours in session.execute(_of(ended, who, names))
    }
    for name, since, gpus, share in session.execute(_of(_running(who), who, names)):
        hours = max(0.0, (now - max(since, begin)).total_seconds()) / HOUR
        found[name] = found.get(name, 0.0) + hours * gpus * share
    return found


def running_jobs(
    session: Session, kind: QuotaKind, names: Collection[str] | None = None
) -> Mapping[str, float]:
    """Jobs that hold slots."""
    who = _who(kind)
    query = select(who, func.count()).where(JobRow.state.in_(HOLDING)).group_by(who)
    return {name: float(count) for name, count in session.execute(_of(query, who, names))}


def left_behind(
    session: Session, kind: QuotaKind, names: Collection[str] | None = None
) -> Mapping[str, float]:
    """Bytes that ended jobs left: notebook, log, files, checkpoint."""
    who = _who(kind)
    query = select(who, func.sum(JobRow.kept_bytes)).where(JobRow.kept_bytes > 0).group_by(who)
    return {name: float(size) for name, size in session.execute(_of(query, who, names))}


def promised(session: Session, kind: QuotaKind, name: str) -> float:
    """GPU-hours that jobs which wait or run will at least use, by what was expected of them."""
    who, now, total = _who(kind), clock.now(), 0.0
    query = select(JobRow.gpu_hours, JobRow.gpus, JobRow.gpu_share, JobRow.started_at).where(
        who == name, JobRow.gpu_hours > 0, JobRow.state.in_(("queued", *HOLDING))
    )
    for expected, gpus, share, since in session.execute(query):
        had = 0.0 if since is None else (now - since).total_seconds() / HOUR * gpus * share
        total += max(0.0, (expected or 0.0) - had)
    return total


def _who(kind: QuotaKind) -> InstrumentedAttribute[str]:
    return JobRow.owner if kind == "user" else JobRow.project


def _of(query: Any, who: InstrumentedAttribute[str], names: Collection[str] | None) -> Any:
    return query if names is None else query.where(who.in_(list(names)))


def _running(who: InstrumentedAttribute[str]) -> Any:
    return (
        select(who, AttemptRow.started_at, JobRow.gpus, JobRow.gpu_share)
        .select_from(JobRow)
        .join(AttemptRow, (AttemptRow.job_id == JobRow.id) & (AttemptRow.number == JobRow.attempt))
        .where(
            JobRow.state.in_(HOLDING),
            JobRow.gpus > 0,
            AttemptRow.started_at.is_not(None),
            AttemptRow.finished_at.is_(None),
        )
    )


def _hours(session: Session, since: Any, until: Any, begin: datetime) -> ColumnElement[float] | Any:
    """Hours from `since`, at the earliest `begin`, to `until`; added up by the database."""
    first = literal(begin, UtcDateTime())
    begun = case((since < first, first), else_=since)
    if session.get_bind().dialect.name == "sqlite":
        hours = (func.julianday(until) - func.julianday(begun)) * literal(24.0, Float())
    else:
        hours = func.extract("epoch", until - begun) / literal(HOUR, Float())
    return case((until < begun, literal(0.0, Float())), else_=hours)
