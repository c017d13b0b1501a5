"""A platform behind a hub, with a project of oto's (`vision`) and one of eve's (`language`)."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import processes
from tests.support.matrix.fuzzed import started
from tests.support.matrix.world import World


@pytest.fixture(scope="module")
def world(session_root: Path) -> Iterator[World]:
    home = Path(tempfile.mkdtemp(prefix="b", dir=session_root))
    with started(home, "hub", DLSYS_HUB_FRESH_SECONDS="1") as found:
        yield found.world
    left = processes.end_leftovers(home)
    assert not left, "the platform left processes behind:\n" + "\n".join(left)
