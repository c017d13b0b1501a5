"""Starts workers, and keeps one that has imported its libraries but no model, to start the
next at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from pathlib import Path

from dlsys_server.serving.gateway.link import WorkerLink

_log = logging.getLogger(__name__)


class WorkerStarter:
    """`start` hands out the spare if there is one (of one thread, the usual), else a fresh
    process.
    """

    def __init__(self, home: Path, *, keep_spare: bool) -> None:
        self._home = home
        self._keep_spare = keep_spare
        self._spare: WorkerLink | None = None
        self._making: asyncio.Task[None] | None = None

    async def start(self, threads: int) -> WorkerLink:
        spare = self._spare
        if threads == 1 and spare is not None:
            self._spare = None
            if not spare.closed.done():
                return spare
            await spare.stop()
        return await WorkerLink.start(self._home, threads)

    def refill(self) -> None:
        """Make a spare if one is wanted; called when the machine has nothing better to do."""
        if not self._keep_spare or self._spare or (self._making and not self._making.done()):
            return
        self._making = asyncio.get_running_loop().create_task(self._make())

    async def _make(self) -> None:
        try:
            self._spare = await WorkerLink.start(self._home, 1)
        except OSError:
            _log.warning("no spare worker", exc_info=True)

    async def stop(self) -> None:
        if self._making:
            with contextlib.suppress(asyncio.CancelledError):
                await self._making
        spare, self._spare = self._spare, None
        self._keep_spare = False
        if spare:
            spare.kill()
            await spare.stop()
