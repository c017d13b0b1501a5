"""An answering process: gets everything from the main one by its standard input, ends with it."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import importlib.metadata
import logging
import os
import queue
import signal
import socket
import sys
import time
from typing import Any

import httpx

from dlsys_server.core.errors import DlsysError
from dlsys_server.core.links import Link
from dlsys_server.core.logs import configure_logging
from dlsys_server.core.settings import Settings
from dlsys_server.core.told import TELL_SECONDS, FromMain

from .app import create_app
from .building import Handover
from .listening import Server

log = logging.getLogger("dlsys")
HANDOVER_SECONDS = 30.0
FAILED = 18
_PR_SET_PDEATHSIG = 1


def answer(settings: Settings) -> int:
    """Answer until told to stop; the exit status."""
    os.umask(0o077)
    configure_logging(settings.log_level)
    _die_with_parent()
    try:
        asyncio.run(_Answering(settings).serve())
    except DlsysError as error:
        log.error("%s %s", error.detail, error.hint, extra={"code": error.code})
        return FAILED
    return 0


class _Answering:
    """One life of the process."""

    def __init__(self, settings: Settings) -> None:
        self.settings, self.told = settings, FromMain()
        self._first: queue.Queue[dict[str, Any]] = queue.Queue()
        end = socket.socket(fileno=os.dup(0))
        self.link = Link(end, self._hear, _end)
        self.parts: Any = None

    def _hear(self, kind: str, value: Any) -> None:
        if kind == "handover":
            self.told.hear(value["parts"])
            self._first.put(value)
        elif kind == "parts":
            self.told.hear(value)
        elif kind == "ring" and self.parts is not None:
            self.parts.bells.heard(value, self.link.ring)

    async def serve(self) -> None:
        """Until SIGTERM, or until the main process is gone."""
        self.link.start()
        given = await asyncio.to_thread(self._first.get, True, HANDOVER_SECONDS)
        version = importlib.metadata.version("jupyter-dlsys")
        app = create_app(
            self.settings,
            given["secret"],
            url=lambda: str(given["url"]),
            stop=lambda reason: self.link.send("stop", reason),
            version=version,
            handover=self._handover(given),
        )
        self.parts = app.state.parts
        self.parts.bells.carry(self.link.ring)
        teller: list[asyncio.Task[None]] = []

        def ready() -> None:
            teller.append(asyncio.create_task(self._tell(app.state.used)))

        public = [socket.socket(fileno=number) for number in given["sockets"]]
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        await Server(app, ready, public).serve(sockets=public)
        self.link.close()

    def _handover(self, given: dict[str, Any]) -> Handover:
        return Handover(
            given["secret"],
            given["url"],
            given["mlflow_socket"],
            given["mlflow_secret"],
            given["gateway_token"],
            httpx.AsyncHTTPTransport(verify=False, uds=given["main"]),
            self.told,
        )

    async def _tell(self, used: list[float]) -> None:
        while True:
            audit = self.parts.audit.health().model_dump()
            idle = time.monotonic() - used[0]
            state = {"followers": self.parts.events.followers, "idle": idle, "audit": audit}
            self.link.send("state", state)
            await asyncio.sleep(TELL_SECONDS)


def _end() -> None:
    """The main process has closed the link or is gone; without it there is nothing to answer."""
    os._exit(0)


def _die_with_parent() -> None:
    """At once also when the main process is killed: its successor needs the port."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
