"""Time in one place: aware UTC datetimes."""

from __future__ import annotations

from datetime import datetime, timezone


def now() -> datetime:
    """The current time, UTC."""
    return datetime.now(timezone.utc)


def from_epoch(seconds: float) -> datetime:
    """Epoch seconds as an aware UTC datetime."""
    return datetime.fromtimestamp(seconds, timezone.utc)


def aware(value: datetime | None) -> datetime | None:
    """SQLite gives naive datetimes back; they are UTC."""
    if value is not None and value.tzinfo is None:
        return value.replace(tzinfo=timezone.utc)
    return value
