"""Summaries of bounded size that merge: of two halves they make the summary of the whole.

So a commit looks at its own rows only, and version 1,000 costs what version 1 did.
"""

from __future__ import annotations

import hashlib
import math
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

BINS = 32
MANTISSA = 45
DISTINCT = 256
FREQUENT = 256
Floats = npt.NDArray[np.float64]
Hashes = npt.NDArray[np.uint64]


@dataclass
class Moments:
    """Count, extremes, mean and variance (Chan's way of adding two)."""

    n: int = 0
    mean: float = 0.0
    m2: float = 0.0
    low: float = math.inf
    high: float = -math.inf

    @classmethod
    def of(cls, values: Floats) -> Moments:
        """Of finite numbers."""
        if not len(values):
            return cls()
        with np.errstate(over="ignore", invalid="ignore"):
            mean = float(values.mean())
            m2 = float(np.square(values - mean).sum())
        return cls(len(values), mean, m2, float(values.min()), float(values.max()))

    def merge(self, other: Moments) -> Moments:
        """Of both."""
        n = self.n + other.n
        if not n or not other.n:
            return self
        if not self.n:
            return other
        delta = other.mean - self.mean
        return Moments(
            n,
            self.mean + delta * other.n / n,
            self.m2 + other.m2 + delta * delta * self.n * other.n / n,
            min(self.low, other.low),
            max(self.high, other.high),
        )

    @property
    def std(self) -> float:
        """Population standard deviation."""
        return math.sqrt(self.m2 / self.n) if self.n and self.m2 >= 0 else math.nan


@dataclass
class Bins:
    """A histogram whose bins are `2**width` wide and aligned to multiples of that.

    Widening halves the number of bins exactly, so that merging loses nothing: the counts depend on
    the values alone, not on how they came.
    """

    width: int = -1074
    counts: dict[int, int] = field(default_factory=dict)

    @classmethod
    def of(cls, values: Floats, *, whole: bool) -> Bins:
        """Of finite numbers; bins of whole numbers are at least 1 wide."""
        if not len(values):
            return cls()
        low, high = float(values.min()), float(values.max())
        width = _width(low, high, whole)
        keys, counts = np.unique(_index(values, width), return_counts=True)
        return cls(width, dict(zip(keys.tolist(), counts.tolist(), strict=True)))

    def merge(self, other: Bins) -> Bins:
        """Of both."""
        if not self.counts or not other.counts:
            return self if self.counts else other
        width = max(self.width, other.width)
        while True:
            counts: dict[int, int] = {}
            for part in (self, other):
                shift = width - part.width
                for key, count in part.counts.items():
                    counts[key >> shift] = counts.get(key >> shift, 0) + count
            if max(counts) - min(counts) < BINS:
                return Bins(width, counts)
            width += 1

    def edges(self) -> tuple[list[float], list[int]]:
        """Edges and counts, with the empty bins in between."""
        first, last = min(self.counts), max(self.counts)
        edges = [_edge(i, self.width) for i in range(first, last + 2)]
        return edges, [self.counts.get(i, 0) for i in range(first, last + 1)]


def _width(low: float, high: float, whole: bool) -> int:
    largest = math.frexp(max(abs(low), abs(high)))[1]
    width = max(0 if whole else -1000, largest - MANTISSA)
    span = high / 2 - low / 2
    if span > 0:
        width = max(width, math.frexp(span)[1] - 5)
    ends = np.array([low, high])
    while np.ptp(_index(ends, width)) >= BINS:
        width += 1
    return width


def _index(values: Floats, width: int) -> npt.NDArray[np.int64]:
    scaled = np.floor(np.ldexp(values, -width))
    scaled[(scaled == 0) & (values < 0)] = -1  # too small for ldexp, but still below zero
    return scaled.astype(np.int64)


def _edge(index: int, width: int) -> float:
    try:
        return math.ldexp(index, width)
    except OverflowError:
        return math.copysign(sys.float_info.max, index)


@dataclass
class Distinct:
    """The smallest hashes of all values: exact up to `DISTINCT` values, then within some 6 %."""

    smallest: list[int] = field(default_factory=list)

    @classmethod
    def of(cls, hashes: Hashes) -> Distinct:
        """Of one hash a value."""
        return cls(np.unique(hashes)[:DISTINCT].tolist())

    def merge(self, other: Distinct) -> Distinct:
        """Of both."""
        return Distinct(sorted({*self.smallest, *other.smallest})[:DISTINCT])

    def estimate(self) -> int:
        """How many different values."""
        if len(self.smallest) < DISTINCT:
            return len(self.smallest)
        return round((DISTINCT - 1) / (self.smallest[-1] / 2.0**64))


@dataclass
class Frequent:
    """Counts of values, exact up to `cap` values, then Misra-Gries: the frequent ones stay.

    After that a count may be too low, by at most rows / cap.
    """

    counts: dict[str, int] = field(default_factory=dict)

    def merge(self, other: Frequent, cap: int | None = FREQUENT) -> Frequent:
        """Of both; all are kept without a cap."""
        counts = dict(self.counts)
        for value, count in other.counts.items():
            counts[value] = counts.get(value, 0) + count
        return Frequent(counts).capped(cap)

    def capped(self, cap: int | None) -> Frequent:
        """With at most `cap` values."""
        if cap is None or len(self.counts) <= cap:
            return self
        ranked = sorted(self.counts.items(), key=lambda kv: (-kv[1], kv[0]))
        floor = ranked[cap][1]
        return Frequent({v: c - floor for v, c in ranked[:cap] if c > floor})

    def top(self, limit: int | None = None) -> list[tuple[str, int]]:
        """Most frequent first."""
        ranked = sorted(self.counts.items(), key=lambda kv: (-kv[1], kv[0]))
        return ranked[:limit]


def mix(values: npt.NDArray[np.uint64]) -> Hashes:
    """splitmix64's finalizer: a bijection that spreads every bit."""
    with np.errstate(over="ignore"):
        z = values + np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))


def hash_values(values: Iterable[Any]) -> Hashes:
    """64 bits of BLAKE2b of each value (text, bytes, or the repr of anything else)."""
    found, blake = list(values), hashlib.blake2b
    if found and all(type(value) is str for value in found):
        digests = [blake(value.encode(), digest_size=8).digest() for value in found]
    else:
        digests = [blake(_bytes(value), digest_size=8).digest() for value in found]
    return np.frombuffer(b"".join(digests), "<u8").astype(np.uint64)


def _bytes(value: Any) -> bytes:
    if isinstance(value, bytes):
        return value
    return (value if isinstance(value, str) else repr(value)).encode()
