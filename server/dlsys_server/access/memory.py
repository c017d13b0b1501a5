"""Remembers what somebody else says, for a while, and longer when that one is away."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from dlsys_server.core.errors import Unavailable

T = TypeVar("T")
REMEMBERED = 10_000
NOTHING_SECONDS = 5.0
STRIPES = 64


@dataclass(frozen=True)
class _Known(Generic[T]):
    """An answer, and when it was asked for (monotonic seconds)."""

    answer: T | None
    at: float


class Memory(Generic[T]):
    """Answers by key. Thread-safe; many that ask for one key at once ask only once.

    Args:
        fresh_seconds: an answer is good for so long; "nothing" for 5 s at most.
        stale_seconds: when the other one is away, an answer that is so old still does.
    """

    def __init__(
        self,
        fresh_seconds: float,
        stale_seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._fresh, self._stale, self._clock = fresh_seconds, stale_seconds, clock
        self._known: OrderedDict[str, _Known[T]] = OrderedDict()
        self._lock = threading.Lock()
        self._asking = [threading.Lock() for _ in range(STRIPES)]

    def of(self, key: str, ask: Callable[[], T | None], fresh: bool = False) -> T | None:
        """The answer for a key; with `fresh` one that is asked for now.

        Raises:
            Unavailable: nothing good enough is known, and `ask` says so.
        """
        known = self._recall(key)
        if known is not None and not fresh and self._good(known):
            return known.answer
        wanted_at = self._clock()
        with self._asking[hash(key) % STRIPES]:
            known = self._recall(key)
            if known is not None and (known.at >= wanted_at or (not fresh and self._good(known))):
                return known.answer  # another one has just asked
            return self._ask(key, ask, None if fresh else known)

    def _ask(self, key: str, ask: Callable[[], T | None], last: _Known[T] | None) -> T | None:
        at = self._clock()
        try:
            answer = ask()
        except Unavailable:
            if last is None or last.answer is None or at - last.at > self._stale:
                raise
            return last.answer
        with self._lock:
            self._known[key] = _Known(answer, at)
            self._known.move_to_end(key)
            while len(self._known) > REMEMBERED:
                self._known.popitem(last=False)
        return answer

    def _recall(self, key: str) -> _Known[T] | None:
        with self._lock:
            return self._known.get(key)

    def _good(self, known: _Known[T]) -> bool:
        lasts = self._fresh if known.answer is not None else min(NOTHING_SECONDS, self._fresh)
        return self._clock() - known.at < lasts
