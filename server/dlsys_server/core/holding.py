"""A lease that is kept in a thread of its own, for work that takes longer than the lease."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable

from sqlalchemy.exc import SQLAlchemyError

from .leases import Lease
from .loops import Loop


class Holding(Loop):
    """Takes and renews a lease until stopped.

    Args:
        changed: called when it was taken or lost.
    """

    def __init__(self, lease: Lease, changed: Callable[[], None]) -> None:
        super().__init__(f"lease-{lease.name}", pause=lease.seconds / 10)
        self.lease, self.changed = lease, changed
        self._until = 0.0
        self.lost = False
        """Whether another one has it, as far as is known; not when it only was not renewed."""

    @property
    def held(self) -> bool:
        """Whether it is ours now."""
        return time.monotonic() < self._until

    def stop(self) -> None:
        """Let another one have it at once."""
        super().stop()
        self._until = 0.0
        with contextlib.suppress(SQLAlchemyError):  # then it just runs out
            self.lease.release()

    def step(self, woken: bool) -> float:
        """Take or renew it."""
        asked, before = time.monotonic(), self.held
        held = self.lease.hold()
        self._until = asked + self.lease.seconds if held else 0.0
        self.lost = not held
        if held != before:
            self.changed()
        return self.lease.seconds / (3 if held else 10) + 0.05  # sooner it would not ask
