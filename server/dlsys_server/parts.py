"""All parts of the platform, built once by constructors, started and stopped in order."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from sqlalchemy.exc import SQLAlchemyError
from starlette.requests import Request

from dlsys_server.access.audit import AuditLog
from dlsys_server.access.audit_files import AuditKey
from dlsys_server.access.identifying import identity_of
from dlsys_server.access.principals import DEFAULT_PROJECT, Identity, Principal
from dlsys_server.access.programs import ProgramTokens
from dlsys_server.access.projects import ProjectService
from dlsys_server.access.quotas import QuotaService, defaults_of
from dlsys_server.access.routing import acting, bearer
from dlsys_server.access.seeding import apply_seeds, read_seeds
from dlsys_server.core.bridge import LoopBridge
from dlsys_server.core.database import Database
from dlsys_server.core.events import EventLog
from dlsys_server.core.settings import Settings
from dlsys_server.core.store import ObjectStore, open_store
from dlsys_server.datasets.naming import Names
from dlsys_server.datasets.policies import PolicyService
from dlsys_server.datasets.sealing import DataKey, Sealer
from dlsys_server.datasets.service import DatasetService
from dlsys_server.datasets.showing import Shower
from dlsys_server.datasets.snapshots import SnapshotService
from dlsys_server.datasets.storage import Measuring, stored
from dlsys_server.datasets.uploads import UploadService
from dlsys_server.datasets.viewing import Views
from dlsys_server.metadata.lineage import LineageService
from dlsys_server.metadata.mlflow.child import MlflowChild
from dlsys_server.metadata.mlflow.client import MlflowClient
from dlsys_server.metadata.mlflow.proxy import MlflowProxy
from dlsys_server.metadata.recording import Recorder
from dlsys_server.metadata.service import MetadataService
from dlsys_server.serving.control import GatewayControl
from dlsys_server.serving.keys import Keys
from dlsys_server.serving.rollout import Rollouts
from dlsys_server.serving.service import ServingService
from dlsys_server.training.agent_service import AgentService
from dlsys_server.training.room import Neighbours, TrainingRoom
from dlsys_server.training.service import TrainingService
from dlsys_server.workflows.service import ScheduleService
from jupyter_dlsys.contract.system import Health, PartHealth, PartState

PlatformUrl = Callable[[], str]
NEEDED = ("mlflow", "gateway", "scheduler", "schedules", "rollouts", "store", "audit")


@dataclass
class Parts:
    """What create_app hands to the routes."""

    settings: Settings
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
    child: MlflowChild
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
        await asyncio.to_thread(self.database.migrate)
        await asyncio.to_thread(self.audit.start)
        await asyncio.to_thread(self._make_projects)
        await self.child.start()
        await self.room.start(await asyncio.to_thread(self.training.used))
        self.rollouts.start()
        self.schedules.firer.start()
        self.measuring.start()

    async def stop(self) -> None:
        """Stop in the opposite order; jobs go on under their supervisors."""
        await asyncio.to_thread(self.measuring.stop)
        await asyncio.to_thread(self.schedules.firer.stop)
        await self.room.stop()
        await asyncio.to_thread(self.rollouts.stop)
        await asyncio.to_thread(self.control.stop)
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
        return bool(self.events.followers) or any(room.active() for room in rooms)

    def health(self) -> Health:
        """State of each part; the whole is as bad as what answers depend on."""
        parts = [self._database_health(), self._store_health(), self.child.health()]
        parts += [*self.room.health(), self.control.health()]
        parts.append(_thread_health("rollouts", self.rollouts.error))
        parts.append(_thread_health("schedules", self.schedules.firer.error))
        parts.append(self.audit.health())
        states = {part.name: part.state for part in parts}
        worst: PartState = "ok"
        if {"failed", "degraded"} & {states[name] for name in NEEDED}:
            worst = "degraded"
        if "failed" in (states["database"], states["store"]):
            worst = "failed"
        return Health(state=worst, version=self.version, parts=parts)

    def _database_health(self) -> PartHealth:
        try:
            with self.database.engine.connect() as connection:
                connection.exec_driver_sql("SELECT 1")
        except SQLAlchemyError as error:
            return PartHealth(name="database", state="failed", message=type(error).__name__)
        return PartHealth(name="database", state="ok", message=self.database.engine.dialect.name)

    def _store_health(self) -> PartHealth:
        return self.store.health()


def _reader(settings: Settings) -> str:
    """Who may let the platform read files of this machine; '': nobody."""
    return settings.user if settings.identity == "embedded" else ""


def _thread_health(name: str, error: str) -> PartHealth:
    return PartHealth(name=name, state="degraded" if error else "ok", message=error)


def build(settings: Settings, secret: str, url: PlatformUrl, version: str) -> Parts:
    """Build every part; nothing is started."""
    database = Database(settings.effective_database_url, settings.database_connections)
    events, bridge = EventLog(database), LoopBridge()
    store = open_store(settings.effective_store_url, settings.s3_endpoint_url)
    projects, quotas, identity = _access(settings, database, events, secret)
    lineage = LineageService(database)
    child, client, recorder, proxy = _mlflow(settings, database, events, lineage, identity)
    metadata = MetadataService(database, bridge, child, client, recorder)
    uploads = UploadService(settings, partial(quotas.ask, "storage_bytes"))
    views = Views(identity.person)
    kept = (database, events, settings)
    shower = _shower(settings, store)
    datasets = DatasetService(*kept, uploads, lineage, quotas, views, shower)
    snapshots = SnapshotService(*kept, lineage, quotas, views, shower)
    near = Neighbours(settings, database, store, events, snapshots, metadata, lineage, url, quotas)
    room = TrainingRoom(near)
    training = TrainingService(room)
    schedules = ScheduleService.of(database, store, events, training, identity, _reader(settings))
    snapshots.bound_by(training.has_snapshot)
    lineage.seen = snapshots.names.nodes
    control = GatewayControl(settings.folder("gateway"), settings.host, settings.gateway_port)
    models = settings.folder("models")
    programs = ProgramTokens(database, projects, identity)
    keys = Keys(programs, settings.hub_stale_seconds)
    rollouts = Rollouts(database, events, metadata, lineage, control, models, keys)
    recorder.alias_listeners.append(lambda *_: rollouts.wake())
    serving = ServingService(database, events, metadata, control, rollouts, quotas)
    metadata.deployments_of = serving.names_of
    programs.has_endpoint, programs.changed = serving.has, rollouts.spread
    return Parts(
        settings, database, store, events, bridge, identity, AuditLog(database,
        AuditKey(settings.home, settings.audit_key.get_secret_value())), projects, programs,
        quotas, uploads, datasets, snapshots, PolicyService(database, events, store, views),
        lineage, child, client, proxy, metadata, room, training, schedules, control, rollouts,
        serving, Measuring(database, store), version,
    )  # fmt: skip


def _access(
    settings: Settings, database: Database, events: EventLog, secret: str
) -> tuple[ProjectService, QuotaService, Identity]:
    projects = ProjectService(database, events)
    quotas = QuotaService(database, defaults_of(settings))
    quotas.meters["storage_bytes"].append(stored)
    return projects, quotas, identity_of(settings, database, projects, secret)


def _shower(settings: Settings, store: ObjectStore) -> Shower:
    return Shower(store, Sealer(DataKey(settings.home, settings.data_key.get_secret_value())))


def _mlflow(
    settings: Settings,
    database: Database,
    events: EventLog,
    lineage: LineageService,
    identity: Identity,
) -> tuple[MlflowChild, MlflowClient, Recorder, MlflowProxy]:
    store_url = settings.effective_store_url
    artifacts = f"{store_url.removeprefix('file://').rstrip('/')}/mlflow"
    child = MlflowChild(
        settings.folder("mlflow"),
        artifacts,
        database_url=None if database.is_sqlite else settings.database_url,
        log_file=settings.home / "logs" / "mlflow.log",
        s3_endpoint_url=settings.s3_endpoint_url,
    )
    client = MlflowClient(lambda: child.socket, child.secret)
    recorder = Recorder(database, events, lineage, client)

    async def identify(request: Request) -> Principal | None:
        token = bearer(request)
        found = await asyncio.to_thread(identity.identify, token) if token else None
        return None if found is None else acting(found, request)

    return child, client, recorder, MlflowProxy(child, client, identify, taps=[recorder])
