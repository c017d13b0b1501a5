"""The verbs on snapshots, and the door to their chunks."""

from __future__ import annotations

import re
from collections.abc import Callable

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from dlsys_server.access.principals import Principal
from dlsys_server.access.quotas import QuotaService
from dlsys_server.api.paging import Paging
from dlsys_server.core import clock, idempotency
from dlsys_server.core.database import Database
from dlsys_server.core.errors import InvalidInput, NotFound
from dlsys_server.core.events import EventLog
from dlsys_server.core.ids import new_id
from dlsys_server.core.settings import Settings
from dlsys_server.core.store import ObjectStore
from dlsys_server.metadata.lineage import LineageService
from jupyter_dlsys.contract.base import Page
from jupyter_dlsys.contract.datasets import Snapshot, SnapshotRequest

from . import frozen, manifest, references, storage, versions
from .chunks import ChunkFile, blocks_of
from .frozen import Frozen
from .tables import ChunkRow, DatasetRow, SnapshotRow, VersionRow

HASH = re.compile(r"(?:sha256:)?([0-9a-f]{64})")
SNAPSHOT = "snapshot/"


class SnapshotService:
    """Snapshots. `allowed(job_id, hash)` says whether a job is bound to a snapshot."""

    def __init__(
        self,
        database: Database,
        events: EventLog,
        store: ObjectStore,
        settings: Settings,
        lineage: LineageService,
        quotas: QuotaService,
        allowed: Callable[[str, str], bool] | None = None,
    ) -> None:
        self._database, self._events, self._store = database, events, store
        self._settings, self._lineage, self._quotas = settings, lineage, quotas
        self.allowed: Callable[[str, str], bool] = allowed or (lambda _job, _hash: False)

    def create(self, caller: Principal, project: str, name: str, body: SnapshotRequest) -> Snapshot:
        """Freeze rows; the same request on the same version is answered without reading data.

        Raises:
            InvalidInput: the request does not fit the dataset.
            Refused: it selects nothing.
            Forbidden: its rows would be more than a quota allows.
        """
        with self._database.read() as session:
            dataset = versions.find_dataset(session, project, name)
            version = versions.find_version(session, dataset, body.ref)
            asked = _fingerprint(body)
            row = _known(session, dataset, version, asked)
            origins = _origins(session, version, body) if body.tags else None
        if row is not None:
            return self._answer(caller, row)
        content = self._freeze(version, body, origins)
        try:
            return self._answer(caller, self._keep(caller, dataset, version, body, content))
        except IntegrityError:
            with self._database.read() as session:
                row = _known(session, dataset, version, asked)
            if row is None:
                raise
            return self._answer(caller, row)

    def examine(self, project: str, name: str, body: SnapshotRequest) -> None:
        """Raise what `create` would raise before it reads data; nothing is made.

        Raises:
            NotFound, InvalidInput: there is no such data, or the request does not fit it.
        """
        with self._database.read() as session:
            dataset = versions.find_dataset(session, project, name)
            version = versions.find_version(session, dataset, body.ref)
        if body.where or body.columns is not None or body.split is not None:
            from . import freezing  # loads Arrow, which takes a while

            freezing.select(self._store, manifest.load(self._store, version.manifest), body, None)

    def dataset_names(self, project: str) -> list[str]:
        """Datasets of a project, for suggestions."""
        with self._database.read() as session:
            query = select(DatasetRow.name).where(
                DatasetRow.project == project, DatasetRow.removed == ""
            )
            return list(session.scalars(query.order_by(DatasetRow.name).limit(1000)))

    def _freeze(
        self, version: VersionRow, body: SnapshotRequest, origins: frozenset[int] | None
    ) -> Frozen:
        from . import freezing

        root = manifest.load(self._store, version.manifest)
        selection = freezing.select(self._store, root, body, origins)
        return freezing.freeze(selection, body, self._settings.chunk_bytes)

    def _keep(
        self,
        caller: Principal,
        dataset: DatasetRow,
        version: VersionRow,
        body: SnapshotRequest,
        content: Frozen,
    ) -> SnapshotRow:
        kept = frozen.save(self._store, content)
        with self._database.write() as session:
            same = _first(session, dataset.project, content.hash)
            row = SnapshotRow(
                id=new_id(),
                project=dataset.project,
                dataset_id=dataset.id,
                dataset=dataset.name,
                kind=dataset.kind,
                version=version.version,
                request=body.model_dump(mode="json"),
                request_hash=_fingerprint(body),
                hash=content.hash,
                manifest=same.manifest if same else kept,
                rows=content.rows,
                created_at=clock.now(),
                created_by=caller.name,
            )
            session.add(row)
            session.flush()
            if same is None:
                holder = SNAPSHOT + content.hash
                self._hold(session, caller, dataset.project, holder, content.chunks())
            self._tell(session, caller, row)
            self._record(session, caller, dataset, version, row)
        return row

    def _hold(
        self,
        session: Session,
        caller: Principal,
        project: str,
        holder: str,
        chunks: dict[str, int],
    ) -> None:
        storage.admit(session, self._quotas, caller.name, project, chunks)
        references.hold(session, self._database, project, holder, caller.name, chunks)

    def _tell(self, session: Session, caller: Principal, row: SnapshotRow) -> None:
        self._events.append(
            session,
            "snapshot.created",
            project=row.project,
            subject=f"dataset/{row.dataset}",
            actor=caller.name,
            payload={"version": row.version, "rows": row.rows, "hash": row.hash},
        )

    def _record(
        self,
        session: Session,
        caller: Principal,
        dataset: DatasetRow,
        version: VersionRow,
        row: SnapshotRow,
    ) -> None:
        source = references.version_node(self._lineage, session, dataset, version)
        node = self._lineage.record(
            session,
            project=row.project,
            type="snapshot",
            name=row.hash,
            actor=caller.name,
            properties={"dataset": row.dataset, "version": row.version, "rows": row.rows},
        )
        self._lineage.link(session, source, node, "derived_from")

    def list(self, caller: Principal, project: str, name: str, paging: Paging) -> Page[Snapshot]:
        """Snapshots of a dataset, newest first."""
        with self._database.read() as session:
            dataset = versions.find_dataset(session, project, name)
            query = select(SnapshotRow).where(SnapshotRow.dataset_id == dataset.id)
            if paging.cursor:
                query = query.where(SnapshotRow.id < paging.cursor)
            query = query.order_by(SnapshotRow.id.desc()).limit(paging.limit + 1)
            rows = list(session.scalars(query))
        more, rows = len(rows) > paging.limit, rows[: paging.limit]
        items = [self._answer(caller, row) for row in rows]
        return Page(items=items, next_cursor=rows[-1].id if more else None)

    def show(self, caller: Principal, project: str, hash: str) -> Snapshot:
        """One snapshot. A job sees those that are bound to it.

        Raises:
            NotFound: there is none, or not for this caller.
        """
        match = HASH.fullmatch(hash)
        if match is None:
            raise InvalidInput(
                f"'{hash[:80]}' is not a snapshot hash.", hint="It looks like sha256:… (64 digits)."
            )
        wanted = f"sha256:{match[1]}"
        with self._database.read() as session:
            row = _first(session, project, wanted)
        if row is None or not self._may_read(caller, wanted):
            raise NotFound(
                f"There is no snapshot {wanted[:19]}… in project '{project}'.",
                code="no-such-snapshot",
                hint="A job reads the snapshots bound to it; others are made from a dataset.",
            )
        return self._answer(caller, row)

    def chunk(self, caller: Principal, project: str, sha256: str) -> ChunkFile:
        """The bytes of a chunk that belongs to something the caller may read.

        Raises:
            NotFound: it does not; knowing a hash gives no right.
        """
        with self._database.read() as session:
            holders = session.scalars(
                select(ChunkRow.holder).where(
                    ChunkRow.project == project, ChunkRow.sha256 == sha256
                )
            ).all()
        if not any(self._may_hold(caller, holder) for holder in holders):
            raise NotFound(
                f"There is no chunk {sha256[:12]}… that you can read.",
                code="no-such-chunk",
                hint="Ask for the snapshot again; it lists its chunks.",
            )
        data = self._store.get(sha256)
        name = f"{sha256[:16]}.parquet"
        return ChunkFile(name, "application/vnd.apache.parquet", blocks_of(data), len(data))

    def _may_hold(self, caller: Principal, holder: str) -> bool:
        if caller.kind != "job":
            return True
        is_snapshot = holder.startswith(SNAPSHOT)
        return is_snapshot and self._may_read(caller, holder.removeprefix(SNAPSHOT))

    def _may_read(self, caller: Principal, hash: str) -> bool:
        if caller.kind == "job":
            return caller.job_id is not None and self.allowed(caller.job_id, hash)
        return True

    def _answer(self, caller: Principal, row: SnapshotRow) -> Snapshot:
        content = frozen.load(self._store, row.manifest)
        near = caller.kind in ("user", "job")
        return Snapshot(
            hash=row.hash,
            project=row.project,
            dataset=row.dataset,
            kind=row.kind,
            version=row.version,
            request=SnapshotRequest.model_validate(row.request),
            rows=content.rows,
            columns=content.columns,
            labels=content.labels,
            splits=content.splits,
            created_at=row.created_at,
            created_by=row.created_by,
            local_root=self._store.local_root if near else None,
        )


def _fingerprint(body: SnapshotRequest) -> str:
    """Of what is selected: the ref is left out, since the version it means is known."""
    return idempotency.fingerprint("snapshot", body.model_copy(update={"ref": ""}))


def _known(
    session: Session, dataset: DatasetRow, version: VersionRow, asked: str
) -> SnapshotRow | None:
    return session.scalar(
        select(SnapshotRow).where(
            SnapshotRow.dataset_id == dataset.id,
            SnapshotRow.version == version.version,
            SnapshotRow.request_hash == asked,
        )
    )


def _first(session: Session, project: str, hash: str) -> SnapshotRow | None:
    return session.scalar(
        select(SnapshotRow)
        .where(SnapshotRow.project == project, SnapshotRow.hash == hash)
        .order_by(SnapshotRow.id)
        .limit(1)
    )


def _origins(session: Session, version: VersionRow, body: SnapshotRequest) -> frozenset[int]:
    """Versions up to this one whose commit carries all the tags."""
    rows = session.execute(
        select(VersionRow.version, VersionRow.tags).where(
            VersionRow.dataset_id == version.dataset_id, VersionRow.version <= version.version
        )
    )
    wanted = body.tags.items()
    return frozenset(number for number, tags in rows if wanted <= tags.items())
