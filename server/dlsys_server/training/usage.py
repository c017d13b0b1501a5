"""What a job uses over time, as points: how they are made, merged and kept few.

A point tells of the time since the point before, and a series begins with a point of zeros at the
attempt's start, so CPU seconds are the sum of `cpus` times the time since the point before. When a
job has as many points as it may have, each two become one and the time between points doubles.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import NamedTuple

from .gpus import GpuUse

LOOK_SECONDS = 2.0
LONGEST_LOOK_SECONDS = 10.0
SLACK_SECONDS = 0.5
MOST_POINTS = 600
NO_GPU = GpuUse()


class Point(NamedTuple):
    """As `UsagePoint` of the contract; small, since each running job keeps hundreds."""

    at: datetime
    cpus: float
    memory_bytes: int
    processes: int
    gpu_utilization: float | None = None
    gpu_memory_bytes: int | None = None


def merged(since: datetime, first: Point, second: Point) -> Point:
    """Two points that follow each other as one; `since` is when the time of the first began."""
    before, after = (first.at - since).total_seconds(), (second.at - first.at).total_seconds()
    share = before / (before + after) if before + after > 0 else 0.5
    return Point(
        at=second.at,
        cpus=first.cpus * share + second.cpus * (1 - share),
        memory_bytes=max(first.memory_bytes, second.memory_bytes),
        processes=max(first.processes, second.processes),
        gpu_utilization=_mean(first.gpu_utilization, second.gpu_utilization, share),
        gpu_memory_bytes=max(_known(first.gpu_memory_bytes, second.gpu_memory_bytes), default=None),
    )


def _known(*values: int | None) -> list[int]:
    return [value for value in values if value is not None]


def _mean(first: float | None, second: float | None, share: float) -> float | None:
    if first is None or second is None:
        return second if first is None else first
    return first * share + second * (1 - share)


def thinned(points: Sequence[Point]) -> list[Point]:
    """Half as many points, of the same CPU seconds, peak and span.

    The first stays, and so does each that begins an attempt (it has no processes).
    """
    kept = list(points[:1])
    i = 1
    while i < len(points):
        pair = points[i : i + 2]
        if len(pair) == 2 and pair[0].processes and pair[1].processes:
            kept.append(merged(points[i - 1].at, *pair))
            i += 2
        else:
            kept.append(pair[0])
            i += 1
    return kept


def cpu_seconds(points: Sequence[Point], since: datetime | None = None) -> float:
    """CPU seconds of a series, or of what it tells of the time after `since`."""
    return sum(
        after.cpus * (after.at - before.at).total_seconds()
        for before, after in pairwise(points)
        if since is None or after.at > since
    )


def peak_memory(points: Iterable[Point]) -> int:
    """Most bytes at a look."""
    return max((point.memory_bytes for point in points), default=0)


@dataclass
class Series:
    """The points of a job that is watched, and the one that is being made.

    `fresh` of them, at the end, are not kept yet; -1 when all have to be written anew.
    """

    attempt: int
    points: list[Point]
    counter: float = 0.0
    every: float = LOOK_SECONDS
    fresh: int = 0
    pending: Point | None = None

    @classmethod
    def begin(cls, attempt: int, kept: Sequence[Point], started: datetime) -> Series:
        """Watch an attempt. What is kept of it goes on: a look counts from the last point then."""
        if not kept or kept[-1].at < started:
            return cls(attempt, [*kept, Point(started, 0.0, 0, 0)], fresh=1)
        every = LOOK_SECONDS
        while (kept[-1].at - kept[0].at).total_seconds() > every * MOST_POINTS:
            every *= 2
        return cls(attempt, list(kept), cpu_seconds(kept, started), every)

    @property
    def last(self) -> Point:
        """The newest look."""
        return self.pending or self.points[-1]

    def due(self, now: datetime) -> bool:
        """Whether to look again: more seldom in a long job."""
        wait = min(self.every, LONGEST_LOOK_SECONDS) - SLACK_SECONDS
        return (now - self.last.at).total_seconds() >= wait

    def look(
        self, at: datetime, counter: float, memory: int, processes: int, gpu: GpuUse = NO_GPU
    ) -> None:
        """Add a look.

        Args:
            at: later than the last one.
            counter: CPU seconds of all processes so far. It falls when a process ends that nobody
                waits for; that time counts as no use.
            memory: bytes now.
            processes: how many there are.
            gpu: use of its GPUs.
        """
        used, self.counter = max(0.0, counter - self.counter), counter
        cpus = used / (at - self.last.at).total_seconds()
        point = Point(at, cpus, memory, processes, gpu.utilization, gpu.memory_bytes)
        since = self.points[-1].at
        self.pending = merged(since, self.pending, point) if self.pending else point
        if (at - since).total_seconds() >= self.every - SLACK_SECONDS:
            self.settle()

    def settle(self) -> None:
        """Let the point that is being made stand; halve the points when there are too many."""
        if self.pending is None:
            return
        self.points.append(self.pending)
        self.pending = None
        self.fresh += self.fresh >= 0
        if len(self.points) >= MOST_POINTS:
            self.points, self.every, self.fresh = thinned(self.points), self.every * 2, -1
