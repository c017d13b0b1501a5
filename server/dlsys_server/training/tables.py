"""Jobs. One row a job; its state changes only through `states.move`."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from dlsys_server.core.tables import Base


class JobRow(Base):
    """A job and its newest attempt. `*_sha` are blobs of the object store.

    `kept_bytes` is the size of what it left: notebook, log, files, checkpoint. `gpu_hours` is what
    it was at least expected to need when it was submitted; `quota_told` the month in which it was
    said that the GPU-hours run out.
    """

    __tablename__ = "job"
    __table_args__ = (
        Index("ix_job_queue", "state", "id", "revision"),
        Index("ix_job_project", "project", "id"),
        Index("ix_job_run_key", "project", "run_key", unique=True),
        Index("ix_job_like", "project", "source_hash", "state", "id"),
        Index("ix_job_source", "project", "source", "state", "id"),
        Index("ix_job_state", "project", "state", "id"),
        Index("ix_job_finished", "finished_at"),
        Index("ix_job_schedule", "schedule", "id"),
        Index("ix_job_kept", "project", "owner", "kept_bytes"),
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
    gpu_share: Mapped[float] = mapped_column(default=1.0)
    gpu_ids: Mapped[list[Any]] = mapped_column(default=list)
    gpu_hours: Mapped[float | None]
    priority: Mapped[int] = mapped_column(default=0)
    timeout_seconds: Mapped[float | None]
    retries: Mapped[int] = mapped_column(default=0)
    max_memory_bytes: Mapped[int | None] = mapped_column(BigInteger)
    raised_memory_bytes: Mapped[int | None] = mapped_column(BigInteger)
    not_before: Mapped[datetime | None]
    after: Mapped[list[Any]] = mapped_column(default=list)
    variables: Mapped[dict[str, Any]] = mapped_column(default=dict)
    cold: Mapped[bool] = mapped_column(default=False)
    start_mode: Mapped[str | None] = mapped_column(String(16))
    start_reason: Mapped[str] = mapped_column(Text, default="")
    account: Mapped[str | None] = mapped_column(String(64))
    worker: Mapped[str | None] = mapped_column(String(200))
    run_key: Mapped[str | None] = mapped_column(String(200))
    schedule: Mapped[str | None] = mapped_column(String(26))
    retry_of: Mapped[str | None] = mapped_column(String(26))
    checkpoint_sha: Mapped[str | None] = mapped_column(String(64))
    run_id: Mapped[str | None] = mapped_column(String(64))
    experiment: Mapped[str | None] = mapped_column(String(200))
    progress_done: Mapped[int] = mapped_column(default=0)
    progress_total: Mapped[int] = mapped_column(default=0)
    spool_offset: Mapped[int] = mapped_column(BigInteger, default=0)
    run_closed: Mapped[bool] = mapped_column(default=False, index=True)
    notebook_sha: Mapped[str | None] = mapped_column(String(64))
    log_sha: Mapped[str | None] = mapped_column(String(64))
    artifacts: Mapped[list[Any]] = mapped_column(default=list)
    kept_bytes: Mapped[int] = mapped_column(BigInteger, default=0)
    quota_told: Mapped[str] = mapped_column(String(7), default="")
    created_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]

    @property
    def memory_limit(self) -> int | None:
        """Bytes that the newest attempt may use: as asked, or more when that was too little."""
        return self.raised_memory_bytes or self.memory_bytes


class AttemptRow(Base):
    """One try of a job: how it was started and how it ended."""

    __tablename__ = "job_attempt"
    __table_args__ = (Index("ix_job_attempt_finished", "finished_at"),)

    job_id: Mapped[str] = mapped_column(String(26), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    state: Mapped[str] = mapped_column(String(16))
    reason: Mapped[str] = mapped_column(Text, default="")
    exit_reason: Mapped[str | None] = mapped_column(String(32))
    start_mode: Mapped[str | None] = mapped_column(String(16))
    start_reason: Mapped[str] = mapped_column(Text, default="")
    memory_bytes: Mapped[int | None] = mapped_column(BigInteger)
    checkpoint: Mapped[int | None]
    created_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]


class UsageRow(Base):
    """What a job's processes used at a time."""

    __tablename__ = "job_usage"

    job_id: Mapped[str] = mapped_column(String(26), primary_key=True)
    at: Mapped[datetime] = mapped_column(primary_key=True)
    cpus: Mapped[float]
    memory_bytes: Mapped[int] = mapped_column(BigInteger)
    processes: Mapped[int]
    gpu_utilization: Mapped[float | None]
    gpu_memory_bytes: Mapped[int | None] = mapped_column(BigInteger)
