"""Control groups: version 2 where we may make one, version 1 controllers as the fallback.

Source: https://docs.kernel.org/admin-guide/cgroup-v2.html and …/cgroup-v1/.
"""

from __future__ import annotations

import contextlib
import os
from typing import NamedTuple

from . import files

ROOT = "/sys/fs/cgroup"
MEMORY_V1, SWAP_V1 = "memory.limit_in_bytes", "memory.memsw.limit_in_bytes"


class Groups(NamedTuple):
    """The directories made for one attempt, and what each of them limits."""

    paths: list[str]
    memory: str | None = None
    processes: str | None = None

    def join(self, pid: int) -> None:
        """Move a process in; its later children are born in."""
        for path in self.paths:
            with open(path + "/cgroup.procs", "w") as f:
                f.write(str(pid))

    def out_of_memory(self) -> bool:
        """Whether the kernel killed somebody for the limit."""
        if self.memory is None:
            return False
        for name in ("memory.events", "memory.oom_control"):
            with contextlib.suppress(OSError, ValueError):
                lines = files.read(f"{self.memory}/{name}").splitlines()
                return int(dict(x.split() for x in lines).get("oom_kill", 0)) > 0
        return False

    def forks_refused(self) -> int:
        """How often a new process was refused."""
        if self.processes is None:
            return 0
        with contextlib.suppress(OSError, ValueError, IndexError):
            return int(files.read(f"{self.processes}/pids.events").split()[1])
        return 0

    def kill(self) -> None:
        """Version 2 ends all of a group at once."""
        for path in self.paths:
            with contextlib.suppress(OSError), open(path + "/cgroup.kill", "w") as f:
                f.write("1")

    def close(self) -> None:
        for path in self.paths:
            with contextlib.suppress(OSError):
                os.rmdir(path)


def make(memory: int | None, processes: int | None) -> Groups:
    """Groups with these limits, as far as they are ours to make."""
    own = _own()
    wanted = {"memory": memory, "pids": processes}
    if path := _version2(own.get(""), {k: v for k, v in wanted.items() if v}):
        return Groups([path], path if memory else None, path if processes else None)
    made = {k: _version1(k, own.get(k), v) for k, v in wanted.items() if v}
    paths = [path for path in made.values() if path]
    return Groups(paths, made.get("memory"), made.get("pids"))


def _own() -> dict[str, str]:
    """Our place in each hierarchy; '' is version 2."""
    found = {}
    with contextlib.suppress(OSError):
        for line in files.read("/proc/self/cgroup").splitlines():
            _, controllers, path = line.split(":", 2)
            for name in controllers.split(","):
                found[name] = path.rstrip("/")
    return found


def _version2(own: str | None, limits: dict[str, int]) -> str | None:
    if own is None or not limits:
        return None
    for parent in (ROOT + own, ROOT + os.path.dirname(own)):
        path = os.path.join(parent, f"dlsys-{os.getpid()}")
        try:
            if not set(limits) <= set(files.read(parent + "/cgroup.controllers").split()):
                continue
            os.mkdir(path)
        except OSError:
            continue
        settings = {f"{name}.max": str(value) for name, value in limits.items()}
        settings |= {"memory.oom.group": "1"} if "memory" in limits else {}
        if _write_all(path, settings):
            return path
    return None


def _version1(controller: str, own: str | None, limit: int) -> str | None:
    if own is None:
        return None
    path = f"{ROOT}/{controller}{own}/dlsys-{os.getpid()}"
    try:
        os.mkdir(path)
    except OSError:
        return None
    if controller == "pids":
        return path if _write_all(path, {"pids.max": str(limit)}) else None
    if not _write_all(path, {MEMORY_V1: str(limit)}):
        return None
    with contextlib.suppress(OSError), open(f"{path}/{SWAP_V1}", "r+") as f:
        f.write(str(limit))  # swap too, where it is counted
    return path


def _write_all(path: str, settings: dict[str, str]) -> bool:
    try:
        for name, value in settings.items():
            with open(os.path.join(path, name), "r+") as f:
                f.write(value)
    except OSError:  # the controller is not handed down to us
        with contextlib.suppress(OSError):
            os.rmdir(path)
        return False
    return True
