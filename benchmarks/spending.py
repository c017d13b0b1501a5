"""CPU seconds of a side of a comparison, with all that it ever starts.

On Linux, where we may make a control group, the kernel counts: exactly, and with processes that
have ended. Elsewhere `measuring.Watch` looks ten times a second and misses what ends in between.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from pathlib import Path

from benchmarks.measuring import Watch

_LOOK_SECONDS = 0.5
_QUIET = 0.01  # CPU seconds in a look, above what the side spends when nobody asks it


class Purse:
    """Counts what is started with `python`, and below it, for ever.

    `idle` is what the side spends a second when it has nothing to do; `charge` takes it off.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.group = _make_group()
        self.python = sys.executable
        self.environment = {"DLSYS_BENCHMARK": str(folder)}
        self.idle = 0.0
        self._watch: Watch | None = None
        if self.group is None:
            self._watch = Watch(folder).__enter__()
        else:
            script = folder / "python"
            script.write_text(
                f'#!/bin/sh\necho $$ > "{self.group}/cgroup.procs"\nexec "{sys.executable}" "$@"\n'
            )
            script.chmod(0o700)
            self.python = str(script)

    @property
    def how(self) -> str:
        """For the table: who counted."""
        return "counted by the kernel" if self.group else "looked at ten times a second"

    def seconds(self) -> float:
        """User and system time until now."""
        if self.group is None:
            return self._watch.cpu if self._watch else 0.0
        if (version1 := self.group / "cpuacct.usage").exists():
            return int(version1.read_text()) / 1e9
        lines = (self.group / "cpu.stat").read_text().splitlines()
        return int(dict(line.split() for line in lines)["usage_usec"]) / 1e6

    def rest(self, least: float, most: float = 15.0) -> None:
        """Wait until the side is as quiet as when it is idle, without asking it anything."""
        began = time.monotonic()
        time.sleep(least)
        before = self.seconds()
        while time.monotonic() - began < most:
            time.sleep(_LOOK_SECONDS)
            now = self.seconds()
            if now - before <= self.idle * _LOOK_SECONDS + _QUIET:
                return
            before = now

    def charge(self, since: float, wall: float) -> float:
        """What was spent above the idle rate since `since` (of `seconds`), `wall` seconds ago."""
        return max(0.0, self.seconds() - since - self.idle * wall)

    def close(self) -> None:
        """Stop counting. What was counted must have ended."""
        if self._watch is not None:
            self._watch.__exit__()
        if self.group is None:
            return
        for _ in range(50):
            with contextlib.suppress(OSError):
                self.group.rmdir()
                return
            time.sleep(0.1)


def idle_rates(purses: list[Purse], seconds: float) -> list[float]:
    """CPU seconds a second of each, now, over the same seconds. Nobody may ask them anything."""
    before, began = [purse.seconds() for purse in purses], time.perf_counter()
    time.sleep(seconds)
    wall = time.perf_counter() - began
    return [(p.seconds() - was) / wall for p, was in zip(purses, before, strict=True)]


def _make_group() -> Path | None:
    """A control group below our own: of the version 1 controller `cpuacct`, else of version 2."""
    for parent in _own_groups():
        with contextlib.suppress(OSError):
            group = parent / f"dlsys-bench-{os.getpid()}-{time.monotonic_ns()}"
            group.mkdir()
            if not os.access(group / "cgroup.procs", os.W_OK):
                group.rmdir()
                continue
            return group
    return None


def _own_groups() -> list[Path]:
    found: dict[str, Path] = {}
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            for name in controllers.split(","):
                mount = _mount(name)
                if name in ("cpuacct", "") and mount is not None:
                    found[name] = mount / path.lstrip("/")
    return [found[name] for name in ("cpuacct", "") if name in found]


def _mount(controller: str) -> Path | None:
    for line in Path("/proc/mounts").read_text().splitlines():
        _, where, kind, options, *_ = line.split()
        if kind == "cgroup" and controller and controller in options.split(","):
            return Path(where)
        if kind == "cgroup2" and not controller:
            return Path(where)
    return None
