"""A running model version: its worker, kept alive, and its queue."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Any, Literal

from dlsys_server.serving.gateway.batching import BatchQueue, Part, Want, message
from dlsys_server.serving.gateway.errors import Refusal
from dlsys_server.serving.gateway.inputs import Rows
from dlsys_server.serving.gateway.link import WorkerLink
from dlsys_server.serving.gateway.routes_file import VersionSpec
from dlsys_server.serving.worker.frames import Header

_log = logging.getLogger(__name__)
_MAX_FAILED_STARTS = 3
_MAX_DEATHS = 6
_MAX_BACK_OFF = 10.0
_QUARANTINE = 256
State = Literal["starting", "ready", "restarting", "failed", "stopped"]
Starter = Callable[[int], Awaitable[WorkerLink]]


class StartFault(Exception):
    """The worker did not get ready. `final`: another try would end the same way."""

    def __init__(self, reason: str, *, final: bool) -> None:
        super().__init__(reason)
        self.final = final


class Replica:
    """Started by `start`, ended by `drain` or `stop`; `on_change` is called when `state`
    changes.
    """

    def __init__(
        self, name: str, version: str, spec: VersionSpec, starter: Starter,
        on_change: Callable[[], None],
    ) -> None:  # fmt: skip
        self.name, self.version, self.spec = name, version, spec
        self.state: State = "starting"
        self.error = ""
        self.contract: dict[str, Any] = {}
        self.isolation = ""
        self.notes: list[str] = []
        self.restarts = 0
        self.since: float | None = None
        self._starter, self._on_change = starter, on_change
        self._queue = BatchQueue()
        self._link: WorkerLink | None = None
        self._batch: list[Part] = []
        self._sent = 0.0
        self._watchdog: asyncio.TimerHandle | None = None
        self._kick_planned = False
        self._deaths = 0
        self._start_seconds, self._down_since = 5.0, time.monotonic()
        self._poison: OrderedDict[bytes, None] = OrderedDict()
        self._last_suspect = False
        self._life: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        return self._link.pid if self._link else None

    @property
    def idle(self) -> bool:
        return not self._batch and not len(self._queue)

    @property
    def max_batch(self) -> int:
        return int(self.contract.get("max_batch") or self.spec.max_batch)

    def start(self) -> None:
        self._life = asyncio.get_running_loop().create_task(self._live())

    async def drain(self, limit: float) -> None:
        """Answer what is queued, for at most `limit` seconds, then stop."""
        end = time.monotonic() + limit
        while not self.idle and self.state in ("ready", "restarting") and time.monotonic() < end:
            await asyncio.sleep(0.02)
        await self.stop()

    async def stop(self) -> None:
        """End the worker; what still waits gets 503."""
        if self._life:
            self._life.cancel()
            await asyncio.gather(self._life, return_exceptions=True)
        link, self._link = self._link, None
        if link:
            await link.stop()
        self._set("stopped", self.error)

    def submit(self, rows: Rows, want: Want, deadline: float | None) -> list[Part]:
        """Queue a request, in parts of at most a batch. Raises Refusal when it cannot be taken."""
        if self.state not in ("ready", "restarting"):
            raise Refusal(503, f"version {self.version} is not ready: {self.state}", retry_after=2)
        # An idle worker always takes one: else what was learned in a slow hour is never unlearned.
        slo = None if self.idle and self.state == "ready" else self.spec.slo_ms
        self._queue.admit(rows, self.max_batch, slo, self._not_ready_seconds())
        size = self.max_batch
        pieces = (
            [rows]
            if rows.count <= size
            else [rows.part(i, min(i + size, rows.count)) for i in range(0, rows.count, size)]
        )
        parts = [Part(piece, want, deadline) for piece in pieces]
        for part in parts:
            if self._poison and _digest(part) in self._poison:
                part.fail(Refusal(500, "the model process died twice on this input before"))
            else:
                self._queue.put(part)
        self._plan_kick()
        return parts

    def _not_ready_seconds(self) -> float:
        if self.state == "ready":
            return 0.0
        return max(0.1, self._start_seconds - (time.monotonic() - self._down_since))

    # --- life of the worker ---

    async def _live(self) -> None:
        failed_starts = 0
        while True:
            try:
                await self._start_worker()
                failed_starts = 0
            except StartFault as fault:
                failed_starts += 1
                await self._discard()
                _log.warning("%s version %s did not start: %s", self.name, self.version, fault)
                if fault.final or failed_starts >= _MAX_FAILED_STARTS:
                    return self._set("failed", str(fault))
                self._set(self.state, str(fault))
                await asyncio.sleep(min(_MAX_BACK_OFF, 0.5 * 2**failed_starts))
                continue
            assert self._link
            await self._link.closed
            reason = await self._after_death()
            if self._deaths >= _MAX_DEATHS:
                return self._set(
                    "failed", f"the worker died {self._deaths} times in a row: {reason}"
                )
            self._set("restarting", reason)
            await asyncio.sleep(
                0 if self._deaths < 2 else min(_MAX_BACK_OFF, 0.1 * 2**self._deaths)
            )
            self.restarts += 1

    async def _start_worker(self) -> None:
        began = time.monotonic()
        if not self.spec.exists():
            raise StartFault(f"there is no model folder at {self.spec.path}", final=True)
        try:
            link = self._link = await self._starter(self.spec.limits.threads)
        except OSError as error:
            raise StartFault(f"the worker cannot be started: {error}", final=False) from error
        ready: asyncio.Future[Header] = asyncio.get_running_loop().create_future()

        def first_message(header: Header, blob: bytes) -> None:  # noqa: ARG001
            if header["type"] in ("ready", "failed") and not ready.done():
                ready.set_result(header)

        link.on_message = first_message
        order = {"type": "load", "path": self.spec.path, "trust": self.spec.trust}
        link.send({**order, "threads": self.spec.limits.threads})
        waiting: list[asyncio.Future[Any]] = [ready, link.closed]
        limit = self.spec.limits.start_timeout_s
        await asyncio.wait(waiting, timeout=limit, return_when=asyncio.FIRST_COMPLETED)
        if not ready.done():
            if not link.closed.done():
                raise StartFault(
                    f"no answer within {self.spec.limits.start_timeout_s:g} s of loading",
                    final=True,
                )
            raise StartFault(await link.explain(), final=False)
        header = ready.result()
        if header["type"] == "failed":
            raise StartFault(header["error"], final=True)
        self._ready(link, header, time.monotonic() - began)

    def _ready(self, link: WorkerLink, header: Header, seconds: float) -> None:
        self.contract, self.isolation = header["contract"], header["isolation"]
        self.notes = header["notes"]
        self._start_seconds = seconds
        self.since = time.time()
        link.on_message = self._on_message
        self._set("ready", "")
        self._plan_kick()

    async def _discard(self) -> None:
        link, self._link = self._link, None
        if link:
            link.kill()
            await link.stop()

    async def _after_death(self) -> str:
        """The worker ended by itself: put its batch back, or give up on a request that killed
        twice.
        """
        self._down_since = time.monotonic()
        self._stop_watchdog()
        batch, self._batch = self._batch, []
        again: list[Part] = []
        # A death that follows from one suspect request says nothing about the version.
        self._deaths += 0 if any(part.deaths for part in batch) else 1
        for part in batch:
            part.deaths += 1
            part.alone = True
            if part.deaths < 2:
                again.append(part)
                continue
            self._quarantine(part)
            part.fail(
                Refusal(500, "the model process died twice on this input; it is not tried again")
            )
        self._queue.put_back(again)
        # From here on requests wait; say so before the exit status is known.
        self._set("restarting", "the worker ended")
        assert self._link
        reason = await self._link.explain()
        _log.warning("%s version %s: %s", self.name, self.version, reason)
        await self._discard()
        return reason

    def _quarantine(self, part: Part) -> None:
        self._poison[_digest(part)] = None
        while len(self._poison) > _QUARANTINE:
            self._poison.popitem(last=False)

    def _set(self, state: State, error: str) -> None:
        self.state, self.error = state, error
        if state in ("failed", "stopped"):
            self._stop_watchdog()
            gone = Refusal(503, f"version {self.version} is {state}: {error}", retry_after=5)
            for part in self._batch:
                part.fail(gone)
            self._batch = []
            self._queue.fail_all(gone)
        self._on_change()

    # --- batches ---

    def _plan_kick(self) -> None:
        if not self._kick_planned:
            self._kick_planned = True
            asyncio.get_running_loop().call_soon(self._kick)

    def _kick(self) -> None:
        self._kick_planned = False
        if self._batch or self.state != "ready" or self._link is None or self._link.closed.done():
            return
        batch = self._queue.take(self.max_batch)
        if not batch:
            return
        self._batch = batch
        loop = asyncio.get_running_loop()
        self._watchdog = loop.call_later(self.spec.limits.timeout_s, self._link.kill)
        self._sent = time.perf_counter()
        self._link.send(*message(batch))

    def _stop_watchdog(self) -> None:
        if self._watchdog:
            self._watchdog.cancel()
            self._watchdog = None

    def _on_message(self, header: Header, blob: bytes) -> None:
        self._stop_watchdog()
        batch, self._batch = self._batch, []
        self._queue.took(time.perf_counter() - self._sent)
        self._deaths = 0
        if header["type"] == "error":
            self._model_error(batch, header["error"])
        else:
            start = 0
            for part, sizes in zip(batch, header["sizes"], strict=True):
                fragments = []
                for size in sizes:
                    fragments.append(blob[start : start + size])
                    start += size
                if not part.future.done():
                    part.future.set_result(fragments)
        if len(self._queue):
            self._kick()

    def _model_error(self, batch: list[Part], error: str) -> None:
        """One bad input fails its whole batch: try each request alone, then blame the one."""
        if len(batch) == 1:
            batch[0].fail(Refusal(500, f"the model failed on this input: {error}"))
            return
        for part in batch:
            part.alone = True
        self._queue.put_back(batch)


def _digest(part: Part) -> bytes:
    digest = hashlib.blake2b(digest_size=16)
    for cell in part.rows.cells:
        digest.update(cell.raw if cell.values is None else repr(cell.values).encode())
    return digest.digest()
