"""The declarative base and the tables that belong to no room: events and idempotency keys."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, DateTime, Index, Integer, String
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator

from . import clock

BigId = BigInteger().with_variant(Integer, "sqlite")
Json = JSON().with_variant(JSONB, "postgresql")


class UtcDateTime(TypeDecorator[datetime]):
    """Aware UTC datetimes on every database."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_result_value(self, value: datetime | None, dialect: Any) -> datetime | None:
        """SQLite forgets the zone."""
        return clock.aware(value)


class Base(DeclarativeBase):
    """Base of all rows."""

    type_annotation_map = {datetime: UtcDateTime, dict[str, Any]: Json, list[Any]: Json}


class EventRow(Base):
    """One thing that happened. Append-only."""

    __tablename__ = "event"
    __table_args__ = (
        Index("ix_event_subject", "subject", "seq"),
        Index("ix_event_project", "project", "seq"),
        {"sqlite_autoincrement": True},
    )

    seq: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=True)
    at: Mapped[datetime]
    topic: Mapped[str] = mapped_column(String(64))
    project: Mapped[str] = mapped_column(String(63))
    subject: Mapped[str] = mapped_column(String(200))
    actor: Mapped[str] = mapped_column(String(200))
    payload: Mapped[dict[str, Any]]


class IdempotencyRow(Base):
    """First answer to a write, by caller and key."""

    __tablename__ = "idempotency"

    principal: Mapped[str] = mapped_column(String(200), primary_key=True)
    key: Mapped[str] = mapped_column(String(200), primary_key=True)
    request_hash: Mapped[str] = mapped_column(String(64))
    answer: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]


class LeaseRow(Base):
    """Who may do what only one may do, until when. `fence` grows with each new holder."""

    __tablename__ = "lease"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    holder: Mapped[str] = mapped_column(String(200))
    fence: Mapped[int]
    until: Mapped[datetime]


class PlatformRow(Base):
    """A platform that lives or did until lately: one data folder with its worker. `secret` is the
    SHA-256 of its operator's token, which counts at the others, too."""

    __tablename__ = "platform"

    worker: Mapped[str] = mapped_column(String(200), primary_key=True)
    tag: Mapped[str] = mapped_column(String(8))
    name: Mapped[str] = mapped_column(String(200))
    url: Mapped[str] = mapped_column(String(500))
    secret: Mapped[str] = mapped_column(String(64))
    cpus: Mapped[float]
    memory_bytes: Mapped[int] = mapped_column(BigInteger)
    gpus: Mapped[list[Any]]
    started_at: Mapped[datetime]
    seen_at: Mapped[datetime]
