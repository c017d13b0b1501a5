"""`python -m dlsys_server --home DIR`: the platform of one data folder, at most one at a time."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import fcntl
import importlib.metadata
import json
import logging
import os
import secrets
import socket
import sys
import tempfile
import time
from pathlib import Path
from types import FrameType
from typing import TextIO

import uvicorn

from dlsys_server.core.errors import DlsysError
from dlsys_server.core.logs import configure_logging
from dlsys_server.core.settings import Settings, load_settings

from .app import create_app

log = logging.getLogger("dlsys")
LONGEST_SOCKET_PATH = 100
ALREADY_RUNNING, CANNOT_START = 3, 4


class Server(uvicorn.Server):
    """Tells open event streams to end before uvicorn waits for them; publishes itself when ready."""

    def __init__(self, config: uvicorn.Config, stopping: asyncio.Event, ready: object) -> None:
        super().__init__(config)
        self._stopping, self._ready = stopping, ready

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """SIGTERM or SIGINT."""
        self._stopping.set()
        super().handle_exit(sig, frame)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start serving, then say where."""
        await super().startup(sockets)
        if not self.should_exit and callable(self._ready):
            self._ready()


def main() -> None:
    """Entry point of `dlsys-server`."""
    parser = argparse.ArgumentParser(prog="dlsys-server")
    parser.add_argument("--home", type=Path, help="data folder (default: DLSYS_HOME)")
    settings = load_settings(parser.parse_args().home)
    os.umask(0o077)
    settings.home.mkdir(parents=True, exist_ok=True, mode=0o700)
    configure_logging(settings.log_level)
    with (settings.home / "platform.lock").open("a+") as lock:
        if not _take(lock):
            log.error("another platform runs on this data folder")
            sys.exit(ALREADY_RUNNING)
        try:
            asyncio.run(_serve(settings))
        except DlsysError as error:
            log.error("%s %s", error.detail, error.hint, extra={"code": error.code})
            sys.exit(CANNOT_START)


def _take(lock: TextIO) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


async def _serve(settings: Settings) -> None:
    secret = secrets.token_urlsafe(32)
    door, program = _unix_socket(settings.home), _tcp_socket(settings)
    url = f"http://{settings.host}:{program.getsockname()[1]}"
    version = importlib.metadata.version("jupyter-dlsys")
    server: Server | None = None

    def stop(reason: str) -> None:
        log.info("stopping", extra={"reason": reason})
        if server is not None:
            server.should_exit = True

    app = create_app(settings, secret, url=lambda: url, stop=stop, version=version)

    def announce() -> None:
        _write(settings.home / "secret", secret)
        state = {
            "pid": os.getpid(),
            "url": url,
            "uds": str(door.getsockname()),
            "version": version,
            "started": time.time(),
            "idle_seconds": settings.idle_seconds,
        }
        _write(settings.home / "platform.json", json.dumps(state))
        log.info("ready", extra={"url": url})

    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=4,
        timeout_keep_alive=75,
    )
    server = Server(config, app.state.stopping, announce)
    try:
        await server.serve(sockets=[door, program])
    finally:
        for name in ("platform.json", "secret"):
            (settings.home / name).unlink(missing_ok=True)
        Path(door.getsockname()).unlink(missing_ok=True) if door.fileno() >= 0 else None
    if not server.started:
        sys.exit(CANNOT_START)


def _unix_socket(home: Path) -> socket.socket:
    path = home / "platform.sock"
    if len(os.fsencode(path)) > LONGEST_SOCKET_PATH:
        path = Path(tempfile.mkdtemp(prefix="dlsys-")) / "s"
    path.unlink(missing_ok=True)
    door = socket.socket(socket.AF_UNIX)
    door.bind(str(path))
    return door


def _tcp_socket(settings: Settings) -> socket.socket:
    """The configured port, else the last one, so that running jobs find a restarted platform."""
    remembered = settings.home / "port"
    last = 0
    with contextlib.suppress(OSError, ValueError):
        last = int(remembered.read_text())
    for port in (settings.port,) if settings.port else (last, 0):
        listener = socket.socket(socket.AF_INET)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((settings.host, port))
        except OSError as error:
            listener.close()
            log.warning("port is taken", extra={"port": port, "error": str(error)})
            continue
        remembered.write_text(str(listener.getsockname()[1]))
        return listener
    raise DlsysError(
        f"Port {settings.port} is taken.", hint="Choose another with DLSYS_PORT, or 0 for any."
    )


def _write(path: Path, text: str) -> None:
    temporary = path.with_name(f"{path.name}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as out:
        out.write(text)
    temporary.rename(path)


if __name__ == "__main__":
    main()
