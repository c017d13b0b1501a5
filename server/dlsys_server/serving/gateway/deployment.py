"""One endpoint: moves from the version that answers to the version that should, without a gap."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any, Literal

from dlsys_server.serving.gateway.errors import Refusal
from dlsys_server.serving.gateway.replica import Replica, Starter
from dlsys_server.serving.gateway.routes_file import DeploymentSpec, VersionSpec
from dlsys_server.serving.gateway.statistics import Statistics

_log = logging.getLogger(__name__)
DRAIN_SECONDS = 30.0
State = Literal["starting", "ready", "degraded", "failed"]


class Deployment:
    """`apply` sets what is wanted; `_converge` runs at every change and does what is missing.

    The active version is started beside the one that answers; once it is warm the route flips
    and the
    old one is drained. A version on hold is warmed and not flipped to. If the active version cannot
    start, what answered goes on; if nothing answers, the previous version is tried.
    """

    def __init__(
        self, spec: DeploymentSpec, starter: Starter, on_settled: Callable[[], None]
    ) -> None:
        self.spec = spec
        self.statistics = Statistics()
        self.serving: Replica | None = None
        self.since = time.time()
        self.removed = False
        self._starter = starter
        self._on_change = on_settled
        self._replicas: dict[str, Replica] = {}
        self._leaving: dict[asyncio.Task[None], Replica] = {}
        self._restarts_before = 0
        self._pending = False

    @property
    def name(self) -> str:
        return self.spec.name

    def apply(self, spec: DeploymentSpec, *, retry: bool = False) -> None:
        """Want `spec` from now on. Failed versions are tried again when theirs changed, or on
        `retry`.
        """
        self.spec = spec
        for version, replica in list(self._replicas.items()):
            wanted = spec.versions.get(version)
            if wanted is not None and wanted.same_process(replica.spec):
                replica.spec = wanted
            if retry and replica.state == "failed" and replica is not self.serving:
                self._retire(version)
        self._converge()

    def remove(self) -> None:
        """Serve nothing any more; queued requests are still answered."""
        self.removed = True
        self.serving = None
        for version in list(self._replicas):
            self._retire(version)

    async def stop(self) -> None:
        """End all workers now."""
        self.removed = True
        replicas = [*self._replicas.values(), *self._leaving.values()]
        for task in self._leaving:
            task.cancel()
        await asyncio.gather(*(replica.stop() for replica in replicas))

    async def drained(self) -> None:
        """Wait until the versions on their way out have ended."""
        await asyncio.gather(*self._leaving, return_exceptions=True)

    def choose(self, version: str | None) -> Replica:
        """The replica that answers a request; for a given version only the one that serves.
        Raises Refusal.
        """
        serving = self.serving
        if version is not None and version not in self.spec.versions:
            raise Refusal(404, f"model {self.name!r} has no version {version!r}", field="version")
        if serving is None or serving.state == "failed":
            reason = self.message() or f"version {self.spec.active} is starting"
            raise Refusal(503, f"model {self.name!r} is not ready: {reason}", retry_after=2)
        if version is not None and version != serving.version:
            raise Refusal(
                503,
                f"version {version} of model {self.name!r} is not running; {serving.version} is",
                retry_after=5,
            )
        return serving

    def warmed(self, version: str) -> Replica:
        """A replica of that version, on hold or serving, to replay examples on. Raises Refusal."""
        replica = self._replicas.get(version)
        if replica is None:
            raise Refusal(
                404, f"version {version!r} of {self.name!r} is neither serving nor on hold"
            )
        if replica.state != "ready":
            detail = f"version {version} is {replica.state}"
            raise Refusal(
                503, f"{detail}: {replica.error}" if replica.error else detail, retry_after=1
            )
        return replica

    # --- states ---

    @property
    def settled(self) -> bool:
        """Whether nothing is under way: each version that should run is ready or has failed."""
        if self._leaving or self._pending:
            return False
        return all(r.state in ("ready", "failed") for r in self._replicas.values())

    def state(self) -> State:
        serving, target = self.serving, self._replicas.get(self.spec.active)
        if serving is None:
            failed = self._replicas and all(r.state == "failed" for r in self._replicas.values())
            return "failed" if failed else "starting"
        if serving.state == "failed":
            return "failed"
        held = self.spec.versions[self.spec.active].hold
        stuck = target is not None and target.state == "failed" and not held
        return "degraded" if stuck or serving.state != "ready" else "ready"

    def message(self) -> str:
        """Why it is not simply ready; empty when it is."""
        found = [
            f"version {replica.version}: {replica.error}"
            for replica in self._replicas.values()
            if replica.error and replica.state != "ready"
        ]
        return "; ".join(found)

    def failure(self) -> str:
        """Why the active version does not answer, once settled; empty when it does or is on
        hold.
        """
        target = self._replicas.get(self.spec.active)
        return target.error if target is not None and target.state == "failed" else ""

    def status(self) -> dict[str, Any]:
        """Everything the platform shows of this endpoint."""
        serving = self.serving
        return {
            "name": self.name,
            "project": self.spec.project,
            "state": self.state(),
            "message": self.message(),
            "settled": self.settled,
            "version": serving.version if serving else None,
            "target_version": self.spec.active,
            "previous_version": self.spec.previous,
            "pid": serving.pid if serving else None,
            "isolation": serving.isolation if serving else "",
            "notes": serving.notes if serving else [],
            "contract": serving.contract if serving else None,
            "restarts": self.restarts(),
            "since": self.since,
            "uptime_s": time.time() - serving.since if serving and serving.since else 0.0,
            "warming": [
                {
                    "version": r.version, "state": r.state, "message": r.error,
                    "hold": r.spec.hold, "contract": r.contract or None,
                }
                for r in self._replicas.values() if r is not serving
            ],
            **self.statistics.summary(),
        }  # fmt: skip

    def restarts(self) -> int:
        return self._restarts_before + sum(r.restarts for r in self._replicas.values())

    # --- convergence ---

    def _converge(self) -> None:
        self._pending = False
        if self.removed:
            return
        for version in sorted(self._wanted()):
            self._ensure(version, self.spec.versions[version])
        self._flip()
        wanted = self._wanted()
        for version in list(self._replicas):
            if version not in wanted and self._replicas[version] is not self.serving:
                self._retire(version)
        self._on_change()

    def _wanted(self) -> set[str]:
        spec = self.spec
        wanted = {v for v, entry in spec.versions.items() if entry.hold} | {spec.active}
        if self._needs_previous() and spec.previous:
            wanted.add(spec.previous)
        return wanted

    def _needs_previous(self) -> bool:
        """Whether nothing answers and the active version will not, at least not now."""
        if self.serving is not None and self.serving.state != "failed":
            return False
        target = self._replicas.get(self.spec.active)
        failed = target is not None and target.state == "failed"
        return failed or self.spec.versions[self.spec.active].hold

    def _ensure(self, version: str, wanted: VersionSpec) -> None:
        replica = self._replicas.get(version)
        if replica is not None and wanted.same_process(replica.spec):
            return
        if replica is not None:  # the same version, to be run in another way
            del self._replicas[version]
            if replica is self.serving:
                self._replicas[f"{version} (old)"] = replica
            else:
                self._leave(replica)
        replica = Replica(self.name, version, wanted, self._starter, self._converge_soon)
        self._replicas[version] = replica
        replica.start()

    def _converge_soon(self) -> None:
        if not self._pending:
            self._pending = True
            asyncio.get_running_loop().call_soon(self._converge)

    def _flip(self) -> None:
        spec = self.spec
        target = self._replicas.get(spec.active)
        if target is not None and target.state == "ready" and not spec.versions[spec.active].hold:
            self._serve(target)
        elif self.serving is None or self.serving.state == "failed":
            previous = self._replicas.get(spec.previous or "")
            if previous is not None and previous.state == "ready":
                self._serve(previous)

    def _serve(self, replica: Replica) -> None:
        if replica is not self.serving:
            _log.info("%s: version %s answers now", self.name, replica.version)
            self.serving = replica

    def _retire(self, version: str) -> None:
        replica = self._replicas.pop(version)
        self._leave(replica)

    def _leave(self, replica: Replica) -> None:
        self._restarts_before += replica.restarts
        task = asyncio.get_running_loop().create_task(replica.drain(DRAIN_SECONDS))
        self._leaving[task] = replica
        task.add_done_callback(self._left)

    def _left(self, task: asyncio.Task[None]) -> None:
        self._leaving.pop(task, None)
        self._on_change()
