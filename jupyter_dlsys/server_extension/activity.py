"""Behind a hub: a server whose kernel computes is in use, even when it computes silently.

Jupyter counts a kernel's messages; a cell that prints nothing for hours looks idle to the hub's
culler. Here each busy kernel counts, and what other parts of this server say they are working on.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import MutableMapping
from datetime import datetime, timezone
from typing import Any

INTERVAL_SECONDS = 60.0
WORK = "dlsys_work"
"""Setting of the server: a list of functions that say whether there is work going on."""


class Activity:
    """Marks the server as used while something in it works.

    Args:
        settings: of the server's web application; what the hub is told is kept there.
        kernels: its kernel manager.
    """

    def __init__(
        self, settings: MutableMapping[str, Any], kernels: Any, interval: float = INTERVAL_SECONDS
    ) -> None:
        self._settings, self._kernels, self._interval = settings, kernels, interval
        self._task: asyncio.Task[None] | None = None
        settings.setdefault(WORK, [])

    def begin(self) -> None:
        """Look from now on. Calling it again is harmless."""
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._watch())

    async def end(self) -> None:
        """Look no longer."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    def note(self) -> bool:
        """Mark the server as used now if it works; whether it does."""
        working = self._busy() or any(works() for works in self._settings[WORK])
        if working:
            self._settings["api_last_activity"] = datetime.now(timezone.utc)
        return working

    def _busy(self) -> bool:
        kernels = (self._kernels.get_kernel(key) for key in self._kernels.list_kernel_ids())
        return any(getattr(kernel, "execution_state", "") == "busy" for kernel in kernels)

    async def _watch(self) -> None:
        while True:
            with contextlib.suppress(KeyError, RuntimeError):  # a kernel that ended while we looked
                self.note()
            await asyncio.sleep(self._interval)
