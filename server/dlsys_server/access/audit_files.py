"""What the audit log keeps outside the database: its key, and the hash of its last row."""

from __future__ import annotations

import json
import logging
import threading
from pathlib import Path
from typing import NamedTuple

from dlsys_server.core.keys import KeyFile, write_private

log = logging.getLogger(__name__)


class AuditKey(KeyFile):
    """The key: as given, else file `audit.key` (0600) of the folder, made when first used.

    Raises:
        Broken: the given key is too short to be one.
    """

    def __init__(self, folder: Path, given: str = "") -> None:
        lost = "the audit log cannot be checked without it."
        path = folder / "audit.key"
        super().__init__(path, given, "DLSYS_AUDIT_KEY", "bad-audit-key", lost)
        self.folder = folder


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


def _replace(path: Path, text: str) -> None:
    temporary = path.with_name(f"{path.name}.new")
    write_private(temporary, text, durable=False)
    temporary.replace(path)
