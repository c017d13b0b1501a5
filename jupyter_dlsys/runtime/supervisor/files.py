"""Files of the attempt folder, which is the working directory."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import socket
import stat
import time
from typing import IO

LOCK_RETRY_S = 1.0  # a platform that probes the lock must not make a starting supervisor lose
BELL = "../../bell"  # relative: the path of a unix socket may have 107 bytes only
MAX_ERROR_BYTES = 1_000_000


def write_atomic(name: str, text: str) -> None:
    """The whole text or nothing, also after a power cut."""
    with open(name + ".tmp", "w") as f:
        f.write(text)
        f.flush()
        os.fsync(f.fileno())
    os.rename(name + ".tmp", name)


def read(path: str) -> str:
    with open(path, errors="replace") as f:
        return f.read()


def verdict(exit_code: int, reason: str | None, message: str) -> None:
    """Write result.json and ring."""
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
    ring()


def ring() -> None:
    """Tell the platform to look, if it is there."""
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as bell:
        bell.setblocking(False)
        bell.sendto(b"!", BELL)


def take_lock() -> IO[str] | None:
    """The lock, or None when another supervisor has it."""
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


def known_error() -> tuple[str, str] | None:
    """(reason, message) that the job's process left, if it did. The file is the job's own, so it
    may be anything."""
    try:
        fd = os.open("job/error.json", os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with open(fd, errors="replace") as f:
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                return None
            error = json.loads(f.read(MAX_ERROR_BYTES))
        return str(error.get("reason") or "user-error"), str(error["message"])[:10_000]
    except (OSError, ValueError, KeyError, AttributeError):
        return None


def last_line() -> str:
    """The last line of the log."""
    with open("log", "rb") as f:
        f.seek(max(0, os.fstat(f.fileno()).st_size - 4096))
        lines = f.read().decode(errors="replace").strip().splitlines()
    return lines[-1].strip()[:300] if lines else ""
