"""What the audit log keeps outside the database: its key, and the hash of its last row."""

from __future__ import annotations

import contextlib
import fcntl
import json
import logging
import threading
from collections.abc import Iterator
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
        super().__init__(path, given, "DLSYS_AUDIT_KEY", code="bad-audit-key", lost=lost)
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
        self._known = Head()
        self.damaged = False

    def read(self) -> Head:
        """The last one known; Head(0) when there is none."""
        with self._lock:
            return self._read()

    def advance(self, head: Head) -> None:
        """A later row was written."""
        with self._lock:
            try:
                with self._alone():
                    if head.seq <= self._read().seq:
                        return
                    self._known = head
                    _replace(self._path, json.dumps(head._asdict()))
            except OSError as error:
                log.warning("audit.head was not written", extra={"error": str(error)})

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Other processes of this home write it too."""
        with self._path.with_name(f"{self._path.name}.lock").open("a+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _read(self) -> Head:
        """The file says it, each time: another process may have written it."""
        try:
            found = json.loads(self._path.read_text("utf-8"))
            head = Head(int(found["seq"]), str(found["hash"]))
        except FileNotFoundError:
            return self._known
        except (OSError, ValueError, KeyError, TypeError) as error:
            if not self.damaged:
                log.error("audit.head cannot be read", extra={"error": repr(error)})
            self.damaged = True
            return self._known
        self._known = max(self._known, head, key=lambda one: one.seq)
        return self._known


def _replace(path: Path, text: str) -> None:
    temporary = path.with_name(f"{path.name}.new")
    write_private(temporary, text, durable=False)
    temporary.replace(path)
