"""What this machine can give to jobs: CPUs, memory, GPUs whole or in parts."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from dlsys_server.core.settings import Settings

CRUMB = 1e-9
"""Shares are sums of decimal fractions: 0.1 + 0.2 must fit beside 0.7."""


class Asks(Protocol):
    """What somebody wants to hold while it runs."""

    @property
    def cpus(self) -> float: ...
    @property
    def gpus(self) -> int: ...
    @property
    def gpu_share(self) -> float: ...
    @property
    def memory_limit(self) -> int | None: ...


class Holds(Asks, Protocol):
    """Somebody who holds it, and which GPUs."""

    @property
    def gpu_ids(self) -> Sequence[Any]: ...


@dataclass(frozen=True)
class Capacity:
    """All there is."""

    cpus: float
    memory_bytes: int
    gpus: tuple[str, ...]

    def part(self, job: Asks) -> float:
        """The largest part of any resource that the job takes, 0 to 1.

        The measure of dominant resource fairness (A. Ghodsi et al., NSDI 2011).
        """
        return max(
            job.cpus / self.cpus,
            (job.memory_limit or 0) / self.memory_bytes,
            job.gpus * job.gpu_share / len(self.gpus) if self.gpus else 0.0,
        )


@dataclass
class Slots:
    """What is free. `free_gpus` has the free share of each GPU, 0 to 1."""

    capacity: Capacity
    cpus: float = 0
    memory_bytes: int = 0
    free_gpus: dict[str, float] = field(default_factory=dict)

    @classmethod
    def all(cls, capacity: Capacity) -> Slots:
        """Everything is free."""
        whole = dict.fromkeys(capacity.gpus, 1.0)
        return cls(capacity, capacity.cpus, capacity.memory_bytes, whole)

    @classmethod
    def left(cls, capacity: Capacity, holding: Iterable[Holds]) -> Slots:
        """Capacity less what running jobs hold."""
        slots = cls.all(capacity)
        for job in holding:
            slots.hold(job, job.gpu_ids)
        return slots

    @property
    def gpus(self) -> list[str]:
        """GPUs that nobody holds any part of."""
        return [gpu for gpu, share in self.free_gpus.items() if share >= 1 - CRUMB]

    def copy(self) -> Slots:
        """The same, to be changed apart from this."""
        return Slots(self.capacity, self.cpus, self.memory_bytes, dict(self.free_gpus))

    def fits(self, job: Asks) -> bool:
        """Whether the job could start."""
        if job.cpus > self.cpus + CRUMB or (job.memory_limit or 0) > self.memory_bytes:
            return False
        return not job.gpus or self._choose(job) is not None

    def lacking(self, job: Asks) -> str:
        """What the job has to wait for, in plain words; '' when it fits."""
        if job.gpus and self._choose(job) is None:
            if job.gpu_share < 1:
                return f"{job.gpu_share:.0%} of a GPU"
            return "a free GPU" if job.gpus == 1 else f"{job.gpus} free GPUs"
        if job.cpus > self.cpus + CRUMB:
            return "a free CPU" if job.cpus <= 1 else f"{job.cpus:g} free CPUs"
        wanted = job.memory_limit or 0
        if wanted > self.memory_bytes:
            return f"memory: {gigabytes(wanted)} asked, {gigabytes(self.memory_bytes)} free"
        return ""

    def take(self, job: Asks) -> list[str]:
        """Give the job, which fits, its share; returns its GPU ids."""
        chosen = self._choose(job) or []
        self.hold(job, chosen)
        return chosen

    def hold(self, job: Asks, gpu_ids: Iterable[str]) -> None:
        """Take away what the job holds."""
        self._change(job, gpu_ids, -1)

    def release(self, job: Asks, gpu_ids: Iterable[str]) -> None:
        """Give back what the job held."""
        self._change(job, gpu_ids, 1)

    def _change(self, job: Asks, gpu_ids: Iterable[str], sign: int) -> None:
        self.cpus += sign * job.cpus
        self.memory_bytes += sign * (job.memory_limit or 0)
        for gpu in gpu_ids:
            if gpu in self.free_gpus:
                self.free_gpus[gpu] += sign * job.gpu_share

    def _choose(self, job: Asks) -> list[str] | None:
        """GPUs for the job, or None. A part comes from the fullest GPU that still has it."""
        if not job.gpus:
            return []
        if job.gpu_share < 1:
            enough = [
                gpu for gpu, share in self.free_gpus.items() if share >= job.gpu_share - CRUMB
            ]
            return [min(enough, key=self.free_gpus.__getitem__)] if enough else None
        whole = self.gpus
        return whole[: job.gpus] if len(whole) >= job.gpus else None


def gigabytes(amount: float) -> str:
    """'24 GB', '0.5 GB'; powers of 1024, as sizes are asked for."""
    value = max(0.0, amount) / 2**30
    return f"{value:.0f} GB" if value >= 10 else f"{value:.2g} GB"


def probe_capacity(settings: Settings) -> Capacity:
    """Look at the machine; settings win."""
    return Capacity(
        settings.cpus or float(_cpus()),
        settings.memory_bytes or _memory(),
        _gpus() if settings.gpus == "auto" else tuple(g for g in settings.gpus.split(",") if g),
    )


def _cpus() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _memory() -> int:
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit = Path("/sys/fs/cgroup/memory.max")
    if limit.exists() and (text := limit.read_text().strip()).isdigit():
        return min(total, int(text))
    return total


def _gpus() -> tuple[str, ...]:
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return ()
    answer = subprocess.run(
        [tool, "--query-gpu=index", "--format=csv,noheader"],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    return tuple(line.strip() for line in answer.stdout.splitlines() if line.strip().isdigit())
