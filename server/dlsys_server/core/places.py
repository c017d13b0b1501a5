"""Where things are that not every process can reach: the main process of a home, another home."""

from __future__ import annotations

from dataclasses import dataclass

from .peers import Peers

MAIN = ""
"""The main process of this home."""


class Elsewhere(Exception):
    """The request is to be answered at another place: MAIN, or the name of a worker."""

    def __init__(self, place: str) -> None:
        super().__init__(place)
        self.place = place


@dataclass(frozen=True)
class Places:
    """Which home this is, and whether this is its main process."""

    peers: Peers
    main: bool = True

    @property
    def worker(self) -> str:
        """Name of this home's worker."""
        return self.peers.worker

    def need_main(self) -> None:
        """Only the main process can answer.

        Raises:
            Elsewhere: this is another one.
        """
        if not self.main:
            raise Elsewhere(MAIN)

    def need(self, worker: str | None) -> None:
        """Only the home of this worker can answer; any can when it has no worker.

        Raises:
            Elsewhere: this is another home.
        """
        if self.peers.many and worker and worker != self.worker:
            raise Elsewhere(worker)

    def need_holder(self, lease: str) -> None:
        """Only the home that has this lease can answer; any can when none has it.

        Raises:
            Elsewhere: another home has it.
        """
        self.need(self.peers.holder(lease))

    def need_tagged(self, tag: str) -> None:
        """Only the home of the worker with this tag can answer; any can when none lives.

        Raises:
            Elsewhere: another home has it.
        """
        self.need(self.peers.tagged(tag))
