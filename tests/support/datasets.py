"""The dataset room on a folder of its own: real database, real store, no HTTP."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from dlsys_server.access.embedded import ALL
from dlsys_server.access.principals import Principal
from dlsys_server.access.quotas import QuotaService
from dlsys_server.api.paging import Paging
from dlsys_server.core.database import Database
from dlsys_server.core.events import EventFilter, EventLog
from dlsys_server.core.peers import Peers
from dlsys_server.core.places import Places
from dlsys_server.core.settings import Settings
from dlsys_server.core.store import open_store
from dlsys_server.core.tables import Base
from dlsys_server.datasets.policies import PolicyService
from dlsys_server.datasets.sealing import DataKey, Sealer
from dlsys_server.datasets.service import DatasetService
from dlsys_server.datasets.showing import Shower
from dlsys_server.datasets.snapshots import SnapshotService
from dlsys_server.datasets.storage import stored
from dlsys_server.datasets.uploads import UploadService
from dlsys_server.datasets.viewing import Views
from dlsys_server.metadata.lineage import LineageService
from jupyter_dlsys.contract.base import Event
from jupyter_dlsys.contract.datasets import (
    CommitRequest,
    CreateDataset,
    Snapshot,
    SnapshotRequest,
    UploadedFile,
    Version,
)

PROJECT = "default"
ANN = Principal.of("ann", "user", PROJECT, (PROJECT,), ALL)
JOB = Principal.of("ann", "job", PROJECT, (PROJECT,), frozenset(), job_id="J1")


@dataclass
class Room:
    """The services, and short words for what tests do with them."""

    settings: Settings
    allowed: Callable[[str, str], bool] | None = None
    people: dict[str, Principal] = field(default_factory=dict)
    """What persons may do who have jobs or programs; others may all."""

    def __post_init__(self) -> None:
        self.database = Database(self.settings.effective_database_url)
        Base.metadata.create_all(self.database.engine)
        self.events = EventLog(self.database)
        self.store = open_store(self.settings.effective_store_url, self.settings.s3_endpoint_url)
        self.lineage = LineageService(self.database)
        self.uploads = UploadService(self.settings, Places(Peers(self.database, "here")))
        self.quotas = QuotaService(self.database, {})
        self.quotas.meters["storage_bytes"].append(stored)
        self.views = Views(lambda name: self.people.get(name, replace(ANN, name=name)))
        self.shower = Shower(self.store, Sealer(DataKey(self.settings.home)))
        common = (self.database, self.events, self.settings)
        shown = (self.quotas, self.views, self.shower)
        self.datasets = DatasetService(*common, self.uploads, self.lineage, *shown)
        self.snapshots = SnapshotService(*common, self.lineage, *shown, self.allowed)
        self.policies = PolicyService(self.database, self.events, self.store, self.views)

    def close(self) -> None:
        self.database.close()

    def create(self, name: str = "tweets", kind: str = "text-classification") -> str:
        self.datasets.create(ANN, PROJECT, CreateDataset(name=name, kind=kind))
        return name

    def upload(self, filename: str, data: bytes | str) -> UploadedFile:
        upload = self.uploads.create(ANN, PROJECT, filename)
        body = data.encode() if isinstance(data, str) else data
        if body:
            asyncio.run(self.uploads.receive(ANN, PROJECT, upload.id, 0, _stream(body)))
        return UploadedFile(upload=upload.id)

    def commit(
        self, name: str, filename: str, data: bytes | str, key: str | None = None, **fields: Any
    ) -> Version:
        body = CommitRequest(files=[self.upload(filename, data)], **fields)
        return self.datasets.commit(ANN, PROJECT, name, body, key)

    def delete(self, name: str, where: str) -> Version:
        body = CommitRequest(operation="delete", where=where)
        return self.datasets.commit(ANN, PROJECT, name, body)

    def rows(self, name: str, ref: str = "", where: str | None = None) -> list[dict[str, Any]]:
        return self.datasets.rows(ANN, PROJECT, name, ref, where, None, 0, 500).rows

    def snapshot(self, name: str, **fields: Any) -> Snapshot:
        return self.snapshots.create(ANN, PROJECT, name, SnapshotRequest(**fields))

    def history(self, name: str) -> list[int]:
        page = self.datasets.history(ANN, PROJECT, name, Paging(500))
        return [v.version for v in page.items]

    def told(self, topic: str = "") -> list[Event]:
        return self.events.read(0, EventFilter((PROJECT,), (topic,) if topic else ()))

    def fetch(self, sha256: str) -> bytes:
        return b"".join(self.snapshots.chunk(ANN, PROJECT, sha256).blocks)


def open_room(home: Path, **settings: Any) -> Room:
    return Room(Settings(home=home, **settings))


async def _stream(data: bytes) -> AsyncIterator[bytes]:
    view = io.BytesIO(data)
    while block := view.read(1 << 16):
        yield block


def csv(*rows: tuple[Any, ...], header: str = "text,label") -> str:
    return "\n".join([header, *(",".join(map(str, row)) for row in rows)]) + "\n"


def jsonl(*rows: dict[str, Any]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)
