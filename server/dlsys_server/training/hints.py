"""What a job's use of the machine says: sentences for its owner. No guess from few looks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from .usage import Point, cpu_seconds, peak_memory

START_SECONDS = 10.0
"""Interpreter and libraries load; says nothing of the work."""
ENOUGH_SECONDS, ENOUGH_POINTS = 20.0, 5
GROWTH_SECONDS, GROWTH_POINTS, STEADY = 30.0, 8, 0.95
SOON_SECONDS = 3600.0
WAIT_SECONDS, IDLE_CPUS = 30.0, 0.03
LITTLE_GPU, LITTLE = 0.3, 0.5
MUCH_MEMORY = 2**30


@dataclass(frozen=True)
class Asked:
    """What the job asked for."""

    cpus: float
    memory_bytes: int | None
    gpus: int


def hints(points: Sequence[Point], asked: Asked, running: bool) -> list[str]:
    """What there is to say, most urgent first.

    Args:
        points: of the newest attempt, oldest first.
        asked: its slots.
        running: whether it still goes on; warnings of what may come are only then given.
    """
    if not points:
        return []
    begun = points[0].at
    work = [p for p in points[1:] if (p.at - begun).total_seconds() > START_SECONDS]
    if len(work) < ENOUGH_POINTS or _span(work) < ENOUGH_SECONDS:
        return []
    found = [_growth(work, asked), _waits(work)] if running else []
    found += [_gpu(work, asked), _cpus(work, asked), _memory(points, asked)]
    return [sentence for sentence in found if sentence]


def _span(points: Sequence[Point]) -> float:
    return (points[-1].at - points[0].at).total_seconds()


def _growth(work: Sequence[Point], asked: Asked) -> str:
    """Least squares over the second half; only a line that explains nearly all of it counts."""
    half = work[len(work) // 2 :]
    if not asked.memory_bytes or len(half) < GROWTH_POINTS or _span(half) < GROWTH_SECONDS:
        return ""
    slope, fit = _line(half)
    left = asked.memory_bytes - half[-1].memory_bytes
    if slope <= 0 or fit < STEADY or left <= 0 or left / slope > SOON_SECONDS:
        return ""
    return (
        f"Memory grows steadily, by {_size(slope * 60)} a minute: "
        f"may reach its limit of {_size(asked.memory_bytes)} in about {_time(left / slope)}."
    )


def _line(points: Sequence[Point]) -> tuple[float, float]:
    """Bytes a second, and the share of the variance (r²) that this explains."""
    times = [(point.at - points[0].at).total_seconds() for point in points]
    sizes = [float(point.memory_bytes) for point in points]
    time, size = sum(times) / len(times), sum(sizes) / len(sizes)
    spread = sum((t - time) ** 2 for t in times)
    varies = sum((s - size) ** 2 for s in sizes)
    both = sum((t - time) * (s - size) for t, s in zip(times, sizes, strict=True))
    if not spread or not varies:
        return 0.0, 0.0
    return both / spread, both * both / (spread * varies)


def _waits(work: Sequence[Point]) -> str:
    since: datetime = work[-1].at
    for before, point in zip(reversed(work[:-1]), reversed(work), strict=False):
        if point.cpus > IDLE_CPUS or (point.gpu_utilization or 0) > 0:
            break
        since = before.at
    waited = (work[-1].at - since).total_seconds()
    if waited < WAIT_SECONDS:
        return ""
    return f"Waits: no CPU for {_time(waited)}."


def _gpu(work: Sequence[Point], asked: Asked) -> str:
    known = [point.gpu_utilization for point in work if point.gpu_utilization is not None]
    if not asked.gpus or len(known) < ENOUGH_POINTS:
        return ""
    mean = sum(known) / len(known)
    if mean >= LITTLE_GPU:
        return ""
    busy = f"GPU {_percent(mean)} busy"
    if max(known) == 0:
        return f"{busy}: it has not been used yet."
    if _cpus_busy(work) >= 0.7 * min(asked.cpus, 1):
        return f"{busy}: input-bound; try more loader workers."
    return f"{busy}: it mostly waits, but not for CPUs; look at storage, network or batch size."


def _cpus(work: Sequence[Point], asked: Asked) -> str:
    busy = _cpus_busy(work)
    if asked.cpus > 1 and busy < LITTLE * asked.cpus and math.ceil(busy + 0.1) < asked.cpus:
        part = f"{busy:.1f}" if busy >= 0.05 else "almost none"
        return (
            f"Uses {part} of its {asked.cpus:g} CPUs: "
            f"ask for {max(1, math.ceil(busy + 0.1))} and others can start."
        )
    if busy > asked.cpus * 1.5 and busy > asked.cpus + 0.5:
        return (
            f"Uses {busy:.1f} CPUs but asked for {asked.cpus:g}: "
            "it slows down others and itself; ask for more."
        )
    return ""


def _memory(points: Sequence[Point], asked: Asked) -> str:
    limit, peak = asked.memory_bytes, peak_memory(points)
    if not limit or not peak:
        return ""
    if peak > 0.9 * limit:
        return f"Peak memory {_size(peak)} of its {_size(limit)}: little room is left."
    if peak < limit / 4 and limit - peak >= MUCH_MEMORY:
        return (
            f"Peak memory {_size(peak)} of the {_size(limit)} it asked for: "
            "ask for less and others can start."
        )
    return ""


def _cpus_busy(work: Sequence[Point]) -> float:
    return cpu_seconds(work) / _span(work)


def _percent(share: float) -> str:
    return f"{share * 100:.0f} %" if share >= 0.01 or not share else "under 1 %"


def _size(count: float) -> str:
    """In the powers of 1024 in which memory is asked for."""
    megabytes = count / 2**20
    return f"{megabytes:.3g} MB" if megabytes < 999.5 else f"{megabytes / 2**10:.3g} GB"


def _time(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
