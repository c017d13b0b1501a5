"""Tokens of programs: what they may do, until when, and when they were last used."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from .base import Answer, Request

TokenScope = Literal["read", "predict", "write", "submit", "deploy"]


class ServiceTokenRequest(Request):
    """A token for a program. It never may more than its owner may at that moment."""

    name: str = Field(min_length=1, max_length=100, description="What the program is.")
    scopes: list[TokenScope] = Field(["predict"], min_length=1)
    endpoint: str | None = Field(None, description="Only this endpoint; then only 'predict'.")
    lifetime_days: int | None = Field(90, ge=1, le=3650, description="null: until revoked.")


class ServiceToken(Answer):
    """A token without its secret."""

    id: str
    name: str
    owner: str
    project: str
    scopes: list[TokenScope]
    endpoint: str | None = None
    created_at: datetime
    expires_at: datetime | None = None
    last_used_at: datetime | None = Field(None, description="To the minute.")
    state: Literal["active", "expired", "powerless"] = Field(
        "active", description="powerless: its owner no longer may what it is for."
    )


class IssuedServiceToken(ServiceToken):
    """A new token; the secret is shown this once."""

    token: str
