"""The training room, put together: what the platform starts, stops and asks for its health."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from dlsys_server.access.quotas import QuotaService
from dlsys_server.core.database import Database
from dlsys_server.core.events import EventLog
from dlsys_server.core.places import Places
from dlsys_server.core.settings import Settings
from dlsys_server.core.store import ObjectStore
from dlsys_server.datasets.snapshots import SnapshotService
from dlsys_server.metadata.lineage import LineageService
from dlsys_server.metadata.service import MetadataService
from jupyter_dlsys.contract.system import PartHealth

from .accounts import Accounts
from .agent_service import AgentService
from .agents import Agents
from .allowances import Allowances
from .announcing import Announcer
from .attempts import Attempts
from .checkpoints import Checkpoints
from .closing import Closer
from .compute import Compute
from .dispatching import Dispatcher
from .doorbell import Doorbell
from .durations import Durations
from .explaining import Explainer
from .finishing import Finisher
from .gathering import Gatherer
from .gpu_hours import gpu_hours, left_behind, running_jobs
from .gpus import GpuReader
from .helped import Helped
from .isolation import IsolationProbe
from .keeping import Keeper
from .launching import Launcher
from .leading import Leadership
from .machine import Machine
from .places import Here, Place
from .placing import Workers
from .quota_gate import Gate
from .quota_watch import QuotaWatch
from .repeating import Repeater
from .sampling import Sampler
from .scheduler import Scheduler
from .settling import Settler
from .sharing import Shares
from .slots import probe_capacity
from .turns import Turns
from .warm import Warm


@dataclass(frozen=True)
class Neighbours:
    """What this room needs of the rooms below it."""

    settings: Settings
    database: Database
    store: ObjectStore
    events: EventLog
    snapshots: SnapshotService
    metadata: MetadataService
    lineage: LineageService
    platform_url: Callable[[], str]
    quotas: QuotaService
    places: Places


class TrainingRoom:
    """Everything that runs jobs, built once; nothing is started."""

    def __init__(self, near: Neighbours) -> None:
        self.near = near
        near.quotas.meters["gpu_hours"].append(gpu_hours)
        near.quotas.meters["jobs"].append(running_jobs)
        near.quotas.meters["storage_bytes"].append(left_behind)
        settings, database = near.settings, near.database
        self.announcer = Announcer(near.events)
        self.warm = Warm(settings)
        accounts = Accounts(settings.job_account, many=settings.identity == "hub")
        place = place_of(settings, self.warm, accounts)
        self.attempts = Attempts(settings, self.warm, accounts, place)
        self.keeper = Keeper(near.store, self.attempts, settings.home / "cache")
        self.checkpoints = Checkpoints(self.keeper, self.attempts)
        self.capacity = probe_capacity(settings)
        self.isolation = IsolationProbe(settings, accounts, self.attempts.root, place)
        leadership = Leadership.of(database, near.places.worker)
        launcher = self._launcher(leadership)
        self.explainer, dispatcher = self._queue(leadership, launcher)
        settler = self._settler(leadership, launcher)
        watch = QuotaWatch(leadership.leader_database, near.quotas, self.announcer)
        self.scheduler = Scheduler(leadership, self.capacity, launcher, settler, dispatcher, watch)
        dispatcher.placed_elsewhere = lambda: self.scheduler.tell_others()
        self.bell = Doorbell(self.attempts.root, self.scheduler.nudge)
        self.agents = AgentService(
            database,
            self.attempts,
            leadership.worker,
            settings.job_disk_bytes,
            self.scheduler.wake,
            near.places.need_main,
        )
        self.compute = self._compute()
        self.repeater = Repeater(database, self.announcer, self.checkpoints, self.gate)

    def _launcher(self, leadership: Leadership) -> Launcher:
        near = self.near
        return Launcher(
            leadership.own_database,
            self.checkpoints,
            self.announcer,
            near.snapshots,
            near.metadata,
            near.lineage,
            near.platform_url,
        )

    def _queue(self, leadership: Leadership, launcher: Launcher) -> tuple[Explainer, Dispatcher]:
        database, gatherer = self.near.database, Gatherer()
        shares, durations = Shares(database, self.capacity), Durations(database)
        workers = Workers(self.near.places.peers, self.capacity)
        allowances = Allowances(self.near.settings, self.near.quotas)
        turns = Turns(workers, allowances, durations, shares)
        self.gate = Gate(database, self.near.quotas, durations)
        dispatcher = Dispatcher(leadership, gatherer, turns, launcher, self.announcer)
        return Explainer(database, gatherer, turns, launcher), dispatcher

    def _settler(self, leadership: Leadership, launcher: Launcher) -> Settler:
        own, worker = leadership.own_database, leadership.worker
        finisher = Finisher(own, self.keeper, self.announcer, self.capacity)
        closer = Closer(own, self.attempts, self.near.metadata, self.checkpoints, worker)
        return Settler(own, launcher, finisher, closer, self.announcer, worker)

    def _compute(self) -> Compute:
        machine, gpus = Machine(), GpuReader(self.capacity.gpus)
        sampler = Sampler(self.near.database, self.attempts, machine, gpus)
        return Compute(
            self.near.database,
            self.near.places.peers,
            self.capacity,
            sampler,
            machine,
            gpus,
            isolation=self.isolation.look,
            warm=self.warm.info,
        )

    async def start(self, used: bool) -> None:
        """Begin to run jobs. `used`: jobs have run here before, so the zygote is wanted at once."""
        self.bell.start()
        self.scheduler.start()
        await self.warm.start(used)
        self.compute.sampler.start()

    async def stop(self) -> None:
        """Stop; jobs go on under their supervisors."""
        await asyncio.to_thread(self.scheduler.stop)
        await asyncio.to_thread(self.compute.sampler.stop)
        await self.warm.stop()
        self.bell.stop()

    def health(self) -> list[PartHealth]:
        """Its parts, for /health."""
        return [
            _of_thread("scheduler", self.scheduler.error),
            self.isolation.health(),
            *filter(None, [self.attempts.place.health()]),
            self.warm.health(),
            _of_thread("usage", self.compute.sampler.error),
        ]


def place_of(settings: Settings, warm: Warm, accounts: Accounts) -> Place:
    """Where attempts run, as the setting `launcher` says."""
    if settings.launcher == "agent":
        return Agents(settings)
    kind = Helped if settings.launcher == "helper" else Here
    return kind(settings, warm, accounts)


def _of_thread(name: str, error: str) -> PartHealth:
    return PartHealth(name=name, state="degraded" if error else "ok", message=error)
