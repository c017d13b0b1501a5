"""What a job used, as a person looks at it."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from itertools import pairwise
from typing import NamedTuple

from jupyter_dlsys.client import words
from jupyter_dlsys.client.views import DIM, table_html
from jupyter_dlsys.contract import system

NOTHING = "Nothing is known of its use: it has not run yet, or for less than two seconds."


class Curve(NamedTuple):
    """One resource over time."""

    name: str
    bars: str
    figures: str


class JobUsage(system.JobUsage):
    """What a job used over time, and what that says."""

    def curves(self) -> list[Curve]:
        """CPUs and memory, and GPUs where they were seen; none before the first look."""
        looks = [point for point in self.points if point.processes]
        if not looks:
            return []
        sizes = [point.memory_bytes for point in looks]
        busy = [point.gpu_utilization for point in looks if point.gpu_utilization is not None]
        held = [point.gpu_memory_bytes for point in looks if point.gpu_memory_bytes is not None]
        found = [
            _curve("CPUs", [point.cpus for point in looks], f"{self._mean_cpus():.2g} on average"),
            _curve("memory", sizes, _most(self.peak_memory_bytes)),
        ]
        if busy:
            found.append(_curve("GPU", busy, f"{sum(busy) / len(busy):.0%} busy on average"))
        if held:
            found.append(_curve("GPU memory", held, _most(max(held))))
        return found

    def _mean_cpus(self) -> float:
        pairs = pairwise(self.points)
        ran = sum((b.at - a.at).total_seconds() for a, b in pairs if b.processes)
        return self.cpu_seconds / ran if ran else 0.0

    def _repr_html_(self) -> str:
        rows = [{"": c.name, "over time": c.bars, "use": c.figures} for c in self.curves()]
        if not rows:
            return f'<div style="{DIM}">{NOTHING}</div>'
        return table_html(rows) + "".join(f"<div>{escape(hint)}</div>" for hint in self.hints)


def _curve(name: str, values: Sequence[float], figures: str) -> Curve:
    return Curve(name, words.sparkline(values), figures)


def _most(count: int) -> str:
    return f"{words.memory(count)} at most"
