"""What the audit log keeps outside the database: its key, and the hash of its last row."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import secrets
import threading
from pathlib import Path
from typing import NamedTuple

from dlsys_server.core.errors import Broken

log = logging.getLogger(__name__)
SHORTEST_KEY = 32


class AuditKey:
    """The key: as given, else file `audit.key` (0600) of the folder, made when first used.

    Raises:
        Broken: the given key is too short to be one.
    """

    def __init__(self, folder: Path, given: str = "") -> None:
        if given and len(given) < SHORTEST_KEY:
            raise Broken(
                f"DLSYS_AUDIT_KEY has {len(given)} characters; {SHORTEST_KEY} are needed.",
                code="bad-audit-key",
                hint="Make one with `openssl rand -hex 32`.",
            )
        self.folder, self._given = folder, given
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
        path = self.folder / "audit.key"
        if not path.exists():
            _make(path, secrets.token_hex(32))
        found = path.read_bytes().strip()
        if len(found) < SHORTEST_KEY:
            raise Broken(
                f"{path} holds no key.",
                code="bad-audit-key",
                hint="Put the file back from a backup: the audit log cannot be checked without it.",
            )
        return found


class Head(NamedTuple):
    """Number and hash of the last row."""

    seq: int = 0
    hash: str = ""


class AuditHead:
    """File `audit.head`: the last row that was written from here. Never goes back; best effort.

    `damaged` once it was found unreadable.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._lock = path, threading.Lock()
        self._known: Head | None = None
        self.damaged = False

    def read(self) -> Head:
        """The last one known; Head(0) when there is none."""
        with self._lock:
            return self._read()

    def advance(self, head: Head) -> None:
        """A later row was written."""
        with self._lock:
            if head.seq <= self._read().seq:
                return
            self._known = head
            try:
                _replace(self._path, json.dumps(head._asdict()))
            except OSError as error:
                log.warning("audit.head was not written", extra={"error": str(error)})

    def _read(self) -> Head:
        if self._known is None:
            self._known = Head()
            try:
                found = json.loads(self._path.read_text("utf-8"))
                self._known = Head(int(found["seq"]), str(found["hash"]))
            except FileNotFoundError:
                pass
            except (OSError, ValueError, KeyError, TypeError) as error:
                self.damaged = True
                log.error("audit.head cannot be read", extra={"error": repr(error)})
        return self._known


def _make(path: Path, text: str) -> None:
    """A private file that is there as a whole or not at all; the first one to make it wins."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    temporary = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    try:
        _write(temporary, text, durable=True)
        with contextlib.suppress(FileExistsError):
            os.link(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _replace(path: Path, text: str) -> None:
    temporary = path.with_name(f"{path.name}.new")
    _write(temporary, text, durable=False)
    temporary.replace(path)


def _write(path: Path, text: str, *, durable: bool) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as out:
        out.write(text + "\n")
        if durable:
            out.flush()
            os.fsync(out.fileno())
