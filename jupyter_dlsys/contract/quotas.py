"""How much users and projects may use, and how much they do."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from .base import Answer, Request

QuotaKind = Literal["user", "project"]
Resource = Literal["gpu_hours", "jobs", "storage_bytes", "endpoints"]
"""GPU-hours of this calendar month (UTC), jobs that run at once, bytes kept, endpoints deployed."""
Level = Literal["free", "ok", "near", "full"]
"""free: no limit; near: 80 % or more of it is used; full: nothing more is started."""


class Limits(Answer):
    """Limits; null: none."""

    gpu_hours: float | None = Field(None, ge=0, description="In a calendar month (UTC).")
    jobs: int | None = Field(None, ge=0, description="That run at the same time.")
    storage_bytes: int | None = Field(None, ge=0, description="Of dataset versions and artifacts.")
    endpoints: int | None = Field(None, ge=0, description="That are deployed.")


class LimitsRequest(Request):
    """The limits that a user or project gets instead of those it had; null: none."""

    gpu_hours: float | None = Field(None, ge=0)
    jobs: int | None = Field(None, ge=0)
    storage_bytes: int | None = Field(None, ge=0)
    endpoints: int | None = Field(None, ge=0)


class Use(Answer):
    """What of one resource is used, with its limit in words that people can act on."""

    resource: Resource
    used: float
    limit: float | None = None
    level: Level = "free"
    words: str = Field("", description="E.g. '7.5 of 10 GPU-hours; anew on 1 December'.")


class Quota(Answer):
    """Limits and use of one user or one project."""

    kind: QuotaKind
    name: str = Field(description="'*': what applies to all who have no limits of their own.")
    limits: Limits
    inherited: bool = Field(False, description="The limits are those of '*'.")
    use: list[Use] = []
    renews_at: datetime | None = Field(None, description="When GPU-hours are counted anew.")
    set_by: str = ""
    set_at: datetime | None = None
