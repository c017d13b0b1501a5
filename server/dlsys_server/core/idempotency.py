"""A repeated write answers what the first one answered.

The key is remembered in the transaction of the write itself, so either both are there or neither.
"""

from __future__ import annotations

import hashlib
from typing import Any

from pydantic import BaseModel
from sqlalchemy.orm import Session

from . import clock
from .errors import Conflict
from .tables import IdempotencyRow


def fingerprint(operation: str, *parts: object) -> str:
    """SHA-256 of what was asked, to tell a repeat from a reuse of the key."""
    digest = hashlib.sha256(operation.encode())
    for part in parts:
        text = part.model_dump_json() if isinstance(part, BaseModel) else repr(part)
        digest.update(b"\0" + text.encode())
    return digest.hexdigest()


def recall(session: Session, principal: str, key: str | None, asked: str) -> dict[str, Any] | None:
    """The first answer under this key, or None.

    Raises:
        Conflict: the key was used for another request.
    """
    row = session.get(IdempotencyRow, (principal, key)) if key else None
    if row is None:
        return None
    if row.request_hash != asked:
        raise Conflict(
            "This Idempotency-Key was used for a different request.",
            code="idempotency-key-reused",
            hint="Make a new key for a new request; repeat a key only to retry the same one.",
        )
    return row.answer


def remember(
    session: Session, principal: str, key: str | None, asked: str, answer: BaseModel
) -> None:
    """Keep the answer in the caller's transaction."""
    if key:
        session.add(
            IdempotencyRow(
                principal=principal,
                key=key,
                request_hash=asked,
                answer=answer.model_dump(mode="json"),
                created_at=clock.now(),
            )
        )
