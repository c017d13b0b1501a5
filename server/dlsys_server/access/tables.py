"""Projects and tokens."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from dlsys_server.core.tables import Base


class ProjectRow(Base):
    """A project."""

    __tablename__ = "project"

    name: Mapped[str] = mapped_column(String(63), primary_key=True)
    owner: Mapped[str] = mapped_column(String(200))
    created_at: Mapped[datetime]


class TokenRow(Base):
    """A token by its SHA-256: of a job (its own run and inputs) or of a program (one endpoint)."""

    __tablename__ = "token"

    id: Mapped[str] = mapped_column(String(26), primary_key=True)
    sha256: Mapped[str] = mapped_column(String(64), unique=True)
    kind: Mapped[str] = mapped_column(String(16))
    name: Mapped[str] = mapped_column(String(200))
    owner: Mapped[str] = mapped_column(String(200))
    project: Mapped[str] = mapped_column(String(63))
    subject: Mapped[str] = mapped_column(String(200), index=True)
    properties: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
