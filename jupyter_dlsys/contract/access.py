"""Projects, roles, members and the audit log."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from .base import Answer, Request

Role = Literal["viewer", "application-developer", "data-engineer", "data-scientist", "maintainer"]
"""What a member may do in a project, in words that people use of each other."""
PROJECT_PATTERN = r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])$"
MemberKind = Literal["user", "group"]
Outcome = Literal["allowed", "refused", "failed"]


class Project(Answer):
    """A space of names; also the MLflow workspace of that name."""

    name: str
    title: str = ""
    kind: Literal["shared", "personal"] = "shared"
    owner: str
    created_at: datetime
    role: Role | None = Field(None, description="The caller's own, the strongest where several.")
    rights: list[str] = Field([], description="Scopes that the caller has here.")


class CreateProjectRequest(Request):
    """A new project; its creator becomes a maintainer."""

    name: str = Field(pattern=PROJECT_PATTERN, description="A slug.")
    title: str = Field("", max_length=200)


class Member(Answer):
    """A user, or all members of a hub's group, and what they may do in a project."""

    kind: MemberKind
    name: str
    role: Role
    added_by: str
    added_at: datetime


class MemberRequest(Request):
    """The role that a member gets; one that it has already is replaced."""

    role: Role


class AuditEntry(Answer):
    """Who did what, as whom, when, from where, and whether it was allowed."""

    seq: int
    at: datetime
    actor: str
    kind: str
    behalf_of: str | None = Field(None, description="Whose server or job the actor acted from.")
    operation: str
    project: str | None = None
    target: str = Field(description="Path of the request below the API.")
    outcome: Outcome
    status: int
    code: str = Field("", description="Of the problem, when there was one.")
    source: str = Field("", description="Address that the request came from.")
    request_id: str
    detail: dict[str, Any] = {}
    hash: str = Field(description="Covers this row and the hash before it.")


class AuditReport(Answer):
    """What `dlsys audit verify` found."""

    ok: bool
    rows: int
    first: int | None = None
    last: int | None = None
    head: str = Field("", description="Hash of the last row; keep it elsewhere to prove more.")
    problems: list[str] = Field([], description="What was changed or removed, in plain words.")


class Permission(Answer):
    """Whether the caller may do something in a project, and who could allow it."""

    operation: str
    allowed: bool
    needs: Role | None = Field(None, description="The weakest role that includes it.")
    words: str = Field(
        "", description="Why not, e.g. 'needs role data-scientist in vision: ask ann'."
    )
