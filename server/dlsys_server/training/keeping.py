"""Keeps what an attempt left: executed notebook, log, output files.

The job's own process made these files and may still run, so none is trusted to be what it seems: a
file is read only when it is a regular one that belongs to the job's account.
"""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
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
        own = self.attempts.own(job)
        kept = [(path, self._keep_own(own, own / "outputs" / path)) for path in outputs(own)]
        notebook, size = self._keep_own(own, own / "notebook.ipynb")
        log_sha, log_size = self._keep_log(self.attempts.folder(job) / "log")
        return {
            "notebook_sha": notebook,
            "log_sha": log_sha,
            "kept_bytes": size + log_size + sum(size for _, (_, size) in kept),
            "artifacts": [
                {"path": path, "bytes": size, "sha256": sha} for path, (sha, size) in kept if sha
            ],
        }

    def _keep_own(self, own: Path, file: Path) -> tuple[str | None, int]:
        try:
            with opened(own, file) as there:
                return self.store.put_file(there), there.stat().st_size
        except FileNotFoundError:
            return None, 0

    def _keep_log(self, file: Path) -> tuple[str | None, int]:
        try:
            return self.store.put_file(file), file.stat().st_size
        except FileNotFoundError:
            return None, 0

    def live_notebook(self, job: JobRow) -> bytes | None:
        """The notebook as far as it was saved."""
        own = self.attempts.own(job)
        try:
            with opened(own, own / "notebook.ipynb") as there:
                return there.read_bytes()
        except FileNotFoundError:
            return None

    def live_outputs(self, job: JobRow) -> list[tuple[str, int]]:
        """Paths and sizes of the files that are there so far."""
        own = self.attempts.own(job)
        return [(path, (own / "outputs" / path).lstat().st_size) for path in outputs(own)]

    def live_output(self, job: JobRow, path: str) -> Path | None:
        """A copy of one of these files as it is now."""
        own = self.attempts.own(job)
        if path not in outputs(own):
            return None
        sha, _ = self._keep_own(own, own / "outputs" / path)
        return self.local(sha) if sha else None

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


def outputs(own: Path) -> list[str]:
    """Relative paths of regular files below `outputs` of a job's own folder, links left out."""
    folder = own / "outputs"
    found: list[str] = []
    if folder.is_symlink():  # it would lead to somebody else's
        return found
    for root, folders, files in os.walk(folder, followlinks=False):
        folders.sort()
        paths = (Path(root, name) for name in sorted(files))
        found += [str(p.relative_to(folder)) for p in paths if stat.S_ISREG(p.lstat().st_mode)]
        if len(found) >= MAX_FILES:
            break
    return sorted(found[:MAX_FILES])


@contextmanager
def opened(own: Path, file: Path) -> Iterator[Path]:
    """A file of a job as a path that nobody can swap for another one meanwhile.

    Raises:
        FileNotFoundError: there is none, or it is not a regular file of the job's account.
    """
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        raise FileNotFoundError(file) from None
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or found.st_uid != own.stat().st_uid:
            raise FileNotFoundError(file)
        yield Path(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)
