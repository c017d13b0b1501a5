"""How a supervisor is asked to stop its attempt, on the platform's machine or an agent's: the file
`cancel` in the attempt's folder. Standard library only.

It is empty for a plain stop. For a soft one it has the seconds that the job gets from an interrupt
to the end by force, in which it may save something.
"""

from __future__ import annotations

import contextlib
import os
from os import PathLike

MOST_SECONDS = 60.0
Folder = str | PathLike[str]


def ask(folder: Folder, patience: float | None = None) -> None:
    """Ask for a stop, softly with patience. What was asked first stays, so it may be repeated."""
    if patience is None:
        open(_file(folder), "a").close()  # by any thread
    elif not asked(folder):
        part = _file(folder) + ".tmp"
        with open(part, "w", encoding="ascii") as out:
            out.write(f"{patience:g}")
        os.rename(part, _file(folder))


def asked(folder: Folder) -> bool:
    """Whether it is to stop."""
    return os.path.exists(_file(folder))


def patience(folder: Folder) -> float | None:
    """Seconds from the interrupt to the end by force; None unless it is asked for a soft stop."""
    with contextlib.suppress(OSError, ValueError), open(_file(folder), encoding="ascii") as file:
        return min(MOST_SECONDS, max(0.0, float(file.read())))
    return None


def _file(folder: Folder) -> str:
    return os.path.join(folder, "cancel")
