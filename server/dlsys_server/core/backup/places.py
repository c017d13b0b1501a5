"""Where an object store keeps its files: a folder or a bucket, as backup and restore see it."""

from __future__ import annotations

import os
import shutil
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from dlsys_server.core.settings import Settings
from dlsys_server.core.store import open_store, reachable, s3_filesystem

OBJECTS, ARTIFACTS = "objects", "mlflow"
KINDS = (OBJECTS, ARTIFACTS)


@dataclass(frozen=True)
class Found:
    """A file of a store: its path below the root, its bytes, and what changes when it does."""

    path: str
    bytes: int
    stamp: str


class Place(ABC):
    """The files of one object store. Thread-safe."""

    name: str
    """For messages."""

    @abstractmethod
    def files(self, kind: str) -> Iterator[Found]:
        """All files below `objects` or `mlflow`."""

    @abstractmethod
    def fetch(self, path: str, target: Path) -> None:
        """Copy a file of the store to `target`.

        Raises:
            FileNotFoundError: it is gone.
        """

    @abstractmethod
    def begin(self) -> None:
        """Forget what was put and never finished."""

    @abstractmethod
    def put(self, path: str, source: Path) -> None:
        """Copy a file into the store; it may become visible only at `finish`."""

    @abstractmethod
    def finish(self) -> None:
        """Make visible what was put, and durable."""

    @abstractmethod
    def move_aside(self, stamp: str) -> None:
        """Keep what is there below `replaced-STAMP`."""

    def filled(self) -> bool:
        """Whether there is any file."""
        return any(True for kind in KINDS for _ in self.files(kind))


class FolderPlace(Place):
    """A folder of this machine. What is put lies in a folder of its own until `finish`."""

    def __init__(self, root: Path) -> None:
        self.name, self.root = str(root), root
        self._new = root / "restoring"

    def files(self, kind: str) -> Iterator[Found]:
        """All files below it; those on their way (`.part-…`) are left out."""
        for folder, _, names in os.walk(self.root / kind):
            for name in names:
                path = Path(folder, name)
                unfinished = kind == OBJECTS and name.startswith(".part-")
                if unfinished or path.is_symlink():
                    continue
                try:
                    about = path.stat()
                except FileNotFoundError:
                    continue
                stamp = f"{about.st_mtime_ns}-{about.st_ino}"
                yield Found(path.relative_to(self.root).as_posix(), about.st_size, stamp)

    def fetch(self, path: str, target: Path) -> None:
        """Copy it."""
        shutil.copyfile(self.root / path, target)

    def begin(self) -> None:
        """Empty the folder that waits."""
        shutil.rmtree(self._new, ignore_errors=True)

    def put(self, path: str, source: Path) -> None:
        """Copy it into the folder that waits."""
        target = self._new / path
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        shutil.copyfile(source, target)
        target.chmod(0o400 if path.startswith(f"{OBJECTS}/") else 0o600)

    def finish(self) -> None:
        """Give the new files their names, a folder each."""
        os.sync()
        for kind in KINDS:
            if (self._new / kind).exists():
                shutil.rmtree(self.root / kind, ignore_errors=True)  # it holds no file
                (self._new / kind).rename(self.root / kind)
        shutil.rmtree(self._new, ignore_errors=True)
        os.sync()

    def move_aside(self, stamp: str) -> None:
        """Rename."""
        for kind in KINDS:
            if (self.root / kind).exists():
                aside = self.root / f"replaced-{stamp}"
                aside.mkdir(mode=0o700, exist_ok=True)
                (self.root / kind).rename(aside / kind)


class BucketPlace(Place):
    """An S3 bucket, or a prefix in it. Each upload is there whole or not at all."""

    def __init__(self, filesystem: Any, root: str) -> None:
        self._fs, self._root = filesystem, root.strip("/")
        self.name = f"s3://{self._root}"

    def files(self, kind: str) -> Iterator[Found]:
        """All files below the prefix."""
        with reachable(self._root):
            found = self._fs.find(f"{self._root}/{kind}", detail=True)
        for path, about in found.items():
            if about["type"] == "file" and not path.endswith("/"):
                tag = str(about.get("ETag", "")).strip('"')
                yield Found(path[len(self._root) + 1 :], int(about["size"]), tag)

    def fetch(self, path: str, target: Path) -> None:
        """Download it."""
        with reachable(self._root, FileNotFoundError):
            self._fs.get_file(f"{self._root}/{path}", str(target))

    def begin(self) -> None:
        """Uploads are finished one by one."""

    def put(self, path: str, source: Path) -> None:
        """Upload it."""
        with reachable(self._root):
            self._fs.put_file(str(source), f"{self._root}/{path}")

    def finish(self) -> None:
        """Nothing is left to do."""

    def move_aside(self, stamp: str) -> None:
        """Copy inside the bucket, then remove: S3 cannot rename."""
        for kind in KINDS:
            for found in list(self.files(kind)):
                with reachable(self._root):
                    aside = f"{self._root}/replaced-{stamp}/{found.path}"
                    self._fs.mv(f"{self._root}/{found.path}", aside)


def open_place(settings: Settings) -> Place:
    """The files of the store that the settings name.

    Raises:
        InvalidInput: no such kind of store.
    """
    url = settings.effective_store_url
    local = open_store(url, settings.s3_endpoint_url).local_root
    if local is not None:
        return FolderPlace(Path(local))
    parts = urlsplit(url)
    return BucketPlace(s3_filesystem(settings.s3_endpoint_url), parts.netloc + unquote(parts.path))
