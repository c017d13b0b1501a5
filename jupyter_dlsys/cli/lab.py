"""`dlsys lab`: JupyterLab on a workspace, with the data folder that belongs to it."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from jupyter_dlsys.client.errors import UsageError

WORKSPACE = ".demo"
ADDRESS = "http://localhost:8888/lab"


def main(workspace: str, arguments: Sequence[str]) -> None:
    """Become JupyterLab; does not return.

    A workspace is a folder of notebooks with its data folder `home` in it, as `dlsys demo` makes.
    """
    if importlib.util.find_spec("jupyterlab") is None:
        raise UsageError("JupyterLab is not installed.", hint="Run: pip install jupyterlab")
    folder = Path(workspace).expanduser().resolve()
    folder.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, "DLSYS_HOME": str(folder / "home")}
    command = [sys.executable, "-m", "jupyterlab", "--notebook-dir", str(folder)]
    command += ["--ServerApp.port=8888", *arguments]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--allow-root")
    os.execve(sys.executable, command, environment)  # noqa: S606  an argument list
