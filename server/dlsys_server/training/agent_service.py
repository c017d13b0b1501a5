"""Verbs of the agents: each sees the jobs of its owner, and no others."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from sqlalchemy import select

from dlsys_server.access.principals import Principal
from dlsys_server.core.database import Database
from dlsys_server.core.errors import Conflict, InvalidInput, NotFound, Refused
from jupyter_dlsys.contract import checkpoints, stopping
from jupyter_dlsys.contract.agents import (
    GROWING,
    PIECE_BYTES,
    Bundle,
    BundleFile,
    PollAnswer,
    PollRequest,
    Received,
    Try,
    VerdictRequest,
)

from .agents import Agents, locked, taker
from .attempts import Attempts
from .places import Place
from .states import HOLDING
from .tables import JobRow

CHECKPOINTS = checkpoints.FOLDER
LOOK_SECONDS, TICK_SECONDS = 2.0, 0.5
FORGOTTEN_SECONDS = 15.0
KEEP_FREE = 2**29
BUNDLED = ("source", CHECKPOINTS)
KEPT = ("outputs", CHECKPOINTS)


class AgentService:
    """What agents ask for. Nothing here waits but `poll`."""

    def __init__(
        self,
        database: Database,
        attempts: Attempts,
        worker: str,
        most_bytes: int,
        wake: Callable[[], None],
        need_main: Callable[[], None] = lambda: None,
    ) -> None:
        self._need_main = need_main  # who listens is known to one process
        self.database, self.attempts, self.worker = database, attempts, worker
        self.most_bytes, self.wake = most_bytes, wake

    def _agents(self) -> Agents:
        self._need_main()
        place: Place = self.attempts.place
        if not isinstance(place, Agents):
            raise Refused(
                "This platform starts jobs itself; it needs no agents.",
                code="no-agents",
                hint="An administrator can set DLSYS_LAUNCHER=agent.",
            )
        return place

    async def poll(
        self, caller: Principal, agent: str, body: PollRequest, stopping: Callable[[], bool]
    ) -> PollAnswer:
        """What there is to do; waits for it as long as was asked, but not so long that the silence
        meanwhile could count as an end."""
        agents = self._agents()
        end = time.monotonic() + min(body.wait_seconds, agents.lost_after / 2)
        look_at = 0.0
        answer = PollAnswer()
        with agents.listening(caller.name) as news:
            while True:
                if news.is_set() or time.monotonic() >= look_at:
                    news.clear()
                    first, look_at = look_at == 0.0, time.monotonic() + LOOK_SECONDS
                    answer = await asyncio.to_thread(self._look, caller, agent, body, first)
                done = answer.take or answer.cancel or answer.drop
                if done or body.leaving or stopping() or time.monotonic() >= end:
                    return answer
                try:
                    await asyncio.wait_for(news.wait(), TICK_SECONDS)
                except asyncio.TimeoutError:
                    continue

    def _look(self, caller: Principal, agent: str, body: PollRequest, first: bool) -> PollAnswer:
        agents = self._agents()
        if first:
            self._hear(caller, agent, body.name)
        rows = {(row.id, row.attempt): row for row in self._rows(caller)}
        told = {(one.job, one.attempt): one for one in body.running}
        if body.leaving:
            return self._leave(agent, list(rows.values()))
        answer = PollAnswer(drop=[one for key, one in told.items() if key not in rows])
        for key, row in rows.items():
            folder = self.attempts.folder(row)
            if not self.attempts.prepared(row) or (folder / "result.json").exists():
                continue
            mine, one = taker(folder), Try(job=row.id, attempt=row.attempt)
            if mine is None and row.state == "starting":
                answer.take.append(one)
            elif mine == agent and key in told:
                if first:
                    os.utime(folder / "agent")
                if stopping.asked(folder) and not told[key].cancelling:
                    _order(answer, one, folder)
            elif mine == agent and _age(folder / "pid") > FORGOTTEN_SECONDS:
                agents.lose(folder, "The Jupyter server that ran it was started anew")
        return answer

    def _leave(self, agent: str, rows: list[JobRow]) -> PollAnswer:
        agents = self._agents()
        agents.gone(agent)
        for folder in map(self.attempts.folder, rows):
            if taker(folder) == agent:
                agents.lose(folder, "The Jupyter server that ran it was stopped")
        self.wake()
        return PollAnswer()

    def _rows(self, caller: Principal) -> list[JobRow]:
        query = select(JobRow).where(
            JobRow.state.in_(HOLDING), JobRow.owner == caller.name, JobRow.worker == self.worker
        )
        with self.database.read() as session:
            return list(session.scalars(query))

    def _hear(self, caller: Principal, agent: str, name: str) -> None:
        try:
            self._agents().heard(agent, caller.name, name)
        except PermissionError:
            raise _unknown() from None

    def take(self, caller: Principal, agent: str, job: str, attempt: int) -> Bundle:
        """The attempt is this agent's from now on; asking again answers the same.

        Raises:
            NotFound: there is none for the caller.
            Conflict: it has another agent, or is over.
        """
        row = self._row(caller, job, attempt)
        self._hear(caller, agent, "")
        folder = self.attempts.folder(row)
        if not self.attempts.prepared(row) or not self._agents().take(folder, agent):
            raise _over()
        self.wake()
        spec = json.loads((folder / "spec.json").read_text("utf-8"))
        own = self.attempts.own(row)
        return Bundle(
            job=job,
            attempt=attempt,
            description=json.loads((own / "job.json").read_text("utf-8")),
            env={k: v for k, v in spec["env"].items() if v is not None},
            timeout=spec["timeout"],
            grace=spec["grace"],
            cancel_grace=spec["cancel_grace"],
            limits=spec["limits"],
            files=[
                BundleFile(path=str(path.relative_to(own)), bytes=path.stat().st_size)
                for name in BUNDLED
                for path in sorted((own / name).rglob("*"))
                if path.is_file()
            ],
        )

    def read(self, caller: Principal, agent: str, job: str, attempt: int, path: str) -> Path:
        """A file of the bundle."""
        own = self._mine(caller, agent, job, attempt) / "job"
        found = own / _inside(path, BUNDLED)
        if not found.is_file():
            raise NotFound(f"The bundle has no file '{path[:200]}'.", code="no-such-file")
        return found

    def receive(
        self, caller: Principal, agent: str, try_: Try, path: str, piece: Piece
    ) -> Received:
        """Write a piece of a file; the answer says how much is there. What does not begin there is
        left alone, so sending again is harmless."""
        folder = self._mine(caller, agent, try_.job, try_.attempt)
        if piece.offset + len(piece.data) > self.most_bytes > 0:
            raise Refused("The file is larger than a job may leave.", code="output-too-large")
        if shutil.disk_usage(folder).free < KEEP_FREE:
            raise Refused("The platform's disk is full.", code="platform-disk-full")
        os.utime(folder / "agent")
        with locked(folder):
            if path in GROWING:
                target = folder / "log" if path == "log" else folder / "job" / path
                return Received(size=_append(target, piece))
            inside = "notebook.ipynb" if path == "notebook.ipynb" else str(_inside(path, KEPT))
            part = folder / "incoming" / hashlib.sha256(inside.encode()).hexdigest()
            part.parent.mkdir(exist_ok=True, mode=0o700)
            if piece.offset == 0:
                part.unlink(missing_ok=True)
            size = _append(part, piece)
            if size == piece.total:
                whole = inside.startswith(f"{CHECKPOINTS}/")
                target = folder / ("incoming" if whole else "job") / inside
                target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                part.replace(target)
            return Received(size=size)

    def finish(
        self, caller: Principal, agent: str, job: str, attempt: int, body: VerdictRequest
    ) -> None:
        """The attempt has ended; all its files are here."""
        folder = self._mine(caller, agent, job, attempt)
        with locked(folder):
            _complete(folder)
        self._agents().finish(folder, body.model_dump())
        self.wake()

    def _row(self, caller: Principal, job: str, attempt: int) -> JobRow:
        self._agents()
        with self.database.read() as session:
            row = session.get(JobRow, job)
        if caller.kind != "user" or row is None or row.owner != caller.name:
            raise _unknown()
        if row.state not in HOLDING or row.attempt != attempt or row.worker != self.worker:
            raise _over()
        return row

    def _mine(self, caller: Principal, agent: str, job: str, attempt: int) -> Path:
        folder = self.attempts.folder(self._row(caller, job, attempt))
        if taker(folder) != agent or (folder / "result.json").exists():
            raise _over()
        return folder


class Piece:
    """Bytes of a file that come at an offset; of a file that is sent whole also its size."""

    def __init__(self, offset: int, data: bytes, total: int | None) -> None:
        if len(data) > PIECE_BYTES:
            raise InvalidInput(
                f"Send at most {PIECE_BYTES:,} bytes at once.", code="piece-too-large"
            )
        self.offset, self.data, self.total = offset, data, total


def _append(path: Path, piece: Piece) -> int:
    with path.open("ab") as file:
        if file.tell() == piece.offset:
            file.write(piece.data)
        return file.tell()


def _order(answer: PollAnswer, one: Try, folder: Path) -> None:
    """To end an attempt, with the patience that was asked for."""
    answer.cancel.append(one)
    if (seconds := stopping.patience(folder)) is not None:
        answer.patience[one.job] = seconds


def _complete(folder: Path) -> None:
    """Checkpoints count when all of their files are here: half of one must not be gone on from."""
    came, there = folder / "incoming" / CHECKPOINTS, folder / "job" / CHECKPOINTS
    if not came.is_dir():
        return
    there.mkdir(parents=True, exist_ok=True, mode=0o700)
    for name in checkpoints.in_order(os.listdir(came)):
        if not (there / name).exists():
            (came / name).rename(there / name)


def _age(path: Path) -> float:
    try:
        return time.time() - path.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def _inside(path: str, below: tuple[str, ...]) -> PurePosixPath:
    found = PurePosixPath(path)
    good = len(found.parts) > 1 and found.parts[0] in below and len(path) <= 1000
    if not good or found.is_absolute() or ".." in found.parts or "\0" in path:
        raise InvalidInput(f"'{path[:200]}' is no file of a job.", code="bad-path")
    return found


def _unknown() -> NotFound:
    return NotFound("There is no such attempt of a job of yours.", code="no-such-attempt")


def _over() -> Conflict:
    return Conflict("Nobody waits for this attempt any more.", code="attempt-over")
