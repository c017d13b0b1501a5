"""The MLflow child: ``python -m dlsys_server.metadata.mlflow --folder F --uds S --artifacts URI``.

Secrets come by the environment (`DLSYS_MLFLOW_SECRET`, `DLSYS_MLFLOW_DATABASE_URL`). One JSON line
per
event goes to standard output (`starting`, `migrated`, `ready`, `stopped`), everything else to
standard error.
The process ends with its parent.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import ctypes
import gc
import json
import logging
import os
import signal
import socket
import sys
import threading
import time
from pathlib import Path
from typing import IO, Any, NoReturn

from . import environment

_PR_SET_PDEATHSIG = 1


class Events:
    """The line-per-event channel to the parent; MLflow's own prints are sent to standard error."""

    def __init__(self) -> None:
        self._begun = time.monotonic()
        self._stream: IO[str] = os.fdopen(os.dup(1), "w")
        os.dup2(2, 1)

    def tell(self, event: str, **facts: Any) -> None:
        """Write one event; a parent that is gone is no error here."""
        line = {"event": event, "seconds": round(time.monotonic() - self._begun, 2), **facts}
        with contextlib.suppress(OSError):
            print(json.dumps(line), file=self._stream, flush=True)


def die_with(parent: int) -> None:
    """End this process when `parent` ends: by the kernel's signal, and by watching, should that be
    lost.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(10)
        os._exit(1)

    if os.getppid() != parent:
        sys.exit("the parent is gone already")
    threading.Thread(target=watch, daemon=True, name="parent-watch").start()


def listen(path: Path) -> socket.socket:
    """A unix socket that only this user can reach."""
    path.unlink(missing_ok=True)
    door = socket.socket(socket.AF_UNIX)
    previous = os.umask(0o177)
    try:
        door.bind(str(path))
    finally:
        os.umask(previous)
    return door


def serve(door: socket.socket, events: Events) -> None:
    """Serve MLflow on `door` until a signal."""
    import uvicorn

    from .app import create_app

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            events.tell("ready", pid=os.getpid(), rss_mb=_rss_mb())

    app = create_app()
    gc.freeze()
    gc.enable()
    config = uvicorn.Config(
        app,
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=5,
        timeout_keep_alive=75,
    )
    asyncio.run(Server(config).serve(sockets=[door]))


def _rss_mb() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 2**20


def main() -> None:
    """Read the arguments, prepare the databases, serve; or only look at them or prepare them."""
    parser = argparse.ArgumentParser(prog="dlsys-mlflow")
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--only", choices=["look", "migrate"], help="do this, and end")
    parser.add_argument("--uds", type=Path)
    parser.add_argument("--artifacts", default="", help="folder or s3:// address")
    parser.add_argument("--parent", type=int, required=True, help="process id to end with")
    options = parser.parse_args()
    events = Events()
    gc.disable()  # until it serves: nothing of what is imported is garbage, and looking costs 25 %
    # uvicorn raises the signal again when it is done: as SystemExit it still lets us clean up.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    die_with(options.parent)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    for noisy in ("alembic", "httpx", "mlflow.store.db.utils"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    events.tell("starting", pid=os.getpid())
    os.umask(0o077)
    (options.folder / "tmp").mkdir(parents=True, exist_ok=True, mode=0o700)
    database = environment.databases(options.folder, os.environ.get(environment.DATABASE_URL))
    environment.write_auth_ini(options.folder, database)
    os.environ.update(environment.mlflow_environment(options.folder, database, options.artifacts))
    if options.only:
        prepare_only(options.folder, database, events, options.only == "migrate")
    from .migrate import prepare

    prepare(options.folder, database)
    events.tell("migrated")
    door = listen(options.uds)
    try:
        serve(door, events)
    finally:
        options.uds.unlink(missing_ok=True)
        events.tell("stopped")
        end()


def prepare_only(
    folder: Path, database: environment.Databases, events: Events, migrate: bool
) -> None:
    """Say which revisions the databases have, bring them to ours if that is wanted, and end."""
    from .migrate import prepare, revisions

    before = revisions(database)
    if migrate:
        prepare(folder, database)
    events.tell("revisions", before=before, after=revisions(database))
    end()


def end() -> NoReturn:
    """At once: MLflow's own threads would keep the interpreter waiting."""
    logging.shutdown()
    os._exit(0)


if __name__ == "__main__":
    main()
