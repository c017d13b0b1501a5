"""A thread that does a round again and again: woken when there is work, ended cleanly."""

from __future__ import annotations

import logging
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable

log = logging.getLogger(__name__)


class Loop(ABC):
    """Does `step` until stopped. One that fails is logged, told in `error`, and done again.

    Args:
        name: of the thread, and in the log.
        pause: seconds after a round that failed.
        patience: seconds that a stop waits for the round under way.
    """

    def __init__(self, name: str, *, pause: float, patience: float = 15.0) -> None:
        self.name, self.pause, self.patience = name, pause, patience
        self._wake, self._stopping = threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None
        self.error = ""
        self.tell_others: Callable[[], None] = lambda: None
        """Called by `wake`: the loop that has to do the work may be another process's."""

    @abstractmethod
    def step(self, woken: bool) -> float:
        """One round, told whether somebody called for it; seconds until the next one."""

    def start(self) -> None:
        """Begin in a thread."""
        self._thread = threading.Thread(target=self._run, name=self.name, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End after the round under way."""
        self._stopping.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join(self.patience)

    def wake(self) -> None:
        """Do the next round now, here and in other processes."""
        self.nudge()
        self.tell_others()

    def nudge(self) -> None:
        """Do the next round now."""
        self._wake.set()

    def stopping(self) -> bool:
        """Whether a long round should end early."""
        return self._stopping.is_set()

    def _run(self) -> None:
        woken = True
        while not self._stopping.is_set():
            seconds = self.pause
            try:
                seconds = self.step(woken)
            except Exception as error:
                self.error = f"{type(error).__name__}: {error}"
                log.exception("a round failed", extra={"loop": self.name})
            woken = self._wake.wait(seconds)
            self._wake.clear()
