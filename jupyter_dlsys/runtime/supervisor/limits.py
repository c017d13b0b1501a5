"""What an attempt may use: memory, processes, disk.  By control groups where we may make them,
else by looking at it; a look comes late, so it is said in /health which one it is."""

from __future__ import annotations

import contextlib
import os
import resource
import time
from collections.abc import Iterable
from typing import Any

from . import cgroups, files
from .processes import Process, descendants
from .remote import Remote

LOOK_S = 0.5
DISK_LOOK_S = 2.0
KEEP_FREE = 512 * 2**20  # of the disk, for the platform and the others
LARGE = 2**30  # a job that has less on the disk is not stopped for a full disk
FILES = 65536
NICENESS = 10
"""Jobs take what is left: the platform, its answers and people's own kernels come first."""


class Limits:
    """Limits of one attempt; `exceeded()` is cheap enough for each tick."""

    def __init__(self, wanted: dict[str, Any], ours: bool = True) -> None:
        self.memory: int | None = wanted.get("memory")
        self.processes: int | None = wanted.get("processes")
        self.disk: int | None = wanted.get("disk")
        self.groups = cgroups.Groups([])
        if ours:  # else the launcher makes them
            self.groups = cgroups.make(self.memory, self.processes)
        self.far: Remote | None = None
        self.next_look = self.next_disk_look = 0.0
        self.disk_used = 0

    def watch_from_afar(self, far: Remote) -> None:
        """Look at the processes of another account, below their keeper."""
        self.far = far
        self.groups = cgroups.Groups([], far.memory, far.processes)

    def rlimits(self, own_account: bool) -> list[tuple[int, int]]:
        """(kind, value) for each process of the job to `lower` itself to.

        Never RLIMIT_AS: CUDA and torch reserve address space far beyond what they use.
        """
        found = [(resource.RLIMIT_CORE, 0)]
        if self.disk:
            found.append((resource.RLIMIT_FSIZE, self.disk))
        if self.processes and self.groups.processes is None and not own_account:
            # counted for the whole account, so only an account of jobs gets it
            found.append((resource.RLIMIT_NPROC, self.processes))
        return found

    def exceeded(self, at_the_end: bool = False) -> str | None:
        """out-of-memory, too-many-processes, disk-full, or None."""
        if self.groups.out_of_memory() or (self.far and self.far.over.get("memory")):
            return "out-of-memory"
        now = time.monotonic()
        if at_the_end or now >= self.next_look:
            self.next_look = now + LOOK_S
            if found := self._look():
                return found
        if self.disk and now >= self.next_disk_look and self._disk_full():
            return "disk-full"
        return None

    def _look(self) -> str | None:
        if self.groups.forks_refused() or (self.far and self.far.over.get("processes")):
            return "too-many-processes"
        watch_memory = self.memory and self.groups.memory is None
        watch_count = self.processes and self.groups.processes is None
        if not (watch_memory or watch_count):
            return None
        tree = descendants(self.far.keeper if self.far else None)
        if self.processes and watch_count and len(tree) > self.processes:
            return "too-many-processes"
        if self.memory and watch_memory and sum(map(resident, tree)) > self.memory:
            return "out-of-memory" if sum(map(proportional, tree)) > self.memory else None
        return None

    def _disk_full(self) -> bool:
        began = time.monotonic()
        self.disk_used = (self.far.disk() if self.far else folder_bytes("job")) + _size("log")
        room = os.statvfs(".")
        free = room.f_bavail * room.f_frsize
        now = time.monotonic()
        self.next_disk_look = now + max(DISK_LOOK_S, 20 * (now - began))
        over = self.disk is not None and self.disk_used > self.disk
        return over or (free < KEEP_FREE and self.disk_used > LARGE)

    def words(self, reason: str) -> str:
        """What was exceeded, and what to do."""
        if reason == "out-of-memory":
            return (
                f"Used more memory than its limit of {(self.memory or 0) / 2**20:,.0f} MiB. "
                "Ask for more, or use smaller batches"
            )
        if reason == "too-many-processes":
            return f"Started more than the {self.processes:,} processes it may have; stopped"
        return (
            f"Wrote {self.disk_used / 2**20:,.0f} MiB to the disk and was stopped; "
            f"it may have {(self.disk or 0) / 2**20:,.0f} MiB, and some must stay free"
        )

    def kill(self) -> None:
        self.groups.kill()

    def close(self) -> None:
        self.groups.close()


def lower(rlimits: Iterable[tuple[int, int]]) -> None:
    """Give these up, for this process and all that it starts; and allow it many open files."""
    be_nice()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    count = FILES if hard == resource.RLIM_INFINITY else min(hard, FILES)
    resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard))
    for kind, value in rlimits:
        hard = resource.getrlimit(kind)[1]
        top = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (top, top))


def be_nice() -> None:
    """Give others the processors first."""
    if os.getpriority(os.PRIO_PROCESS, 0) < NICENESS:
        os.setpriority(os.PRIO_PROCESS, 0, NICENESS)


def resident(p: Process) -> int:
    """Anonymous resident bytes.  Pages shared after a fork count in each process."""
    try:
        size = files.read(f"/proc/{p.pid}/statm").split()
        return (int(size[1]) - int(size[2])) * resource.getpagesize()
    except (OSError, IndexError):
        return 0


def proportional(p: Process) -> int:
    """Resident bytes with shared pages divided among their users: exact but slow to get."""
    with contextlib.suppress(OSError):
        for line in files.read(f"/proc/{p.pid}/smaps_rollup").splitlines():
            if line.startswith("Pss_Anon:"):
                return int(line.split()[1]) * 1024
    return resident(p)


def folder_bytes(path: str) -> int:
    """Bytes on the disk below a folder, links not followed."""
    total = 0
    todo = [path]
    while todo:
        with contextlib.suppress(OSError), os.scandir(todo.pop()) as found:
            for entry in found:
                with contextlib.suppress(OSError):
                    if entry.is_dir(follow_symlinks=False):
                        todo.append(entry.path)
                    else:
                        total += entry.stat(follow_symlinks=False).st_blocks * 512
    return total


def _size(path: str) -> int:
    with contextlib.suppress(OSError):
        return os.stat(path).st_size
    return 0
