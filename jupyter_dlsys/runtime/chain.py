"""The chain of processes that one job is: supervisor, runner, kernel.

Forked by the zygote before it is known which job it will be.  Each waits for the one before it to
say; then it takes on the job's folder, environment, account and limits.
"""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import signal
import socket
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from .supervisor import attempt
from .supervisor.account import Account, drop_to
from .supervisor.limits import Limits, lower
from .supervisor.processes import COOKIE, die_with_parent, note_start, processes

MESSAGE = 65536
_cookie_at: int | None = None
_known: dict[str, str] = {}


def remember_environment() -> None:
    """In the zygote: what its environment was, and where in memory the cookie's place is."""
    global _cookie_at, _known
    getenv = ctypes.CDLL(None).getenv
    getenv.restype = ctypes.c_void_p
    _cookie_at = getenv(COOKIE.encode())
    _known = dict(os.environ)


def take_environment(env: dict[str, str]) -> None:
    """Have this environment, and what libraries set for themselves while they were imported.

    /proc/PID/environ shows the memory that the process was started with, and a forked one has the
    zygote's.  The cookie is written into it, so that the job's processes are known by it.
    """
    cookie = env.get(COOKIE, "").encode()
    if _cookie_at and len(cookie) == len(_known.get(COOKIE, "")):
        ctypes.memmove(_cookie_at, cookie, len(cookie))
    added = {k: v for k, v in os.environ.items() if k not in _known}
    os.environ.clear()
    os.environ.update({**added, **env})
    tempfile.tempdir = None
    time.tzset()
    near = [p for p in env.get("PYTHONPATH", "").split(os.pathsep) if p and p not in sys.path]
    sys.path[:0] = near


def take_log(descriptor: int) -> None:
    """Write to this file from now on."""
    for stream in (1, 2):
        os.dup2(descriptor, stream)
    os.close(descriptor)


def take_rights(rlimits: list[Any], account: Account | None, parent: int) -> None:
    """Have the limits and the account of the job, and end with the parent."""
    lower((kind, value) for kind, value in rlimits)
    drop_to(account)
    die_with_parent(parent)


# ---- supervisor ------------------------------------------------------------------------------
def supervise(door: socket.socket, ready_w: int, kernel: bool) -> int:
    """Fork the runner, wait for a folder, supervise it.  Returns the exit status."""
    os.setsid()
    if not kernel:
        return _supervise(door, ready_w, None)
    sockets = Path(tempfile.mkdtemp(prefix="dlsys-"))  # sockets need a short path
    try:
        return _supervise(door, ready_w, sockets)
    finally:  # here, because whoever uses it may be killed
        shutil.rmtree(sockets, ignore_errors=True)


def _supervise(door: socket.socket, ready_w: int, sockets: Path | None) -> int:
    ours, theirs = socket.socketpair()
    me = os.getpid()
    runner = os.fork()
    if runner == 0:
        _in_child(lambda: run(theirs, ready_w, sockets, me), door, ours)
    theirs.close()
    os.close(ready_w)
    request = json.loads(door.recv(MESSAGE) or b"null")
    door.close()
    if request is None:  # the zygote has ended
        os.kill(runner, signal.SIGKILL)
        os.waitpid(runner, 0)
        return 0

    def hand_over(spec: attempt.Spec, limits: Limits, cookie: str) -> int:
        note_start(runner, cookie, limits.groups.paths)
        for pid in (runner, *(p.pid for p in processes() if p.parent == runner)):
            limits.groups.join(pid)
        message = {
            "folder": request["folder"],
            "mode": request["mode"],
            "environment": attempt.environment(spec, cookie),
            "rlimits": limits.rlimits(own_account=spec.get("account") is None),
        }
        try:
            socket.send_fds(ours, [b"!"], [1])
            ours.sendall(json.dumps(message).encode())
        except ConnectionError:
            if not _was_killed(runner):
                raise
        ours.close()
        return runner

    return attempt.main(request["folder"], hand_over)


def _was_killed(child: int) -> bool:
    """Whether a child that has closed its sockets was ended by a signal; it stays to be reaped."""
    ended = os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
    return ended is not None and ended.si_code in (os.CLD_KILLED, os.CLD_DUMPED)


def _in_child(body: Any, *to_close: socket.socket) -> None:
    """Run `body` in a forked process and end it."""
    code = 99
    try:
        for used in to_close:
            used.close()
        code = body()
    finally:
        os._exit(code)


# ---- runner ----------------------------------------------------------------------------------
def run(door: socket.socket, ready_w: int, sockets: Path | None, parent: int) -> int:
    """Fork the kernel, if there is a folder for its sockets, wait for a job, run it.  Returns the
    exit status."""
    os.setsid()
    die_with_parent(parent)
    from . import warm_kernel

    parked = warm_kernel.park(door, ready_w, sockets) if sockets else None
    if parked is None:
        warm_kernel.say_ready(ready_w)
    else:
        os.close(ready_w)
    message, log = receive(door)
    if message is None:
        return 0
    signal.pthread_sigmask(signal.SIG_UNBLOCK, attempt.SIGNALS)
    folder = Path(message["folder"])
    spec: attempt.Spec = json.loads((folder / "spec.json").read_text())
    account = attempt.account_of(spec)
    if parked is not None:
        parked.limits(message["rlimits"], account)
    take_log(log)
    take_environment(message["environment"])
    take_rights(message["rlimits"], account, parent)
    os.chdir(spec.get("cwd") or ".")
    return _execute(folder / "job", message["mode"], parked)


def _execute(own: Path, mode: str, parked: Any) -> int:
    from . import runner, warm_kernel

    warm_kernel.parked = parked
    start = {"mode": mode, "reason": ""}
    if mode == "forked" and parked is not None:
        start["reason"] = "No kernel was waiting: the last one had just been taken."
    code = runner.main(own, start)
    sys.stdout.flush()
    sys.stderr.flush()
    return code


def receive(door: socket.socket) -> tuple[dict[str, Any] | None, int]:
    """(message, descriptor of the log); (None, -1) when the other side has ended."""
    first, descriptors, _, _ = socket.recv_fds(door, 1, 1)
    if not first:
        return None, -1
    text = b""
    while piece := door.recv(MESSAGE):
        text += piece
    door.close()
    return json.loads(text), descriptors[0]
