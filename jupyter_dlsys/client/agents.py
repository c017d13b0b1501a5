"""What an agent says to the platform; `jupyter_dlsys.agent` is the one that does."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from jupyter_dlsys.client.connection import API
from jupyter_dlsys.client.resource import Resource
from jupyter_dlsys.contract.agents import (
    POLL_SECONDS,
    Bundle,
    PollAnswer,
    PollRequest,
    Received,
    Try,
    VerdictRequest,
)


class Agents(Resource):
    """Jobs of yours that run where you are. `agent` is 32 hexadecimal digits, the same for life."""

    def poll(
        self,
        agent: str,
        running: Sequence[Try] = (),
        name: str = "",
        wait_seconds: float = POLL_SECONDS,
        leaving: bool = False,
    ) -> PollAnswer:
        """What there is to do; waits for it."""
        body = PollRequest(
            name=name, running=list(running), wait_seconds=wait_seconds, leaving=leaving
        )
        return self._connection.send(PollAnswer, "POST", f"{API}/agents/{agent}/poll", body)

    def take(self, agent: str, job: str, attempt: int) -> Bundle:
        """Run an attempt here, as the only one; asking again answers the same."""
        return self._connection.send(Bundle, "POST", f"{_attempt(agent, job, attempt)}/take")

    def read(self, agent: str, job: str, attempt: int, path: str, target: Path) -> Path:
        """A file of its bundle."""
        return self._connection.download(_file(agent, job, attempt, path), target)

    def send(
        self,
        agent: str,
        job: str,
        attempt: int,
        path: str,
        offset: int,
        data: bytes,
        total: int | None = None,
    ) -> Received:
        """A piece of a file that it wrote; the answer says how much the platform has."""
        answer = self._connection.request(
            "PUT",
            _file(agent, job, attempt, path),
            params={"offset": offset, "total": total},
            content=data,
            content_type="application/octet-stream",
        )
        return Received.model_validate_json(answer.content)

    def finish(self, agent: str, job: str, attempt: int, verdict: VerdictRequest) -> None:
        """How it ended; what it left is sent by then."""
        self._connection.json("POST", f"{_attempt(agent, job, attempt)}/finish", body=verdict)


def _attempt(agent: str, job: str, attempt: int) -> str:
    return f"{API}/agents/{agent}/attempts/{job}/{attempt}"


def _file(agent: str, job: str, attempt: int, path: str) -> str:
    return f"{_attempt(agent, job, attempt)}/files/{quote(path)}"
