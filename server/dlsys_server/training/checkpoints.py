"""Checkpoints from one attempt to the next, and from an ended job to the one that retries it.

The folders belong to the job's process, so nothing in them is trusted: folders are entered by
descriptor without following links, and only regular files of the folder's own account count.
"""

from __future__ import annotations

import logging
import os
import shutil
import stat
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from dlsys_server.core.errors import Broken
from jupyter_dlsys.contract.checkpoints import FOLDER, in_order, parse

from .attempts import Attempts
from .keeping import Keeper
from .tables import JobRow

log = logging.getLogger(__name__)
MAX_FILES = 10_000
MAX_BYTES = 20 * 2**30
BLOCK = 1 << 20


@dataclass(frozen=True)
class Entry:
    """A regular file of a checkpoint: its path from there, and how to open it."""

    path: str
    name: str
    folder: int
    bytes: int


class Checkpoints:
    """Finds, carries over and keeps checkpoints. `keep` and `carry` may be repeated."""

    def __init__(self, keeper: Keeper, attempts: Attempts) -> None:
        self.keeper, self.attempts = keeper, attempts

    def carry(self, job: JobRow) -> int | None:
        """Give a new attempt the newest checkpoint of those before it, or of the job it retries;
        returns its step.

        Raises:
            Broken: the kept one is damaged.
        """
        target = self.attempts.own(job) / FOLDER
        target.mkdir(parents=True, exist_ok=True, mode=0o700)
        if there := in_order(os.listdir(target)):
            return _step(there[-1])
        for root in self._earlier(job):
            with _opened(root) as folder:
                if folder is not None and (name := _newest(folder)):
                    _link(folder, name, target)
                    return _step(name)
        if job.checkpoint_sha:
            return _step(_unpack(self.keeper.local(job.checkpoint_sha), target))
        return None

    def keep(self, job: JobRow) -> str | None:
        """Put the job's newest checkpoint into the object store; its SHA-256 there."""
        for root in (self.attempts.own(job) / FOLDER, *self._earlier(job)):
            with _opened(root) as folder:
                if folder is not None and (name := _newest(folder)):
                    return self._pack(job, folder, name)
        return job.checkpoint_sha

    def _earlier(self, job: JobRow) -> Iterator[Path]:
        inside = self.attempts.own(job).relative_to(self.attempts.folder(job))
        for number in range(job.attempt - 1, 0, -1):
            self.attempts.take_back(job, number)
            yield self.attempts.root / job.id / str(number) / inside / FOLDER

    def _pack(self, job: JobRow, folder: int, name: str) -> str | None:
        packed = self.attempts.root / job.id / "checkpoint.tar"
        try:
            _tar(folder, name, packed)
            return self.keeper.store.put_file(packed)
        except OSError as error:
            log.warning("checkpoint not kept", extra={"job": job.id, "detail": str(error)})
            return None
        finally:
            packed.unlink(missing_ok=True)


@contextmanager
def _opened(root: Path) -> Iterator[int | None]:
    """Descriptor of a checkpoint folder, which its owner may have replaced by anything."""
    try:
        folder = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        yield None
        return
    try:
        yield folder
    finally:
        os.close(folder)


def _newest(folder: int) -> str | None:
    for name in reversed(in_order(os.listdir(folder))):
        if stat.S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
            return name
    return None


def _step(name: str) -> int | None:
    found = parse(name)
    return found[1] if found else None


def _entries(folder: int, name: str) -> Iterator[Entry]:
    """Regular files below a checkpoint that belong to the owner of its folder."""
    owner = os.fstat(folder).st_uid
    count = 0
    for path, _, names, opened in os.fwalk(name, dir_fd=folder, follow_symlinks=False):
        for file in sorted(names):
            found = os.stat(file, dir_fd=opened, follow_symlinks=False)
            if not stat.S_ISREG(found.st_mode) or found.st_uid != owner:
                continue
            count += 1
            if count > MAX_FILES:
                raise OSError(f"more than {MAX_FILES:,} files")
            yield Entry(os.path.join(path, file), file, opened, found.st_size)


def _link(folder: int, name: str, target: Path) -> None:
    """The checkpoint below `target`, as hard links where the file system allows; whole or not."""
    with _unfinished(target) as part:
        (part / name).mkdir(mode=0o700)
        for entry in _entries(folder, name):
            file = part / entry.path
            file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            try:
                os.link(entry.name, file, src_dir_fd=entry.folder, follow_symlinks=False)
            except OSError:
                with _reading(entry) as source, file.open("xb") as out:
                    shutil.copyfileobj(source, out, BLOCK)
        (part / name).rename(target / name)


def _tar(folder: int, name: str, packed: Path) -> None:
    """Regular files only, without owners and times: the same checkpoint gives the same bytes."""
    total = 0
    with tarfile.open(packed, "w", format=tarfile.PAX_FORMAT) as archive:
        top = tarfile.TarInfo(name)
        top.type, top.mode = tarfile.DIRTYPE, 0o700
        archive.addfile(top)
        for entry in _entries(folder, name):
            total += entry.bytes
            if total > MAX_BYTES:
                raise OSError(f"more than {MAX_BYTES / 2**30:g} GB")
            info = tarfile.TarInfo(entry.path)
            info.size, info.mode = entry.bytes, 0o600
            with _reading(entry) as source:
                archive.addfile(info, source)


@contextmanager
def _reading(entry: Entry) -> Iterator[IO[bytes]]:
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
    with os.fdopen(os.open(entry.name, flags, dir_fd=entry.folder), "rb") as opened:
        if not stat.S_ISREG(os.fstat(opened.fileno()).st_mode):
            raise OSError(f"{entry.path} is no file any more")
        yield opened


def _unpack(packed: Path, target: Path) -> str:
    """Write a kept checkpoint below `target`, whole or not at all; returns its name."""
    try:
        with tarfile.open(packed, "r:") as archive, _unfinished(target) as part:
            total = 0
            for count, member in enumerate(archive):
                total += member.size
                if count > MAX_FILES or total > MAX_BYTES:
                    raise tarfile.TarError("it is too large")
                _write(archive, member, part)
            name = in_order(os.listdir(part))[0]
            (part / name).rename(target / name)
            return name
    except (tarfile.TarError, IndexError) as error:
        raise Broken(
            f"The checkpoint of the job that is retried is damaged: {error}",
            hint="Submit the notebook anew, to begin from the start.",
        ) from error


def _write(archive: tarfile.TarFile, member: tarfile.TarInfo, part: Path) -> None:
    path = PurePosixPath(member.name)
    if path.is_absolute() or ".." in path.parts or not parse(path.parts[0]):
        raise tarfile.TarError(f"it has a file '{member.name}'")
    file = part / path
    if member.isdir():
        file.mkdir(parents=True, exist_ok=True, mode=0o700)
        return
    source = archive.extractfile(member) if member.isreg() else None
    if source is None:
        raise tarfile.TarError(f"'{member.name}' is no file")
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with source, file.open("xb") as out:
        shutil.copyfileobj(source, out, BLOCK)


@contextmanager
def _unfinished(target: Path) -> Iterator[Path]:
    part = Path(tempfile.mkdtemp(prefix=".part-", dir=target))
    try:
        yield part
    finally:
        with suppress(OSError):
            shutil.rmtree(part)
