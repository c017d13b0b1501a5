"""The gateway as a process: lock, ports, signals, orderly end."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import logging
import os
import signal
import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path
from typing import IO, Any

import orjson
import uvicorn

from dlsys_server.serving.gateway.control import ControlApp
from dlsys_server.serving.gateway.http import OneWriteProtocol
from dlsys_server.serving.gateway.link import remove_left_scratch
from dlsys_server.serving.gateway.public import PublicApp
from dlsys_server.serving.gateway.spares import WorkerStarter
from dlsys_server.serving.gateway.supervisor import Supervisor

_log = logging.getLogger(__name__)
DRAIN_SECONDS = 5
LOCKED = 3
_BACKLOG = 2048


@dataclass(frozen=True)
class Options:
    """How to run. `port` 0: the last one if it is free, else any."""

    folder: Path
    port: int = 0
    host: str = "127.0.0.1"
    keep_spare: bool = True


class Locked(Exception):
    """Another gateway serves this folder."""


def run(options: Options) -> int:
    """Serve until SIGTERM or SIGINT. Returns the exit status; 3 when the folder is taken."""
    os.umask(0o077)
    options.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with _lock(options.folder / "gateway.lock"):
            remove_left_scratch(options.folder)
            _run_loop(options)
    except Locked as error:
        print(error, file=sys.stderr)  # noqa: T201
        return LOCKED
    return 0


def _run_loop(options: Options) -> None:
    try:
        import uvloop
    except ImportError:
        asyncio.run(_serve(options))
    else:
        uvloop.run(_serve(options))


@contextlib.contextmanager
def _lock(path: Path) -> Iterator[IO[bytes]]:
    with path.open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Locked(f"another gateway serves {path.parent}") from None
        yield file


async def _serve(options: Options) -> None:
    folder = options.folder
    public_socket = _public_socket(options)
    port = public_socket.getsockname()[1]
    about = {
        "pid": os.getpid(),
        "url": f"http://{_in_url(options.host)}:{port}",
        "version": version(),
        "started": datetime.now(timezone.utc).isoformat(),
    }
    control_socket = _unix_socket(folder / "gateway.sock")
    supervisor = Supervisor(folder, WorkerStarter(folder, keep_spare=options.keep_spare))
    stop = asyncio.Event()
    servers = [
        _Server(PublicApp(supervisor, version()), DRAIN_SECONDS),
        _Server(ControlApp(supervisor, about, stop.set), 1),
    ]
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    supervisor.start()
    sockets = [public_socket, control_socket]
    tasks = [
        loop.create_task(server.serve(sockets=[sock]))
        for server, sock in zip(servers, sockets, strict=True)
    ]
    waiting = loop.create_task(stop.wait())
    try:
        while not all(server.started for server in servers) and not any(t.done() for t in tasks):
            await asyncio.sleep(0.005)
        _remember_port(folder, port)
        _write(folder / "gateway.json", about)
        await asyncio.wait([*tasks, waiting], return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()
        for server in servers:
            server.should_exit = True
        await asyncio.gather(*tasks, return_exceptions=True)
        await supervisor.stop()
        for name in ("gateway.json", "gateway.sock"):
            (folder / name).unlink(missing_ok=True)


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers: the process has its own."""

    def __init__(self, app: Any, drain: int) -> None:
        config = uvicorn.Config(
            app, lifespan="off", http=OneWriteProtocol, ws="none", loop="none", log_config=None,
            access_log=False, server_header=False, proxy_headers=False, date_header=False,
            interface="asgi3", backlog=_BACKLOG, timeout_graceful_shutdown=drain,
            timeout_keep_alive=75,
        )  # fmt: skip
        super().__init__(config)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def version() -> str:
    """Version of the installed package."""
    try:
        return metadata.version("jupyter-dlsys")
    except metadata.PackageNotFoundError:
        return "0"


def _public_socket(options: Options) -> socket.socket:
    family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
    last = 0 if options.port else _last_port(options.folder)
    for port in dict.fromkeys([options.port or last, options.port]):
        sock = socket.socket(family, socket.SOCK_STREAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind((options.host, port))
        except OSError:
            sock.close()
            if port == options.port:
                raise
            continue
        return sock
    raise AssertionError("unreachable")


def _last_port(folder: Path) -> int:
    """Port of the gateway before, so that its URL stays the same."""
    with contextlib.suppress(OSError, ValueError):
        return int((folder / "port").read_text())
    return 0


def _remember_port(folder: Path, port: int) -> None:
    (folder / "port").write_text(str(port))


def _unix_socket(path: Path) -> socket.socket:
    path.unlink(missing_ok=True)  # the lock is ours: whoever made it is gone
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.bind(str(path))
    except OSError as error:
        sock.close()
        if len(str(path)) > 100:
            raise OSError(f"the path of the control socket is too long: {path}") from error
        raise
    path.chmod(0o600)
    return sock


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _write(path: Path, content: dict[str, Any]) -> None:
    part = path.with_suffix(".part")
    part.write_bytes(orjson.dumps(content))
    part.replace(path)
