"""Attempts: the folder that a supervisor works in, and what the platform may read from it.

The files are the truth about the user's process; see `jupyter_dlsys/runtime/supervisor` for the
protocol (lock, pid, result.json). Nothing here waits.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from dlsys_server.core.settings import Settings
from jupyter_dlsys.contract import stopping

from .accounts import Accounts
from .places import Here, Place, attempts_root
from .tables import JobRow
from .warm import Warm

CANCEL_GRACE, TIMEOUT_GRACE = 1.5, 10.0  # seconds from SIGTERM to SIGKILL
SOFT_GRACE = 10.0  # seconds from SIGINT to SIGKILL


@dataclass(frozen=True)
class Status:
    """What the folder says: the verdict, alive, or dead without a verdict."""

    state: Literal["done", "alive", "dead"]
    result: dict[str, Any] | None = None


class Attempts:
    """All attempt folders of this machine. Local disk only."""

    def __init__(
        self, settings: Settings, warm: Warm, accounts: Accounts, place: Place | None = None
    ) -> None:
        self.settings = settings
        self.place = place or Here(settings, warm, accounts)
        self.root = attempts_root(settings)

    def folder(self, job: JobRow) -> Path:
        """Folder of the job's newest attempt; the platform's own."""
        return self.root / job.id / str(job.attempt)

    def own(self, job: JobRow) -> Path:
        """Its part that belongs to the job's process: trust nothing in it."""
        return self.folder(job) / "job"

    def prepare(
        self,
        job: JobRow,
        files: dict[str, str],
        description: dict[str, Any],
        env: dict[str, str],
    ) -> None:
        """Write source, job.json and spec.json; harmless to repeat.

        Raises:
            Refused: the owner has no account to run it.
        """
        own, account = self.own(job), self.place.account(job.owner)
        for name in ("source", "work", "outputs", "checkpoints"):
            (own / name).mkdir(parents=True, exist_ok=True, mode=0o700)
        for path, content in files.items():
            target = own / "source" / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(content, encoding="utf-8")
        _write(own / "job.json", {**description, "grace": CANCEL_GRACE})
        own_variables = {
            "DLSYS_OUTPUT_DIR": f"{own}/outputs",
            "DLSYS_CHECKPOINT_DIR": f"{own}/checkpoints",
            **(account.environment() if account else {}),
        }
        handed = self.place.hand_over(job, self.folder(job))
        spec = {
            **handed,
            "env": {**handed["env"], **env, **own_variables},
            "cwd": str(own / "work"),
            "timeout": job.timeout_seconds,
            "grace": TIMEOUT_GRACE,
            "cancel_grace": CANCEL_GRACE,
            "limits": {
                "memory": job.memory_limit,
                "processes": self.settings.job_processes or None,
                "disk": self.settings.job_disk_bytes or None,
            },
        }
        _write(self.folder(job) / "spec.json", spec)

    def prepared(self, job: JobRow) -> bool:
        """Whether `prepare` finished."""
        return (self.folder(job) / "spec.json").exists()

    def launch(self, job: JobRow) -> None:
        """Bring up its supervisor; may be repeated."""
        self.place.start(job, self.folder(job))

    def reap(self) -> None:
        """Collect supervisors that ended."""
        self.place.reap()

    def probe(self, job: JobRow) -> Status:
        """Look at result, then lock, then result again: it may have ended between the looks."""
        folder = self.folder(job)
        if result := _result(folder):
            return Status("done", result)
        if self.place.alive(job, folder):
            return Status("alive")
        result = _result(folder)
        return Status("done", result) if result else Status("dead")

    def started(self, job: JobRow) -> bool:
        """Whether user code may have run: then this attempt never runs again."""
        return (self.folder(job) / "pid").exists()

    def cancel(self, job: JobRow, softly: bool = False) -> None:
        """Ask the supervisor to stop; softly: after an interrupt and time for a checkpoint."""
        folder = self.folder(job)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        stopping.ask(folder, SOFT_GRACE if softly else None)
        self.place.signal(job, folder)

    def close_unstarted(self, job: JobRow) -> None:
        """Give the verdict 'cancelled' under the lock, so that a late supervisor does nothing."""
        folder = self.folder(job)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with (folder / "lock").open("a+") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return
            if not self.started(job) and _result(folder) is None:
                _write(
                    folder / "result.json",
                    {
                        "exit_code": -1,
                        "reason": "cancelled",
                        "message": "Cancelled before it started.",
                        "finished_at": time.time(),
                    },
                )

    def take_back(self, job: JobRow, number: int) -> None:
        """Make readable what an earlier attempt left that died together with its keeper."""
        self.place.take_back(self.root / job.id / str(number))

    def remove(self, job: JobRow) -> None:
        """Delete the folder of a job whose results are kept elsewhere."""
        folder = self.root / job.id
        shutil.rmtree(folder, ignore_errors=True)
        for left in folder.glob("*/job"):
            self.place.take_back(left.parent)
        shutil.rmtree(folder, ignore_errors=True)


def _result(folder: Path) -> dict[str, Any] | None:
    with contextlib.suppress(FileNotFoundError, ValueError):
        found = json.loads((folder / "result.json").read_text())
        return found if isinstance(found, dict) else None
    return None


def _write(path: Path, value: dict[str, Any]) -> None:
    temporary = path.with_suffix(".tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as out:
        json.dump(value, out)
        out.flush()
        os.fsync(out.fileno())
    temporary.rename(path)
