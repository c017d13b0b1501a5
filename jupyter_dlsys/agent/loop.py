"""Asks the platform what to do, and does it, until it is stopped."""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import platform
import threading
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import IO

from jupyter_dlsys.agent.attempt import LocalAttempt
from jupyter_dlsys.client.client import Client
from jupyter_dlsys.client.errors import ApiError, NotConnected
from jupyter_dlsys.contract.agents import PollAnswer, Try

log = logging.getLogger(__name__)
LONGEST_PAUSE = 10.0
HOPELESS = ("no-agents", "missing-scope", "no-such-attempt")
"""Asking again changes nothing: the platform needs no agents, or this person has no jobs."""


def default_folder() -> Path:
    """DLSYS_AGENT_FOLDER, else in Jupyter's data folder. Local disk, the person's own."""
    from jupyter_core.paths import jupyter_data_dir

    given = os.environ.get("DLSYS_AGENT_FOLDER")
    return Path(given).expanduser() if given else Path(jupyter_data_dir()) / "dlsys-agent"


class Agent:
    """The agent of a folder.

    Args:
        client: of the platform, with the person's own token.
        folder: where attempts run.
        say: told in words what happens.
    """

    def __init__(
        self, client: Client, folder: Path, say: Callable[[str], None] = lambda _: None
    ) -> None:
        self._client, self._folder, self._say = client, folder, say
        self._attempts: dict[tuple[str, int], LocalAttempt] = {}
        self._stopping = threading.Event()
        self._lock: IO[str] | None = None

    def working(self) -> bool:
        """Whether there is a job."""
        return bool(self._attempts)

    def run(self) -> str:
        """Until `stop`, or until it can do nothing here; why, in words."""
        if not self._alone():
            return f"Another agent works in {self._folder}."
        agent = self._id()
        self._resume(agent)
        pause = 0.5
        try:
            while not self._stopping.is_set():
                try:
                    self._do(agent, self._ask(agent))
                    pause = 0.5
                except (NotConnected, ApiError) as error:
                    if isinstance(error, ApiError) and error.code in HOPELESS:
                        return error.detail
                    log.warning("the platform does not answer the agent: %s", error)
                    self._stopping.wait(pause)
                    pause = min(LONGEST_PAUSE, pause * 2)
        finally:
            self._leave(agent)
            if self._lock is not None:
                self._lock.close()
        return "Stopped."

    def stop(self) -> None:
        """End soon; jobs that run here end with it, and the platform tries them again."""
        self._stopping.set()

    def _leave(self, agent: str) -> None:
        """End what runs here, and say so, so that it is tried again at once."""
        for one in self._attempts.values():
            one.cancel()
        for one in self._attempts.values():
            one.stop()
        with contextlib.suppress(NotConnected, ApiError):
            self._client.agents.poll(agent, wait_seconds=0, leaving=True)

    def _ask(self, agent: str) -> PollAnswer:
        running = [one.as_told() for one in self._attempts.values()]
        return self._client.agents.poll(agent, running, platform.node()[:200])

    def _do(self, agent: str, answer: PollAnswer) -> None:
        if self._stopping.is_set():
            return
        for one in answer.drop:
            if gone := self._attempts.pop((one.job, one.attempt), None):
                gone.drop()
                self._say(f"{one.job}: done")
        for one in answer.cancel:
            if found := self._attempts.get((one.job, one.attempt)):
                self._say(f"{one.job}: cancelled")
                found.cancel(answer.patience.get(one.job))
        for one in answer.take:
            if (one.job, one.attempt) not in self._attempts:
                self._say(f"{one.job}: attempt {one.attempt} starts here")
                self._begin(agent, one)

    def _begin(self, agent: str, one: Try) -> None:
        folder = self._folder / "attempts" / one.job / str(one.attempt)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        found = LocalAttempt(self._client.agents, agent, folder, self._client.url, one)
        self._attempts[one.job, one.attempt] = found
        found.begin()

    def _resume(self, agent: str) -> None:
        """Attempts that were here when the agent ended; the platform says what becomes of them."""
        for path in sorted((self._folder / "attempts").glob("*/*")):
            with contextlib.suppress(ValueError):
                self._begin(agent, Try(job=path.parent.name, attempt=int(path.name)))

    def _alone(self) -> bool:
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._lock = (self._folder / "lock").open("a")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _id(self) -> str:
        path = self._folder / "id"
        with contextlib.suppress(FileNotFoundError):
            return path.read_text("ascii").strip()
        path.write_text(uuid.uuid4().hex, "ascii")
        return path.read_text("ascii")
