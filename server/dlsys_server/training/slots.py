"""What this machine can give to jobs: CPUs, memory, whole GPUs."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from dlsys_server.core.settings import Settings

from .tables import JobRow


@dataclass(frozen=True)
class Capacity:
    """All there is."""

    cpus: float
    memory_bytes: int
    gpus: tuple[str, ...]


@dataclass
class Slots:
    """What is free now."""

    capacity: Capacity
    cpus: float = 0
    memory_bytes: int = 0
    gpus: list[str] = field(default_factory=list)

    @classmethod
    def left(cls, capacity: Capacity, holding: Iterable[JobRow]) -> Slots:
        """Capacity less what running jobs hold."""
        slots = cls(capacity, capacity.cpus, capacity.memory_bytes, list(capacity.gpus))
        for job in holding:
            slots.cpus -= job.cpus
            slots.memory_bytes -= job.memory_bytes or 0
            slots.gpus = [gpu for gpu in slots.gpus if gpu not in job.gpu_ids]
        return slots

    def lacking(self, job: JobRow) -> str:
        """What the job has to wait for, in plain words; '' when it fits."""
        if job.gpus > len(self.gpus):
            return "a free GPU" if job.gpus == 1 else f"{job.gpus} free GPUs"
        if job.cpus > self.cpus + 1e-9:
            return "a free CPU" if job.cpus <= 1 else f"{job.cpus:g} free CPUs"
        if (job.memory_bytes or 0) > self.memory_bytes:
            return "free memory"
        return ""

    def take(self, job: JobRow) -> list[str]:
        """Give the job its share; returns its GPU ids."""
        taken, self.gpus = self.gpus[: job.gpus], self.gpus[job.gpus :]
        self.cpus -= job.cpus
        self.memory_bytes -= job.memory_bytes or 0
        return taken


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
