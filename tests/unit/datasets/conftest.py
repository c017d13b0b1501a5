"""A dataset room for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.datasets import Room, open_room


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    """An empty room."""
    home = tmp_path / "home"
    home.mkdir()
    room = open_room(home)
    yield room
    room.close()
