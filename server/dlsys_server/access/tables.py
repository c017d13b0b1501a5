"""Projects, their members, tokens, the audit log."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from dlsys_server.core.tables import Base


class ProjectRow(Base):
    """A project; `kind` is 'shared' or 'personal' (of one person, named after the owner)."""

    __tablename__ = "project"

    name: Mapped[str] = mapped_column(String(63), primary_key=True)
    kind: Mapped[str] = mapped_column(String(16), default="shared")
    title: Mapped[str] = mapped_column(String(200), default="")
    owner: Mapped[str] = mapped_column(String(200))
    created_at: Mapped[datetime]


class MemberRow(Base):
    """The role of a user, or of all members of a hub's group, in a project."""

    __tablename__ = "project_member"

    project: Mapped[str] = mapped_column(String(63), primary_key=True)
    kind: Mapped[str] = mapped_column(String(8), primary_key=True)
    name: Mapped[str] = mapped_column(String(200), primary_key=True)
    role: Mapped[str] = mapped_column(String(32))
    added_by: Mapped[str] = mapped_column(String(200))
    added_at: Mapped[datetime]


class TokenRow(Base):
    """A token by its SHA-256: of a job (its own run and inputs), or of a program. A program's has
    its scopes in `properties`, and as `subject` the one endpoint that it is for, or the project."""

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
    last_used_at: Mapped[datetime | None]


class QuotaRow(Base):
    """What a user or a project may use; name '*': all that have no row of their own."""

    __tablename__ = "quota"

    kind: Mapped[str] = mapped_column(String(8), primary_key=True)
    name: Mapped[str] = mapped_column(String(200), primary_key=True)
    gpu_hours: Mapped[float | None]
    jobs: Mapped[int | None]
    storage_bytes: Mapped[int | None] = mapped_column(BigInteger)
    endpoints: Mapped[int | None]
    set_by: Mapped[str] = mapped_column(String(200))
    set_at: Mapped[datetime]


class AuditRow(Base):
    """Something that was done or refused. Rows are only ever added; `hash` covers the row and the
    hash before it."""

    __tablename__ = "audit"

    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    at: Mapped[datetime]
    actor: Mapped[str] = mapped_column(String(200))
    kind: Mapped[str] = mapped_column(String(16))
    behalf_of: Mapped[str | None] = mapped_column(String(200))
    operation: Mapped[str] = mapped_column(String(64), index=True)
    project: Mapped[str | None] = mapped_column(String(63), index=True)
    target: Mapped[str] = mapped_column(Text)
    outcome: Mapped[str] = mapped_column(String(16))
    status: Mapped[int] = mapped_column(Integer)
    code: Mapped[str] = mapped_column(String(64))
    source: Mapped[str] = mapped_column(String(64))
    request_id: Mapped[str] = mapped_column(String(64))
    detail: Mapped[dict[str, Any]]
    hash: Mapped[str] = mapped_column(String(64))
