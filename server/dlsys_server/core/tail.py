"""The end of the event log in memory: however many follow it, each event is read once."""

from __future__ import annotations

import asyncio
import time
from bisect import bisect_right
from collections.abc import Callable

from jupyter_dlsys.contract.base import Event

EVENTS = 2000
PAYLOADS = 8 << 20
"""Characters of all payloads together."""


class Tail:
    """The newest events without a gap, as long as somebody follows.

    Args:
        read: all events after a sequence number, oldest first.
        newest: the newest sequence number.
    """

    def __init__(self, read: Callable[[int], list[Event]], newest: Callable[[], int]) -> None:
        self._read, self._newest = read, newest
        self._lock = asyncio.Lock()
        self._looked = -1.0
        self._events: list[Event] = []
        self._sizes: list[int] = []
        self._base: int | None = None
        self.last = 0
        """Everything up to here has been read."""

    def restart(self) -> None:
        """Nobody has followed for a while: what happened meanwhile is not to be held."""
        self._base, self._events, self._sizes, self._looked = None, [], [], -1.0

    async def refresh(self, since: float) -> None:
        """Have all events that were committed at a time, of `time.monotonic()`."""
        if self._looked >= since:
            return
        async with self._lock:
            if self._looked >= since:
                return
            now = time.monotonic()
            if self._base is None:
                self._base = self.last = await asyncio.to_thread(self._newest)
            self._add(await asyncio.to_thread(self._read, self.last))
            self._looked = now

    def after(self, seq: int) -> list[Event] | None:
        """What is held after a sequence number; None: older ones are not held."""
        if self._base is None or seq < self._base:
            return None
        return self._events[bisect_right(self._events, seq, key=lambda event: event.seq) :]

    def _add(self, found: list[Event]) -> None:
        new = [event for event in found if event.seq > self.last]
        if not new:
            return
        self._events += new
        self._sizes += [len(str(event.payload)) for event in new]
        self.last = new[-1].seq
        many, size = max(0, len(self._events) - EVENTS), sum(self._sizes)
        size -= sum(self._sizes[:many])
        while size > PAYLOADS:
            size -= self._sizes[many]
            many += 1
        if many:
            self._base = self._events[many - 1].seq
            del self._events[:many], self._sizes[:many]
