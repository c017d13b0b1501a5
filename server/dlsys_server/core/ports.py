"""TCP ports that stay ours: below the range that systems take for outgoing connections.

A port from that range can be taken by any connection while we are away, and what was told the port
(a running job, a program) would not find us again.
"""

from __future__ import annotations

import random
import socket

FIRST, LAST = 15_000, 31_999
TRIES = 200


def listen(host: str, port: int = 0) -> socket.socket:
    """A socket bound to `port`, or to a free one that nothing takes by accident.

    Raises:
        OSError: the port is taken, or there is none.
    """
    if port:
        return _bound(host, port)
    for candidate in random.sample(range(FIRST, LAST + 1), TRIES):
        try:
            return _bound(host, candidate)
        except OSError:
            continue
    return _bound(host, 0)


def _bound(host: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError:
        listener.close()
        raise
    return listener
