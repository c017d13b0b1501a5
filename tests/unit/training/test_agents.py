"""Attempts that agents take: one has it, and only silence loses it."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from dlsys_server.core.settings import Settings
from dlsys_server.training.agents import Agents
from dlsys_server.training.tables import JobRow

ONE, TWO = "1" * 32, "2" * 32


@pytest.fixture
def place(tmp_path: Path) -> Agents:
    return Agents(Settings(home=tmp_path, launcher="agent", agent_lost_seconds=20))


@pytest.fixture
def folder(place: Agents) -> Path:
    folder = place.root / "J" / "1"
    folder.mkdir(parents=True)
    return folder


JOB = JobRow(id="J", owner="ann", attempt=1)


def test_one_agent_takes_it_and_may_ask_again(place: Agents, folder: Path) -> None:
    assert place.take(folder, ONE)
    assert place.take(folder, ONE)
    assert not place.take(folder, TWO)
    assert (folder / "pid").exists()


def test_one_that_was_taken_since_somebody_looked_is_not_lost(place: Agents, folder: Path) -> None:
    assert not place.alive(JOB, folder)
    place.take(folder, ONE)
    place.start(JOB, folder)
    assert not (folder / "result.json").exists()


def test_a_silent_agent_loses_it_and_its_owner_has_none(place: Agents, folder: Path) -> None:
    place.heard(ONE, "ann", "here")
    assert place.waits_for("ann") == ""
    place.take(folder, ONE)
    place._began -= 60
    long_ago = time.time() - 30
    os.utime(folder / "agent", (long_ago, long_ago))
    assert not place.alive(JOB, folder)
    place.start(JOB, folder)
    assert json.loads((folder / "result.json").read_text())["reason"] == "lost"
    assert "ann" in place.waits_for("ann")
    assert not place.take(folder, ONE)


def test_a_cancelled_or_ended_one_is_not_taken(place: Agents, folder: Path) -> None:
    (folder / "cancel").touch()
    assert not place.take(folder, ONE)


def test_an_agent_has_one_owner(place: Agents) -> None:
    place.heard(ONE, "ann", "here")
    with pytest.raises(PermissionError):
        place.heard(ONE, "bob", "here")
