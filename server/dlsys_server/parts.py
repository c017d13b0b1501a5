"""All parts of the platform, started and stopped in order; `building` makes them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from sqlalchemy.exc import SQLAlchemyError

from dlsys_server.access.audit import AuditLog
from dlsys_server.access.principals import DEFAULT_PROJECT, Identity
from dlsys_server.access.programs import ProgramTokens
from dlsys_server.access.projects import ProjectService
from dlsys_server.access.quotas import QuotaService
from dlsys_server.access.seeding import apply_seeds, read_seeds
from dlsys_server.api.forwarding import Forwarder
from dlsys_server.core import bells as names
from dlsys_server.core.bells import Bells
from dlsys_server.core.bridge import LoopBridge
from dlsys_server.core.database import Database
from dlsys_server.core.events import EventLog
from dlsys_server.core.notices import Notices
from dlsys_server.core.peers import Presence
from dlsys_server.core.places import Places
from dlsys_server.core.settings import Settings
from dlsys_server.core.store import ObjectStore
from dlsys_server.core.told import FromAnswerers, FromMain
from dlsys_server.datasets.naming import Names
from dlsys_server.datasets.policies import PolicyService
from dlsys_server.datasets.service import DatasetService
from dlsys_server.datasets.snapshots import SnapshotService
from dlsys_server.datasets.storage import Measuring
from dlsys_server.datasets.uploads import UploadService
from dlsys_server.metadata.lineage import LineageService
from dlsys_server.metadata.mlflow.child import MlflowChild
from dlsys_server.metadata.mlflow.client import MlflowClient
from dlsys_server.metadata.mlflow.elsewhere import ToldMlflow
from dlsys_server.metadata.mlflow.proxy import MlflowProxy
from dlsys_server.metadata.service import MetadataService
from dlsys_server.serving.control import GatewayControl
from dlsys_server.serving.rollout import Rollouts
from dlsys_server.serving.service import ServingService
from dlsys_server.training.agent_service import AgentService
from dlsys_server.training.room import TrainingRoom
from dlsys_server.training.service import TrainingService
from dlsys_server.workflows.service import ScheduleService
from jupyter_dlsys.contract.system import Health, PartHealth, PartState

NEEDED = ("mlflow", "gateway", "scheduler", "schedules", "rollouts", "store", "audit")


@dataclass
class Parts:
    """What create_app hands to the routes."""

    settings: Settings
    places: Places
    bells: Bells
    notices: Notices
    presence: Presence
    forwarder: Forwarder
    from_main: FromMain | None
    from_answerers: FromAnswerers
    database: Database
    store: ObjectStore
    events: EventLog
    bridge: LoopBridge
    identity: Identity
    audit: AuditLog
    projects: ProjectService
    tokens: ProgramTokens
    quotas: QuotaService
    uploads: UploadService
    datasets: DatasetService
    snapshots: SnapshotService
    policies: PolicyService
    lineage: LineageService
    child: MlflowChild | ToldMlflow
    client: MlflowClient
    proxy: MlflowProxy
    metadata: MetadataService
    room: TrainingRoom
    training: TrainingService
    schedules: ScheduleService
    control: GatewayControl
    rollouts: Rollouts
    serving: ServingService
    measuring: Measuring
    version: str

    @property
    def names(self) -> Names:
        """Which names of datasets callers may hear."""
        return self.snapshots.names

    @property
    def agents(self) -> AgentService:
        """What the agents in people's servers ask for."""
        return self.room.agents

    async def start(self) -> None:
        """Bring the schema up to date and start what runs beside the API."""
        loop = asyncio.get_running_loop()
        self.events.attach(loop)
        self.bridge.attach(loop)
        self._hang_bells()
        if not self.places.main:
            await asyncio.to_thread(self.audit.start)
            return
        await asyncio.to_thread(self.database.migrate)
        await asyncio.to_thread(self.audit.start)
        await asyncio.to_thread(self._make_projects)
        self.presence.start()
        self.notices.start()
        await self.child.start()
        await self.room.start(await asyncio.to_thread(self.training.used))
        self.rollouts.start()
        self.schedules.firer.start()
        self.measuring.start()

    def _hang_bells(self) -> None:
        """Between the loops of all processes of this home."""
        loops = {
            names.SCHEDULER: self.room.scheduler,
            names.ROLLOUTS: self.rollouts,
            names.SCHEDULES: self.schedules.firer,
        }
        for name, loop in loops.items():
            loop.tell_others = self.bells.ringer(name)
            self.bells.on(name, loop.nudge)
        self.events.tell_others = self.bells.ringer(names.EVENTS)
        self.bells.on(names.EVENTS, self.events.hear)
        self.room.warm.elsewhere = self.bells.ringer(names.WARM)
        if self.places.main:
            self.bells.on(names.WARM, self.room.warm.want)

    async def stop(self) -> None:
        """Stop in the opposite order; jobs go on under their supervisors."""
        if self.places.main:
            await asyncio.to_thread(self.measuring.stop)
            await asyncio.to_thread(self.schedules.firer.stop)
            await self.room.stop()
            await asyncio.to_thread(self.rollouts.stop)
            await asyncio.to_thread(self.control.stop)
            await asyncio.to_thread(self.presence.stop)
            await asyncio.to_thread(self.notices.stop)
        await self.forwarder.close()
        await self.serving.close()
        await self.proxy.close()
        await self.client.close()
        await self.child.stop()
        await asyncio.to_thread(self.audit.close)
        self.database.close()

    def _make_projects(self) -> None:
        if self.settings.identity == "embedded":
            self.projects.ensure(DEFAULT_PROJECT, self.settings.user)
        if self.settings.projects_file is not None:
            seeds = read_seeds(self.settings.projects_file)
            apply_seeds(self.database, seeds, self.settings.user)

    def busy(self) -> bool:
        """Whether anything would be missed if the platform ended now."""
        rooms = (self.training, self.serving, self.schedules)
        return bool(self.followers) or any(room.active() for room in rooms)

    @property
    def followers(self) -> int:
        """Open event streams, in all processes of this home."""
        return self.events.followers + self.from_answerers.followers

    def health(self) -> Health:
        """State of each part; the whole is as bad as what answers depend on."""
        parts = [self._database_health(), self._store_health(), *self.own_health()]
        states = {part.name: part.state for part in parts}
        worst: PartState = "ok"
        if {"failed", "degraded"} & {states[name] for name in NEEDED}:
            worst = "degraded"
        if "failed" in (states["database"], states["store"]):
            worst = "failed"
        return Health(state=worst, version=self.version, parts=parts)

    def own_health(self) -> list[PartHealth]:
        """Of what only the main process has; an answering one tells what that has said."""
        if self.from_main is not None:
            return self.from_main.parts()
        return [
            self.child.health(),
            *self.room.health(),
            self.control.health(),
            _thread_health("rollouts", self.rollouts.error),
            _thread_health("schedules", self.schedules.firer.error),
            self.from_answerers.audit(self.audit.health()),
            *self.from_answerers.health(),
        ]

    def _database_health(self) -> PartHealth:
        try:
            with self.database.engine.connect() as connection:
                connection.exec_driver_sql("SELECT 1")
        except SQLAlchemyError as error:
            return PartHealth(name="database", state="failed", message=type(error).__name__)
        return PartHealth(name="database", state="ok", message=self.database.engine.dialect.name)

    def _store_health(self) -> PartHealth:
        return self.store.health()


def _thread_health(name: str, error: str) -> PartHealth:
    return PartHealth(name=name, state="degraded" if error else "ok", message=error)
