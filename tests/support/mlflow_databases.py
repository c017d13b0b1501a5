"""MLflow's databases, made once for each test process: each making takes two seconds of a CPU."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
from pathlib import Path

from dlsys_server.metadata.mlflow.operating import sqlite_files
from tests.support import processes


def give_databases(home: Path) -> None:
    """Put fresh, migrated SQLite databases of MLflow's into a data folder that has none.

    Outside a test run (benchmarks) the platform makes its own.
    """
    folder = home / "mlflow"
    if folder.exists() or processes.MARK not in os.environ:
        return
    folder.mkdir(mode=0o700)
    for name, file in sqlite_files(folder).items():
        shutil.copy(sqlite_files(_made())[name], file)


@functools.cache
def _made() -> Path:
    folder = Path(os.environ[processes.MARK]) / "made"
    command = [sys.executable, "-m", "dlsys_server.metadata.mlflow", "--only", "migrate"]
    subprocess.run(
        [*command, "--folder", str(folder), "--parent", str(os.getpid())],
        check=True, capture_output=True,
    )  # fmt: skip
    return folder
