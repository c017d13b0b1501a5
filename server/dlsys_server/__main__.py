"""`python -m dlsys_server --home DIR`: the platform of one data folder, at most one at a time.

With a command (`migrate`, `backup`, `restore`): what its operator does; only that is loaded."""

from __future__ import annotations

import argparse
import asyncio
import importlib.metadata
import logging
import os
import secrets
import signal
import sys
from pathlib import Path

from dlsys_server.core.backup.restoring import refuse_half_restored
from dlsys_server.core.errors import DlsysError
from dlsys_server.core.locks import locked
from dlsys_server.core.logs import configure_logging
from dlsys_server.core.settings import Settings, load_settings

from .commands import add_commands, run

log = logging.getLogger("dlsys")
ALREADY_RUNNING, CANNOT_START = 17, 18


def main() -> None:
    """Entry point of `dlsys-server`."""
    parser = argparse.ArgumentParser(prog="dlsys-server")
    parser.add_argument("--home", type=Path, help="data folder (default: DLSYS_HOME)")
    parser.add_argument("--answering", action="store_true", help=argparse.SUPPRESS)
    add_commands(parser)
    options = parser.parse_args()
    settings = load_settings(options.home)
    if options.answering:
        from .answer import answer

        sys.exit(answer(settings))
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
    from .answering import Answerers, Doors
    from .app import create_app
    from .doors import announce, retract, tcp_socket, unix_socket
    from .listening import Server

    secret = secrets.token_urlsafe(32)
    door, path = unix_socket(settings.home, "platform.sock")
    program = tcp_socket(settings)
    private, private_path = None, None
    if settings.processes > 1:
        private, private_path = unix_socket(settings.home, "main.sock")
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
    server = Server(app, ready, [door, program], private)
    if private_path is not None:
        server.answer_by(
            Answerers(
                settings,
                app.state.parts,
                Doors([door, program], private_path, url),
                secret,
                server.changed,
                stop,
            )
        )
    for number in (signal.SIGTERM, signal.SIGINT):  # uvicorn raises the one it got again at the end
        signal.signal(number, signal.SIG_IGN)
    try:
        await server.serve(sockets=server.listeners)
    finally:
        retract(settings, path, private_path)
    return server.started


if __name__ == "__main__":
    main()
