"""How a process ended that did not end by itself."""

from __future__ import annotations

import signal
from typing import Literal

FROM_OUTSIDE = {signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP}
GUESSES = {signal.SIGKILL: " (probably out of memory)", signal.SIGSEGV: " (it crashed)"}


def reason(code: int | None) -> Literal["killed", "crashed"]:
    """Whether somebody ended it, or its own code did (a segmentation fault, os._exit).

    `code`: exit status, negative for a signal; None: not known.
    """
    return "killed" if code is None or -code in FROM_OUTSIDE else "crashed"


def words(code: int | None) -> str:
    """'was killed by signal 9 (probably out of memory)'."""
    if code is None:
        return "died"
    if code >= 0:
        return f"ended with exit code {code}"
    guess = next((text for number, text in GUESSES.items() if number == -code), "")
    return f"was killed by signal {-code}{guess}"
