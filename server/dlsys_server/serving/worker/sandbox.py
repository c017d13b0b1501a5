"""What confines a worker: dies with its gateway, no core files, few descriptors, no rights of
root.
"""

from __future__ import annotations

import ctypes
import os
import pwd
import resource
import signal
import sys
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_PR_SET_NO_NEW_PRIVS = 38
_MAX_FILES = 1024


def confine(parent: int) -> None:
    """Set limits; end this process at once if the gateway (`parent`) is gone already."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    limit = _MAX_FILES if hard == resource.RLIM_INFINITY else min(_MAX_FILES, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    # Address space is never limited: torch reserves far more than it uses.
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    die_with_parent(parent)


def die_with_parent(parent: int) -> None:
    """Ask the kernel to kill this process when the gateway ends, however it ends (Linux)."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(0)


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(option, int(value), 0, 0, 0)


def drop_root(model_folder: Path, scratch: Path, parent: int) -> str:
    """Become `nobody` when root and when `nobody` can read the model; says which user it runs
    as.
    """
    if os.geteuid() != 0:
        return "user of the gateway"
    try:
        nobody = pwd.getpwnam("nobody")
    except KeyError:
        return "root: this system has no user nobody"
    unreadable = _unreadable_for(nobody.pw_uid, nobody.pw_gid, [model_folder, *_code_folders()])
    if unreadable:
        return f"root: {unreadable} is not readable for nobody"
    os.chown(scratch, nobody.pw_uid, nobody.pw_gid)
    os.setgroups([])
    os.setresgid(nobody.pw_gid, nobody.pw_gid, nobody.pw_gid)
    os.setresuid(nobody.pw_uid, nobody.pw_uid, nobody.pw_uid)
    die_with_parent(parent)  # a change of user clears the wish
    return "nobody"


def _code_folders() -> list[Path]:
    import mlflow
    import torch

    modules = (os, mlflow, torch, sys.modules[__name__])
    return [Path(str(module.__file__)).parent for module in modules]


def _unreadable_for(uid: int, gid: int, folders: list[Path]) -> str:
    """First path that the user cannot read, found by a child process that has its rights."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        found = "?"
        try:
            os.setgroups([])
            os.setresgid(gid, gid, gid)
            os.setresuid(uid, uid, uid)
            found = _first_unreadable(folders)
        finally:
            os.write(writing, found.encode()[:4096])
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        answer = pipe.read().decode(errors="replace")
    os.waitpid(child, 0)
    return answer


def _first_unreadable(folders: list[Path]) -> str:
    model, *code = folders
    for folder in code:
        if not os.access(folder, os.R_OK | os.X_OK):
            return str(folder)
    if not os.access(model, os.R_OK | os.X_OK):
        return str(model)
    for path in model.rglob("*"):
        if not os.access(path, os.R_OK | (os.X_OK if path.is_dir() else 0)):
            return str(path)
    return ""
