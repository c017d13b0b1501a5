"""The verbs on snapshots, and the door to their chunks."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from dlsys_server.access.principals import Principal
from dlsys_server.access.quotas import QuotaService
from dlsys_server.api.paging import Paging
from dlsys_server.core import clock, idempotency
from dlsys_server.core.database import Database
from dlsys_server.core.errors import InvalidInput
from dlsys_server.core.events import EventLog
from dlsys_server.core.ids import new_id
from dlsys_server.core.settings import Settings
from dlsys_server.metadata.lineage import LineageService
from jupyter_dlsys.contract.base import Page
from jupyter_dlsys.contract.datasets import Snapshot, SnapshotRequest

from . import frozen, manifest, references, storage, versions
from .chunks import ChunkFile, blocks_of
from .doors import SNAPSHOT, Allowed, Door
from .frozen import Frozen
from .naming import Names
from .showing import Shower
from .tables import DatasetRow, SnapshotRow, VersionRow
from .viewing import View, Views, visible_in

HASH = re.compile(r"(?:sha256:)?([0-9a-f]{64})")


@dataclass(frozen=True)
class _Subject:
    """What a snapshot is made of, by whom and through which view."""

    caller: Principal
    dataset: DatasetRow
    version: VersionRow
    view: View
    asked: str


class SnapshotService:
    """Snapshots. `allowed(job_id, hash)` says whether a job is bound to a snapshot.

    `names` tells which names of datasets callers may hear.
    """

    def __init__(
        self,
        database: Database,
        events: EventLog,
        settings: Settings,
        lineage: LineageService,
        quotas: QuotaService,
        views: Views,
        shower: Shower,
        allowed: Allowed | None = None,
    ) -> None:
        self._database, self._events, self._store = database, events, shower.store
        self._settings, self._lineage, self._quotas = settings, lineage, quotas
        self._views, self._shower = views, shower
        self.names = Names(database, views)
        self._door = Door(database, views, allowed or (lambda _job, _hash: False))

    def bound_by(self, allowed: Allowed) -> None:
        """Say who knows what jobs are bound to."""
        self._door.allowed = allowed

    def create(self, caller: Principal, project: str, name: str, body: SnapshotRequest) -> Snapshot:
        """Freeze rows; the same request on the same version is answered without reading data.

        Raises:
            InvalidInput: the request does not fit the dataset.
            Refused: it selects nothing.
            Forbidden: its rows would be more than a quota allows.
        """
        reader = self._views.reader(caller)
        with self._database.read() as session:
            dataset, view = self._views.find(session, reader, project, name)
            hash_of = self._shower.hash_of(view)
            version = versions.find_version(session, dataset, body.ref, hash_of)
            asked = _fingerprint(body, self._shower.sealer.of_view(view))
            row = _known(session, dataset, version, asked)
            origins = _origins(session, version, body) if body.tags else None
        if row is not None:
            return self._answer(row, near=view.near)
        content = self._freeze(version, body, origins, view)
        subject = _Subject(caller, dataset, version, view, asked)
        try:
            return self._answer(self._keep(subject, body, content), near=view.near)
        except IntegrityError:
            with self._database.read() as session:
                row = _known(session, dataset, version, asked)
            if row is None:
                raise
            return self._answer(row, near=view.near)

    def examine(self, caller: Principal, project: str, name: str, body: SnapshotRequest) -> None:
        """Raise what `create` would raise before it reads data; nothing is made.

        Raises:
            NotFound, InvalidInput: there is no such data, or the request does not fit it.
        """
        reader = self._views.reader(caller)
        with self._database.read() as session:
            dataset, view = self._views.find(session, reader, project, name)
            hash_of = self._shower.hash_of(view)
            version = versions.find_version(session, dataset, body.ref, hash_of)
        if body.where or body.columns is not None or body.split is not None:
            from . import freezing  # loads Arrow, which takes a while

            root = manifest.load(self._store, version.manifest)
            freezing.select(self._store, root, body, None, self._shower.lens(view, root))

    def dataset_names(self, caller: Principal, project: str) -> list[str]:
        """Datasets of a project that the caller sees, for suggestions."""
        reader = self._views.reader(caller)
        with self._database.read() as session:
            query = select(DatasetRow.name).where(
                visible_in(reader, project), DatasetRow.removed == ""
            )
            return list(session.scalars(query.order_by(DatasetRow.name).limit(1000)))

    def _freeze(
        self,
        version: VersionRow,
        body: SnapshotRequest,
        origins: frozenset[int] | None,
        view: View,
    ) -> Frozen:
        from . import freezing

        root = manifest.load(self._store, version.manifest)
        lens = self._shower.lens(view, root)
        labels = self._shower.labels(view, version.manifest, root)
        selection = freezing.select(self._store, root, body, origins, lens, labels)
        identity = self._shower.sealer.of_view(view)
        return freezing.freeze(selection, body, self._settings.chunk_bytes, identity)

    def _keep(self, subject: _Subject, body: SnapshotRequest, content: Frozen) -> SnapshotRow:
        caller, dataset, version = subject.caller, subject.dataset, subject.version
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
                request_hash=subject.asked,
                hash=content.hash,
                manifest=same.manifest if same else kept,
                rows=content.rows,
                created_at=clock.now(),
                created_by=caller.name,
                view=subject.view.spec(),
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
        """Snapshots of a dataset that show no more than the caller sees, newest first."""
        reader = self._views.reader(caller)
        with self._database.read() as session:
            dataset, view = self._views.find(session, reader, project, name)
            query = select(SnapshotRow).where(SnapshotRow.dataset_id == dataset.id)
            if paging.cursor:
                query = query.where(SnapshotRow.id < paging.cursor)
            rows: list[SnapshotRow] = []
            for row in session.scalars(query.order_by(SnapshotRow.id.desc())):
                if view.covers(row.view):
                    rows.append(row)
                if len(rows) > paging.limit:
                    break
        more, rows = len(rows) > paging.limit, rows[: paging.limit]
        items = [self._answer(row, near=view.near) for row in rows]
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
        found = self._door.snapshots(caller, project, [wanted])
        if not found:
            raise self._door.refusal(
                caller,
                project,
                f"There is no snapshot {wanted[:19]}… in project '{project}'.",
                code="no-such-snapshot",
                hint="A job reads the snapshots bound to it; others are made from a dataset.",
            )
        row, may_export = found[0]
        return self._answer(row, near=may_export or caller.kind == "job")

    def chunk(self, caller: Principal, project: str, sha256: str) -> ChunkFile:
        """The bytes of a chunk that belongs to something the caller may read.

        Raises:
            NotFound: it does not; knowing a hash gives no right.
            Forbidden: the caller may read it in a job, and not take it out.
        """
        self._door.check_chunk(caller, project, sha256)
        data = self._store.get(sha256)
        name = f"{sha256[:16]}.parquet"
        return ChunkFile(name, "application/vnd.apache.parquet", blocks_of(data), len(data))

    def _answer(self, row: SnapshotRow, *, near: bool) -> Snapshot:
        content = frozen.load(self._store, row.manifest)
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


def _fingerprint(body: SnapshotRequest, view: str) -> str:
    """Of what is selected: the ref is left out, since the version it means is known."""
    plain = body.model_copy(update={"ref": ""})
    return idempotency.fingerprint("snapshot", plain, *([view] if view else []))


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
