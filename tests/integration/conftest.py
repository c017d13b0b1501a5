"""A running platform for the tests of a file."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import processes
from tests.support.platform import RunningPlatform


@pytest.fixture(scope="module")
def platform(session_root: Path) -> Iterator[RunningPlatform]:
    """One platform for the whole file; two CPU slots."""
    home = Path(tempfile.mkdtemp(prefix="p", dir=session_root))
    running = RunningPlatform(home, DLSYS_CPUS="2").start()
    yield running
    running.stop()
    left = processes.end_leftovers(home)
    assert not left, "the platform left processes behind:\n" + "\n".join(left)
