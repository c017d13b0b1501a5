"""How rows of the audit log vouch for each other: each one's hash covers it and the hash before."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from .tables import AuditRow

COLUMNS = tuple(column.key for column in AuditRow.__table__.columns if column.key != "hash")
LENGTHS: dict[str, int] = {
    column.key: length
    for column in AuditRow.__table__.columns
    if (length := getattr(column.type, "length", None))
}
LONGEST = 1000
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True)
class Entry:
    """What is to be recorded. Texts may be a stranger's: they are cut and cleaned."""

    actor: str
    kind: str
    operation: str
    target: str
    outcome: str
    status: int
    code: str = ""
    project: str | None = None
    behalf_of: str | None = None
    source: str = ""
    request_id: str = ""
    detail: Mapping[str, str | int] = field(default_factory=dict)


def values_of(entry: Entry, seq: int, at: datetime) -> dict[str, Any]:
    """Columns of the entry's row, without the hash."""
    found: dict[str, Any] = {"seq": seq, "at": at, "status": entry.status}
    for name in COLUMNS:
        if name not in found and name != "detail":
            found[name] = _cleaned(getattr(entry, name), LENGTHS.get(name, LONGEST))
    found["detail"] = {
        _cleaned(name, LONGEST): value if isinstance(value, int) else _cleaned(value, LONGEST)
        for name, value in entry.detail.items()
    }
    return found


def seal(key: bytes, values: Mapping[str, Any], previous: str) -> str:
    """The hash of a row: HMAC-SHA256 over canonical JSON of all columns and the hash before it."""
    row = {name: _plain(values[name]) for name in COLUMNS}
    text = json.dumps([previous, row], sort_keys=True, separators=(",", ":"), default=repr)
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


def fits(key: bytes, values: Mapping[str, Any], previous: str) -> bool:
    """Whether a row as it was read has the hash that it should have."""
    stated = values["hash"]
    return isinstance(stated, str) and hmac.compare_digest(
        seal(key, values, previous).encode(), stated.encode("utf-8", "replace")
    )


def _plain(value: Any) -> Any:
    """Times to the microsecond in UTC, whatever zone the database's session is in."""
    if isinstance(value, datetime):
        return value.astimezone(timezone.utc).isoformat(timespec="microseconds")
    return value


def _cleaned(text: str | None, length: int) -> Any:
    """Text that every database keeps as it is."""
    if text is None:
        return None
    sound = _CONTROL.sub("\ufffd", text.encode("utf-8", "replace").decode())
    return sound if len(sound) <= length else f"{sound[: length - 1]}…"
