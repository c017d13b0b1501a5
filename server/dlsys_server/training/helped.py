"""On this machine, by the root helper `dlsys-launcher`: the platform is nobody, jobs are people.

See `jupyter_dlsys/runtime/launcher`. The supervisor of an attempt is the platform's, the job below
its keeper is the person's.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import time
from pathlib import Path
from typing import Any

from dlsys_server.core.errors import Refused
from dlsys_server.core.settings import Settings
from jupyter_dlsys.contract.system import LauncherName, PartHealth

from .accounts import Account, Accounts
from .places import Here, open_the_way, plain
from .tables import JobRow
from .warm import Warm

ANSWER_SECONDS = 5.0
LOOK_SECONDS = 3.0
COLD = (
    "The launcher starts it as its submitter's account; a fork of the warm process would have the "
    "platform's rights."
)


class Helped(Here):
    """Jobs by the root helper."""

    name: LauncherName = "helper"

    def __init__(self, settings: Settings, warm: Warm, accounts: Accounts) -> None:
        super().__init__(settings, warm, accounts)
        self.socket = settings.launcher_socket
        self._trouble, self._looked = "", 0.0

    def words(self) -> str:
        """As the helper decides."""
        other = self.accounts.fallback
        return f"the submitter's own account{f', else {other}' if other else ''}, by dlsys-launcher"

    def waits_for(self, owner: str = "") -> str:
        """The helper, where it does not answer."""
        return "dlsys-launcher, which starts jobs, to answer" if self.trouble() else ""

    def trouble(self) -> str:
        """Why the helper starts nothing now; '' when it does."""
        if time.monotonic() - self._looked > LOOK_SECONDS:
            self._trouble, self._looked = self._look(), time.monotonic()
        return self._trouble

    def _look(self) -> str:
        try:
            found = self._ask({"verb": "hello"})
        except (OSError, ValueError) as error:
            return f"{self.socket} does not answer: {error}. See `systemctl status dlsys-launcher`"
        if found.get("root") != str(self.root):
            return f"It is for {found.get('root')}, and jobs lie in {self.root}"
        return ""

    def account(self, owner: str) -> Account:
        """The person's; never the platform's own, whatever the fallback says."""
        found = Account.named(owner) or Account.named(self.accounts.fallback)
        if found is None or found.uid == os.geteuid():
            raise Refused(
                f"{owner} has no account on this machine, and jobs never run as the platform.",
                code="no-account",
                hint="Add the account, or name one for all jobs in DLSYS_JOB_ACCOUNT.",
            )
        return found

    def hand_over(self, job: JobRow, folder: Path) -> dict[str, Any]:
        """The helper makes it the person's when it starts the job."""
        user = self.account(job.owner).name
        open_the_way(self.settings, folder)
        about = {"socket": str(self.socket), "user": user, "job": job.id, "attempt": job.attempt}
        return {**plain(folder), "launcher": about}

    def start_warm(self, job: JobRow, folder: Path) -> str:
        """Never."""
        return COLD

    def take_back(self, folder: Path) -> None:
        """Ask for what a keeper that was killed could not give back."""
        with contextlib.suppress(OSError, ValueError):
            job, attempt = folder.parent.name, int(folder.name)
            if (folder / "job").lstat().st_uid != os.geteuid():
                self._ask({"verb": "give-back", "job": job, "attempt": attempt})

    def health(self) -> PartHealth | None:
        """Whether it answers."""
        trouble = self.trouble()
        words = trouble or f"dlsys-launcher starts jobs as {self.words()}."
        return PartHealth(name="launcher", state="degraded" if trouble else "ok", message=words)

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(ANSWER_SECONDS)
            connection.connect(str(self.socket))
            connection.sendall(json.dumps(request).encode() + b"\n")
            with connection.makefile("rb") as file:
                answer = json.loads(file.readline())
        if not isinstance(answer, dict):
            raise ValueError("it says nothing that can be understood")
        return answer
