"""Who belongs to an attempt, and how it is ended."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import time
from typing import NamedTuple

from . import files

COOKIE = "DLSYS_ATTEMPT_COOKIE"
KILL_WAIT_S = 5.0
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS = 1, 36, 38
prctl = ctypes.CDLL(None, use_errno=True).prctl


class Process(NamedTuple):
    """A line of /proc/PID/stat. `start` is in clock ticks since boot."""

    pid: int
    parent: int
    group: int
    session: int
    start: str
    zombie: bool


def process(pid: int | str) -> Process | None:
    try:
        f = files.read(f"/proc/{pid}/stat").rpartition(")")[2].split()
    except OSError:
        return None
    return Process(int(pid), int(f[1]), int(f[2]), int(f[3]), f[19], f[0] in "ZX")


def processes() -> list[Process]:
    return [p for name in os.listdir("/proc") if name.isdigit() and (p := process(name))]


def descendants(root: int | None = None) -> list[Process]:
    """Everything below a process (ours when left out).  A supervisor is the subreaper, so a
    process that left its group, its session and its parent is still found here."""
    children: dict[int, list[Process]] = {}
    for p in processes():
        children.setdefault(p.parent, []).append(p)
    found: list[Process] = []
    todo = [root or os.getpid()]
    while todo:
        below = children.get(todo.pop(), [])
        found += below
        todo += [p.pid for p in below]
    return found


def die_with_parent(parent: int) -> None:
    """SIGKILL when the parent ends.  To be repeated after a change of the account."""
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def boot_id() -> str:
    return files.read("/proc/sys/kernel/random/boot_id").strip()


def kill(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)


def note_start(pid: int, cookie: str, cgroups: list[str]) -> None:
    """Write `pgid`, before any code of the user may run."""
    me = process(pid)
    if me is None:
        raise ProcessLookupError(pid)
    groups = "|".join(cgroups) or "-"
    files.write_atomic("pgid", f"{pid} {boot_id()} {me.start} {cookie} {groups}")


def orphans(pgid: int, started: str, cookie: str) -> list[Process]:
    """Processes of an attempt whose supervisor died: its session, whatever carries its cookie in
    the environment (a kernel has a session of its own), and what is below these."""
    leader = process(pgid)
    # a leader with another start time is a stranger that got the number later
    ours = leader is None or leader.start == started
    mark = f"{COOKIE}={cookie}".encode()
    everybody = [p for p in processes() if not p.zombie and p.pid != os.getpid()]
    found = {}
    for p in everybody:
        if ours and pgid in (p.group, p.session):
            found[p.pid] = p
            continue
        with contextlib.suppress(OSError), open(f"/proc/{p.pid}/environ", "rb") as f:
            if mark in f.read().split(b"\0"):
                found[p.pid] = p
    grown = True
    while grown:
        below = [p for p in everybody if p.parent in found and p.pid not in found]
        found.update({p.pid: p for p in below})
        grown = bool(below)
    return list(found.values())


def kill_orphans() -> str:
    """End what a dead supervisor left behind.  Returns the words for the verdict."""
    lost = "The process that watched this job ended unexpectedly"
    try:
        pgid, boot, started, cookie, groups = files.read("pgid").split(maxsplit=4)
    except (OSError, ValueError):
        return f"{lost} before the job started"
    if boot != boot_id():  # these numbers mean nothing any more
        return "The machine was restarted while the job was running"
    cgroups = [] if groups == "-" else groups.split("|")
    for path in cgroups:
        with contextlib.suppress(OSError), open(path + "/cgroup.kill", "w") as f:
            f.write("1")
    end = time.monotonic() + KILL_WAIT_S
    while (left := orphans(int(pgid), started, cookie)) and time.monotonic() < end:
        for p in left:
            kill(p.pid, signal.SIGSTOP)  # first, so that nobody starts another one
        for p in left:
            kill(p.pid, signal.SIGKILL)
        time.sleep(0.05)
    for path in cgroups:
        with contextlib.suppress(OSError):
            os.rmdir(path)
    return f"{lost}; what was left of the job was stopped"


class Tree:
    """The job's first process and all that ever came from it."""

    def __init__(self, main: int) -> None:
        self.main = main
        self.exit_code: int | None = None

    def reap(self) -> bool:
        """Collect what has ended; False when no process is left."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return False
            if pid == 0:
                return True
            if pid == self.main:
                self.exit_code = os.waitstatus_to_exitcode(status)

    def terminate(self, number: int = signal.SIGTERM) -> None:
        """Ask the first process's group; a kernel has its own, and is ended by the runner."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.main, number)

    def kill(self) -> None:
        """End everything.  Stopped first, so that a fork bomb cannot outrun the signals."""
        end = time.monotonic() + KILL_WAIT_S
        while self.reap() and time.monotonic() < end:
            below = descendants()
            for p in below:
                kill(p.pid, signal.SIGSTOP)
            for p in below:
                kill(p.pid, signal.SIGKILL)
            signal.sigtimedwait({signal.SIGCHLD}, 0.02)
