"""Makes a backup: the databases at one moment, then every file of the store, then the manifest."""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from dlsys_server.core import clock
from dlsys_server.core.errors import Conflict
from dlsys_server.core.store import hash_file
from jupyter_dlsys.contract.references import blob_key

from . import manifest
from .databases import Databases
from .manifest import Entry, Manifest
from .places import ARTIFACTS, OBJECTS, Found, Place
from .progress import Progress

WORKERS = 8
LOCK = ".lock"
_HEXADECIMAL = frozenset("0123456789abcdef")


@dataclass
class Outcome:
    """What a backup came to."""

    folder: str
    files: int
    bytes: int
    copied_files: int
    copied_bytes: int
    seconds: float
    damaged: list[str]
    manifest: str
    """SHA-256 of the manifest: the name of the backup."""


class BackupMaker:
    """One backup into a folder, which may hold earlier ones."""

    def __init__(
        self, folder: Path, databases: Databases, place: Place, progress: Progress
    ) -> None:
        self._folder, self._databases, self._place = folder, databases, place
        self._progress = progress
        self._before: dict[str, Entry] = {}
        self._copied_files = self._copied_bytes = 0
        self._counting = threading.Lock()

    def make(self, version: str, mlflow: str, schema: str) -> Outcome:
        """Make it. Nothing of an earlier backup in the folder is changed before the end.

        Raises:
            Conflict: the folder holds something else, or another backup is being made into it.
            Broken: a database is damaged, or PostgreSQL's programs fail.
            Unavailable: the store does not answer.
        """
        began = clock.now()
        with _taken(self._folder):
            old = self._earlier()
            found = Manifest(version, mlflow, schema, self._databases.dialect, began.isoformat())
            found.place = f"databases/{began:%Y%m%dT%H%M%SZ}-{secrets.token_hex(2)}"
            self._dump(found)
            self._copy_store(found)
            os.sync()
            found.ended = clock.now().isoformat()
            digest = manifest.write(self._folder, found)
            self._clear(found, old)
        return Outcome(
            folder=str(self._folder),
            files=len(found.files()),
            bytes=found.bytes(),
            copied_files=self._copied_files,
            copied_bytes=self._copied_bytes,
            seconds=round((clock.now() - began).total_seconds(), 2),
            damaged=found.damaged,
            manifest=digest,
        )

    def _earlier(self) -> Manifest | None:
        if not (self._folder / manifest.NAME).exists():
            return None
        found, _ = manifest.read(self._folder)
        self._before = found.artifacts
        return found

    def _dump(self, found: Manifest) -> None:
        self._progress.begin("databases")
        place = self._folder / found.place
        place.parent.mkdir(mode=0o700, exist_ok=True)
        place.mkdir(mode=0o700)
        self._databases.dump(place)
        for path in sorted(place.iterdir()):
            path.chmod(0o600)
            found.databases[path.name] = Entry(path.stat().st_size, hash_file(path))
            self._count(found.databases[path.name])

    def _copy_store(self, found: Manifest) -> None:
        """After the databases: what they name is there by then, and blobs never change."""
        self._progress.begin("looking")
        blobs = [f for f in self._place.files(OBJECTS) if _is_blob(f.path)]
        others = list(self._place.files(ARTIFACTS))
        size = sum(f.bytes for f in (*blobs, *others))
        self._progress.begin("files", len(blobs) + len(others), size)
        for blob, entry in _at_once(self._blob, blobs):
            name = PurePosixPath(blob.path).name
            if entry is None:
                found.damaged.append(name)
            else:
                found.objects[name] = entry.bytes
        for other, entry in _at_once(self._artifact, others):
            if entry is not None:
                found.artifacts[other.path.removeprefix(f"{ARTIFACTS}/")] = entry

    def _blob(self, found: Found) -> Entry | None:
        """Copy a blob unless it is there; None when its bytes are not what its name says."""
        name = PurePosixPath(found.path).name
        target = self._folder / blob_key(name)
        if not (target.exists() and target.stat().st_size == found.bytes):
            entry = self._fetch(found)
            if entry is None or entry.sha256 != name:
                return None
            return entry
        self._progress.add(found.bytes)
        return Entry(found.bytes, name)

    def _artifact(self, found: Found) -> Entry | None:
        """Copy one of MLflow's files as it is now; None when it is gone."""
        path = found.path.removeprefix(f"{ARTIFACTS}/")
        before = self._before.get(path)
        if before is not None and found.stamp and before.stamp == found.stamp:
            target = self._folder / blob_key(before.sha256)
            if target.exists() and target.stat().st_size == before.bytes == found.bytes:
                self._progress.add(found.bytes)
                return before
        return self._fetch(found)

    def _fetch(self, found: Found) -> Entry | None:
        """Copy a file to the name that its bytes give it."""
        part = self._folder / OBJECTS / f".part-{secrets.token_hex(8)}"
        part.parent.mkdir(mode=0o700, exist_ok=True)
        try:
            self._place.fetch(found.path, part)
            entry = Entry(part.stat().st_size, hash_file(part), found.stamp)
            target = self._folder / blob_key(entry.sha256)
            target.parent.mkdir(mode=0o700, exist_ok=True)
            part.chmod(0o600)
            part.replace(target)
        except FileNotFoundError:
            return None
        finally:
            part.unlink(missing_ok=True)
            self._progress.add(found.bytes)
        self._count(entry)
        return entry

    def _count(self, entry: Entry) -> None:
        with self._counting:
            self._copied_files += 1
            self._copied_bytes += entry.bytes

    def _clear(self, new: Manifest, old: Manifest | None) -> None:
        """Remove the databases of earlier backups, of which none is named any more."""
        for path in (self._folder / "databases").iterdir():
            if f"databases/{path.name}" != new.place:
                shutil.rmtree(path, ignore_errors=True)
        if old is not None:
            kept = set(new.files())
            for name in set(old.files()) - kept:
                (self._folder / name).unlink(missing_ok=True)


def _at_once(
    work: Callable[[Found], Entry | None], files: Iterable[Found]
) -> Iterator[tuple[Found, Entry | None]]:
    """Do the work for several files at a time."""
    files = list(files)
    with ThreadPoolExecutor(WORKERS, thread_name_prefix="backup") as pool:
        try:
            yield from zip(files, pool.map(work, files), strict=True)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _is_blob(path: str) -> bool:
    name = PurePosixPath(path).name
    return len(name) == 64 and set(name) <= _HEXADECIMAL and path == blob_key(name)


@contextmanager
def _taken(folder: Path) -> Iterator[None]:
    """The folder, made when missing, for us alone."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    ours = {manifest.NAME, LOCK, "databases", OBJECTS, f".{manifest.NAME}.part"}
    strangers = sorted({path.name for path in folder.iterdir()} - ours)
    if strangers:
        raise Conflict(
            f"{folder} holds something else ('{strangers[0]}').",
            code="not-a-backup-folder",
            hint="Name a folder that is new or empty, or one with an earlier backup.",
        )
    folder.chmod(0o700)
    with os.fdopen(os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o600), "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Conflict(
                f"Another backup is being made into {folder}.",
                code="backup-runs",
                hint="Wait for it, or name another folder.",
            ) from None
        for left in (folder / OBJECTS).glob(".part-*"):  # by a backup that was killed
            left.unlink(missing_ok=True)
        yield
