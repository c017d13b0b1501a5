"""Files of a folder in which others are at work: what goes meanwhile is no error."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path


def below(folder: Path) -> Iterator[Path]:
    """All that is no folder, at any depth. `Path.rglob` fails when a folder goes under its eyes."""
    for path, _, names in os.walk(folder):
        for name in names:
            yield Path(path, name)
