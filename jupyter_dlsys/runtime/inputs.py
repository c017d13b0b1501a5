"""Bound inputs become folders, and the environment of the user's code tells where they are."""

from __future__ import annotations

import os
import re
from pathlib import Path

from .job import Job, JobError


def variable(name: str) -> str:
    """Environment variable that holds the folder of input `name`."""
    return "DLSYS_INPUT_" + re.sub(r"[^A-Z0-9]", "_", name.upper())


def prepare_inputs(job: Job, attempt_dir: Path) -> dict[str, str]:
    """Write every bound snapshot under `inputs/<name>/`; returns the environment for them."""
    env: dict[str, str] = {}
    for name, snapshot in job.inputs.items():
        if name in ("", ".", "..") or "/" in name or variable(name) in env:
            raise JobError(
                f"Input {name!r} cannot be prepared: no folder name, or too like another's",
                ename="InputError",
                reason="launch-failed",
            )
        folder = attempt_dir / "inputs" / name
        folder.mkdir(parents=True, exist_ok=True)
        env[variable(name)] = str(folder)
        try:
            from jupyter_dlsys.client.snapshots import materialize

            materialize(snapshot, folder)
        except Exception as error:
            raise JobError(
                f"Input {name!r} could not be prepared: {error}",
                ename=type(error).__name__,
                evalue=str(error),
                reason="launch-failed",
            ) from error
    return env


def user_environment(job: Job) -> dict[str, str]:
    """What the user's code finds in its environment besides what the platform gave."""
    near = job.source_path.parent
    root = job.folder / "source"
    paths = [str(near), *([str(root)] if root != near else []), os.environ.get("PYTHONPATH", "")]
    return {
        "DLSYS_OUTPUT_DIR": str(job.outputs),
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
    }
