"""Tokens that the platform issues: 256 random bits, kept only as SHA-256, revocable."""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from dlsys_server.core import clock
from dlsys_server.core.ids import new_id

from .tables import TokenRow


def digest(token: str) -> str:
    """What is kept of a token."""
    return hashlib.sha256(token.encode()).hexdigest()


def issue(
    session: Session,
    kind: str,
    *,
    name: str,
    owner: str,
    project: str,
    subject: str,
    properties: dict[str, Any] | None = None,
    lifetime: timedelta | None = None,
) -> tuple[TokenRow, str]:
    """Make a token for `subject` ('job/ID', 'deployment/NAME', 'project/NAME').

    Returns:
        Its row, and the secret, which is kept nowhere.
    """
    secret = f"dlsys_{kind}_{secrets.token_urlsafe(32)}"
    row = TokenRow(
        id=new_id(),
        sha256=digest(secret),
        kind=kind,
        name=name,
        owner=owner,
        project=project,
        subject=subject,
        properties=properties or {},
        created_at=clock.now(),
        expires_at=clock.now() + lifetime if lifetime else None,
    )
    session.add(row)
    return row, secret


def find(session: Session, token: str) -> TokenRow | None:
    """The live row of a token."""
    row = session.scalar(select(TokenRow).where(TokenRow.sha256 == digest(token)))
    if row is None or (row.expires_at is not None and row.expires_at < clock.now()):
        return None
    return row


def revoke(session: Session, project: str, subject: str, token_id: str | None = None) -> int:
    """Forget all tokens of a subject, or one of them; returns how many."""
    query = delete(TokenRow).where(TokenRow.project == project, TokenRow.subject == subject)
    if token_id is not None:
        query = query.where(TokenRow.id == token_id)
    result = session.execute(query)
    return int(getattr(result, "rowcount", 0))
