"""Puts a backup back: verified first, the store before the database, never half as if whole."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from dlsys_server.core import clock
from dlsys_server.core.disk import sync
from dlsys_server.core.errors import Conflict, Refused
from dlsys_server.core.schema import refuse_unknown
from jupyter_dlsys.contract.references import blob_key

from .databases import Databases
from .manifest import Manifest
from .places import ARTIFACTS, FolderPlace, Place
from .progress import Progress

WORKERS = 8
MARK = "restoring.json"
"""In the data folder while a restore is under way: no platform starts there."""


@dataclass
class Target:
    """Where a backup goes. The caller holds the lock of the data folder."""

    home: Path
    databases: Databases
    place: Place
    folders: list[Path] = field(default_factory=list)
    """What else belongs to the old data (running jobs, copies of models): moved aside, too."""


def refuse_half_restored(home: Path) -> None:
    """Refuse to start on a data folder in which a restore was broken off.

    Raises:
        Conflict: it was.
    """
    if (home / MARK).exists():
        raise Conflict(
            "A restore into this data folder was broken off, so it holds half of a backup.",
            code="restore-unfinished",
            hint="Run `dlsys restore SRC --replace`; what was there before lies in replaced-….",
        )


def check(found: Manifest, mlflow: str, target: Target, replace: bool) -> None:
    """Whether a verified backup may be restored there; changes nothing.

    Raises:
        Broken: a newer version made it.
        Refused: the target has another kind of database.
        Conflict: it is not empty, or in use, or too small.
    """
    refuse_unknown(found.schema)
    _check_mlflow(found.mlflow, mlflow)
    if found.dialect != target.databases.dialect:
        raise Refused(
            f"The backup is of {found.dialect}, and the platform is set to "
            f"{target.databases.dialect}.",
            code="other-database",
            hint="Unset DLSYS_DATABASE_URL to restore into SQLite."
            if found.dialect == "sqlite"
            else "Set DLSYS_DATABASE_URL to an empty PostgreSQL database.",
        )
    target.databases.check_idle()
    if not replace and (there := _not_empty(target)):
        raise Conflict(
            f"There is data already: {'; '.join(there)}.",
            code="target-not-empty",
            hint="Name another DLSYS_HOME, database and store, or add --replace, which moves what "
            "is there aside and keeps it.",
        )
    _check_room(found, target)


def restore(source: Path, found: Manifest, digest: str, target: Target, progress: Progress) -> str:
    """Put a verified and checked backup in place; returns where the old data is, if any was.

    Until `finish` the data folder is marked, so that no platform takes half of it for whole.
    """
    mark = {"backup": digest, "source": str(source), "began": clock.now().isoformat()}
    _write(target.home / MARK, mark)
    aside = ""
    if _not_empty(target):
        aside = f"{clock.now():%Y%m%dT%H%M%SZ}"
        progress.begin("moving aside")
        _move_aside(target, aside)
    files = [(blob_key(sha), blob_key(sha), size) for sha, size in found.objects.items()]
    files += [
        (f"{ARTIFACTS}/{path}", blob_key(entry.sha256), entry.bytes)
        for path, entry in found.artifacts.items()
    ]
    _put(source, files, target.place, progress)
    progress.begin("databases")
    target.databases.load(source / found.place)
    return f"replaced-{aside}" if aside else ""


def finish(home: Path) -> None:
    """The restore is whole: a platform may start."""
    (home / MARK).unlink()
    sync(home)


def _put(
    source: Path, files: Iterable[tuple[str, str, int]], place: Place, progress: Progress
) -> None:
    files = list(files)
    progress.begin("files", len(files), sum(size for _, _, size in files))

    def put(item: tuple[str, str, int]) -> None:
        path, kept, size = item
        place.put(path, source / kept)
        progress.add(size)

    place.begin()
    with ThreadPoolExecutor(WORKERS, thread_name_prefix="restore") as pool:
        for _ in pool.map(put, files):
            pass
    place.finish()


def _not_empty(target: Target) -> list[str]:
    there = [target.databases.name] if target.databases.filled() else []
    there += [target.place.name] if target.place.filled() else []
    there += [str(folder) for folder in target.folders if _holds_anything(folder)]
    if (target.home / MARK).exists() and there:
        there[0] += " (a restore was broken off here)"
    return there


def _holds_anything(folder: Path) -> bool:
    return any(files for _, _, files in os.walk(folder))


def _move_aside(target: Target, stamp: str) -> None:
    target.databases.move_aside(stamp)
    target.place.move_aside(stamp)
    for folder in target.folders:
        if folder.exists():
            aside = folder.parent / f"replaced-{stamp}"
            aside.mkdir(mode=0o700, exist_ok=True)
            folder.rename(aside / folder.name)
    sync(target.home)


def _check_room(found: Manifest, target: Target) -> None:
    """A folder's disk must hold it all; of a bucket nobody can say."""
    if not isinstance(target.place, FolderPlace):
        return
    root = target.place.root
    near = next(path for path in (root, *root.parents) if path.exists())
    free, wanted = shutil.disk_usage(near).free, found.bytes()
    if wanted > free:
        raise Conflict(
            f"The backup needs {wanted:,} bytes, and the disk of {near} has {free:,}.",
            code="no-room",
            hint="Make room, or restore to another disk.",
        )


def _check_mlflow(made: str, installed: str) -> None:
    if _numbers(made) > _numbers(installed):
        raise Refused(
            f"MLflow {made} wrote the backup's database, and {installed} is installed here.",
            code="backup-of-newer-version",
            hint=f"Run `pip install 'mlflow>={made}'`, then restore again.",
        )


def _numbers(version: str) -> tuple[int, ...]:
    """Major and minor: schemas change only with these."""
    parts = [*version.split("."), "0", "0"][:2]
    return tuple(int(part) if part.isdigit() else 0 for part in parts)


def _write(path: Path, value: dict[str, str]) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as out:
        json.dump(value, out)
        out.flush()
        os.fsync(out.fileno())
    sync(path.parent)
