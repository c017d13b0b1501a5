"""Whether a failed attempt is tried again, when, and with what. Pure: it looks at nothing.

| why the attempt ended | again? |
|---|---|
| lost: its supervisor was killed or the machine restarted | while attempts are left |
| killed: a signal ended it from outside | while attempts are left |
| out-of-memory | while attempts are left and more memory is allowed, with twice as much |
| user-error, timeout, cancelled, launch-failed, anything else | never |
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Rule = Literal["again", "with more memory"]
RULES: dict[str, Rule] = {
    "lost": "again",
    "killed": "again",
    "out-of-memory": "with more memory",
}
CAUSES = {
    "lost": "the worker was lost",
    "killed": "it was killed",
    "out-of-memory": "it ran out of memory",
}
LONGEST_SECONDS = 300.0
JITTER = 0.25


@dataclass(frozen=True)
class Ended:
    """An attempt that is over, and what its job allows. Amounts in bytes."""

    exit_reason: str | None
    attempt: int
    retries: int
    memory: int | None = None
    most_memory: int | None = None


@dataclass(frozen=True)
class Again:
    """The next attempt: its number, the seconds until it may start, its memory limit in bytes."""

    attempt: int
    seconds: float
    memory: int | None
    reason: str


def decide(ended: Ended, chance: float) -> Again | None:
    """The next attempt, or None when this one was the last.

    `chance` (0 to 1) spreads the back-off, so that jobs that were lost together come back apart.
    """
    rule = RULES.get(ended.exit_reason or "")
    if rule is None or ended.attempt > ended.retries:
        return None
    memory = ended.memory
    words = CAUSES[ended.exit_reason or ""]
    if rule == "with more memory":
        memory = _more(ended)
        if memory is None:
            return None
        words += f"; it gets {memory / 2**20:,.0f} MiB now"
    seconds = back_off(ended.attempt, chance)
    number, of = ended.attempt + 1, ended.retries + 1
    reason = f"Attempt {number} of {of} in {seconds:.0f} s: {words}"
    return Again(number, seconds, memory, reason)


def back_off(attempt: int, chance: float) -> float:
    """Seconds to wait after a failed attempt: min(300, 2^attempt), up to a quarter less."""
    longest = min(LONGEST_SECONDS, 2.0 ** min(attempt, 16))
    return longest * (1 - JITTER * chance)


def _more(ended: Ended) -> int | None:
    """Twice the limit, at most what is allowed; None when that is no more than it had."""
    if ended.memory is None or ended.most_memory is None:
        return None
    more = min(2 * ended.memory, ended.most_memory)
    return more if more > ended.memory else None
