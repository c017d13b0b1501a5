"""Sends files of an attempt to the platform: what grows by its offset, the rest as a whole."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from jupyter_dlsys.contract import checkpoints
from jupyter_dlsys.contract.agents import PIECE_BYTES, Received

MAX_FILES = 10_000
Send = Callable[[str, int, bytes, "int | None"], Received]
"""(path, offset, data, total of a whole file) -> how much the platform has."""


class Growing:
    """A file that only grows. Where to go on is the platform's word, so nothing is sent twice."""

    def __init__(self, path: Path, name: str, send: Send) -> None:
        self._path, self._name, self._send = path, name, send
        self._at: int | None = None

    def sync(self) -> bool:
        """Send what is new; False while there is more."""
        try:
            with self._path.open("rb") as file:
                size = os.fstat(file.fileno()).st_size
                if self._at is None and size:
                    self._at = self._send(self._name, 0, b"", None).size
                if not size or self._at is None or self._at >= size:
                    return True
                file.seek(self._at)
                data = file.read(PIECE_BYTES)
        except FileNotFoundError:
            return True
        self._at = self._send(self._name, self._at, data, None).size
        return self._at >= size


def whole(path: Path, name: str, send: Send) -> None:
    """A file as it is now; it appears on the platform when it is there as a whole."""
    with path.open("rb") as file:
        total, at = os.fstat(file.fileno()).st_size, 0
        while True:
            file.seek(at)
            data = file.read(min(PIECE_BYTES, total - at))
            got = send(name, at, data, total).size
            if got >= total:
                return
            if got != at + len(data):
                at = 0  # another piece came between: from the beginning
                continue
            at = got


Group = list[tuple[Path, str]]


def groups(own: Path) -> Iterator[Group]:
    """What an attempt leaves, as paths and names: each output, and each checkpoint as a whole."""
    for one in _files(own, "outputs"):
        yield [one]
    root = own / checkpoints.FOLDER
    names = checkpoints.in_order(os.listdir(root)) if root.is_dir() else []
    for name in names:
        yield list(_files(own, f"{checkpoints.FOLDER}/{name}"))


def _files(own: Path, folder: str) -> Iterator[tuple[Path, str]]:
    """Regular files below a folder of the attempt, links left out."""
    count = 0
    for root, folders, names in os.walk(own / folder, followlinks=False):
        folders.sort()
        for name in sorted(names):
            path = Path(root, name)
            if stat.S_ISREG(path.lstat().st_mode) and count < MAX_FILES:
                count += 1
                yield path, str(path.relative_to(own))
