"""On which machine a job starts: this one, or another platform's on the same database."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

from dlsys_server.core.peers import Peers

from .queueing import Candidate, Holdings, Limits, Outlook, Running, decide
from .slots import Asks, Capacity, Slots


class Workers:
    """What each living worker has. `own` is this platform's."""

    def __init__(self, peers: Peers, own: Capacity) -> None:
        self.peers, self.own = peers, own

    def all(self) -> dict[str, Capacity]:
        """By name, this one first."""
        found = {self.peers.worker: self.own}
        for worker, peer in self.peers.living().items():
            found.setdefault(worker, Capacity(peer.cpus, peer.memory_bytes, peer.gpus))
        return found

    def pooled(self) -> Capacity:
        """Of all together, to explain the queue with."""
        found = self.all()
        if len(found) == 1:
            return self.own
        gpus = [_pooled(self.peers.worker, w, gpu) for w, one in found.items() for gpu in one.gpus]
        return Capacity(
            sum(one.cpus for one in found.values()),
            sum(one.memory_bytes for one in found.values()),
            tuple(gpus),
        )

    def pooled_running(self, running: Sequence[Running]) -> Sequence[Running]:
        """Jobs of living workers as holders of pooled capacity."""
        if not self.peers.many:
            return running
        living, own = self.all(), self.peers.worker
        return [
            replace(one, gpu_ids=tuple(_pooled(own, one.worker, gpu) for gpu in one.gpu_ids))
            for one in running
            if (one.worker or own) in living
        ]

    def machine(self, asks: Asks) -> Capacity:
        """One that could take the job; this one when none can."""
        return next((one for one in self.all().values() if Slots.all(one).fits(asks)), self.own)

    def place(
        self,
        ordered: Callable[[], Iterator[Candidate]],
        running: Iterable[Running],
        limits: Limits,
        outlook: Outlook,
        now: float,
    ) -> list[Running]:
        """What starts now, and where: the machine with most free CPUs is asked first. A job that
        is tried again stays where its checkpoints are, while that worker lives.

        Args:
            ordered: the waiting jobs, the next one first; read only as far as is needed.
        """
        workers, own = self.all(), self.peers.worker
        held = {name: Holdings(capacity, limits) for name, capacity in workers.items()}
        for one in running:
            _hold(held, one.worker or own, one)
        starts: list[Running] = []
        for name in sorted(held, key=lambda worker: -held[worker].free.cpus):
            taken = {one.job.id for one in starts}
            room = Slots.all(workers[name])
            mine = (
                job
                for job in ordered()
                if job.id not in taken
                and room.fits(job)
                and (job.worker not in workers or job.worker == name)
            )
            for one in decide(mine, held[name], outlook, now).starts:
                starts.append(replace(one, worker=name))
                for other in held.keys() - {name}:
                    held[other].count(one.job)
        return starts


def _hold(held: dict[str, Holdings], worker: str, one: Running) -> None:
    """It takes slots of its worker; under limits it counts everywhere."""
    for name, holdings in held.items():
        if name == worker:
            holdings.add(one)
        else:
            holdings.count(one.job)


def _pooled(own: str, worker: str, gpu: str) -> str:
    return gpu if worker in ("", own) else f"{worker}/{gpu}"
