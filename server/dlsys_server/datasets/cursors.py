"""Cursors of the lists: the sort key of the last item, as text."""

from __future__ import annotations

from datetime import datetime

from dlsys_server.core.errors import InvalidInput


def pack_time(at: datetime, id: str) -> str:
    """A time and the id that breaks ties."""
    return f"{at.isoformat()}~{id}"


def unpack_time(cursor: str) -> tuple[datetime, str]:
    """What `pack_time` packed."""
    text, _, id = cursor.partition("~")
    try:
        return datetime.fromisoformat(text), id
    except ValueError:
        raise _bad(cursor) from None


def unpack_number(cursor: str) -> int:
    """A number."""
    if not cursor.isdecimal() or len(cursor) > 9:
        raise _bad(cursor)
    return int(cursor)


def _bad(cursor: str) -> InvalidInput:
    return InvalidInput(
        f"'{cursor[:80]}' is not a cursor.", hint="Pass the next_cursor of the page before."
    )
