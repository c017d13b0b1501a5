"""A team with a dataset that has a policy."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.team import Team, team
from tests.support.vision import fill


@pytest.fixture
def vision(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Team]:
    """See `fill`. On SQLite, unless a test asks for PostgreSQL."""
    more = {}
    if getattr(request, "param", "sqlite") == "postgres":
        more["database_url"] = request.getfixturevalue("postgres_url")
    with team(tmp_path / "home", **more) as found:
        fill(found)
        yield found
