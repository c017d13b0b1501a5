"""What keeps jobs apart on this machine, found by trying it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Literal

from dlsys_server.core.settings import Settings
from jupyter_dlsys.contract.system import Isolation, PartHealth

from .accounts import Accounts, bwrap
from .places import Place
from .programs import supervisor

PROBE_SECONDS = 20


class IsolationProbe:
    """Looks once, at the first question."""

    def __init__(
        self, settings: Settings, accounts: Accounts, attempts_root: Path, place: Place
    ) -> None:
        self.settings, self.accounts, self.root = settings, accounts, attempts_root
        self.place = place
        self._found: Isolation | None = None

    def look(self) -> Isolation:
        """What there is."""
        if self._found is None:
            self._found = self._look()
        return self._found

    def _look(self) -> Isolation:
        groups = _control_groups()
        other = self.accounts.root and bool(self.accounts.fallback)
        processes: Literal["cgroup", "rlimit", "watched"] = "rlimit" if other else "watched"
        if groups.get("processes"):
            processes = "cgroup"
        wanted = self.settings.sandbox == "bwrap"
        sandbox: Literal["bwrap", "off", "missing"] = "off"
        if wanted:
            sandbox = "bwrap" if bwrap() else "missing"
        found = Isolation(
            launcher=self.place.name,
            account=self.place.words(),
            memory="cgroup" if groups.get("memory") else "watched",
            processes=processes,
            sandbox=sandbox,
        )
        return found.model_copy(update={"words": self._words(found)})

    def _words(self, found: Isolation) -> str:
        limits = {
            "cgroup": "held by control groups",
            "rlimit": "held for the account",
            "watched": "watched, so a fast job can go over it for a moment",
        }
        words = [f"Jobs run as {found.account}."]
        words.append(f"Memory limits are {limits[found.memory]}.")
        words.append(f"The number of processes is {limits[found.processes]}.")
        if found.sandbox == "missing":
            words.append("Bubblewrap is asked for but not installed.")
        elif found.sandbox == "bwrap":
            words.append("Each job is in a bubblewrap sandbox.")
        return " ".join(words)

    def health(self) -> PartHealth:
        """For /health."""
        found = self.look()
        bad = found.sandbox == "missing" or self._unreachable()
        words = f"{found.words} {self._unreachable()}".strip()
        return PartHealth(name="isolation", state="degraded" if bad else "ok", message=words)

    def _unreachable(self) -> str:
        """A folder that other accounts cannot pass on the way to their jobs."""
        if not (self.accounts.root and self.accounts.fallback):
            return ""
        for folder in (self.root, *self.root.parents):
            if folder.exists() and folder not in self._ours() and not folder.stat().st_mode & 1:
                return f"Other accounts cannot pass {folder}: set DLSYS_ATTEMPTS_FOLDER."
        return ""

    def _ours(self) -> tuple[Path, ...]:
        """Folders that are opened when the first job of another account comes."""
        return (self.root, self.settings.home)


def _control_groups() -> dict[str, Any]:
    """Which limits the supervisor can set by control groups, asked of the supervisor itself."""
    try:
        done = subprocess.run(
            [sys.executable, "-S", "-E", str(supervisor()), "--probe"],
            capture_output=True,
            timeout=PROBE_SECONDS,
            check=False,
        )
        found = json.loads(done.stdout or b"{}")
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return {}
    return found if isinstance(found, dict) else {}
