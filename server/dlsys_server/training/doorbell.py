"""Where supervisors ring when something changed, so that nobody has to look all the time."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path


class Doorbell:
    """A datagram socket `bell` in the attempts folder. A ring is only a hint: it may be lost."""

    def __init__(self, folder: Path, on_ring: Callable[[], None]) -> None:
        self.path, self.on_ring = folder / "bell", on_ring
        self._socket: socket.socket | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to listen."""
        bell = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.path.unlink(missing_ok=True)
        _bind_near(bell, self.path)
        self._socket = bell
        self._thread = threading.Thread(target=self._listen, name="doorbell", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop listening."""
        if self._socket is None:
            return
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self.path.unlink(missing_ok=True)

    def _listen(self) -> None:
        assert self._socket is not None
        with contextlib.suppress(OSError):
            while self._socket.recv(16):
                self.on_ring()


def _bind_near(bell: socket.socket, path: Path) -> None:
    """Bind, also where the path is longer than the 107 bytes that a unix socket may have."""
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        bell.bind(f"/proc/self/fd/{folder}/{path.name}")
    finally:
        os.close(folder)
