"""Free TCP ports, without two test processes taking the same one."""

from __future__ import annotations

import os
import random
import socket

_FIRST, _PER_WORKER = 20_000, 500
_given: set[int] = set()


def worker_number() -> int:
    """0, 1, … for the processes of pytest-xdist; 0 without it."""
    return int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_port() -> int:
    """A port below the system's range for outgoing connections; never the same one twice."""
    first = _FIRST + (worker_number() % 20) * _PER_WORKER
    candidates = [p for p in range(first, first + _PER_WORKER) if p not in _given]
    random.shuffle(candidates)
    port = next(p for p in candidates if is_free(p))
    _given.add(port)
    return port


def free_block(offsets: list[int], first: int, last: int) -> int:
    """A base port for which base + offset is free for every offset."""
    bases = list(range(first, last, max(offsets[0], 1) * 10))
    random.shuffle(bases)
    return next(b for b in bases if all(is_free(b + offset) for offset in offsets))
