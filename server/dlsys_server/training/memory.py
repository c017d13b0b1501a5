"""Memory of a job's processes, in which pages that they share count once."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from .processes import Process, proportional_bytes

WORTH = 500
"""At most one part in so many of the time is spent on exact looks at one job."""


class JobMemory:
    """Proportional set size of a job.

    An exact look walks the page tables of every process, so it is done as often as it is cheap. In
    between, resident sizes are taken, times what the exact ones were of them at the last look.
    """

    def __init__(self, exact: Callable[[int], int | None] = proportional_bytes) -> None:
        self._exact, self._ratio, self._next = exact, 1.0, 0.0

    def bytes(self, processes: Iterable[Process]) -> int:
        """Bytes now."""
        living = [process for process in processes if not process.zombie]
        resident = sum(process.resident_bytes for process in living)
        if time.monotonic() < self._next:
            return round(resident * self._ratio)
        begun = time.perf_counter()
        total = sum(_or(self._exact(process.pid), process.resident_bytes) for process in living)
        self._next = time.monotonic() + (time.perf_counter() - begun) * WORTH
        self._ratio = total / resident if resident else 1.0
        return total


def _or(value: int | None, otherwise: int) -> int:
    return otherwise if value is None else value
