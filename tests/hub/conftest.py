"""One hub for all tests of this folder: it takes seconds to start and each user's server more."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.support import chromium
from tests.support.hub import RunningHub, need_hub, started


@pytest.fixture(scope="module")
def hub(session_root: Path) -> Iterator[RunningHub]:
    """`make hub`, with the demo's data."""
    need_hub()
    state = Path(tempfile.mkdtemp(prefix="hub", dir=session_root))
    with started(state) as running:
        yield running


@pytest.fixture(scope="module")
def servers(hub: RunningHub) -> dict[str, dict[str, str]]:
    """The environment inside the servers of ann, vic and eve."""
    return hub.spawn("ann", "vic", "eve")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium.started() as found:
        yield found
