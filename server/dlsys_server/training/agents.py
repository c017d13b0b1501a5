"""In the submitter's own Jupyter server, by the agent there: jobs are that person, on a machine
(a container, perhaps) that the platform cannot reach. The agent mirrors its files into the folder
of the attempt, so the rest of the engine sees what it always sees.

    agents/ID     {"owner", "name"}; its age is the time since the agent was last heard
    JOB/N/agent   ID: who took the attempt; its age likewise
    JOB/N/pid     as always: from here on this attempt never runs again
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dlsys_server.core.settings import Settings
from jupyter_dlsys.contract import stopping
from jupyter_dlsys.contract.system import LauncherName, PartHealth

from .accounts import Account
from .places import attempts_root
from .tables import JobRow

FRESH_SECONDS = 1.0
HERE_SECONDS = 45.0
"""An agent that was heard so recently is there: it asks every 20 s or sooner."""


class Agents:
    """Jobs by the agents of their owners."""

    name: LauncherName = "agent"

    def __init__(self, settings: Settings) -> None:
        self.root, self.lost_after = attempts_root(settings), settings.agent_lost_seconds
        self.folder = self.root / "agents"
        self._began = time.time()
        self._offered: dict[str, float] = {}
        self._bells: dict[str, set[_Bell]] = {}
        self._lock = threading.Lock()
        self._here, self._looked = set[str](), -FRESH_SECONDS

    def words(self) -> str:
        """As their owners."""
        return "their submitter, in that person's own Jupyter server"

    def waits_for(self, owner: str = "") -> str:
        """An agent of the owner."""
        if not owner or owner in self.here():
            return ""
        return f"a Jupyter server of {owner} to be started: the job runs there"

    def account(self, owner: str) -> Account | None:
        """That of the server."""
        return None

    def hand_over(self, job: JobRow, folder: Path) -> dict[str, Any]:
        """The agent has its own program."""
        return {"command": [], "account": None, "env": {}}

    def start(self, job: JobRow, folder: Path) -> None:
        """Offer it to the owner's agents. One that was taken and is silent is lost."""
        if agent := taker(folder):
            if not self.alive(job, folder):  # it may have been taken since somebody looked
                self.gone(agent)
                self.lose(folder, "The Jupyter server that ran it is gone")
            return
        began = self._offered.setdefault(str(folder), time.monotonic())
        if time.monotonic() - began > self.lost_after:
            self.lose(folder, f"No Jupyter server of {job.owner} took it")
            return
        self.ring(job.owner)

    def signal(self, job: JobRow, folder: Path) -> None:
        """Its agent asks what to do, and is told."""
        self.ring(job.owner)

    def alive(self, job: JobRow, folder: Path) -> bool:
        """Taken, and heard of lately. While the platform was down nobody could be heard."""
        try:
            heard = (folder / "agent").stat().st_mtime
        except FileNotFoundError:
            return False
        self._offered.pop(str(folder), None)
        return time.time() - max(heard, self._began) < self.lost_after

    def take_back(self, folder: Path) -> None:
        """All is the platform's."""

    def reap(self) -> None:
        """There is nothing of ours that ends."""

    def health(self) -> PartHealth | None:
        """How many there are."""
        count = len(self.here())
        people = "1 person has" if count == 1 else f"{count} people have"
        return PartHealth(
            name="launcher", state="ok", message=f"Jobs run as {self.words()}; {people} one now."
        )

    # -- what the agents say

    def heard(self, agent: str, owner: str, name: str) -> None:
        """An agent asks; it belongs to whoever came with it first.

        Raises:
            PermissionError: it is another one's.
        """
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = self.folder / agent
        about = _read(path)
        if about and about["owner"] != owner:
            raise PermissionError(agent)
        if not about or name not in ("", about.get("name")):
            part = path.with_suffix(".part")
            part.write_text(json.dumps({"owner": owner, "name": name}), "utf-8")
            part.rename(path)
        os.utime(path)

    def gone(self, agent: str) -> None:
        """It said goodbye."""
        (self.folder / agent).unlink(missing_ok=True)
        self._looked = -FRESH_SECONDS

    def here(self) -> set[str]:
        """Owners of agents that are there, as of a second ago."""
        if time.monotonic() - self._looked < FRESH_SECONDS:
            return self._here
        found = set()
        with contextlib.suppress(FileNotFoundError):
            for path in self.folder.iterdir():
                with contextlib.suppress(OSError):
                    if time.time() - path.stat().st_mtime < HERE_SECONDS and not path.suffix:
                        found.add(str(_read(path).get("owner")))
        self._here, self._looked = found, time.monotonic()
        return found

    def take(self, folder: Path, agent: str) -> bool:
        """Whether the attempt is this agent's: now, or since it asked before."""
        with locked(folder):
            if (folder / "result.json").exists():
                return False
            taken = taker(folder)
            if taken is None and not stopping.asked(folder):
                (folder / "pid").write_text(f"agent {agent}\n", "ascii")
                (folder / "agent").write_text(agent, "ascii")
                return True
            return taken == agent

    def lose(self, folder: Path, words: str) -> None:
        """The verdict of somebody who cannot give it any more."""
        result = {"exit_code": -1, "reason": "lost", "message": words, "finished_at": time.time()}
        self._offered.pop(str(folder), None)
        self.finish(folder, result)

    def finish(self, folder: Path, result: dict[str, Any]) -> None:
        """Write the verdict, unless there is one."""
        with locked(folder):
            if (folder / "result.json").exists():
                return
            part = folder / "result.tmp"
            part.write_text(json.dumps(result), "utf-8")
            part.rename(folder / "result.json")

    # -- waiting for something to do

    def ring(self, owner: str) -> None:
        """There is news for the agents of somebody. From any thread."""
        with self._lock:
            bells = list(self._bells.get(owner, ()))
        for bell in bells:
            bell.ring()

    @contextmanager
    def listening(self, owner: str) -> Iterator[asyncio.Event]:
        """An event that is set by news."""
        bell = _Bell()
        with self._lock:
            self._bells.setdefault(owner, set()).add(bell)
        try:
            yield bell.event
        finally:
            with self._lock:
                self._bells[owner].discard(bell)


class _Bell:
    """Rung by threads, heard by a request."""

    def __init__(self) -> None:
        self.event, self._loop = asyncio.Event(), asyncio.get_running_loop()

    def ring(self) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(self.event.set)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """One at a time decides what becomes of an attempt."""
    with (folder / "lock").open("a+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def taker(folder: Path) -> str | None:
    """Id of the agent that has an attempt."""
    try:
        return (folder / "agent").read_text("ascii") or None
    except FileNotFoundError:
        return None


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
