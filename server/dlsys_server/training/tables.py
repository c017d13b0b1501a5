"""Jobs. One row a job; its state changes only through `states.move`."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from dlsys_server.core.tables import Base


class JobRow(Base):
    """A job and its newest attempt. `*_sha` are blobs of the object store."""

    __tablename__ = "job"
    __table_args__ = (
        Index("ix_job_queue", "state", "priority", "id"),
        Index("ix_job_project", "project", "id"),
    )

    id: Mapped[str] = mapped_column(String(26), primary_key=True)
    project: Mapped[str] = mapped_column(String(63))
    owner: Mapped[str] = mapped_column(String(200))
    name: Mapped[str] = mapped_column(String(200))
    state: Mapped[str] = mapped_column(String(16))
    revision: Mapped[int] = mapped_column(default=0)
    attempt: Mapped[int] = mapped_column(default=1)
    reason: Mapped[str] = mapped_column(Text, default="")
    exit_reason: Mapped[str | None] = mapped_column(String(32))
    kind: Mapped[str] = mapped_column(String(16))
    source: Mapped[str] = mapped_column(String(255))
    source_hash: Mapped[str] = mapped_column(String(80))
    bundle_sha: Mapped[str] = mapped_column(String(64))
    environment_sha: Mapped[str | None] = mapped_column(String(64))
    parameters: Mapped[dict[str, Any]]
    inputs: Mapped[dict[str, Any]]
    cpus: Mapped[float]
    gpus: Mapped[int]
    memory_bytes: Mapped[int | None] = mapped_column(BigInteger)
    gpu_ids: Mapped[list[Any]] = mapped_column(default=list)
    priority: Mapped[int] = mapped_column(default=0)
    timeout_seconds: Mapped[float | None]
    run_id: Mapped[str | None] = mapped_column(String(64))
    experiment: Mapped[str | None] = mapped_column(String(200))
    progress_done: Mapped[int] = mapped_column(default=0)
    progress_total: Mapped[int] = mapped_column(default=0)
    spool_offset: Mapped[int] = mapped_column(BigInteger, default=0)
    run_closed: Mapped[bool] = mapped_column(default=False, index=True)
    notebook_sha: Mapped[str | None] = mapped_column(String(64))
    log_sha: Mapped[str | None] = mapped_column(String(64))
    artifacts: Mapped[list[Any]] = mapped_column(default=list)
    created_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
