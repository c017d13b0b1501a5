"""File locks that say whether a process lives: taken at once or not at all."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PATIENCE_SECONDS = 1.0


@contextmanager
def locked(path: Path, patience: float = PATIENCE_SECONDS) -> Iterator[bool]:
    """Hold the lock of this file inside the block; False when another one holds it.

    One that only looks whether it is held may have it for a moment: so long it is waited for.
    """
    with path.open("a+") as file:
        end = time.monotonic() + patience
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > end:
                    yield False
                    return
                time.sleep(0.02)
            else:
                yield True
                return


def held_elsewhere(path: Path) -> bool:
    """Whether a living process holds the lock of this file."""
    if not path.exists():
        return False
    with locked(path, 0) as ours:
        return not ours
