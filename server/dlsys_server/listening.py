"""How a process of the platform listens: alone, or only while no other one answers."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable
from types import FrameType

import uvicorn
from fastapi import FastAPI

from .answering import Answerers

log = logging.getLogger(__name__)


class Server(uvicorn.Server):
    """Tells open event streams to end before uvicorn waits for them; says when it is ready.

    With answering processes it listens at its private door, and at the public ones only while none
    of the others answers: at the start, and when they have died.

    Args:
        ready: called once when it serves.
        public: sockets that callers come to.
        private: socket at which only other processes of the platform ask.
    """

    def __init__(
        self,
        app: FastAPI,
        ready: Callable[[], None],
        public: list[socket.socket],
        private: socket.socket | None = None,
    ) -> None:
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=4,
            timeout_keep_alive=75,
        )
        super().__init__(config)
        self._app, self._tell_ready = app, ready
        self._public, self.listeners = public, [private] if private else public
        self._others: Answerers | None = None
        self._open: list[asyncio.AbstractServer] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._deciding = asyncio.Lock()

    def answer_by(self, others: Answerers) -> None:
        """Leave the public doors to them while they are there."""
        self._others = others

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """SIGTERM or SIGINT."""
        self._app.state.stopping.set()
        super().handle_exit(sig, frame)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start serving, then say so."""
        await super().startup(sockets)
        if self.should_exit:
            return
        if self._others is not None:
            self._loop = asyncio.get_running_loop()
            await self._decide()
            self._others.start()
        self._tell_ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End the others first: they ask this one."""
        if self._others is not None:
            self._app.state.stopping.set()
            await self._others.stop()
            self._shut()
        await super().shutdown(sockets)
        for one in self._public:
            one.close()

    def changed(self) -> None:
        """An answering process has come or gone; callable from any thread."""
        if self._loop is not None and not self._loop.is_closed():
            asyncio.run_coroutine_threadsafe(self._decide(), self._loop)

    async def _decide(self) -> None:
        async with self._deciding:
            if self._others is None or self.should_exit:
                return
            self._app.state.sends_away = self._others.any
            if self._others.any:
                self._shut()
            elif not self._open:
                await self._listen()

    def _shut(self) -> None:
        for server in self._open:
            server.close()
        self._open = []

    async def _listen(self) -> None:
        loop = asyncio.get_running_loop()
        for one in self._public:
            server = await loop.create_server(
                self._protocol, sock=one.dup(), backlog=self.config.backlog
            )
            self._open.append(server)

    def _protocol(self) -> asyncio.Protocol:
        protocol: asyncio.Protocol = self.config.http_protocol_class(  # type: ignore[call-arg]
            config=self.config,
            server_state=self.server_state,
            app_state=self.lifespan.state,
        )
        return protocol
