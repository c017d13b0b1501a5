"""The verbs on datasets. One transaction each; heavy libraries are loaded when first needed."""

from __future__ import annotations

import builtins
from collections.abc import Mapping
from typing import TYPE_CHECKING

from sqlalchemy import update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from dlsys_server.access.principals import Principal
from dlsys_server.access.quotas import QuotaService
from dlsys_server.core import clock, idempotency
from dlsys_server.core.database import Database
from dlsys_server.core.errors import Conflict, Forbidden
from dlsys_server.core.events import EventLog
from dlsys_server.core.ids import new_id
from dlsys_server.core.settings import Settings
from dlsys_server.metadata.lineage import LineageService
from jupyter_dlsys.contract.datasets import (
    CommitRequest,
    CreateDataset,
    Dataset,
    TagRequest,
    Version,
)

from . import references, storage, tags, versions
from .reading import DatasetReading
from .showing import Shower
from .tables import DatasetRow, VersionRow
from .uploads import UploadService
from .viewing import View, Views

if TYPE_CHECKING:
    from .commits import Draft, Drafter, Incoming

ATTEMPTS = 100
Payload = Mapping[str, object]


class DatasetService(DatasetReading):
    """Datasets, their versions and tags."""

    def __init__(
        self,
        database: Database,
        events: EventLog,
        settings: Settings,
        uploads: UploadService,
        lineage: LineageService,
        quotas: QuotaService,
        views: Views,
        shower: Shower,
    ) -> None:
        super().__init__(database, views, shower)
        self._events, self._settings = events, settings
        self._uploads, self._lineage, self._quotas = uploads, lineage, quotas

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

    def remove(self, caller: Principal, project: str, name: str) -> None:
        """Take a dataset out of the lists; its snapshots and its history in lineage stay."""
        reader = self._views.reader(caller)
        with self._database.write() as session:
            row, view = self._views.find(session, reader, project, name)
            if view.filters:
                raise _rows_hidden(name, "not remove it")
            row.removed, row.updated_at = row.id, clock.now()
            self._tell(session, "dataset.removed", row, caller, {"version": row.head})

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
        reader = self._views.reader(remember.caller)
        with self._database.read() as session:
            dataset, view = self._views.find(session, reader, project, name)
            state = versions.head(session, self._store, dataset)
        references.check_parent(body, state)
        self._check_sees(view, state, body)
        draft = drafter.on(state)
        row = self._row(remember.caller, state, body, draft)
        before = state.version.manifest if state.version else None
        answer = self._shower.version(name, row, {}, view, before)
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
            self._keep(session, remember.caller, state, row, draft)
            remember.keep(session, answer)
        return answer

    def _check_sees(self, view: View, state: versions.State, body: CommitRequest) -> None:
        """Nobody removes rows that they do not see, or selects rows by values they do not see.

        Raises:
            Forbidden: rows are hidden from the caller.
            InvalidInput: the filter names a masked column.
        """
        if view.filters and body.operation != "append":
            raise _rows_hidden(state.dataset.name, "only append")
        lens = self._shower.lens(view, state.root)
        if lens is not None and body.where:
            lens.where(body.where)

    def _row(
        self, caller: Principal, state: versions.State, body: CommitRequest, draft: Draft
    ) -> VersionRow:
        return VersionRow(
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

    def _keep(
        self,
        session: Session,
        caller: Principal,
        state: versions.State,
        row: VersionRow,
        draft: Draft,
    ) -> None:
        session.add(row)
        project, holder = state.dataset.project, f"dataset/{state.dataset.id}"
        storage.admit(session, self._quotas, caller.name, project, draft.new_chunks)
        references.hold(session, self._database, project, holder, caller.name, draft.new_chunks)
        content = f"sha256:{draft.manifest}"
        payload = {"version": row.version, "rows": row.rows, "hash": content}
        self._tell(session, "dataset.committed", state.dataset, caller, payload)
        references.record_version(self._lineage, session, state.dataset, row)

    def tag(
        self, caller: Principal, project: str, name: str, tag: str, body: TagRequest
    ) -> Dataset:
        """Point a tag at a version; it moves only when the request says so."""
        reader = self._views.reader(caller)
        with self._database.write() as session:
            dataset, _ = self._views.find(session, reader, project, name)
            change = tags.point(session, dataset, tag, body, caller.name)
            if change is not None:
                self._tell(session, "dataset.tagged", dataset, caller, change)
        return self.show(caller, project, name)

    def untag(self, caller: Principal, project: str, name: str, tag: str) -> Dataset:
        """Remove a tag."""
        reader = self._views.reader(caller)
        with self._database.write() as session:
            dataset, _ = self._views.find(session, reader, project, name)
            change = tags.drop(session, dataset, tag)
            self._tell(session, "dataset.tagged", dataset, caller, change)
        return self.show(caller, project, name)

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


def _rows_hidden(name: str, so: str) -> Forbidden:
    return Forbidden(
        f"A policy hides rows of '{name}' from you, so you can {so}.",
        code="rows-hidden",
        hint="Ask its owner or a maintainer to do it.",
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
