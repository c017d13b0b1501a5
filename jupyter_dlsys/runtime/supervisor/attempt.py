"""The life of one attempt: lock, start, watch, verdict."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any, TypedDict

from jupyter_dlsys.contract import stopping

from . import endings, remote
from .account import Account, drop_to
from .files import known_error, last_line, read, ring, take_lock, verdict, write_atomic
from .limits import Limits, lower
from .processes import (
    COOKIE,
    PR_SET_CHILD_SUBREAPER,
    Tree,
    die_with_parent,
    kill_orphans,
    note_start,
    prctl,
)

TICK_S = 0.1
WHY_COLD = "DLSYS_WHY_COLD"
SIGNALS = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD}
STOP = {signal.SIGTERM}  # the others are only kept away from us
OVER = {"out-of-memory", "too-many-processes", "disk-full"}


class Spec(TypedDict, total=False):
    """spec.json. `grace`: seconds from SIGTERM to SIGKILL at a timeout; `cancel_grace`: at a
    cancel. `account`: uid, gid, groups; null: the platform's own. `launcher`: {socket, user, job,
    attempt} when the launcher starts it instead of us. `parent`: stop when it is no longer ours."""

    command: list[str]
    env: dict[str, str | None]
    cwd: str | None
    timeout: float | None
    grace: float
    cancel_grace: float
    limits: dict[str, int | None]
    account: list[Any] | None
    launcher: dict[str, Any] | None
    parent: int | None


Starter = Callable[[Spec, Limits, str], int]
"""Starts the job's first process, in a session and group of its own, and returns its pid.  Gets
the cookie that marks all of the job's processes; writes `pgid` before code of the user may run."""


def account_of(spec: Spec) -> Account | None:
    given = spec.get("account")
    return Account(*given) if given else None


def environment(spec: Spec, cookie: str) -> dict[str, str]:
    """Environment of the job's first process."""
    env = {**(spec.get("env") or {}), COOKIE: cookie}
    return {k: str(v) for k, v in env.items() if v is not None}


def start_cold(why: str, spec: Spec, limits: Limits, cookie: str) -> int:
    """Start spec["command"] as a new program, and tell it why it is one."""
    parent = os.getpid()
    account = account_of(spec)

    def in_child() -> None:  # between fork and exec: no user code runs without a pgid file
        os.setsid()
        die_with_parent(parent)
        note_start(os.getpid(), cookie, limits.groups.paths)
        limits.groups.join(os.getpid())
        lower(limits.rlimits(own_account=account is None))
        drop_to(account)
        if account is not None:
            die_with_parent(parent)
        # last: a subprocess is started in `cwd` only from here on
        os.chdir(spec.get("cwd") or ".")
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)

    process = subprocess.Popen(
        spec["command"],
        stdin=subprocess.DEVNULL,
        env={**os.environ, **environment(spec, cookie), WHY_COLD: why},
        preexec_fn=in_child,
    )
    process.returncode = 0  # it is collected by us, not by Popen
    return process.pid


def reason_to_stop(
    limits: Limits, deadline: float, signals: set[int], parent: int | None = None
) -> str | None:
    if signals & STOP or stopping.asked(".") or (parent and os.getppid() != parent):
        return "cancelled"
    if time.monotonic() > deadline:
        return "timeout"
    return limits.exceeded()


def watch(tree: Tree, limits: Limits, spec: Spec) -> tuple[str | None, bool]:
    """Wait for the end.  Returns why it was stopped, if it was, and if it had to be killed."""
    why: str | None = None
    kill_at = float("inf")
    deadline = time.monotonic() + (spec.get("timeout") or float("inf"))
    signals: set[int] = set()
    while tree.reap() and tree.exit_code is None:
        if why is None and (why := reason_to_stop(limits, deadline, signals, spec.get("parent"))):
            kill_at = time.monotonic()
            if why not in OVER:
                tree.terminate(how(why))
                kill_at += grace(spec, why)
        if time.monotonic() >= kill_at:
            limits.kill()
            tree.kill()
            return why, True
        got = signal.sigtimedwait(SIGNALS, TICK_S)
        signals = {got.si_signo} if got else set()
    if why is None and tree.exit_code:
        why = limits.exceeded(at_the_end=True)
    return why, False


def grace(spec: Spec, why: str) -> float:
    """Seconds from the request to stop to the end by force."""
    given = spec.get("grace", 10)
    if why == "cancelled" and (patience := stopping.patience(".")) is not None:
        return patience
    return spec.get("cancel_grace", given) if why == "cancelled" else given


def how(why: str) -> signal.Signals:
    """The signal that asks it to stop."""
    softly = why == "cancelled" and stopping.patience(".") is not None
    return signal.SIGINT if softly else signal.SIGTERM


def describe(
    exit_code: int, why: str | None, killed: bool, spec: Spec, limits: Limits
) -> tuple[str | None, str]:
    """Reason and plain words for the verdict."""
    hard = ""
    if killed and why:
        hard = f"; it did not stop within {grace(spec, why):g} s and was killed"
    if why == "cancelled":
        return why, "Cancelled" + hard
    if why == "timeout":
        return why, f"Ran longer than its time limit of {spec['timeout']:g} s{hard}"
    if why is not None:
        return why, limits.words(why)
    if exit_code == 0:
        return None, "Finished"
    if error := known_error():
        return error
    if exit_code < 0:
        return endings.reason(exit_code), f"It {endings.words(exit_code)}"
    line = last_line()
    return "user-error", f"Ended with exit code {exit_code}" + (f": {line}" if line else "")


def begin(starter: Starter, spec: Spec, limits: Limits) -> Tree:
    """The job's processes, started by us or by the launcher."""
    cookie = os.urandom(16).hex()
    if not spec.get("launcher"):
        tree = Tree(0)
        tree.main = starter(spec, limits, cookie)
        return tree
    far = remote.start(spec, os.environ.get(WHY_COLD, ""), environment(spec, cookie))
    limits.watch_from_afar(far)
    note_start(far.main, cookie, [])
    return far


def supervise(starter: Starter) -> None:
    write_atomic("pid", str(os.getpid()))
    spec: Spec = json.loads(read("spec.json"))
    early = signal.sigtimedwait(STOP, 0)
    if early or stopping.asked("."):
        verdict(-1, "cancelled", "Cancelled before it started")
        return
    limits, tree = Limits(spec.get("limits") or {}, ours=not spec.get("launcher")), Tree(0)
    why, killed = None, False
    try:
        tree = begin(starter, spec, limits)
        ring()
        why, killed = watch(tree, limits, spec)
    finally:
        limits.kill()
        tree.kill()  # leave nothing behind
        limits.close()
    code = tree.exit_code if tree.exit_code is not None else -signal.SIGKILL
    verdict(code, *describe(code, why, killed, spec, limits))


def detach() -> None:
    """Share no file with the platform that could break when it ends."""
    null = os.open(os.devnull, os.O_RDWR)
    log = os.open("log", os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
    for target, source in ((0, null), (1, log), (2, log)):
        os.dup2(source, target)
    os.close(null)
    os.close(log)
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def main(directory: str, starter: Starter) -> int:
    """Supervise the attempt of a folder.  Returns the exit status."""
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
        supervise(starter)
    except Exception as error:  # noqa: BLE001  (no verdict = relaunched for ever)
        print(f"supervisor: {type(error).__name__}: {error}", file=sys.stderr, flush=True)  # noqa: T201
        verdict(127, "launch-failed", f"The job could not be started: {error}")
    return 0
