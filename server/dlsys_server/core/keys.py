"""Keys of this platform that are not in its database: as given, else in a private file."""

from __future__ import annotations

import contextlib
import os
import secrets
import threading
from pathlib import Path

from .errors import Broken

SHORTEST_KEY = 32


class KeyFile:
    """A key: as given, else in the file `path` (0600), made when first used.

    Args:
        path: of the file.
        given: the key itself, from a setting; '' when it is to be in the file.
        setting: name of that setting, for messages.
        code: of the error when it is no key.
        lost: what a lost key means, for messages.

    Raises:
        Broken: the given key is too short to be one.
    """

    def __init__(self, path: Path, given: str, setting: str, *, code: str, lost: str) -> None:
        if given and len(given) < SHORTEST_KEY:
            raise Broken(
                f"{setting} has {len(given)} characters; {SHORTEST_KEY} are needed.",
                code=code,
                hint="Make one with `openssl rand -hex 32`.",
            )
        self.path, self._code, self._lost = path, code, lost
        self._lock = threading.Lock()
        self._value = given.encode()

    @property
    def value(self) -> bytes:
        """The key.

        Raises:
            Broken: the file holds no key.
            OSError: it cannot be read or made.
        """
        with self._lock:
            if not self._value:
                self._value = self._from_file()
            return self._value

    def _from_file(self) -> bytes:
        if not self.path.exists():
            _make(self.path, secrets.token_hex(32))
        found = self.path.read_bytes().strip()
        if len(found) < SHORTEST_KEY:
            raise Broken(
                f"{self.path} holds no key.",
                code=self._code,
                hint=f"Put the file back from a backup: {self._lost}",
            )
        return found


def _make(path: Path, text: str) -> None:
    """A private file that is there as a whole or not at all; the first one to make it wins."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    temporary = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    try:
        write_private(temporary, text, durable=True)
        with contextlib.suppress(FileExistsError):
            os.link(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_private(path: Path, text: str, *, durable: bool) -> None:
    """A line of text that only this account can read; `durable`: on the disk when this returns."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as out:
        out.write(text + "\n")
        if durable:
            out.flush()
            os.fsync(out.fileno())
