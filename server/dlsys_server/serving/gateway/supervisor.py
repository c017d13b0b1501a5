"""All endpoints of this gateway: reads the routes and makes them true."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from pathlib import Path
from typing import Any

from dlsys_server.serving.gateway import routes_file
from dlsys_server.serving.gateway.deployment import Deployment
from dlsys_server.serving.gateway.errors import RoutesFault
from dlsys_server.serving.gateway.routes_file import Routes
from dlsys_server.serving.gateway.spares import WorkerStarter

_log = logging.getLogger(__name__)
_POLL_SECONDS = 1.0
Stamp = tuple[int, int, int]


class Supervisor:
    """Owns the deployments. `routes` is what is wanted now; `used` says when each token was used
    since somebody asked.
    """

    def __init__(self, folder: Path, starter: WorkerStarter) -> None:
        self.routes = Routes()
        self.fault = ""
        self.used: dict[str, float] = {}
        self.deployments: dict[str, Deployment] = {}
        self._file = folder / "routes.json"
        self._starter = starter
        self._removed: set[Deployment] = set()
        self._stamp: Stamp | None = None
        self._changed = asyncio.Event()
        self._poller: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Serve what the file says and follow its changes."""
        self._reload_if_changed()
        self._poller = asyncio.get_running_loop().create_task(self._poll())

    async def stop(self) -> None:
        """End all workers."""
        if self._poller:
            self._poller.cancel()
            await asyncio.gather(self._poller, return_exceptions=True)
        everything = [*self.deployments.values(), *self._removed]
        await asyncio.gather(*(d.stop() for d in everything), self._starter.stop())

    async def apply(self, timeout: float, retry: list[str]) -> dict[str, Any]:
        """Read the file now and wait until all is settled, or for `timeout` seconds. Raises
        RoutesFault.

        `retry`: deployments whose failed version is tried once more.
        """
        self._reload(retry)
        loop = asyncio.get_running_loop()
        end = loop.time() + timeout
        while not self.settled and loop.time() < end:
            self._changed.clear()
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._changed.wait(), end - loop.time())
        return {**self.status(), "failed": self.failures()}

    @property
    def settled(self) -> bool:
        return not self._removed and all(d.settled for d in self.deployments.values())

    def failures(self) -> dict[str, str]:
        """Deployments whose active version did not start, with the reason."""
        found = {name: d.failure() for name, d in self.deployments.items()}
        return {name: reason for name, reason in found.items() if reason}

    def status(self) -> dict[str, Any]:
        return {
            "revision": self.routes.revision,
            "settled": self.settled,
            "fault": self.fault,
            "deployments": {name: d.status() for name, d in self.deployments.items()},
        }

    # --- reading ---

    async def _poll(self) -> None:
        while True:
            await asyncio.sleep(_POLL_SECONDS)
            self._reload_if_changed()
            if self.settled and any(d.serving for d in self.deployments.values()):
                self._starter.refill()

    def _reload_if_changed(self) -> None:
        if self._current_stamp() == self._stamp:
            return
        with contextlib.suppress(RoutesFault):
            self._reload([])

    def _current_stamp(self) -> Stamp | None:
        try:
            stat = self._file.stat()
        except OSError:
            return None
        return stat.st_mtime_ns, stat.st_ino, stat.st_size

    def _reload(self, retry: list[str]) -> None:
        stamp = self._current_stamp()
        try:
            routes = routes_file.read(self._file)
        except RoutesFault as fault:
            if self.fault != str(fault):
                _log.error("%s; the routes before stay", fault)
            self.fault, self._stamp = str(fault), stamp
            raise
        self.fault, self._stamp = "", stamp
        self._take(routes, retry)

    def _take(self, routes: Routes, retry: list[str]) -> None:
        self.routes = routes
        for name in [name for name in self.deployments if name not in routes.deployments]:
            self._remove(self.deployments.pop(name))
        for name, spec in routes.deployments.items():
            deployment = self.deployments.get(name)
            if deployment is None:
                deployment = Deployment(spec, self._starter.start, self._changed.set)
                self.deployments[name] = deployment
            deployment.apply(spec, retry=name in retry)

    def _remove(self, deployment: Deployment) -> None:
        deployment.remove()
        self._removed.add(deployment)
        task = asyncio.get_running_loop().create_task(deployment.drained())
        task.add_done_callback(lambda _: self._forget(deployment))

    def _forget(self, deployment: Deployment) -> None:
        self._removed.discard(deployment)
        self._changed.set()
