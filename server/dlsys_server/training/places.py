"""Where attempts run, and as whom: the one seam between the job engine and who starts processes.

Whatever the place, the platform has a folder for each attempt, with the files that
`jupyter_dlsys/runtime/supervisor` describes: from them it learns what happens, and nothing else of
the engine knows where a job runs. A place for a cluster is one more class with these methods.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Protocol

from dlsys_server.core.settings import Settings
from jupyter_dlsys.contract.system import LauncherName, PartHealth

from .accounts import Account, Accounts, sandboxed
from .environment import inherited_environment
from .programs import supervisor
from .tables import JobRow
from .warm import Warm

RELAUNCH_SECONDS = 5.0


class Place(Protocol):
    """Starts attempts, signals them, says whether they live, and whose their files are."""

    name: LauncherName

    def words(self) -> str:
        """For people: who starts jobs, and as whom."""
        ...

    def waits_for(self, owner: str = "") -> str:
        """What jobs (of this owner) have to wait for before they can start; '' when nothing."""
        ...

    def account(self, owner: str) -> Account | None:
        """The account of an owner's jobs; None: of whom the process is anyway.

        Raises:
            Refused: the owner can have no jobs here.
        """
        ...

    def hand_over(self, job: JobRow, folder: Path) -> dict[str, Any]:
        """Make the prepared folder the job's; `command`, `account`, `env` and more of spec.json."""
        ...

    def start(self, job: JobRow, folder: Path) -> None:
        """Bring up the supervisor of an attempt; may be repeated, and then starts nothing twice."""
        ...

    def signal(self, job: JobRow, folder: Path) -> None:
        """Let it look at the folder now: there is a `cancel` in it."""
        ...

    def alive(self, job: JobRow, folder: Path) -> bool:
        """Whether somebody watches the attempt."""
        ...

    def take_back(self, folder: Path) -> None:
        """Make readable what a dead attempt left."""
        ...

    def reap(self) -> None:
        """Collect what has ended."""
        ...

    def health(self) -> PartHealth | None:
        """For /health, where there is more to say than `words`."""
        ...


class Here:
    """On this machine, by the platform itself: as its own account, or as root as any other."""

    name: LauncherName = "platform"

    def __init__(self, settings: Settings, warm: Warm, accounts: Accounts) -> None:
        self.settings, self.warm, self.accounts = settings, warm, accounts
        self.root = attempts_root(settings)
        self._launched: dict[tuple[str, bool], float] = {}
        self._supervisors: list[subprocess.Popen[bytes]] = []

    def words(self) -> str:
        """Whose jobs they are."""
        return self.accounts.words()

    def waits_for(self, owner: str = "") -> str:
        """Nothing."""
        return ""

    def account(self, owner: str) -> Account | None:
        """Only root may choose."""
        return self.accounts.of(owner)

    def hand_over(self, job: JobRow, folder: Path) -> dict[str, Any]:
        """The job's own folder becomes its account's."""
        account, own, handed = self.account(job.owner), folder / "job", plain(folder)
        if self.settings.sandbox == "bwrap":
            handed["command"] = sandboxed(handed["command"], self.settings.home, own)
        if account is not None:
            open_the_way(self.settings, folder)
            account.give(own)
            handed["account"] = [account.uid, account.gid, list(account.groups)]
        return handed

    def start(self, job: JobRow, folder: Path) -> None:
        """By the zygote, or as a new program. The lock in the folder admits only one."""
        key = (str(folder), (folder / "pid").exists())
        if time.monotonic() - self._launched.get(key, -RELAUNCH_SECONDS) < RELAUNCH_SECONDS:
            return
        self._launched[key] = time.monotonic()
        why_cold = ""
        if not key[1]:
            why_cold = self.start_warm(job, folder)
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

    def start_warm(self, job: JobRow, folder: Path) -> str:
        """'' when the zygote has it, else why it must start cold."""
        return self.warm.launch(job, folder)

    def signal(self, job: JobRow, folder: Path) -> None:
        """Its supervisor looks ten times a second."""

    def alive(self, job: JobRow, folder: Path) -> bool:
        """A supervisor holds the lock for its whole life."""
        path = folder / "lock"
        try:
            with path.open("a+" if path.exists() else "r") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except BlockingIOError:
            return True
        return False

    def take_back(self, folder: Path) -> None:
        """It never was out of reach."""

    def reap(self) -> None:
        """Collect supervisors that ended."""
        self._supervisors = [p for p in self._supervisors if p.poll() is None]

    def health(self) -> PartHealth | None:
        """The isolation's part says it all."""
        return None


def attempts_root(settings: Settings) -> Path:
    """Folder of all attempts."""
    return settings.attempts_folder or settings.home / "attempts"


def plain(folder: Path) -> dict[str, Any]:
    """What spec.json says of a job in the platform's own Python environment."""
    command = [sys.executable, "-m", "jupyter_dlsys.runtime.runner", f"{folder}/job"]
    return {"command": command, "account": None, "env": inherited_environment()}


def open_the_way(settings: Settings, folder: Path) -> None:
    """Another account may pass, not look, on the way to its own part of the folder."""
    root = attempts_root(settings)
    for part in (root, folder.parent, folder):
        part.chmod(0o711)
    if root.is_relative_to(settings.home):
        settings.home.chmod(0o711)
