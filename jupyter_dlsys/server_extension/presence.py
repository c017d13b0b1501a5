"""A Lab server that has joined a platform keeps it alive, by following its events."""

from __future__ import annotations

import asyncio
import contextlib
import logging

import httpx

from jupyter_dlsys.server_extension.backend import Backend, Upstream

PAUSE_SECONDS = 2.0
SILENCE = httpx.Timeout(10, read=60)


class Presence:
    """Holds one event stream open while the platform runs; never starts it."""

    def __init__(self, backend: Backend, log: logging.Logger) -> None:
        self._backend, self._log = backend, log
        self._task: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Be present from now on. Calling it again is harmless."""
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._stay())

    async def end(self) -> None:
        """Leave."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _stay(self) -> None:
        while True:
            if self._backend.joined:
                try:
                    await self._follow(await self._backend.upstream())
                except (httpx.HTTPError, OSError, RuntimeError) as error:
                    self._log.debug("the platform's event stream ended: %r", error)
            await asyncio.sleep(PAUSE_SECONDS)

    async def _follow(self, upstream: Upstream) -> None:
        headers = {"Authorization": f"Bearer {upstream.token}"}
        # No event has this topic: the stream stays silent but for its signs of life.
        params = {"topics": "presence"}
        async with upstream.http.stream(
            "GET", "/api/v1/events", params=params, headers=headers, timeout=SILENCE
        ) as answer:
            async for _ in answer.aiter_raw():
                pass
