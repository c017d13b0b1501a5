"""From threads to the event loop: run a coroutine there and wait for its answer."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from concurrent.futures import TimeoutError as FutureTimeout
from typing import Any, TypeVar

from .errors import Unavailable

T = TypeVar("T")


class LoopBridge:
    """Calls coroutines of the platform's loop from its worker threads."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None

    def attach(self, loop: asyncio.AbstractEventLoop) -> None:
        """Say which loop."""
        self._loop = loop

    def call(self, coroutine: Coroutine[Any, Any, T], timeout: float = 60) -> T:
        """The coroutine's result; never call it on the loop's own thread.

        Raises:
            Unavailable: no answer in time, or the platform is stopping.
        """
        if self._loop is None or self._loop.is_closed():
            coroutine.close()
            raise Unavailable("The platform is stopping.", hint="Try again in a moment.")
        future = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        try:
            return future.result(timeout)
        except FutureTimeout:
            future.cancel()
            raise Unavailable(
                "A part of the platform did not answer in time.", hint="Try again.", retry_after=2
            ) from None
