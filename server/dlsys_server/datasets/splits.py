"""Splits: every row gets its part from (seed, row number) alone, with exact sizes, for ever.

Rows are ranked by splitmix64; the first parts of the ranking go to the first split, and so on.
Within a split rows keep their order.
"""

from __future__ import annotations

import math
import re

import numpy as np
import numpy.typing as npt

from dlsys_server.core.errors import InvalidInput

from .sketches import mix

GOLDEN = 0x9E3779B97F4A7C15
MASK = (1 << 64) - 1
NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
ALL = "all"


def check(fractions: dict[str, float]) -> None:
    """Refuse fractions that do not describe a split.

    Raises:
        InvalidInput: says what is wrong.
    """
    example = "Write for example {'train': 0.8, 'val': 0.1, 'test': 0.1}."
    if not 2 <= len(fractions) <= 16:
        raise InvalidInput("A split has 2 to 16 parts.", hint=example)
    for name, share in fractions.items():
        if not NAME.fullmatch(name) or name == ALL:
            raise InvalidInput(f"'{name[:40]}' cannot be the name of a split.", hint=example)
        if not math.isfinite(share) or share <= 0:
            raise InvalidInput(
                f"The share of '{name}' is {share}; it must be over 0.", hint=example
            )
    total = math.fsum(fractions.values())
    if abs(total - 1) > 1e-6:
        raise InvalidInput(f"The shares add up to {total:g}, not to 1.", hint=example)


def sizes(rows: int, fractions: dict[str, float]) -> dict[str, int]:
    """Rows of each part: exact in sum, by largest remainder (the earlier part wins a tie)."""
    exact = {name: rows * share for name, share in fractions.items()}
    found = {name: math.floor(value + 1e-9) for name, value in exact.items()}
    order = sorted(fractions, key=lambda n: found[n] - exact[n])
    for name in order[: max(0, rows - sum(found.values()))]:
        found[name] += 1
    return found


def ranks(seed: int, rows: int) -> npt.NDArray[np.uint64]:
    """A key for each row number; no two are equal, since splitmix64 is a bijection."""
    start = int(mix(np.array([seed & MASK], np.uint64))[0])
    with np.errstate(over="ignore"):
        steps = np.arange(rows, dtype=np.uint64) * np.uint64(GOLDEN)
        return mix(steps + np.uint64(start))


def assign(seed: int, rows: int, fractions: dict[str, float]) -> npt.NDArray[np.uint8]:
    """The number of the part of each row."""
    keys = ranks(seed, rows)
    order = np.argsort(keys)
    found = np.empty(rows, np.uint8)
    start = 0
    for part, size in enumerate(sizes(rows, fractions).values()):
        found[order[start : start + size]] = part
        start += size
    return found
