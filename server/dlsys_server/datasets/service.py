"""The verbs on datasets. One transaction each; heavy libraries are loaded when first needed."""

from __future__ import annotations

import builtins
from collections.abc import Mapping
from typing import TYPE_CHECKING

from sqlalchemy import select, tuple_, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from dlsys_server.access.principals import Principal
from dlsys_server.access.quotas import QuotaService
from dlsys_server.api.paging import Paging
from dlsys_server.core import clock, idempotency
from dlsys_server.core.database import Database
from dlsys_server.core.errors import Conflict
from dlsys_server.core.events import EventLog
from dlsys_server.core.ids import new_id
from dlsys_server.core.settings import Settings
from dlsys_server.core.store import ObjectStore
from dlsys_server.metadata.lineage import LineageService
from jupyter_dlsys.contract.base import Page
from jupyter_dlsys.contract.datasets import (
    CommitRequest,
    CreateDataset,
    Dataset,
    Diff,
    ExportFormat,
    Rows,
    TagRequest,
    Version,
    VersionSummary,
)

from . import cursors, references, storage, tags, versions
from .chunks import ChunkFile
from .tables import DatasetRow, VersionRow
from .uploads import UploadService

if TYPE_CHECKING:
    from .commits import Draft, Drafter, Incoming

ATTEMPTS = 100
Names = list[str]
Payload = Mapping[str, object]


class DatasetService:
    """Datasets, their versions and tags."""

    def __init__(
        self,
        database: Database,
        events: EventLog,
        store: ObjectStore,
        settings: Settings,
        uploads: UploadService,
        lineage: LineageService,
        quotas: QuotaService,
    ) -> None:
        self._database, self._events, self._store = database, events, store
        self._settings, self._uploads, self._lineage = settings, uploads, lineage
        self._quotas = quotas

    def list(self, project: str, paging: Paging) -> Page[Dataset]:
        """Datasets, most recently changed first."""
        query = select(DatasetRow).where(DatasetRow.project == project, DatasetRow.removed == "")
        if paging.cursor:
            after = cursors.unpack_time(paging.cursor)
            query = query.where(tuple_(DatasetRow.updated_at, DatasetRow.id) < after)
        query = query.order_by(DatasetRow.updated_at.desc(), DatasetRow.id.desc())
        with self._database.read() as session:
            rows = list(session.scalars(query.limit(paging.limit + 1)))
            more, rows = len(rows) > paging.limit, rows[: paging.limit]
            ids = [row.id for row in rows]
            newest, named = versions.newest_of(session, ids), versions.tags_of(session, ids)
        items = [versions.to_dataset(r, newest.get(r.id), named[r.id]) for r in rows]
        cursor = cursors.pack_time(rows[-1].updated_at, rows[-1].id) if more else None
        return Page(items=items, next_cursor=cursor)

    def create(
        self, caller: Principal, project: str, body: CreateDataset, key: str | None = None
    ) -> Dataset:
        """Make an empty dataset.

        Raises:
            Conflict: the name is taken.
        """
        asked = idempotency.fingerprint("datasets.create", project, body)
        try:
            with self._database.write() as session:
                if (found := idempotency.recall(session, caller.name, key, asked)) is not None:
                    return Dataset.model_validate(found)
                row = self._insert(session, caller, project, body)
                answer = versions.to_dataset(row, None, {})
                idempotency.remember(session, caller.name, key, asked, answer)
        except IntegrityError as error:
            raise Conflict(
                f"There is a dataset '{body.name}' in this project already.",
                code="dataset-exists",
                hint="Commit to it, or choose another name.",
            ) from error
        return answer

    def _insert(
        self, session: Session, caller: Principal, project: str, body: CreateDataset
    ) -> DatasetRow:
        now = clock.now()
        row = DatasetRow(
            id=new_id(),
            project=project,
            name=body.name,
            kind=body.kind,
            description=body.description,
            owner=caller.name,
            created_at=now,
            updated_at=now,
            head=0,
            labels=[],
            removed="",
        )
        session.add(row)
        session.flush()
        payload = {"kind": body.kind}
        self._tell(session, "dataset.created", row, caller, payload)
        return row

    def show(self, project: str, name: str) -> Dataset:
        """One dataset."""
        with self._database.read() as session:
            return self._answer(session, versions.find_dataset(session, project, name))

    def _answer(self, session: Session, row: DatasetRow) -> Dataset:
        newest = session.get(VersionRow, (row.id, row.head)) if row.head else None
        return versions.to_dataset(row, newest, versions.tags_of(session, [row.id])[row.id])

    def remove(self, caller: Principal, project: str, name: str) -> None:
        """Take a dataset out of the lists; its snapshots and its history in lineage stay."""
        with self._database.write() as session:
            row = versions.find_dataset(session, project, name)
            row.removed, row.updated_at = row.id, clock.now()
            self._tell(session, "dataset.removed", row, caller, {"version": row.head})

    def history(self, project: str, name: str, paging: Paging) -> Page[VersionSummary]:
        """Versions, newest first."""
        with self._database.read() as session:
            dataset = versions.find_dataset(session, project, name)
            query = select(VersionRow).where(VersionRow.dataset_id == dataset.id)
            if paging.cursor:
                query = query.where(VersionRow.version < cursors.unpack_number(paging.cursor))
            query = query.order_by(VersionRow.version.desc()).limit(paging.limit + 1)
            rows = list(session.scalars(query))
            named = versions.tags_of(session, [dataset.id])[dataset.id]
        more, rows = len(rows) > paging.limit, rows[: paging.limit]
        return Page(
            items=[versions.to_summary(name, row, named) for row in rows],
            next_cursor=str(rows[-1].version) if more else None,
        )

    def version(self, project: str, name: str, ref: str) -> Version:
        """One version with schema, labels and statistics."""
        with self._database.read() as session:
            dataset = versions.find_dataset(session, project, name)
            row = versions.find_version(session, dataset, ref)
            named = versions.tags_of(session, [dataset.id])[dataset.id]
        return versions.to_version(self._store, dataset.name, row, named)

    def commit(
        self,
        caller: Principal,
        project: str,
        name: str,
        body: CommitRequest,
        key: str | None = None,
    ) -> Version:
        """Append, replace or delete rows: a new version, or nothing.

        Raises:
            InvalidInput: a file cannot be read, or the request makes no sense.
            Refused: the rows do not fit the dataset.
            Conflict: `parent` is not the newest version.
            Forbidden: it would be more than a quota allows.
        """
        from .commits import Drafter, Limits

        asked = idempotency.fingerprint("datasets.commit", project, name, body)
        with self._database.read() as session:
            if (found := idempotency.recall(session, caller.name, key, asked)) is not None:
                return Version.model_validate(found)
        references.check_commit(body)
        limits = Limits(self._settings.chunk_bytes, self._settings.max_upload_bytes)
        drafter = Drafter(self._store, body, lambda: self._incoming(caller, project, body), limits)
        remember = _Remember(caller, key, asked)
        for _ in range(ATTEMPTS):
            answer = self._attempt(remember, project, name, body, drafter)
            if answer is not None:
                for file in body.files:
                    self._uploads.discard(file.upload)
                return answer
        raise Conflict(
            f"Dataset '{name}' changes all the time; this commit lost {ATTEMPTS} races.",
            code="too-busy",
            hint="Send it again.",
        )

    def _incoming(
        self, caller: Principal, project: str, body: CommitRequest
    ) -> builtins.list[Incoming]:
        from .commits import Incoming

        found = [(self._uploads.open(caller, project, f.upload), f.format) for f in body.files]
        return [Incoming(file.path, file.filename, form) for file, form in found]

    def _attempt(
        self, remember: _Remember, project: str, name: str, body: CommitRequest, drafter: Drafter
    ) -> Version | None:
        with self._database.read() as session:
            dataset = versions.find_dataset(session, project, name)
            state = versions.head(session, self._store, dataset)
        references.check_parent(body, state)
        draft = drafter.on(state)
        with self._database.write() as session:
            if (found := remember.recall(session)) is not None:
                return found
            won = update(DatasetRow).where(
                DatasetRow.id == dataset.id,
                DatasetRow.head == state.number,
                DatasetRow.removed == "",
            )
            values = {
                "head": state.number + 1,
                "labels": draft.root.labels,
                "updated_at": clock.now(),
            }
            if getattr(session.execute(won.values(values)), "rowcount", 0) != 1:
                return None
            row = self._new_version(session, remember.caller, state, body, draft)
            answer = versions.to_version(self._store, name, row, {}, draft.root)
            remember.keep(session, answer)
        return answer

    def _new_version(
        self,
        session: Session,
        caller: Principal,
        state: versions.State,
        body: CommitRequest,
        draft: Draft,
    ) -> VersionRow:
        row = VersionRow(
            dataset_id=state.dataset.id,
            version=state.number + 1,
            manifest=draft.manifest,
            statistics=draft.statistics,
            parent=state.number or None,
            message=body.message,
            operation=body.operation,
            tags=dict(body.tags),
            author=caller.name,
            created_at=clock.now(),
            rows=draft.root.rows,
            rows_added=draft.rows_added,
            rows_removed=draft.rows_removed,
            bytes=draft.root.bytes,
        )
        session.add(row)
        project, holder = state.dataset.project, f"dataset/{state.dataset.id}"
        storage.admit(session, self._quotas, caller.name, project, draft.new_chunks)
        references.hold(session, self._database, project, holder, caller.name, draft.new_chunks)
        content = f"sha256:{draft.manifest}"
        payload = {"version": row.version, "rows": row.rows, "hash": content}
        self._tell(session, "dataset.committed", state.dataset, caller, payload)
        references.record_version(self._lineage, session, state.dataset, row)
        return row

    def rows(
        self,
        project: str,
        name: str,
        ref: str,
        where: str | None,
        columns: Names | None,
        offset: int,
        limit: int,
    ) -> Rows:
        """A window of rows as JSON."""
        from . import preview

        state = self._state(project, name, ref)
        return preview.window(self._store, state.root, where, columns, offset, limit)

    def export(
        self,
        project: str,
        name: str,
        ref: str,
        where: str | None,
        columns: Names | None,
        format: ExportFormat,
    ) -> ChunkFile:
        """All rows as one file, made while it is sent."""
        from . import export

        state = self._state(project, name, ref)
        title = f"{name}-v{state.number}"
        return export.export(self._store, state.root, where, columns, format, title)

    def diff(self, project: str, name: str, base: str, target: str) -> Diff:
        """What changed from one version to another."""
        from . import diff

        first, second = self._state(project, name, base), self._state(project, name, target)
        return diff.diff(self._store, first, second)

    def _state(self, project: str, name: str, ref: str) -> versions.State:
        from . import manifest

        with self._database.read() as session:
            dataset = versions.find_dataset(session, project, name)
            row = versions.find_version(session, dataset, ref)
        return versions.State(dataset, row, manifest.load(self._store, row.manifest))

    def tag(
        self, caller: Principal, project: str, name: str, tag: str, body: TagRequest
    ) -> Dataset:
        """Point a tag at a version; it moves only when the request says so."""
        with self._database.write() as session:
            dataset = versions.find_dataset(session, project, name)
            change = tags.point(session, dataset, tag, body, caller.name)
            return self._tagged(session, caller, dataset, change)

    def untag(self, caller: Principal, project: str, name: str, tag: str) -> Dataset:
        """Remove a tag."""
        with self._database.write() as session:
            dataset = versions.find_dataset(session, project, name)
            return self._tagged(session, caller, dataset, tags.drop(session, dataset, tag))

    def _tagged(
        self, session: Session, caller: Principal, dataset: DatasetRow, change: Payload | None
    ) -> Dataset:
        if change is not None:
            self._tell(session, "dataset.tagged", dataset, caller, change)
        session.flush()
        return self._answer(session, dataset)

    def _tell(
        self,
        session: Session,
        topic: str,
        dataset: DatasetRow,
        caller: Principal,
        payload: Payload,
    ) -> None:
        self._events.append(
            session,
            topic,
            project=dataset.project,
            subject=f"dataset/{dataset.name}",
            actor=caller.name,
            payload=dict(payload),
        )


class _Remember:
    """The idempotency key of one commit."""

    def __init__(self, caller: Principal, key: str | None, asked: str) -> None:
        self.caller, self._key, self._asked = caller, key, asked

    def recall(self, session: Session) -> Version | None:
        found = idempotency.recall(session, self.caller.name, self._key, self._asked)
        return None if found is None else Version.model_validate(found)

    def keep(self, session: Session, answer: Version) -> None:
        idempotency.remember(session, self.caller.name, self._key, self._asked, answer)
