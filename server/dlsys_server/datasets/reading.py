"""The verbs that look at datasets. Each finds the caller's view first and answers through it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import select, tuple_
from sqlalchemy.orm import Session

from dlsys_server.access.principals import Principal
from dlsys_server.api.paging import Paging
from dlsys_server.core.database import Database
from dlsys_server.core.errors import Forbidden
from jupyter_dlsys.contract.base import Page
from jupyter_dlsys.contract.datasets import (
    Dataset,
    Diff,
    ExportFormat,
    Rows,
    Version,
    VersionSummary,
)

from . import cursors, manifest, versions
from .chunks import ChunkFile
from .showing import Shower
from .tables import DatasetRow, PolicyRow, VersionRow
from .viewing import View, Views, view_of, visible_in, with_policy

if TYPE_CHECKING:
    from .diff import Side

PREVIEW_ROWS = 200
"""So many of the first rows can be looked at by who may not export."""
SHARED_BATCH = 200
Names = list[str]
Found = tuple[DatasetRow, View]


@dataclass(frozen=True)
class _Kept:
    """What answers about datasets are made of, once the session is closed."""

    found: list[Found]
    newest: dict[str, VersionRow]
    tags: dict[str, dict[str, int]]

    @classmethod
    def of(cls, session: Session, found: list[Found]) -> _Kept:
        ids = [row.id for row, _ in found]
        return cls(found, versions.newest_of(session, ids), versions.tags_of(session, ids))

    def answers(self, shower: Shower) -> list[Dataset]:
        return [
            shower.dataset(row, self.newest.get(row.id), self.tags[row.id], view)
            for row, view in self.found
        ]


@dataclass(frozen=True)
class Seen:
    """A dataset at one version, and what the caller sees of it."""

    state: versions.State
    view: View
    tags: dict[str, int]
    before: str | None
    """Manifest of the parent version."""

    @property
    def row(self) -> VersionRow:
        """The version."""
        assert self.state.version is not None
        return self.state.version


class DatasetReading:
    """Datasets and their versions, as the caller sees them."""

    def __init__(self, database: Database, views: Views, shower: Shower) -> None:
        self._database, self._store = database, shower.store
        self._views, self._shower = views, shower

    def list(self, caller: Principal, project: str, paging: Paging) -> Page[Dataset]:
        """Datasets of a project that the caller sees, most recently changed first."""
        reader = self._views.reader(caller)
        query = _newest_first(with_policy(), paging.cursor)
        query = query.where(visible_in(reader, project), DatasetRow.removed == "")
        with self._database.read() as session:
            rows = list(session.execute(query.limit(paging.limit + 1)))
            found = [(row, view) for row, policy in rows if (view := view_of(reader, row, policy))]
            kept = _Kept.of(session, found[: paging.limit])
        return self._page(kept, more=len(rows) > paging.limit)

    def shared(self, caller: Principal, project: str, paging: Paging) -> Page[Dataset]:
        """Datasets of other projects that the caller may read, most recently changed first."""
        reader = self._views.reader(caller)
        query = _newest_first(with_policy(), paging.cursor).where(
            PolicyRow.visibility.in_(("groups", "organisation")),
            DatasetRow.project != project,
            DatasetRow.removed == "",
        )
        with self._database.read() as session:
            found: list[Found] = []
            for row, policy in _batched(session, query):
                if view := view_of(reader, row, policy):
                    found.append((row, view))
                if len(found) > paging.limit:
                    break
            kept = _Kept.of(session, found[: paging.limit])
        return self._page(kept, more=len(found) > paging.limit)

    def _page(self, kept: _Kept, *, more: bool) -> Page[Dataset]:
        last = kept.found[-1][0] if more and kept.found else None
        cursor = cursors.pack_time(last.updated_at, last.id) if last else None
        return Page(items=kept.answers(self._shower), next_cursor=cursor)

    def show(self, caller: Principal, project: str, name: str) -> Dataset:
        """One dataset."""
        reader = self._views.reader(caller)
        with self._database.read() as session:
            kept = _Kept.of(session, [self._views.find(session, reader, project, name)])
        return kept.answers(self._shower)[0]

    def history(
        self, caller: Principal, project: str, name: str, paging: Paging
    ) -> Page[VersionSummary]:
        """Versions, newest first."""
        reader = self._views.reader(caller)
        with self._database.read() as session:
            dataset, view = self._views.find(session, reader, project, name)
            query = select(VersionRow).where(VersionRow.dataset_id == dataset.id)
            if paging.cursor:
                query = query.where(VersionRow.version < cursors.unpack_number(paging.cursor))
            query = query.order_by(VersionRow.version.desc()).limit(paging.limit + 1)
            rows = list(session.scalars(query))
            named = versions.tags_of(session, [dataset.id])[dataset.id]
        more, before = len(rows) > paging.limit, {row.version: row.manifest for row in rows}
        rows = rows[: paging.limit]
        items = [
            self._shower.summary(name, row, named, view, before.get(row.parent or 0))
            for row in rows
        ]
        return Page(items=items, next_cursor=str(rows[-1].version) if more else None)

    def version(self, caller: Principal, project: str, name: str, ref: str) -> Version:
        """One version with schema, labels and statistics."""
        seen = self._seen(caller, project, name, ref)
        return self._shower.version(name, seen.row, seen.tags, seen.view, seen.before)

    def rows(
        self,
        caller: Principal,
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

        seen = self._seen(caller, project, name, ref)
        if not seen.view.may_export and offset + limit > PREVIEW_ROWS:
            raise no_export(name, f"Look at the first {PREVIEW_ROWS} rows, or read all in a job.")
        lens = self._shower.lens(seen.view, seen.state.root)
        total = self._shower.rows(seen.view, seen.state.root) if not where else None
        return preview.window(
            self._store, seen.state.root, where, columns, offset, limit, lens, total
        )

    def export(
        self,
        caller: Principal,
        project: str,
        name: str,
        ref: str,
        where: str | None,
        columns: Names | None,
        format: ExportFormat,
    ) -> ChunkFile:
        """All rows as one file, made while it is sent.

        Raises:
            Forbidden: the caller may read the dataset and not export it.
        """
        from . import export

        seen = self._seen(caller, project, name, ref)
        if not seen.view.may_export:
            raise no_export(name)
        lens = self._shower.lens(seen.view, seen.state.root)
        title = f"{name}-v{seen.state.number}"
        return export.export(self._store, seen.state.root, where, columns, format, title, lens)

    def diff(self, caller: Principal, project: str, name: str, base: str, target: str) -> Diff:
        """What changed from one version to another."""
        from . import diff

        first = self._seen(caller, project, name, base)
        second = self._seen(caller, project, name, target)
        if first.view != second.view:  # the policy has changed in between
            first = self._seen(caller, project, name, base)
        return diff.diff(self._side(first), self._side(second))

    def _side(self, seen: Seen) -> Side:
        from .diff import Side

        lens = self._shower.lens(seen.view, seen.state.root)
        if lens is None:
            return Side.whole(self._store, seen.state)
        return Side(
            self._store,
            seen.state,
            lens,
            self._shower.profile(lens, seen.row, seen.state.root),
            self._shower.labels(seen.view, seen.row.manifest, seen.state.root),
        )

    def _seen(self, caller: Principal, project: str, name: str, ref: str) -> Seen:
        """A version through the caller's view.

        Raises:
            NotFound: there is none that the caller can see.
        """
        reader = self._views.reader(caller)
        with self._database.read() as session:
            dataset, view = self._views.find(session, reader, project, name)
            row = versions.find_version(session, dataset, ref, self._shower.hash_of(view))
            tags = versions.tags_of(session, [dataset.id])[dataset.id]
            before = None
            if view.filters and row.parent:
                parent = session.get(VersionRow, (dataset.id, row.parent))
                before = parent.manifest if parent else None
        state = versions.State(dataset, row, manifest.load(self._store, row.manifest))
        return Seen(state, view, tags, before)


def no_export(name: str, hint: str = "Ask its owner, or read it in a job.") -> Forbidden:
    """The refusal of a way to take data out."""
    return Forbidden(f"'{name}' may not be exported by you.", code="export-forbidden", hint=hint)


def _newest_first(query: Any, cursor: str | None) -> Any:
    if cursor:
        after = cursors.unpack_time(cursor)
        query = query.where(tuple_(DatasetRow.updated_at, DatasetRow.id) < after)
    return query.order_by(DatasetRow.updated_at.desc(), DatasetRow.id.desc())


def _batched(session: Session, query: Any) -> Iterator[tuple[DatasetRow, PolicyRow | None]]:
    start = 0
    while rows := list(session.execute(query.offset(start).limit(SHARED_BATCH))):
        yield from ((row, policy) for row, policy in rows)
        start += SHARED_BATCH
