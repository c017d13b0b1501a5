"""Builds all parts of the platform, once and by constructors; nothing is started here."""

from __future__ import annotations

import asyncio
import math
import platform
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import httpx
from starlette.requests import Request

from dlsys_server.access.audit import AuditLog
from dlsys_server.access.audit_files import AuditKey
from dlsys_server.access.identifying import identity_of
from dlsys_server.access.principals import Identity, Principal
from dlsys_server.access.programs import ProgramTokens
from dlsys_server.access.projects import ProjectService
from dlsys_server.access.quotas import QuotaService, defaults_of
from dlsys_server.access.routing import acting, bearer
from dlsys_server.access.tokens import digest
from dlsys_server.api.forwarding import Forwarder
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
from dlsys_server.training.room import Neighbours, TrainingRoom
from dlsys_server.training.service import TrainingService
from dlsys_server.training.worker import worker_name
from dlsys_server.workflows.service import ScheduleService

from .parts import Parts

Url = Callable[[], str]
KNOWN_SECONDS = 30.0
"""So long a process trusts what it knows of MLflow's roles, when others change them, too."""


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


def build(
    settings: Settings, secret: str, url: Url, version: str, handover: Handover | None = None
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
    near = Neighbours(
        settings=settings, database=database, store=store, events=events, snapshots=snapshots,
        metadata=metadata, lineage=lineage, platform_url=url, quotas=quotas, places=places,
    )  # fmt: skip
    room = TrainingRoom(near)
    training = TrainingService(room)
    schedules = ScheduleService.of(database, store, events, training, identity, _reader(settings))
    control = _control(settings, handover)
    lease = Lease(database, GATEWAY, places.worker) if peers.many else None
    programs = ProgramTokens(database, projects, identity)
    models, keys = settings.folder("models"), Keys(programs, settings.hub_stale_seconds)
    rollouts = Rollouts(database, events, metadata, lineage, control, models, keys, lease)
    serving = ServingService(database, events, metadata, control, rollouts, quotas, places)
    parts = Parts(
        settings=settings, places=places, bells=bells, database=database, store=store,
        notices=Notices(database, places.worker, bells),
        presence=Presence(peers, lambda: _about(settings, room, url(), secret)),
        forwarder=_forwarder(audit_key, peers, handover),
        from_main=handover.told if handover else None, from_answerers=FromAnswerers(),
        events=events, bridge=bridge, identity=identity, audit=AuditLog(database, audit_key),
        projects=projects, tokens=programs, quotas=quotas, uploads=uploads, datasets=datasets,
        snapshots=snapshots, policies=PolicyService(database, events, store, views),
        lineage=lineage, child=child, client=client, proxy=proxy, metadata=metadata,
        room=room, training=training, schedules=schedules, control=control, rollouts=rollouts,
        serving=serving, measuring=Measuring(database, store), version=version,
    )  # fmt: skip
    _introduce(parts, recorder)
    return parts


def _introduce(parts: Parts, recorder: Recorder) -> None:
    """Whom a room asks or tells that is built after it."""
    serving, rollouts = parts.serving, parts.rollouts
    parts.tokens.know(serving.has, rollouts.spread, serving.need_gateway)
    recorder.alias_listeners.append(lambda *_: rollouts.wake())
    parts.snapshots.bound_by(parts.training.has_snapshot)
    parts.lineage.seen = parts.snapshots.names.nodes
    parts.metadata.deployments_of = serving.names_of


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


def _reader(settings: Settings) -> str:
    """Who may let the platform read files of this machine; '': nobody."""
    return settings.user if settings.identity == "embedded" else ""
