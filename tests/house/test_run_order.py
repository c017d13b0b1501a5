"""The files that are said to take longest are there."""

from __future__ import annotations

from pathlib import Path

from tests.conftest import LONGEST

TESTS = Path(__file__).resolve().parents[1]


def test_the_longest_files_exist() -> None:
    assert [name for name in LONGEST if not (TESTS / name).is_file()] == []
