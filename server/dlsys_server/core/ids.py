"""ULIDs (https://github.com/ulid/spec): 48 bits of milliseconds, 80 random bits, in base 32."""

from __future__ import annotations

import os
import threading
import time

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_lock = threading.Lock()
_last = 0


def new_id() -> str:
    """A ULID, 26 characters; ids made by one process sort in the order they were made."""
    global _last
    with _lock:
        value = (time.time_ns() // 1_000_000 << 80) | int.from_bytes(os.urandom(10), "big")
        _last = max(value, _last + 1)
        value = _last
    return "".join(ALPHABET[value >> shift & 31] for shift in range(125, -5, -5))
