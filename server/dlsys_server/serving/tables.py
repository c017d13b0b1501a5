"""Deployments."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from dlsys_server.core.tables import Base, Json


class DeploymentRow(Base):
    """An endpoint: what it should serve and what it serves."""

    __tablename__ = "deployment"
    __table_args__ = (UniqueConstraint("name"),)

    project: Mapped[str] = mapped_column(String(63), primary_key=True)
    name: Mapped[str] = mapped_column(String(63), primary_key=True)
    owner: Mapped[str] = mapped_column(String(200))
    model: Mapped[str] = mapped_column(String(250))
    model_ref: Mapped[str] = mapped_column(String(250))
    target_version: Mapped[int]
    version: Mapped[int | None]
    previous_version: Mapped[int | None]
    state: Mapped[str] = mapped_column(String(16))
    message: Mapped[str] = mapped_column(Text, default="")
    trust: Mapped[str] = mapped_column(String(8))
    max_batch: Mapped[int]
    slo_ms: Mapped[float | None]
    contract: Mapped[dict[str, Any] | None] = mapped_column(Json)
    golden: Mapped[dict[str, Any] | None] = mapped_column(Json)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
