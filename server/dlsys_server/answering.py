"""The main process keeps others that only answer: same sockets, same app, none of its loops."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlsys_server.core.child import Child
from dlsys_server.core.links import Link
from dlsys_server.core.settings import Settings
from dlsys_server.core.told import TELL_SECONDS

from .parts import Parts

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Doors:
    """Sockets that callers come to, the one that leads to the main process, and the URL."""

    public: Sequence[socket.socket]
    main: Path
    url: str


class Answerer(Child):
    """One answering process. `link` is new with each start; it closes when the process ends."""

    def __init__(
        self,
        number: int,
        settings: Settings,
        parts: Parts,
        sockets: Sequence[int],
        handover: Callable[[], dict[str, Any]],
        changed: Callable[[], None],
        stop: Callable[[str], None],
    ) -> None:
        log_file = settings.home / "logs" / "answering.log"
        super().__init__(
            f"answering-{number}", self._argv, lambda: dict(os.environ), log_file, self._answers
        )
        self.settings, self.parts = settings, parts
        self.sockets, self.handover = sockets, handover
        self.changed, self.told_to_stop = changed, stop
        self.link: Link | None = None
        self.here = False
        self._theirs: socket.socket | None = None

    def _argv(self) -> list[str]:
        home = str(self.settings.home)
        return [sys.executable, "-m", "dlsys_server", "--home", home, "--answering"]

    def _options(self) -> dict[str, Any]:
        return {
            "stdin": self._theirs,
            "stdout": None,
            "stderr": None,
            "pass_fds": self.sockets,
        }

    def _spawn(self) -> None:
        ours, self._theirs = socket.socketpair()
        link = Link(ours, self._hear, lambda: self._end(link))
        self.link = link
        try:
            super()._spawn()
        finally:
            self._theirs.close()
        link.start()
        link.send("handover", {**self.handover(), "parts": self._health()})

    def _hear(self, kind: str, value: Any) -> None:
        assert self.link is not None
        if kind == "ring":
            self.parts.bells.heard(value, self.link.ring)
        elif kind == "state":
            self.parts.from_answerers.hear(self.name, value)
            if not self.here:
                self.here = True
                self.parts.bells.carry(self.link.ring)
                self.changed()
        elif kind == "stop":
            self.told_to_stop(value)

    def _end(self, link: Link) -> None:
        self.here = False
        self.parts.bells.drop(link.ring)
        self.parts.from_answerers.forget(self.name)
        self.changed()

    async def _answers(self) -> bool:
        return self.here

    def tell(self) -> None:
        """How the main process is."""
        if self.link is not None and self.here:
            self.link.send("parts", self._health())

    def _health(self) -> list[dict[str, Any]]:
        return [part.model_dump() for part in self.parts.own_health()]


class Answerers:
    """All of them.

    Args:
        changed: called when one has come or gone, from any thread.
        stop: called with the reason when one was asked to end the platform.
    """

    def __init__(
        self,
        settings: Settings,
        parts: Parts,
        doors: Doors,
        secret: str,
        changed: Callable[[], None],
        stop: Callable[[str], None],
    ) -> None:
        sockets = tuple(one.fileno() for one in doors.public)

        def handover() -> dict[str, Any]:
            return {
                "secret": secret,
                "url": doors.url,
                "sockets": sockets,
                "main": str(doors.main),
                "mlflow_socket": str(parts.child.socket),
                "mlflow_secret": parts.child.secret,
                "gateway_token": parts.control.token,
            }

        self._all = [
            Answerer(number, settings, parts, sockets, handover, changed, stop)
            for number in range(1, settings.processes)
        ]
        parts.from_answerers.wanted = len(self._all)
        self._teller: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Keep them alive from now on."""
        for one in self._all:
            one.start()
        self._teller = asyncio.create_task(self._tell())

    @property
    def any(self) -> bool:
        """Whether one of them answers."""
        return any(one.here for one in self._all)

    async def stop(self) -> None:
        """End them; what they are answering they finish."""
        if self._teller is not None:
            self._teller.cancel()
        await asyncio.gather(*(one.stop() for one in self._all))

    async def _tell(self) -> None:
        while True:
            await asyncio.sleep(TELL_SECONDS)
            for one in self._all:
                try:
                    await asyncio.to_thread(one.tell)
                except Exception:
                    log.exception("an answering process was not told")
