"""Finding and ending processes that a test left behind, also the detached ones."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

import psutil

MARK = "DLSYS_TEST_RUN"
"""Environment variable with the run's folder: known by it even when everything else is changed."""


def end_leftovers(folder: Path, grace: float = 5.0) -> list[str]:
    """Wait for the processes that belong to `folder` to end, then kill them.

    Returns a line for each one that had to be killed. Processes belong to a folder when their
    command line, working directory or environment names it.
    """
    deadline = time.monotonic() + grace
    while left := _belonging(folder):
        if time.monotonic() > deadline:
            break
        time.sleep(0.1)
    lines = [_describe(process) for process in left]
    for process in left:
        with contextlib.suppress(psutil.Error):
            process.kill()
    while _belonging(folder) and time.monotonic() < deadline + 5:
        time.sleep(0.02)  # reaping them is their parents' business
    return [line for line in lines if line]


def _belonging(folder: Path) -> list[psutil.Process]:
    ours = {os.getpid(), os.getppid()}
    return [p for p in psutil.process_iter() if p.pid not in ours and _names(p, str(folder))]


def _names(process: psutil.Process, folder: str) -> bool:
    try:
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        texts = [process.cwd(), *process.cmdline(), *process.environ().values()]
    except (psutil.Error, OSError):
        return False
    return any(folder in text for text in texts)


def _describe(process: psutil.Process) -> str:
    try:
        return f"  pid {process.pid}, parent {process.ppid()}: {' '.join(process.cmdline())[:300]}"
    except psutil.Error:
        return ""
