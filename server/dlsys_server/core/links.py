"""A link between two processes of one platform: JSON lines over a socket pair, both ways.

It also tells either side when the other one has ended.
"""

from __future__ import annotations

import contextlib
import json
import logging
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

log = logging.getLogger(__name__)
PAUSE_SECONDS = 0.01
"""Between writes, so that a flood of rings becomes a few."""


class Link:
    """One end. Messages have a kind and a value; of two that wait, of one kind and text, one goes.

    Args:
        end: of the socket pair; the link closes it.
        on_message: called with kind and value, by the link's own thread.
        on_end: called once, when the other side has closed or ended.
    """

    def __init__(
        self,
        end: socket.socket,
        on_message: Callable[[str, Any], None],
        on_end: Callable[[], None] = lambda: None,
    ) -> None:
        self._end, self._on_message, self._on_end = end, on_message, on_end
        self._waiting: dict[tuple[str, str], Any] = {}
        self._ready = threading.Condition()
        self._closed = False

    def start(self) -> None:
        """Begin to read and write."""
        for name, work in (("link-in", self._read), ("link-out", self._write)):
            threading.Thread(target=work, name=name, daemon=True).start()

    def send(self, kind: str, value: Any) -> None:
        """Soon; callable from any thread."""
        with self._ready:
            self._waiting[kind, value if isinstance(value, str) else ""] = value
            self._ready.notify()

    def ring(self, name: str) -> None:
        """A carrier of bells."""
        self.send("ring", name)

    def close(self) -> None:
        """Send nothing more; the other side sees the end."""
        with self._ready:
            self._closed = True
            self._ready.notify()
        with contextlib.suppress(OSError):
            self._end.shutdown(socket.SHUT_RDWR)

    def _write(self) -> None:
        while True:
            with self._ready:
                while not self._waiting and not self._closed:
                    self._ready.wait()
                if self._closed:
                    return
                waiting, self._waiting = self._waiting, {}
            lines = "".join(f"{json.dumps([k, value])}\n" for (k, _), value in waiting.items())
            try:
                self._end.sendall(lines.encode())
            except OSError:
                return
            time.sleep(PAUSE_SECONDS)

    def _read(self) -> None:
        with contextlib.suppress(OSError), self._end.makefile("r", encoding="utf-8") as lines:
            for line in lines:
                try:
                    self._on_message(*json.loads(line))
                except Exception:
                    log.exception("a message could not be read")
        self._on_end()
        self.close()
        self._end.close()
