"""What jobs and the machine use, as the API tells it."""

from __future__ import annotations

import platform
from collections.abc import Callable, Sequence

from sqlalchemy import select

from dlsys_server.core.database import Database
from dlsys_server.core.peers import Peer, Peers
from jupyter_dlsys.contract.jobs import TERMINAL_STATES
from jupyter_dlsys.contract.system import Gpu, Isolation, JobUsage, UsagePoint, Warm, Worker

from .gpus import GpuReader, GpuState
from .hints import Asked, hints
from .machine import Machine
from .sampling import Sampler, read_points
from .slots import Capacity
from .states import HOLDING
from .tables import JobRow
from .usage import Point, cpu_seconds, peak_memory


class Compute:
    """Looks only; nothing here changes a job."""

    def __init__(
        self,
        database: Database,
        peers: Peers,
        capacity: Capacity,
        sampler: Sampler,
        machine: Machine,
        gpus: GpuReader,
        isolation: Callable[[], Isolation | None] = lambda: None,
        warm: Callable[[], Warm | None] = lambda: None,
    ) -> None:
        self.database, self.peers, self.capacity = database, peers, capacity
        self.sampler, self.machine, self.gpus = sampler, machine, gpus
        self.isolation, self.warm = isolation, warm

    def usage(self, job: JobRow) -> JobUsage:
        """What a job used over time, all attempts, up to the newest look."""
        with self.database.read() as session:
            points = read_points(session, job.id)
        newest = self.sampler.pending(job.id)
        if newest is not None and points and newest.at > points[-1].at:
            points.append(newest)
        asked = Asked(job.cpus, job.memory_limit, job.gpus)
        running = job.state not in TERMINAL_STATES
        return JobUsage(
            job=job.id,
            points=[UsagePoint(**point._asdict()) for point in points],
            cpu_seconds=cpu_seconds(points),
            peak_memory_bytes=peak_memory(points),
            hints=hints(newest_attempt(points), asked, running),
        )

    def workers(self) -> list[Worker]:
        """This machine, and those of other platforms on the same database."""
        with self.database.read() as session:
            holding = session.scalars(select(JobRow).where(JobRow.state.in_(HOLDING))).all()
        living, me = self.peers.living(), self.peers.worker
        own = [job for job in holding if not self.peers.many or job.worker in (None, me)]
        found = [self._own(own, living.get(me))]
        for peer in living.values():
            if peer.worker != me:
                capacity = Capacity(peer.cpus, peer.memory_bytes, peer.gpus)
                jobs = [job for job in holding if job.worker == peer.worker]
                found.append(self._told(_worker(peer.worker, capacity, jobs), peer))
        return found

    def _own(self, holding: Sequence[JobRow], peer: Peer | None) -> Worker:
        name = self.peers.worker if self.peers.many else platform.node() or "local"
        found = _worker(name, self.capacity, holding).model_copy(
            update={
                "cpu_load": self.machine.cpu_load(),
                "memory_bytes_load": self.machine.memory_load(),
                "gpu_details": self._gpus(holding),
                "isolation": self.isolation(),
                "warm": self.warm(),
            }
        )
        return found if peer is None else self._told(found, peer)

    def _told(self, worker: Worker, peer: Peer) -> Worker:
        leads = self.peers.holder("scheduler") == peer.worker
        told = {"platform": peer.name, "url": peer.url, "seen_at": peer.seen_at, "leads": leads}
        return worker.model_copy(update=told)

    def _gpus(self, holding: Sequence[JobRow]) -> list[Gpu]:
        states = self.gpus.states()
        found = []
        for gpu in self.capacity.gpus:
            state = states.get(gpu, GpuState(gpu))
            found.append(
                Gpu(
                    id=gpu,
                    name=state.name,
                    memory_bytes=state.memory_bytes,
                    memory_bytes_used=state.memory_bytes_used,
                    utilization=state.utilization,
                    jobs=[job.id for job in holding if gpu in job.gpu_ids],
                )
            )
        return found


def _worker(name: str, capacity: Capacity, holding: Sequence[JobRow]) -> Worker:
    return Worker(
        name=name,
        cpus=capacity.cpus,
        cpus_used=sum(job.cpus for job in holding),
        memory_bytes=capacity.memory_bytes,
        memory_bytes_used=sum(job.memory_limit or 0 for job in holding),
        gpus=list(capacity.gpus),
        gpus_used=len({gpu for job in holding for gpu in job.gpu_ids}),
        jobs=[job.id for job in holding],
    )


def newest_attempt(points: Sequence[Point]) -> list[Point]:
    """From the last point on that has no process: an attempt begins with one."""
    starts = [i for i, point in enumerate(points) if point.processes == 0]
    return list(points[starts[-1] if starts else 0 :])
