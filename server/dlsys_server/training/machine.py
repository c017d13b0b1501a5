"""How busy this machine is, by anybody: CPUs and memory."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import psutil

LEAST_SECONDS = 1.0
CGROUP = Path("/sys/fs/cgroup")


class Machine:
    """Load between looks; `look` is called in regular intervals by the sampler's thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last: tuple[float, float] | None = None
        self._cpus: float | None = None

    def look(self) -> None:
        """Note how busy the CPUs were since the look before, if that was long enough ago."""
        now = time.monotonic()
        with self._lock:
            if self._last is not None and now - self._last[0] < LEAST_SECONDS:
                return
            busy = _busy_seconds()
            if self._last is not None:
                self._cpus = max(0.0, (busy - self._last[1]) / (now - self._last[0]))
            self._last = (now, busy)

    def cpu_load(self) -> float | None:
        """CPUs busy between the last two looks; None before the second. Never waits."""
        return self._cpus

    def memory_load(self) -> int:
        """Bytes in use that could not be had by dropping caches, of what jobs can be given."""
        memory = psutil.virtual_memory()
        used = int(memory.total - memory.available)
        return _cgroup_bytes() or used


def _busy_seconds() -> float:
    """CPU seconds since boot of the CPUs that this process may use."""
    mine = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None
    return sum(
        float(sum(times) - times.idle - getattr(times, "iowait", 0.0) - _guest(times))
        for cpu, times in enumerate(psutil.cpu_times(percpu=True))
        if mine is None or cpu in mine
    )


def _guest(times: object) -> float:
    """Time of virtual machines, which Linux counts a second time in `user` and `nice`."""
    return float(getattr(times, "guest", 0.0)) + float(getattr(times, "guest_nice", 0.0))


def _cgroup_bytes(folder: Path = CGROUP) -> int | None:
    """In a container with a limit: its own use, without file pages that nobody needs."""
    try:
        if not (folder / "memory.max").read_text().strip().isdigit():
            return None
        current = int((folder / "memory.current").read_text())
        for line in (folder / "memory.stat").read_text().splitlines():
            if line.startswith("inactive_file "):
                return max(0, current - int(line.split()[1]))
    except (OSError, ValueError):
        return None
    return current
