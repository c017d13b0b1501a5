"""How far a long command is: phases, files, bytes and the time that is left."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

Tell = Callable[[dict[str, Any]], None]
EVERY_SECONDS = 0.5


class Progress:
    """Told from many threads; tells twice a second, and at each beginning and end of a phase."""

    def __init__(self, tell: Tell) -> None:
        self._tell, self._lock = tell, threading.Lock()
        self._phase, self._began, self._told = "", 0.0, 0.0
        self._files = self._bytes = self._all_files = self._all_bytes = 0

    def begin(self, phase: str, files: int = 0, size: int = 0) -> None:
        """A new phase with so much to do."""
        with self._lock:
            self._phase, self._began = phase, time.monotonic()
            self._files = self._bytes = 0
            self._all_files, self._all_bytes = files, size
            self._say()

    def add(self, size: int) -> None:
        """A file of so many bytes is done."""
        with self._lock:
            self._files += 1
            self._bytes += size
            last = self._files == self._all_files
            if last or time.monotonic() - self._told > EVERY_SECONDS:
                self._say()

    def _say(self) -> None:
        self._told = time.monotonic()
        spent = self._told - self._began
        left = self._all_bytes - self._bytes
        self._tell(
            {
                "event": "progress",
                "phase": self._phase,
                "files": self._files,
                "files_total": self._all_files,
                "bytes": self._bytes,
                "bytes_total": self._all_bytes,
                "seconds": round(spent, 1),
                "seconds_left": round(left * spent / self._bytes) if self._bytes else None,
            }
        )
