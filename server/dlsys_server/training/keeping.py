"""Keeps what an attempt left: executed notebook, log, output files."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from dlsys_server.core.store import ObjectStore

from .attempts import Attempts
from .tables import JobRow

log = logging.getLogger(__name__)
MAX_FILES = 10_000


class Keeper:
    """Copies files into the object store; reads them from there or from a live attempt."""

    def __init__(self, store: ObjectStore, attempts: Attempts, cache: Path) -> None:
        self.store, self.attempts, self.cache = store, attempts, cache

    def keep(self, job: JobRow) -> dict[str, Any]:
        """Columns of the job row that say where things are now."""
        folder = self.attempts.folder(job)
        return {
            "notebook_sha": self._keep_file(folder / "notebook.ipynb"),
            "log_sha": self._keep_file(folder / "log"),
            "artifacts": [
                {"path": path, "bytes": file.stat().st_size, "sha256": self._keep_file(file)}
                for path, file in outputs(folder / "outputs")
            ],
        }

    def _keep_file(self, file: Path) -> str | None:
        try:
            return self.store.put_file(file)
        except FileNotFoundError:
            return None

    def read(self, sha256: str) -> bytes:
        """A kept file."""
        return self.store.get(sha256)

    def local(self, sha256: str) -> Path:
        """A kept file as a path of this machine."""
        found = self.store.open_path(sha256)
        if found is not None:
            return found
        target = self.cache / sha256
        if not target.exists():
            self.cache.mkdir(parents=True, exist_ok=True, mode=0o700)
            self.store.download(sha256, target)
        return target


def outputs(folder: Path) -> list[tuple[str, Path]]:
    """Regular files below a folder, links left out, by relative path."""
    if not folder.is_dir():
        return []
    files = [f for f in sorted(folder.rglob("*")) if f.is_file() and not f.is_symlink()]
    return [(str(f.relative_to(folder)), f) for f in files[:MAX_FILES]]
