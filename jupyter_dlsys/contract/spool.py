"""Reader of a job's event spool: append-only JSON lines {"seq", "t", "topic", "payload"}.

Standard library only.  The writer is in the job's process and may be killed at any byte, so
only whole lines count; what the job wrote is not trusted, so a line that is no event is skipped.
"""

from __future__ import annotations

import json
import os
import stat
from os import PathLike
from typing import Any, BinaryIO

LIMIT = 1_000_000


def tail(
    path: str | PathLike[str], offset: int, limit: int = LIMIT
) -> tuple[list[dict[str, Any]], int]:
    """Events from byte `offset` on, and the offset to go on from.

    Reads at most `limit` bytes; call again while the offset moves.  A spool that is not there
    yet has no events.  A line longer than `limit` is skipped.
    """
    try:
        with open(path, "rb", opener=_opener) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                return [], offset
            file.seek(offset)
            data = file.read(limit)
            end = data.rfind(b"\n") + 1
            if end == 0:
                if len(data) == limit:
                    return [], offset + limit + _rest_of_line(file)
                return [], offset
    except OSError:
        return [], offset
    events = [event for line in data[:end].split(b"\n") if (event := _event(line)) is not None]
    return events, offset + end


def _opener(path: str, flags: int) -> int:
    """Its writer may put a link or a pipe there, which must not lead or hold us."""
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)


def _rest_of_line(file: BinaryIO) -> int:
    """Bytes up to the end of the line, or of what is there of it."""
    skipped = 0
    while data := file.read(1 << 16):
        end = data.find(b"\n")
        if end >= 0:
            return skipped + end + 1
        skipped += len(data)
    return skipped


def _event(line: bytes) -> dict[str, Any] | None:
    try:
        event = json.loads(line)
    except ValueError:
        return None
    if (
        isinstance(event, dict)
        and isinstance(event.get("seq"), int)
        and isinstance(event.get("t"), (int, float))
        and isinstance(event.get("topic"), str)
        and isinstance(event.get("payload"), dict)
    ):
        return event
    return None
