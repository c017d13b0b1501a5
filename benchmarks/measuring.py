"""Wall and CPU seconds of a group of processes, and taking turns between us and a peer."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil

from benchmarks.figures import Sample

Measure = Callable[[], Sample]
_LOOK_SECONDS = 0.1


def take_turns(rounds: int, *sides: Measure) -> list[list[Sample]]:
    """Measure each side once a round, so that what else the machine does hits all alike.

    Every second round goes backwards. Returns the samples of each side.
    """
    found: list[list[Sample]] = [[] for _ in sides]
    for number in range(rounds):
        order = list(enumerate(sides))
        for index, side in order if number % 2 == 0 else reversed(order):
            found[index].append(side())
    return found


def tree(pid: int) -> list[psutil.Process]:
    """A process and all below it."""
    try:
        top = psutil.Process(pid)
        return [top, *top.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def cpu_seconds(processes: Sequence[psutil.Process]) -> float:
    """User and system time of processes that live, without that of children they waited for."""
    return sum(_cpu(process) for process in processes)


def rss(processes: Sequence[psutil.Process]) -> int:
    """Resident bytes; pages that processes share are counted for each."""
    total = 0
    for process in processes:
        with contextlib.suppress(psutil.Error):
            total += process.memory_info().rss
    return total


class Watch:
    """CPU seconds of every process that names a folder in its command line or environment, and of
    their children.

    Sees detached processes too. What a process uses in its last tenth of a second is not seen.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = str(folder).encode()
        self._used: dict[tuple[int, float], float] = {}
        self._first: dict[tuple[int, float], float] = {}
        self._foreign: set[tuple[int, float]] = set()
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Watch:
        """Count from here on."""
        self._look(first=True)
        self._thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        """Stop counting."""
        self._end.set()
        self._thread.join()
        self._look()

    @property
    def cpu(self) -> float:
        """Seconds used since the start of the watch."""
        return sum(used - self._first[key] for key, used in self._used.items())

    def _run(self) -> None:
        while not self._end.wait(_LOOK_SECONDS):
            self._look()

    def _look(self, first: bool = False) -> None:
        for process in psutil.process_iter():
            try:
                key = (process.pid, process.create_time())
                if key in self._foreign:
                    continue
                if key not in self._used and not self._belongs(process):
                    self._foreign.add(key)
                    continue
                used = _cpu(process)
            except (psutil.Error, OSError):
                continue
            self._used[key] = max(used, self._used.get(key, 0.0))
            self._first.setdefault(key, used if first else 0.0)

    def _belongs(self, process: psutil.Process) -> bool:
        if process.pid == os.getpid():
            return False
        parent = process.ppid()
        if any(pid == parent for pid, _ in self._used):
            return True
        proc = Path("/proc") / str(process.pid)
        return any(self._folder in (proc / name).read_bytes() for name in ("environ", "cmdline"))


def _cpu(process: psutil.Process) -> float:
    with contextlib.suppress(psutil.Error):
        times = process.cpu_times()
        return float(times.user + times.system)
    return 0.0
