"""Which processes belong to a job, and what each of them has used so far. Linux: reads /proc.

One look at /proc serves all jobs of a round. A job's processes are those below its supervisor and
below the leader of its own session, and whatever is in a session that one of these leads.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

PROC = Path("/proc")
TICK = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")


class Process(NamedTuple):
    """A line of the process table.

    `started` is in clock ticks after boot: with the pid it names a process for ever, a pid alone
    does not. `cpu_seconds` holds those of ended children that it has waited for.
    """

    pid: int
    parent: int
    session: int
    started: int
    cpu_seconds: float
    resident_bytes: int
    zombie: bool = False


class Table:
    """All processes of a moment."""

    def __init__(self, processes: Iterable[Process]) -> None:
        self.by_pid = {process.pid: process for process in processes}
        self._below: dict[int, list[Process]] = {}
        self._led: dict[int, list[Process]] = {}
        for process in self.by_pid.values():
            self._below.setdefault(process.parent, []).append(process)
            self._led.setdefault(process.session, []).append(process)

    def tree(self, roots: Iterable[Process]) -> list[Process]:
        """The roots, all below them, and all in sessions that these lead."""
        found: dict[int, Process] = {}
        todo = list(roots)
        while todo:
            process = todo.pop()
            if process.pid not in found:
                found[process.pid] = process
                todo += self._below.get(process.pid, [])
                todo += self._led.get(process.pid, [])
        return list(found.values())


def scan(proc: Path = PROC) -> Table:
    """All processes of this machine."""
    pids = (int(name) for name in os.listdir(proc) if name.isdigit())
    return Table(process for pid in pids if (process := read(pid, proc)))


def read(pid: int, proc: Path = PROC) -> Process | None:
    """One process; None when it is gone."""
    try:
        file = os.open(f"{proc}/{pid}/stat", os.O_RDONLY)  # half the time of `open`
        try:
            fields = os.read(file, 4096).rpartition(b")")[2].split()
        finally:
            os.close(file)
    except OSError:
        return None
    return Process(
        pid,
        parent=int(fields[1]),
        session=int(fields[3]),
        started=int(fields[19]),
        cpu_seconds=sum(map(int, fields[11:15])) / TICK,
        resident_bytes=int(fields[21]) * PAGE,
        zombie=fields[0] in b"ZX",
    )


@dataclass(frozen=True)
class Attempt:
    """Processes of an attempt: its supervisor, which is the platform's, and the job's own."""

    supervisor: list[Process]
    job: list[Process]


def supervised(folder: Path, table: Table, boot: float) -> Attempt:
    """Processes of the attempt in `folder`; none when it has not begun or its pids are others' now.

    Args:
        folder: the attempt's folder: `pid` has the supervisor, `pgid` the leader of the job.
        table: from `scan`.
        boot: epoch seconds of the machine's start.
    """
    supervisor = _named(folder / "pid", table)
    supervisor = [process for process in supervisor if _wrote(process, folder, boot)]
    leader = [p for p in _named(folder / "pgid", table) if p.started == _word(folder / "pgid", 2)]
    members = table.tree((*supervisor, *leader))
    return Attempt(supervisor, [process for process in members if process not in supervisor])


def _wrote(process: Process, folder: Path, boot: float) -> bool:
    """Whether it was there when `pid` was written: later processes got the number after its end."""
    try:
        return boot + process.started / TICK <= (folder / "pid").stat().st_mtime + 2
    except OSError:
        return False


def _named(path: Path, table: Table) -> list[Process]:
    """The process whose id is the first word of a file."""
    pid = _word(path, 0)
    return [table.by_pid[pid]] if pid in table.by_pid else []


def _word(path: Path, index: int) -> int:
    """A word of a file as a number; -1 when it has none there."""
    try:
        return int(path.read_text().split()[index])
    except (OSError, ValueError, IndexError):
        return -1


def proportional_bytes(pid: int, proc: Path = PROC) -> int | None:
    """Memory with shared pages divided among those who share them; None where not readable.

    The kernel walks the page tables for it, which takes milliseconds where pages are many.
    """
    try:
        with open(f"{proc}/{pid}/smaps_rollup", "rb") as file:
            for line in file:
                if line.startswith(b"Pss:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        return None
    return None
