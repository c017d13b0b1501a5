"""Detached supervisor of ONE attempt of a job.  Standard library only, Linux only.

    python -S -E supervisor.py ATTEMPT_DIR

Files of the attempt directory (which must be on a local disk):
    spec.json    {"command": [..], "env": {name: text | null}, "cwd": dir, "timeout": s | null,
                 "grace": s, "limits": {"memory": bytes | null}}; written by the platform, 0600
    lock         flock held by the supervisor for its whole life = "alive"
    pid          written before user code may start; once it exists and the lock is free,
                 this attempt may never run again
    pgid         "PGID BOOT_ID START_TIME COOKIE CGROUP|-" of the user code, to find its orphans
    log, cancel  output of the command; "please stop" flag
    error.json   {"ename", "evalue", "cell", "message", "reason"?}: what the runner knows
    result.json  {"exit_code", "reason", "message", "finished_at"}: the verdict, always filled

Exit status: 0 = there is a verdict, 75 = another supervisor runs this attempt.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import json
import os
import resource
import signal
import subprocess
import sys
import time
from typing import IO, Any, NamedTuple

LOCK_RETRY_S = 1.0  # a platform that probes the lock must not make a starting supervisor lose
TICK_S = 0.1
KILL_WAIT_S = 5.0
COOKIE = "DLSYS_ATTEMPT_COOKIE"
SIGNALS = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD}
STOP = {signal.SIGTERM}  # the others are only kept away from us
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
prctl = ctypes.CDLL(None, use_errno=True).prctl


# ---- files ---------------------------------------------------------------------------------
def write_atomic(name: str, text: str) -> None:
    with open(name + ".tmp", "w") as f:
        f.write(text)
        f.flush()
        os.fsync(f.fileno())
    os.rename(name + ".tmp", name)


def read(path: str) -> str:
    with open(path, errors="replace") as f:
        return f.read()


def verdict(exit_code: int, reason: str | None, message: str) -> None:
    result = {
        "exit_code": exit_code,
        "reason": reason,
        "message": message,
        "finished_at": time.time(),
    }
    write_atomic("result.json", json.dumps(result))
    folder = os.open(".", os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)


def take_lock() -> IO[str] | None:
    lock = open("lock", "a+")  # noqa: SIM115
    end = time.monotonic() + LOCK_RETRY_S
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return lock
        except BlockingIOError:
            if time.monotonic() > end:
                lock.close()
                return None
            time.sleep(0.02)


# ---- processes -----------------------------------------------------------------------------
class Process(NamedTuple):
    pid: int
    parent: int
    group: int
    session: int
    start: str
    zombie: bool


def process(pid: int | str) -> Process | None:
    try:
        f = read(f"/proc/{pid}/stat").rpartition(")")[2].split()
    except OSError:
        return None
    return Process(int(pid), int(f[1]), int(f[2]), int(f[3]), f[19], f[0] in "ZX")


def processes() -> list[Process]:
    return [p for name in os.listdir("/proc") if name.isdigit() and (p := process(name))]


def descendants() -> list[Process]:
    """Everything below us.  We are the subreaper, so a process that left its group, its session
    and its parent is still found here."""
    children: dict[int, list[Process]] = {}
    for p in processes():
        children.setdefault(p.parent, []).append(p)
    found: list[Process] = []
    todo = [os.getpid()]
    while todo:
        below = children.get(todo.pop(), [])
        found += below
        todo += [p.pid for p in below]
    return found


def boot_id() -> str:
    return read("/proc/sys/kernel/random/boot_id").strip()


def kill(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)


class Tree:
    """The started command and all that ever came from it."""

    def __init__(self, main: int, memory: MemoryLimit) -> None:
        self.main = main
        self.memory = memory
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

    def terminate(self) -> None:
        """Ask the command's own group; a kernel has its own one and is ended by the runner."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.main, signal.SIGTERM)

    def kill(self) -> None:
        end = time.monotonic() + KILL_WAIT_S
        while self.reap() and time.monotonic() < end:
            self.memory.kill()
            for p in descendants():
                kill(p.pid, signal.SIGKILL)
            signal.sigtimedwait({signal.SIGCHLD}, 0.02)


def orphans(pgid: int, started: str, cookie: str) -> list[Process]:
    """Processes of an attempt whose supervisor died: its session, and whatever carries its
    cookie in the environment (a kernel has a session of its own)."""
    leader = process(pgid)
    # a leader with another start time is a stranger that got the number later
    ours = leader is None or leader.start == started
    mark = f"{COOKIE}={cookie}".encode()
    found = []
    for p in processes():
        if p.zombie or p.pid == os.getpid():
            continue
        if ours and pgid in (p.group, p.session):
            found.append(p)
            continue
        with contextlib.suppress(OSError), open(f"/proc/{p.pid}/environ", "rb") as f:
            if mark in f.read().split(b"\0"):
                found.append(p)
    return found


def kill_orphans() -> str:
    """End what a dead supervisor left behind.  Returns the words for the verdict."""
    lost = "The process that watched this job ended unexpectedly"
    try:
        pgid, boot, started, cookie, cgroup = read("pgid").split(maxsplit=4)
    except (OSError, ValueError):
        return f"{lost} before the job started"
    if boot != boot_id():  # these numbers mean nothing any more
        return "The machine was restarted while the job was running"
    if cgroup != "-":
        with contextlib.suppress(OSError), open(cgroup + "/cgroup.kill", "w") as f:
            f.write("1")
    end = time.monotonic() + KILL_WAIT_S
    while (left := orphans(int(pgid), started, cookie)) and time.monotonic() < end:
        for p in left:
            kill(p.pid, signal.SIGKILL)
        time.sleep(0.05)
    if cgroup != "-":
        with contextlib.suppress(OSError):
            os.rmdir(cgroup)
    return f"{lost}; what was left of the job was stopped"


# ---- memory --------------------------------------------------------------------------------
def make_cgroup(limit: int) -> str | None:
    """A cgroup v2 directory with the limit set, or None where that is not ours to make."""
    try:
        lines = read("/proc/self/cgroup").splitlines()
        own = next(line[3:] for line in lines if line[:3] == "0::")
    except (OSError, StopIteration):
        return None
    for parent in ("/sys/fs/cgroup" + own.rstrip("/"), "/sys/fs/cgroup" + os.path.dirname(own)):
        path = os.path.join(parent, f"dlsys-{os.getpid()}")
        try:
            if "memory" not in read(parent + "/cgroup.controllers").split():
                continue
            os.mkdir(path)
        except OSError:
            continue
        try:
            for name, value in (("memory.max", str(limit)), ("memory.oom.group", "1")):
                with open(os.path.join(path, name), "r+") as f:
                    f.write(value)
            return path
        except OSError:  # the controller is not handed down to us
            os.rmdir(path)
    return None


def resident(p: Process) -> int:
    """Anonymous resident bytes.  Pages shared after a fork count in each process."""
    try:
        size = read(f"/proc/{p.pid}/statm").split()
        return (int(size[1]) - int(size[2])) * resource.getpagesize()
    except (OSError, IndexError):
        return 0


def proportional(p: Process) -> int:
    """Resident bytes with shared pages divided among their users: exact but slow to get."""
    try:
        for line in read(f"/proc/{p.pid}/smaps_rollup").splitlines():
            if line.startswith("Pss_Anon:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return resident(p)


class MemoryLimit:
    """cgroup v2 where we may make one, else a look at the tree once a second."""

    def __init__(self, limit: int | None) -> None:
        self.limit = limit
        self.cgroup = make_cgroup(limit) if limit else None
        self.next_look = 0.0

    def join(self) -> None:
        if self.cgroup:
            with open(self.cgroup + "/cgroup.procs", "w") as f:
                f.write("0")

    def exceeded(self) -> bool:
        if self.cgroup:
            with contextlib.suppress(OSError):
                events = dict(x.split() for x in read(self.cgroup + "/memory.events").splitlines())
                return int(events.get("oom_kill", 0)) > 0
        if not self.limit or time.monotonic() < self.next_look:
            return False
        self.next_look = time.monotonic() + 1
        tree = descendants()
        return sum(map(resident, tree)) > self.limit and sum(map(proportional, tree)) > self.limit

    def kill(self) -> None:
        if self.cgroup:
            with contextlib.suppress(OSError), open(self.cgroup + "/cgroup.kill", "w") as f:
                f.write("1")

    def close(self) -> None:
        if self.cgroup:
            with contextlib.suppress(OSError):
                os.rmdir(self.cgroup)


# ---- the attempt ---------------------------------------------------------------------------
def start(spec: dict[str, Any], memory: MemoryLimit) -> subprocess.Popen[bytes]:
    """Start the command in its own session and group."""
    cookie = os.urandom(16).hex()
    env = {**os.environ, **(spec.get("env") or {}), COOKIE: cookie}
    parent = os.getpid()

    def in_child() -> None:  # between fork and exec: no user code runs without a pgid file
        os.setsid()
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)
        me = process(os.getpid())
        assert me is not None
        write_atomic("pgid", f"{me.pid} {boot_id()} {me.start} {cookie} {memory.cgroup or '-'}")
        memory.join()
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        files = 65536 if hard == resource.RLIM_INFINITY else min(hard, 65536)
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, hard))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        # last: a subprocess is started in `cwd` only from here on
        os.chdir(spec.get("cwd") or ".")
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)

    return subprocess.Popen(
        spec["command"],
        stdin=subprocess.DEVNULL,
        env={k: str(v) for k, v in env.items() if v is not None},
        preexec_fn=in_child,
    )


def reason_to_stop(tree: Tree, deadline: float, signals: set[int]) -> str | None:
    if signals & STOP or os.path.exists("cancel"):
        return "cancelled"
    if time.monotonic() > deadline:
        return "timeout"
    return "out-of-memory" if tree.memory.exceeded() else None


def watch(tree: Tree, spec: dict[str, Any]) -> tuple[str | None, bool]:
    """Wait for the end.  Returns why it was stopped, if it was, and if it had to be killed."""
    why: str | None = None
    kill_at = float("inf")
    deadline = time.monotonic() + (spec.get("timeout") or float("inf"))
    signals: set[int] = set()
    while tree.reap() and tree.exit_code is None:
        if why is None and (why := reason_to_stop(tree, deadline, signals)):
            kill_at = time.monotonic()
            if why != "out-of-memory":
                tree.terminate()
                kill_at += spec.get("grace", 10)
        if time.monotonic() >= kill_at:
            tree.kill()
            return why, True
        got = signal.sigtimedwait(SIGNALS, TICK_S)
        signals = {got.si_signo} if got else set()
    if why is None and tree.memory.cgroup and tree.memory.exceeded():
        why = "out-of-memory"
    return why, False


def known_error() -> tuple[str, str] | None:
    """(reason, message) that the runner left, if it did."""
    try:
        error = json.loads(read("error.json"))
        return str(error.get("reason") or "user-error"), str(error["message"])[:10_000]
    except (OSError, ValueError, KeyError, AttributeError):
        return None


def last_line() -> str:
    with open("log", "rb") as f:
        f.seek(max(0, os.fstat(f.fileno()).st_size - 4096))
        lines = f.read().decode(errors="replace").strip().splitlines()
    return lines[-1].strip()[:300] if lines else ""


def describe(
    exit_code: int, why: str | None, killed: bool, spec: dict[str, Any]
) -> tuple[str | None, str]:
    """Reason and plain words for the verdict."""
    hard = f"; it did not stop within {spec.get('grace', 10):g} s and was killed" if killed else ""
    if why == "cancelled":
        return why, "Cancelled" + hard
    if why == "timeout":
        return why, f"Ran longer than its time limit of {spec['timeout']:g} s{hard}"
    if why == "out-of-memory":
        limit = spec["limits"]["memory"] / 2**20
        return why, f"Used more memory than its limit of {limit:,.0f} MiB"
    if exit_code == 0:
        return None, "Finished"
    if error := known_error():
        return error
    if exit_code < 0:
        guess = {signal.SIGKILL: " (probably out of memory)", signal.SIGSEGV: " (it crashed)"}
        return "killed", f"Killed by signal {-exit_code}" + guess.get(-exit_code, "")  # type: ignore[call-overload]
    line = last_line()
    return "user-error", f"Ended with exit code {exit_code}" + (f": {line}" if line else "")


def supervise() -> None:
    write_atomic("pid", str(os.getpid()))
    spec = json.loads(read("spec.json"))
    early = signal.sigtimedwait(STOP, 0)
    if early or os.path.exists("cancel"):
        verdict(-1, "cancelled", "Cancelled before it started")
        return
    memory = MemoryLimit((spec.get("limits") or {}).get("memory"))
    tree = Tree(0, memory)
    try:
        command = start(spec, memory)  # kept: a Popen without a user collects its child
        tree.main = command.pid
        why, killed = watch(tree, spec)
    finally:
        tree.kill()  # leave nothing behind
        memory.close()
    code = tree.exit_code if tree.exit_code is not None else -signal.SIGKILL
    command.returncode = code
    verdict(code, *describe(code, why, killed, spec))


def detach() -> None:
    """Share no file with the platform that could break when it ends."""
    null = os.open(os.devnull, os.O_RDWR)
    log = os.open("log", os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
    for target, source in ((0, null), (1, log), (2, log)):
        os.dup2(source, target)
    os.close(null)
    os.close(log)
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def main(directory: str) -> int:
    os.umask(0o077)
    os.chdir(directory)
    with contextlib.suppress(PermissionError):
        os.setsid()  # a Ctrl-C in the platform's terminal does not reach us
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    lock = take_lock()  # kept until the process ends
    if lock is None:
        return 75
    if os.path.exists("result.json"):  # replayed launch: nothing to do
        return 0
    detach()
    if os.path.exists("pid"):  # an earlier supervisor of this attempt died
        verdict(-1, "lost", kill_orphans())
        return 0
    try:
        supervise()
    except Exception as error:  # noqa: BLE001  (no verdict = relaunched for ever)
        verdict(127, "launch-failed", f"The job could not be started: {error}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
