"""MLflow's databases for the person who operates the platform: their files, their revisions.

MLflow is never loaded into this process: its child program looks and migrates.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from dlsys_server.core.errors import Broken

from . import environment
from .child import child_environment

TIMEOUT_SECONDS = 600


@dataclass(frozen=True)
class Step:
    """One database: the revision that was found, and the one that it should have or has now."""

    name: str
    found: str | None
    wanted: str | None

    @property
    def due(self) -> bool:
        """Whether there is something to do."""
        return self.found != self.wanted


def sqlite_files(folder: Path) -> dict[str, Path]:
    """MLflow's SQLite files, by the names that they have in a backup."""
    return {"mlflow.sqlite": folder / "mlflow.db", "auth.sqlite": folder / "auth.db"}


def look(folder: Path, database_url: str | None) -> list[Step]:
    """The revisions that are there, and those of the MLflow that is installed.

    Raises:
        Broken: MLflow cannot read them.
    """
    before = _ask(folder, database_url, "look")["before"]
    return [Step(f"MLflow {name}", found, wanted) for name, (found, wanted) in before.items()]


def migrate(folder: Path, database_url: str | None) -> list[Step]:
    """Bring both databases to the installed version; safe when several do it at once.

    Raises:
        Broken: it failed; the message has MLflow's last words.
    """
    told = _ask(folder, database_url, "migrate")
    before, after = told["before"], told["after"]
    return [Step(f"MLflow {name}", before[name][0], after[name][0]) for name in before]


def _ask(
    folder: Path, database_url: str | None, what: str
) -> dict[str, dict[str, list[str | None]]]:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    ours = child_environment()
    if database_url:
        ours[environment.DATABASE_URL] = database_url
    command = [sys.executable, "-m", "dlsys_server.metadata.mlflow", "--only", what]
    command += ["--folder", str(folder), "--parent", str(os.getpid())]
    done = subprocess.run(
        command,
        env=ours,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
    )
    for line in done.stdout.splitlines():
        told = json.loads(line)
        if told["event"] == "revisions" and done.returncode == 0:
            return {"before": told["before"], "after": told["after"]}
    last = (done.stderr.strip().splitlines() or ["no word"])[-1]
    raise Broken(
        f"MLflow's databases could not be brought up to date: {last[:500]}",
        code="mlflow-migration-failed",
        hint="A newer MLflow may have written them: install that one.",
    )
