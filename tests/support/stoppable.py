"""A service that a test stops or kills, and starts again."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable
from types import TracebackType


class Stoppable:
    """Runs inside `with`.

    Args:
        begin: starts the process and returns when it answers.
        politely: the signal that asks it to end.
        patience: seconds after which who was asked is killed.
    """

    def __init__(
        self,
        begin: Callable[[], subprocess.Popen[bytes]],
        politely: signal.Signals,
        patience: float = 15,
    ) -> None:
        self._begin, self._politely, self._patience = begin, politely, patience
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; returns when it answers."""
        self.process = self._begin()

    def stop(self) -> None:
        """Ask it to end; who does not is killed."""
        self._end(self._politely)

    def kill(self) -> None:
        """kill -9."""
        self._end(signal.SIGKILL)

    def _end(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)
        try:
            self.process.wait(self._patience)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(10)

    def __enter__(self) -> Stoppable:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.process is not None and self.process.poll() is None:
            self.kill()
