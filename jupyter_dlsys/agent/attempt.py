"""One attempt here: fetched, run by its supervisor, mirrored, given back."""

from __future__ import annotations

import json
import logging
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import jupyter_dlsys
from jupyter_dlsys.agent.mirror import Growing, groups, whole
from jupyter_dlsys.client.agents import Agents
from jupyter_dlsys.client.errors import ApiError, NotConnected
from jupyter_dlsys.contract import stopping
from jupyter_dlsys.contract.agents import Bundle, Received, Try, VerdictRequest
from jupyter_dlsys.contract.variables import without_secrets

T = TypeVar("T")
log = logging.getLogger(__name__)
LOOK_SECONDS = 0.2
NOTEBOOK_SECONDS = 10.0
PAUSE_SECONDS = 2.0
STOP_SECONDS = 4.0
SUPERVISOR = Path(jupyter_dlsys.__file__).parent / "runtime" / "supervisor"
WHY_COLD = "The agent of its submitter's Jupyter server starts it there as a new process."


class Over(Exception):
    """Nobody waits for this attempt any more."""


class LocalAttempt:
    """Runs in a thread of its own until the platform has everything.

    Args:
        agents: the platform.
        agent: who we are to it.
        folder: of this attempt.
        url: of the platform, as seen from here.
        one: which attempt it is.
    """

    def __init__(self, agents: Agents, agent: str, folder: Path, url: str, one: Try) -> None:
        self._agents, self._agent, self.folder, self._url = agents, agent, folder, url
        self.job, self.attempt = one.job, one.attempt
        self.own = folder / "job"
        self.cancelling = False
        self._dropped = threading.Event()
        self._supervisor: subprocess.Popen[bytes] | None = None
        self._notebook: tuple[float, float] = (0.0, 0.0)
        self._thread = threading.Thread(target=self._run, name=f"job {one.job}", daemon=True)

    def begin(self) -> None:
        """Go on where it is, from the start or after a restart."""
        self._thread.start()

    def as_told(self) -> Try:
        """For the platform."""
        return Try(job=self.job, attempt=self.attempt, cancelling=self.cancelling)

    def cancel(self, patience: float | None = None) -> None:
        """Let its supervisor end it; with patience after an interrupt and so many seconds."""
        self.cancelling = True
        if self.folder.exists():
            stopping.ask(self.folder, patience)

    def drop(self) -> None:
        """End and forget it."""
        self._dropped.set()
        self.cancel()
        self._thread.join(STOP_SECONDS + PAUSE_SECONDS)
        shutil.rmtree(self.folder.parent, ignore_errors=True)

    def stop(self) -> None:
        """End its processes; the platform hears of it from the next agent of this folder."""
        self._dropped.set()
        self.cancel()
        self._thread.join(STOP_SECONDS + PAUSE_SECONDS)

    # -- its life

    def _run(self) -> None:
        for step in (self._fetch, self._follow, self._give_back):
            while not self._dropped.is_set():
                try:
                    step()
                    break
                except Over:
                    self.cancel()
                    self._dropped.set()
                except (NotConnected, ApiError, OSError) as error:
                    log.warning("attempt %s/%s: %s", self.job, self.attempt, error)
                    self._dropped.wait(PAUSE_SECONDS)
        self._wait_for_supervisor()

    def _fetch(self) -> None:
        """Everything that it needs, before its supervisor is there to look."""
        if (self.folder / "pid").exists():  # its supervisor has begun: never anew
            return
        bundle = self._asked(lambda: self._agents.take(self._agent, self.job, self.attempt))
        for name in ("source", "work", "outputs", "checkpoints"):
            (self.own / name).mkdir(parents=True, exist_ok=True, mode=0o700)
        for file in bundle.files:
            target = self.own / file.path
            if not target.resolve().is_relative_to(self.own.resolve()):
                raise Over
            if not target.exists():
                self._asked(
                    lambda path=file.path, to=target: self._agents.read(  # type: ignore[misc]
                        self._agent, self.job, self.attempt, path, to
                    )
                )
        _write(self.own / "job.json", bundle.description)
        _write(self.folder / "spec.json", self._spec(bundle))

    def _spec(self, bundle: Bundle) -> dict[str, Any]:
        own = str(self.own)
        env = {
            **without_secrets(os.environ),
            **bundle.env,
            "DLSYS_URL": self._url,
            "MLFLOW_TRACKING_URI": f"{self._url}/mlflow",
            "DLSYS_OUTPUT_DIR": f"{own}/outputs",
            "DLSYS_CHECKPOINT_DIR": f"{own}/checkpoints",
        }
        return {
            "command": [sys.executable, "-m", "jupyter_dlsys.runtime.runner", own],
            "env": env,
            "cwd": f"{own}/work",
            "timeout": bundle.timeout,
            "grace": bundle.grace,
            "cancel_grace": bundle.cancel_grace,
            "limits": bundle.limits,
            "parent": os.getpid(),
        }

    def _follow(self) -> None:
        """Start its supervisor, and send what grows, until there is a verdict."""
        log_file = Growing(self.folder / "log", "log", self._send)
        events = Growing(self.own / "events.jsonl", "events.jsonl", self._send)
        while not self._dropped.is_set():
            ended = (self.folder / "result.json").exists()
            still = log_file.sync() & events.sync()
            if ended and still:
                return
            if not ended:
                self._keep_supervisor()
                self._send_notebook()
            if still:
                self._dropped.wait(LOOK_SECONDS)

    def _keep_supervisor(self) -> None:
        """One supervisor; after the death of one another gives the verdict."""
        if self._supervisor is not None and self._supervisor.poll() is None:
            return
        command = [sys.executable, "-S", "-E", str(SUPERVISOR), str(self.folder), WHY_COLD]
        self._supervisor = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={"PATH": os.environ.get("PATH", os.defpath)},
            start_new_session=True,
        )

    def _send_notebook(self, now: bool = False) -> None:
        path = self.own / "notebook.ipynb"
        sent_at, changed = self._notebook
        if not path.is_file() or path.is_symlink():
            return
        if now or (
            time.monotonic() - sent_at > NOTEBOOK_SECONDS and path.stat().st_mtime != changed
        ):
            self._notebook = time.monotonic(), path.stat().st_mtime
            whole(path, "notebook.ipynb", self._send)

    def _give_back(self) -> None:
        """All that it left, then the verdict."""
        self._send_notebook(now=True)
        unreadable = []
        for group in groups(self.own):
            closed = [name for path, name in group if not os.access(path, os.R_OK)]
            unreadable += closed
            for path, name in group:
                if not closed:
                    whole(path, name, self._send)
        self._say_lost(unreadable)
        result = json.loads((self.folder / "result.json").read_text("utf-8"))
        result["message"] = str(result.get("message") or "")[:10_000]
        verdict = VerdictRequest(**result)
        self._asked(lambda: self._agents.finish(self._agent, self.job, self.attempt, verdict))

    def _say_lost(self, names: list[str]) -> None:
        """In the job's log, once however often the end is told."""
        if not names:
            return
        log_file = self.folder / "log"
        said = "".join(f"{name} was not kept: it cannot be read.\n" for name in names)
        if not log_file.read_text("utf-8", "replace").endswith(said):
            with log_file.open("a", encoding="utf-8") as out:
                out.write(said)
        growing = Growing(log_file, "log", self._send)
        while not growing.sync():
            pass

    def _wait_for_supervisor(self) -> None:
        if self._supervisor is not None:
            try:
                self._supervisor.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._supervisor.terminate()

    def _send(self, path: str, offset: int, data: bytes, total: int | None) -> Received:
        if self._dropped.is_set():
            raise Over
        return self._asked(
            lambda: self._agents.send(
                self._agent, self.job, self.attempt, path, offset, data, total
            )
        )

    def _asked(self, ask: Callable[[], T]) -> T:
        """An answer.

        Raises:
            Over: the platform does not want it any more.
        """
        try:
            return ask()
        except ApiError as error:
            if error.code in ("attempt-over", "no-such-attempt"):
                raise Over from None
            raise


def _write(path: Path, value: dict[str, Any]) -> None:
    part = path.with_suffix(".tmp")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as out:
        json.dump(value, out)
        out.flush()
        os.fsync(out.fileno())
    part.rename(path)
