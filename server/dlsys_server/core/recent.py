"""Small blobs that were used last, in memory: they are immutable, and each trip to a store over the
network costs milliseconds."""

from __future__ import annotations

import threading
from collections import OrderedDict

SMALL_BYTES = 256 << 10
TOTAL_BYTES = 32 << 20


class RecentBlobs:
    """Verified bytes by SHA-256; the least recently used go first.  Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._blobs: OrderedDict[str, bytes] = OrderedDict()
        self._bytes = 0

    def get(self, sha256: str) -> bytes | None:
        """The blob, if it is held."""
        with self._lock:
            if (found := self._blobs.get(sha256)) is not None:
                self._blobs.move_to_end(sha256)
            return found

    def keep(self, sha256: str, data: bytes) -> None:
        """Hold a blob, if it is small."""
        if len(data) > SMALL_BYTES:
            return
        with self._lock:
            if sha256 in self._blobs:
                return
            self._blobs[sha256] = data
            self._bytes += len(data)
            while self._bytes > TOTAL_BYTES:
                self._bytes -= len(self._blobs.popitem(last=False)[1])
