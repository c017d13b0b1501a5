"""The databases of a platform, as backup and restore see them; and those that are SQLite files."""

from __future__ import annotations

import shutil
import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from dlsys_server.core.disk import sync
from dlsys_server.core.errors import Broken

PLATFORM = "platform.sqlite"
BESIDE = ("", "-wal", "-shm", "-journal")


class Databases(ABC):
    """All databases of one platform: its own and MLflow's."""

    dialect: str
    name: str
    """For messages; without a password."""

    @abstractmethod
    def dump(self, folder: Path) -> None:
        """Write what they hold now into files of a new folder, while others write to them."""

    @abstractmethod
    def filled(self) -> bool:
        """Whether there is anything in them."""

    @abstractmethod
    def check_idle(self) -> None:
        """Refuse while somebody works with them.

        Raises:
            Conflict: a platform does.
        """

    @abstractmethod
    def move_aside(self, stamp: str) -> None:
        """Keep what there is under other names that hold `replaced` and the stamp."""

    @abstractmethod
    def load(self, folder: Path) -> None:
        """Take over what `dump` wrote: all of it or nothing."""


class SqliteFiles(Databases):
    """SQLite files, by the name that each has in a backup."""

    dialect = "sqlite"

    def __init__(self, files: Mapping[str, Path]) -> None:
        self._files = dict(files)
        self.name = str(self._files[PLATFORM])

    def dump(self, folder: Path) -> None:
        """By SQLite's own online backup, the platform's own first: its rows name those of MLflow,
        and MLflow's file has them by then."""
        for name in (PLATFORM, *(n for n in self._files if n != PLATFORM)):
            if self._files[name].exists():
                copy_sqlite(self._files[name], folder / name)
        sync(folder)

    def filled(self) -> bool:
        """Whether a file holds anything."""
        return any(p.exists() and p.stat().st_size for p in self._files.values())

    def check_idle(self) -> None:
        """The lock of the data folder says it."""

    def move_aside(self, stamp: str) -> None:
        """Rename the files, with what SQLite keeps beside them."""
        for path in self._files.values():
            for there in (path.with_name(path.name + end) for end in BESIDE):
                if there.exists():
                    aside = there.parent / f"replaced-{stamp}"
                    aside.mkdir(mode=0o700, exist_ok=True)
                    there.rename(aside / there.name)

    def load(self, folder: Path) -> None:
        """The platform's own comes last: without it there is no platform."""
        for name in (*(n for n in self._files if n != PLATFORM), PLATFORM):
            source, target = folder / name, self._files[name]
            if not source.exists():
                continue
            target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            part = target.with_name(f".{target.name}.restoring")
            shutil.copyfile(source, part)
            part.chmod(0o600)
            sync(part)
            for end in BESIDE:
                target.with_name(target.name + end).unlink(missing_ok=True)
            part.replace(target)
            sync(target.parent)


def copy_sqlite(source: Path, target: Path) -> None:
    """A copy of a database as it is at one moment; writers go on meanwhile."""
    address = f"file:{quote(str(source))}?mode=rw"
    with (
        closing(sqlite3.connect(address, uri=True, timeout=60)) as there,
        closing(sqlite3.connect(target)) as copy,
    ):
        there.backup(copy)
        copy.execute("PRAGMA journal_mode=DELETE")  # one file, without a log beside it
        said = copy.execute("PRAGMA quick_check(1)").fetchone()[0]
    if said != "ok":
        raise Broken(
            f"The database {source} is damaged: {said}.",
            code="database-damaged",
            hint="Restore the last backup, or try SQLite's `.recover` on a copy.",
        )
    sync(target)
