"""What the platform tells an agent, and what it makes of what an agent sends."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from dlsys_server.access.principals import Principal
from dlsys_server.core.database import Database
from dlsys_server.core.settings import Settings
from dlsys_server.training.accounts import Accounts
from dlsys_server.training.agent_service import AgentService, Piece
from dlsys_server.training.agents import Agents
from dlsys_server.training.attempts import Attempts
from dlsys_server.training.tables import JobRow
from jupyter_dlsys.contract.agents import PollAnswer, PollRequest, Try, VerdictRequest
from tests.support.engine import USER, WORKER, Engine

AGENT = "1" * 32
ME = Principal.of(USER, "user", "default", ("default",), frozenset())


class Desk:
    """The platform's side, with a job that an agent has."""

    def __init__(self, folder: Path) -> None:
        self.database = Database(f"sqlite:///{folder / 'x.sqlite'}")
        self.database.migrate()
        settings = Settings(home=folder, launcher="agent")
        warm: Any = SimpleNamespace()
        self.attempts = Attempts(settings, warm, Accounts(""), Agents(settings))
        self.service = AgentService(self.database, self.attempts, WORKER, 0, lambda: None)
        job = Engine(folder, self.database).submit(state="running", worker=WORKER)
        with self.database.read() as session:
            self.row = session.get_one(JobRow, job)
        self.attempts.prepare(self.row, {"a.py": "1"}, {}, {})
        self.try_ = Try(job=job, attempt=1)
        self.service.take(ME, AGENT, job, 1)

    def poll(self, **about: Any) -> PollAnswer:
        """As an agent that has the job asks."""
        body = PollRequest(running=[Try(job=self.row.id, attempt=1, **about)])
        return self.service._look(ME, AGENT, body, first=True)

    def send(self, path: str, data: bytes = b"x") -> None:
        self.service.receive(ME, AGENT, self.try_, path, Piece(0, data, len(data)))

    def checkpoints(self) -> list[str]:
        """Files of those that a next attempt would find."""
        root = self.attempts.own(self.row) / "checkpoints"
        return sorted(str(p.relative_to(root)) for p in root.rglob("*") if p.is_file())


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path)
    yield desk
    desk.database.close()


def test_the_order_to_stop_softly_has_the_patience_until_it_was_heard(desk: Desk) -> None:
    assert desk.poll() == PollAnswer()
    for _ in range(2):
        desk.attempts.cancel(desk.row, softly=True)
        assert desk.poll() == PollAnswer(cancel=[desk.try_], patience={desk.row.id: 10.0})
    assert desk.poll(cancelling=True) == PollAnswer()


def test_an_agent_asks_again_long_before_it_counts_as_lost(desk: Desk) -> None:
    desk.service._agents().lost_after = 1.0
    began = time.monotonic()
    asyncio.run(desk.service.poll(ME, AGENT, PollRequest(wait_seconds=20), lambda: False))
    assert time.monotonic() - began < 2


def test_a_plain_cancel_has_none(desk: Desk) -> None:
    desk.attempts.cancel(desk.row)
    assert desk.poll() == PollAnswer(cancel=[desk.try_])


def test_agents_and_platforms_of_an_earlier_version_mean_a_plain_cancel(desk: Desk) -> None:
    desk.attempts.cancel(desk.row, softly=True)
    (told,) = desk.poll().model_dump()["cancel"]
    assert set(told) == {"job", "attempt", "cancelling"}  # these agents refuse any other field
    assert PollAnswer.model_validate({"cancel": [told]}).patience == {}


def test_checkpoints_that_came_count_with_the_verdict_and_not_before(desk: Desk) -> None:
    desk.send("outputs/a.txt")
    desk.send("checkpoints/00000001-step-7/a")
    assert desk.checkpoints() == []  # its server may be gone before the others come
    desk.send("checkpoints/00000001-step-7/deep/b")
    desk.send("checkpoints/.part-1/c")
    verdict = VerdictRequest(exit_code=-2, reason="cancelled", finished_at=1.0)
    desk.service.finish(ME, AGENT, desk.row.id, 1, verdict)
    assert desk.checkpoints() == ["00000001-step-7/a", "00000001-step-7/deep/b"]


def test_a_checkpoint_that_it_began_with_stays_as_it_is(desk: Desk) -> None:
    there = desk.attempts.own(desk.row) / "checkpoints" / "00000001-step-7"
    there.mkdir()
    (there / "a").write_text("mine")
    desk.send("checkpoints/00000001-step-7/a")
    desk.send("checkpoints/00000002-step-9/a")
    verdict = VerdictRequest(exit_code=0, finished_at=1.0)
    desk.service.finish(ME, AGENT, desk.row.id, 1, verdict)
    assert desk.checkpoints() == ["00000001-step-7/a", "00000002-step-9/a"]
    assert (there / "a").read_text() == "mine"
