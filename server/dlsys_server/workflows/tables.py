"""Schedules and their firings."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from dlsys_server.core.tables import Base


class ScheduleRow(Base):
    """A schedule. `submission` is for looking at; the whole request is a blob: see `keeping`.

    `next_at` is the first due time that has not been looked at. Only `planning` moves it forward.
    """

    __tablename__ = "schedule"
    __table_args__ = (
        Index("ix_schedule_project", "project", "id"),
        Index("ix_schedule_due", "paused", "next_at"),
    )

    id: Mapped[str] = mapped_column(String(26), primary_key=True)
    project: Mapped[str] = mapped_column(String(63))
    owner: Mapped[str] = mapped_column(String(200))
    name: Mapped[str] = mapped_column(String(200))
    cron: Mapped[str] = mapped_column(String(200))
    timezone: Mapped[str] = mapped_column(String(64))
    source: Mapped[str] = mapped_column(String(255))
    submission: Mapped[dict[str, Any]]
    follow: Mapped[bool] = mapped_column(default=False)
    path: Mapped[str] = mapped_column(Text, default="")
    missed: Mapped[str] = mapped_column(String(8))
    overlap: Mapped[str] = mapped_column(String(8))
    paused: Mapped[bool] = mapped_column(default=False)
    removed: Mapped[bool] = mapped_column(default=False)
    next_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class FiringRow(Base):
    """One due time of a schedule; its key is the run key, so it can be fired once only.

        pending ──► submitted | skipped | failed        skipped | failed ──► pending (backfill)

    A job that was begun for a time has the run key `run_key`, so what a crash left pending is
    submitted again without harm.
    """

    __tablename__ = "schedule_firing"
    __table_args__ = (Index("ix_schedule_firing_state", "state", "due_at"),)

    schedule_id: Mapped[str] = mapped_column(String(26), primary_key=True)
    due_at: Mapped[datetime] = mapped_column(primary_key=True)
    project: Mapped[str] = mapped_column(String(63))
    state: Mapped[str] = mapped_column(String(16))
    reason: Mapped[str] = mapped_column(Text, default="")
    manual: Mapped[bool] = mapped_column(default=False)
    job_id: Mapped[str | None] = mapped_column(String(26), index=True)
    created_at: Mapped[datetime]

    @property
    def run_key(self) -> str:
        """Of the job; unique in the project."""
        return f"schedule/{self.schedule_id}/{self.due_at.isoformat()}"
