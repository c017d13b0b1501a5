"""Reading the audit log: filters, pages, batches in order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from sqlalchemy import ColumnElement, false, func, or_, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from dlsys_server.core.database import Database
from jupyter_dlsys.contract.access import AuditEntry, Outcome

from .tables import AuditRow

BATCH = 1000
_ALL = AuditRow.__table__.columns
Row = Mapping[str, Any]


@dataclass(frozen=True)
class AuditFilter:
    """Which rows: all that is given has to hold. `visible`: only of these projects; None: all."""

    project: str | None = None
    actor: str | None = None
    operation: str | None = None
    outcome: Outcome | None = None
    since: datetime | None = None
    until: datetime | None = None
    text: str | None = None
    visible: tuple[str, ...] | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        """As SQL."""
        found: list[ColumnElement[bool]] = []
        for column, value in (
            (AuditRow.project, self.project),
            (AuditRow.outcome, self.outcome),
        ):
            if value is not None:
                found.append(column == value)
        if self.actor is not None:
            found.append(or_(AuditRow.actor == self.actor, AuditRow.behalf_of == self.actor))
        if self.operation:
            found.append(AuditRow.operation.startswith(self.operation, autoescape=True))
        if self.since is not None:
            found.append(AuditRow.at >= _utc(self.since))
        if self.until is not None:
            found.append(AuditRow.at < _utc(self.until))
        if self.text:
            found.append(AuditRow.target.icontains(self.text, autoescape=True))
        if self.visible is not None:
            found.append(AuditRow.project.in_(self.visible) if self.visible else false())
        return found


def _utc(at: datetime) -> datetime:
    return at.replace(tzinfo=timezone.utc) if at.tzinfo is None else at.astimezone(timezone.utc)


def newest(session: Session, wanted: AuditFilter, before: int | None, limit: int) -> list[Row]:
    """Rows before a number, newest first."""
    query = select(*_ALL).where(*wanted.conditions()).order_by(AuditRow.seq.desc()).limit(limit)
    if before is not None:
        query = query.where(AuditRow.seq < before)
    return [dict(row) for row in session.execute(query).mappings()]


def oldest_first(database: Database, wanted: AuditFilter) -> Iterator[list[Row]]:
    """Batches of the rows that are there now, each read in a short transaction of its own."""
    with database.read() as session:
        last = session.scalar(select(func.max(AuditRow.seq))) or 0
    conditions = [*wanted.conditions(), AuditRow.seq <= last]
    done = 0
    while True:
        query = select(*_ALL).where(*conditions, AuditRow.seq > done)
        with database.read() as session:
            found = session.execute(query.order_by(AuditRow.seq).limit(BATCH)).mappings().all()
        if not found:
            return
        yield [dict(row) for row in found]
        done = found[-1]["seq"]


def as_they_are(database: Database) -> Iterator[Row]:
    """All rows in order, also those that somebody has damaged: {seq, hash} is what is left of one
    that cannot be read.
    """
    after: Any = None
    while True:
        query = select(AuditRow.seq).order_by(AuditRow.seq).limit(BATCH)
        if after is not None:
            query = query.where(AuditRow.seq > after)
        with database.read() as session:
            numbers = list(session.scalars(query))
            rows = _read(session, numbers)
        if not numbers:
            return
        yield from rows
        after = numbers[-1]


def _read(session: Session, numbers: list[Any]) -> list[Row]:
    if not numbers:
        return []
    within = AuditRow.seq.between(numbers[0], numbers[-1])
    try:
        query = select(*_ALL).where(within).order_by(AuditRow.seq)
        return [dict(row) for row in session.execute(query).mappings()]
    except (SQLAlchemyError, ValueError, TypeError):
        return [_read_one(session, number) for number in numbers]


def _read_one(session: Session, number: Any) -> Row:
    try:
        query = select(*_ALL).where(AuditRow.seq == number)
        return dict(session.execute(query).mappings().one())
    except (SQLAlchemyError, ValueError, TypeError):
        stated = session.scalar(select(AuditRow.hash).where(AuditRow.seq == number))
        return {"seq": number, "hash": stated}


def entry_of(row: Row) -> AuditEntry:
    """A row as the API shows it."""
    return AuditEntry.model_validate(row, from_attributes=False)
