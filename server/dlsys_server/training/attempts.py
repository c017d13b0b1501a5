"""Attempts: the folder that a supervisor works in, and what the platform may read from it.

The files are the truth about the user's process; see `jupyter_dlsys/runtime/supervisor` for the
protocol (lock, pid, result.json). Nothing here waits.
"""

from __future__ import annotations

import contextlib
import fcntl
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from dlsys_server.core.settings import Settings

from .accounts import Account, Accounts, sandboxed
from .environment import inherited_environment
from .tables import JobRow
from .warm import Warm

RELAUNCH_SECONDS = 5.0
CANCEL_GRACE, TIMEOUT_GRACE = 1.5, 10.0  # seconds from SIGTERM to SIGKILL
SOFT_GRACE = 10.0  # seconds from SIGINT to SIGKILL


@dataclass(frozen=True)
class Status:
    """What the folder says: the verdict, alive, or dead without a verdict."""

    state: Literal["done", "alive", "dead"]
    result: dict[str, Any] | None = None


class Attempts:
    """All attempt folders of this machine. Local disk only."""

    def __init__(self, settings: Settings, warm: Warm, accounts: Accounts) -> None:
        self.settings, self.warm, self.accounts = settings, warm, accounts
        self.root = settings.attempts_folder or settings.home / "attempts"
        self._launched: dict[tuple[str, int, bool], float] = {}
        self._supervisors: list[subprocess.Popen[bytes]] = []

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
        own, account = self.own(job), self.accounts.of(job.owner)
        for name in ("source", "work", "outputs", "checkpoints"):
            (own / name).mkdir(parents=True, exist_ok=True, mode=0o700)
        for path, content in files.items():
            target = own / "source" / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(content, encoding="utf-8")
        _write(own / "job.json", {**description, "grace": CANCEL_GRACE})
        if account is not None:
            for folder in (self.root, self.root / job.id, self.folder(job)):
                folder.chmod(0o711)
            if self.root.is_relative_to(self.settings.home):
                self.settings.home.chmod(0o711)
            account.give(own)
        own_variables = {
            "DLSYS_OUTPUT_DIR": f"{own}/outputs",
            "DLSYS_CHECKPOINT_DIR": f"{own}/checkpoints",
            **(account.environment() if account else {}),
        }
        _write(self.folder(job) / "spec.json", self._spec(job, {**env, **own_variables}, account))

    def _spec(self, job: JobRow, env: dict[str, str], account: Account | None) -> dict[str, Any]:
        own = self.own(job)
        command = [sys.executable, "-m", "jupyter_dlsys.runtime.runner", str(own)]
        if self.settings.sandbox == "bwrap":
            command = sandboxed(command, self.settings.home, own)
        return {
            "command": command,
            "env": {**inherited_environment(), **env},
            "cwd": str(own / "work"),
            "timeout": job.timeout_seconds,
            "grace": TIMEOUT_GRACE,
            "cancel_grace": CANCEL_GRACE,
            "limits": {
                "memory": job.memory_limit,
                "processes": self.settings.job_processes or None,
                "disk": self.settings.job_disk_bytes or None,
            },
            "account": [account.uid, account.gid, list(account.groups)] if account else None,
        }

    def prepared(self, job: JobRow) -> bool:
        """Whether `prepare` finished."""
        return (self.folder(job) / "spec.json").exists()

    def launch(self, job: JobRow) -> None:
        """Start a supervisor; the lock in the folder admits only one, so this may be repeated."""
        folder = self.folder(job)
        key = (job.id, job.attempt, (folder / "pid").exists())
        if time.monotonic() - self._launched.get(key, -RELAUNCH_SECONDS) < RELAUNCH_SECONDS:
            return
        self._launched[key] = time.monotonic()
        why_cold = ""
        if not key[2]:
            why_cold = self.warm.launch(job, folder)
            if not why_cold:
                return
        self._supervisors.append(
            subprocess.Popen(
                [sys.executable, "-S", "-E", str(supervisor()), str(folder), why_cold],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={"PATH": os.environ.get("PATH", os.defpath)},
                start_new_session=True,
            )
        )

    def reap(self) -> None:
        """Collect supervisors that ended."""
        self._supervisors = [p for p in self._supervisors if p.poll() is None]

    def probe(self, job: JobRow) -> Status:
        """Look at result, then lock, then result again: it may have ended between the looks."""
        folder = self.folder(job)
        if result := _result(folder):
            return Status("done", result)
        if _locked(folder / "lock"):
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
        if not softly:
            (folder / "cancel").touch()
        elif not (folder / "cancel").exists():
            (folder / "cancel.tmp").write_text(f"{SOFT_GRACE:g}")
            (folder / "cancel.tmp").rename(folder / "cancel")

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

    def remove(self, job: JobRow) -> None:
        """Delete the folder of a job whose results are kept elsewhere."""
        shutil.rmtree(self.root / job.id, ignore_errors=True)


def supervisor() -> Path:
    """The program that watches an attempt."""
    spec = importlib.util.find_spec("jupyter_dlsys")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("jupyter_dlsys")
    return Path(spec.origin).parent / "runtime" / "supervisor"


def _result(folder: Path) -> dict[str, Any] | None:
    with contextlib.suppress(FileNotFoundError, ValueError):
        found = json.loads((folder / "result.json").read_text())
        return found if isinstance(found, dict) else None
    return None


def _locked(path: Path) -> bool:
    try:
        with path.open("a+" if path.exists() else "r") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def _write(path: Path, value: dict[str, Any]) -> None:
    temporary = path.with_suffix(".tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as out:
        json.dump(value, out)
        out.flush()
        os.fsync(out.fileno())
    temporary.rename(path)
