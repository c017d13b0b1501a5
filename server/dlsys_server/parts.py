"""All parts of the platform, built once by constructors, started and stopped in order."""

from __future__ import annotations

import asyncio
import math
import platform
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import httpx
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
from dlsys_server.access.tokens import digest
from dlsys_server.api.forwarding import Forwarder
from dlsys_server.core import bells as names
from dlsys_server.core.bells import Bells
from dlsys_server.core.bridge import LoopBridge
from dlsys_server.core.database import Database
from dlsys_server.core.events import EventLog
from dlsys_server.core.leases import Lease
from dlsys_server.core.notices import Notices
from dlsys_server.core.peers import Peers, Presence
from dlsys_server.core.places import MAIN, Places
from dlsys_server.core.settings import Settings
from dlsys_server.core.store import ObjectStore, open_store
from dlsys_server.core.told import FromAnswerers, FromMain
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
from dlsys_server.metadata.mlflow.elsewhere import ToldMlflow
from dlsys_server.metadata.mlflow.proxy import MlflowProxy
from dlsys_server.metadata.recording import Recorder
from dlsys_server.metadata.service import MetadataService
from dlsys_server.serving.control import GatewayControl
from dlsys_server.serving.keys import Keys
from dlsys_server.serving.rollout import GATEWAY, Rollouts
from dlsys_server.serving.service import ServingService
from dlsys_server.training.agent_service import AgentService
from dlsys_server.training.room import Neighbours, TrainingRoom
from dlsys_server.training.service import TrainingService
from dlsys_server.training.worker import worker_name
from dlsys_server.workflows.service import ScheduleService
from jupyter_dlsys.contract.system import Health, PartHealth, PartState

PlatformUrl = Callable[[], str]
KNOWN_SECONDS = 30.0
"""So long a process trusts what it knows of MLflow's roles, when others change them, too."""
NEEDED = ("mlflow", "gateway", "scheduler", "schedules", "rollouts", "store", "audit")


@dataclass(frozen=True)
class Handover:
    """What an answering process gets from the main one to answer like it."""

    secret: str
    url: str
    mlflow_socket: str
    mlflow_secret: str
    gateway_token: str
    main: httpx.AsyncBaseTransport
    told: FromMain


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


def _reader(settings: Settings) -> str:
    """Who may let the platform read files of this machine; '': nobody."""
    return settings.user if settings.identity == "embedded" else ""


def _thread_health(name: str, error: str) -> PartHealth:
    return PartHealth(name=name, state="degraded" if error else "ok", message=error)


def build(
    settings: Settings,
    secret: str,
    url: PlatformUrl,
    version: str,
    handover: Handover | None = None,
) -> Parts:
    """Build every part; nothing is started. With a handover those of an answering process."""
    database = Database(settings.effective_database_url, settings.database_connections)
    events, bridge = EventLog(database), LoopBridge()
    peers = Peers(database, worker_name(settings.attempts_folder or settings.home / "attempts"))
    places, bells = Places(peers, main=handover is None), Bells()
    events.sender = places.worker
    audit_key = AuditKey(settings.home, settings.audit_key.get_secret_value())
    store = open_store(settings.effective_store_url, settings.s3_endpoint_url)
    projects, quotas, identity = _access(settings, database, events, secret, peers)
    lineage = LineageService(database)
    child = _mlflow_child(settings, database, handover)
    client, recorder, proxy = _mlflow(settings, database, events, lineage, identity, child)
    metadata = MetadataService(database, bridge, child, client, recorder)
    uploads = UploadService(settings, places, partial(quotas.ask, "storage_bytes"))
    views, kept = Views(identity.person), (database, events, settings)
    shower = _shower(settings, store)
    datasets = DatasetService(*kept, uploads, lineage, quotas, views, shower)
    snapshots = SnapshotService(*kept, lineage, quotas, views, shower)
    beside = (database, store, events, snapshots, metadata, lineage, url, quotas, places)
    room = TrainingRoom(Neighbours(settings, *beside))
    training = TrainingService(room)
    schedules = ScheduleService.of(database, store, events, training, identity, _reader(settings))
    snapshots.bound_by(training.has_snapshot)
    lineage.seen = snapshots.names.nodes
    control = _control(settings, handover)
    lease = Lease(database, GATEWAY, places.worker) if peers.many else None
    models, programs = settings.folder("models"), ProgramTokens(database, projects, identity)
    keys = Keys(programs, settings.hub_stale_seconds)
    rollouts = Rollouts(database, events, metadata, lineage, control, models, keys, lease)
    recorder.alias_listeners.append(lambda *_: rollouts.wake())
    serving = ServingService(database, events, metadata, control, rollouts, quotas, places)
    metadata.deployments_of = serving.names_of
    programs.has_endpoint, programs.changed = serving.has, rollouts.spread
    programs.need_gateway = serving.need_gateway
    return Parts(
        settings, places, bells, Notices(database, places.worker, bells),
        Presence(peers, lambda: _about(settings, room, url(), secret)),
        _forwarder(audit_key, peers, handover),
        handover.told if handover else None, FromAnswerers(),
        database, store, events, bridge, identity, AuditLog(database, audit_key),
        projects, programs, quotas, uploads, datasets, snapshots,
        PolicyService(database, events, store, views), lineage, child, client, proxy, metadata,
        room, training, schedules, control, rollouts, serving, Measuring(database, store), version,
    )  # fmt: skip


def _control(settings: Settings, handover: Handover | None) -> GatewayControl:
    token = handover.gateway_token if handover else ""
    folder = settings.folder("gateway")
    return GatewayControl(folder, settings.host, settings.gateway_port, token)


def _about(settings: Settings, room: TrainingRoom, url: str, secret: str) -> dict[str, object]:
    """This platform, to the others on the same database."""
    return {
        "name": platform.node() or "local",
        "url": settings.peer_url.rstrip("/") or url,
        "secret": digest(secret),
        "cpus": room.capacity.cpus,
        "memory_bytes": room.capacity.memory_bytes,
        "gpus": list(room.capacity.gpus),
    }


def _forwarder(key: AuditKey, peers: Peers, handover: Handover | None) -> Forwarder:
    def find(place: str) -> httpx.AsyncBaseTransport | str:
        return handover.main if handover is not None and place == MAIN else peers.url(place)

    return Forwarder(find, lambda: key.value)


def _mlflow_child(
    settings: Settings, database: Database, handover: Handover | None
) -> MlflowChild | ToldMlflow:
    if handover is not None:
        return ToldMlflow(handover.told, Path(handover.mlflow_socket), handover.mlflow_secret)
    store_url = settings.effective_store_url
    artifacts = f"{store_url.removeprefix('file://').rstrip('/')}/mlflow"
    return MlflowChild(
        settings.folder("mlflow"),
        artifacts,
        database_url=None if database.is_sqlite else settings.database_url,
        log_file=settings.home / "logs" / "mlflow.log",
        s3_endpoint_url=settings.s3_endpoint_url,
    )


def _access(
    settings: Settings, database: Database, events: EventLog, secret: str, peers: Peers
) -> tuple[ProjectService, QuotaService, Identity]:
    projects = ProjectService(database, events)
    quotas = QuotaService(database, defaults_of(settings))
    quotas.meters["storage_bytes"].append(stored)
    return projects, quotas, identity_of(settings, database, projects, secret, peers.trusts)


def _shower(settings: Settings, store: ObjectStore) -> Shower:
    return Shower(store, Sealer(DataKey(settings.home, settings.data_key.get_secret_value())))


def _mlflow(
    settings: Settings,
    database: Database,
    events: EventLog,
    lineage: LineageService,
    identity: Identity,
    child: MlflowChild | ToldMlflow,
) -> tuple[MlflowClient, Recorder, MlflowProxy]:
    alone = settings.processes == 1 and database.is_sqlite
    known_seconds = math.inf if alone else KNOWN_SECONDS
    client = MlflowClient(lambda: child.socket, child.secret, known_seconds=known_seconds)
    recorder = Recorder(database, events, lineage, client)

    async def identify(request: Request) -> Principal | None:
        token = bearer(request)
        found = await asyncio.to_thread(identity.identify, token) if token else None
        return None if found is None else acting(found, request)

    return client, recorder, MlflowProxy(child, client, identify, taps=[recorder])
