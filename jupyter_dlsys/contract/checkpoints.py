"""Names of complete checkpoint folders: `00000004-step-3` is the fourth of a job, at step 3."""

from __future__ import annotations

import re
from collections.abc import Iterable

FOLDER = "checkpoints"
MAX_STEP = 2**31 - 1
_NAME = re.compile(r"(\d{8,12})-step-(\d{1,10})")


def name_of(number: int, step: int) -> str:
    """Name of the folder."""
    return f"{number:08d}-step-{step}"


def parse(name: str) -> tuple[int, int] | None:
    """(number, step) of a complete checkpoint; None for another name."""
    found = _NAME.fullmatch(name)
    if found is None or int(found[2]) > MAX_STEP:
        return None
    return int(found[1]), int(found[2])


def in_order(names: Iterable[str]) -> list[str]:
    """Names of complete checkpoints, oldest first; others left out."""
    return sorted((name for name in names if parse(name)), key=lambda name: parse(name) or (0, 0))
