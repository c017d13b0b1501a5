"""Counts and latencies of a deployment, in constant memory."""

from __future__ import annotations

import time
from collections import Counter, deque
from typing import Any

_KEPT = 1000
_WINDOW = 10
BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Statistics:
    """Fed once a request. An error is an answer with status 500 or more."""

    def __init__(self) -> None:
        self.by_status: Counter[int] = Counter()
        self.errors = 0
        self.requests = 0
        self.seconds_sum = 0.0
        self.histogram = [0] * (len(BUCKETS) + 1)
        self._latencies: deque[float] = deque(maxlen=_KEPT)
        self._per_second: deque[tuple[int, int]] = deque(maxlen=_WINDOW + 1)

    def record(self, status: int, seconds: float) -> None:
        """One answered request; latencies are kept of the successful ones."""
        self.requests += 1
        self.by_status[status] += 1
        if status >= 500:
            self.errors += 1
        if status < 400:
            self._latencies.append(seconds)
            self.seconds_sum += seconds
            self.histogram[self._bucket(seconds)] += 1
        now = int(time.monotonic())
        if self._per_second and self._per_second[-1][0] == now:
            self._per_second[-1] = (now, self._per_second[-1][1] + 1)
        else:
            self._per_second.append((now, 1))

    def summary(self) -> dict[str, Any]:
        """Figures for people: totals, milliseconds of the last 1,000, rate of the last 10 s."""
        ordered = sorted(self._latencies)
        return {
            "requests": self.requests,
            "errors": self.errors,
            "p50_ms": _quantile_ms(ordered, 0.5),
            "p99_ms": _quantile_ms(ordered, 0.99),
            "requests_per_second": self._rate(),
        }

    def _rate(self) -> float:
        since = int(time.monotonic()) - _WINDOW
        return sum(count for second, count in self._per_second if second >= since) / _WINDOW

    @staticmethod
    def _bucket(seconds: float) -> int:
        for index, bound in enumerate(BUCKETS):
            if seconds <= bound:
                return index
        return len(BUCKETS)


def _quantile_ms(ordered: list[float], quantile: float) -> float | None:
    if not ordered:
        return None
    index = min(len(ordered) - 1, int(quantile * len(ordered)))
    return round(ordered[index] * 1000, 3)
