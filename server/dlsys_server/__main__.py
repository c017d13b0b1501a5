"""`python -m dlsys_server --home DIR`: the platform of one data folder, at most one at a time.

With a command (`migrate`, `backup`, `restore`): what its operator does."""

from __future__ import annotations

import argparse
import asyncio
import importlib.metadata
import logging
import os
import secrets
import signal
import socket
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import uvicorn

from dlsys_server.core.backup.restoring import refuse_half_restored
from dlsys_server.core.errors import DlsysError
from dlsys_server.core.locks import locked
from dlsys_server.core.logs import configure_logging
from dlsys_server.core.settings import Settings, load_settings

from .app import create_app
from .commands import add_commands, run
from .doors import announce, retract, tcp_socket, unix_socket

log = logging.getLogger("dlsys")
ALREADY_RUNNING, CANNOT_START = 17, 18


class Server(uvicorn.Server):
    """Tells open event streams to end before uvicorn waits for them; says when it is ready."""

    def __init__(
        self, config: uvicorn.Config, stopping: threading.Event, ready: Callable[[], None]
    ) -> None:
        super().__init__(config)
        self._stopping, self._ready = stopping, ready

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """SIGTERM or SIGINT."""
        self._stopping.set()
        super().handle_exit(sig, frame)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start serving, then say so."""
        await super().startup(sockets)
        if not self.should_exit:
            self._ready()


def main() -> None:
    """Entry point of `dlsys-server`."""
    parser = argparse.ArgumentParser(prog="dlsys-server")
    parser.add_argument("--home", type=Path, help="data folder (default: DLSYS_HOME)")
    add_commands(parser)
    options = parser.parse_args()
    settings = load_settings(options.home)
    sys.exit(run(settings, options) if options.command else serve(settings))


def serve(settings: Settings) -> int:
    """The platform, until it is told to stop; its exit status."""
    os.umask(0o077)
    settings.home.mkdir(parents=True, exist_ok=True, mode=0o700)
    configure_logging(settings.log_level)
    with locked(settings.home / "platform.lock") as ours:
        if not ours:
            log.error("another platform runs on this data folder")
            return ALREADY_RUNNING
        try:
            refuse_half_restored(settings.home)
            started = asyncio.run(_serve(settings))
        except DlsysError as error:
            log.error("%s %s", error.detail, error.hint, extra={"code": error.code})
            started = False
    return 0 if started else CANNOT_START


async def _serve(settings: Settings) -> bool:
    secret = secrets.token_urlsafe(32)
    door, path = unix_socket(settings.home)
    program = tcp_socket(settings)
    url = f"http://{settings.listens_at[0]}:{program.getsockname()[1]}"
    version = importlib.metadata.version("jupyter-dlsys")
    server: Server | None = None

    def stop(reason: str) -> None:
        log.info("stopping", extra={"reason": reason})
        if server is not None:
            server.should_exit = True

    def ready() -> None:
        announce(settings, secret, url, path, version)
        log.info("ready", extra={"url": url})

    app = create_app(settings, secret, url=lambda: url, stop=stop, version=version)
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=4,
        timeout_keep_alive=75,
    )
    server = Server(config, app.state.stopping, ready)
    for number in (signal.SIGTERM, signal.SIGINT):  # uvicorn raises the one it got again at the end
        signal.signal(number, signal.SIG_IGN)
    try:
        await server.serve(sockets=[door, program])
    finally:
        retract(settings, path)
    return server.started


if __name__ == "__main__":
    main()
