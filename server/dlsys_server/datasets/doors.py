"""The door to kept data: which snapshots and chunks a caller may read. A hash gives no right."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from sqlalchemy import select
from sqlalchemy.orm import Session

from dlsys_server.access.principals import Principal, no_such_project
from dlsys_server.core.database import Database
from dlsys_server.core.errors import NotFound

from .reading import no_export
from .tables import ChunkRow, DatasetRow, PolicyRow, SnapshotRow
from .viewing import View, Views, view_of, with_policy

SNAPSHOT, DATASET = "snapshot/", "dataset/"
Allowed = Callable[[str, str], bool]
Owned = tuple[DatasetRow, PolicyRow | None]


class Door:
    """Knows the rules.

    A person reads a snapshot that shows no more than what they see of its dataset now. A job reads
    the snapshots bound to it, as long as its owner might.
    """

    def __init__(self, database: Database, views: Views, allowed: Allowed) -> None:
        self._database, self._views = database, views
        self.allowed = allowed

    def snapshots(
        self, caller: Principal, project: str, hashes: Iterable[str]
    ) -> list[tuple[SnapshotRow, bool]]:
        """Snapshots of these hashes that the caller may read, and whether to take them out.

        Those of a job may be of other projects than its own.
        """
        is_job = caller.kind == "job"
        if is_job:
            hashes = [h for h in hashes if caller.job_id and self.allowed(caller.job_id, h)]
        query = select(SnapshotRow).where(SnapshotRow.hash.in_(list(hashes)))
        if not is_job:
            query = query.where(SnapshotRow.project == project)
        with self._database.read() as session:
            rows = list(session.scalars(query.order_by(SnapshotRow.id)))
            owned = _owned(session, {row.dataset_id for row in rows})
        views = self._views_of(caller, project, owned)
        found = [(row, views[row.dataset_id]) for row in rows if row.dataset_id in views]
        return [(row, view.may_export) for row, view in found if view.covers(row.view)]

    def check_chunk(self, caller: Principal, project: str, sha256: str) -> None:
        """Refuse a chunk that is of nothing the caller may read.

        Raises:
            NotFound: it is not.
            Forbidden: it is, but the caller may not take it out.
        """
        query = select(ChunkRow.holder).where(ChunkRow.sha256 == sha256)
        if caller.kind != "job":
            query = query.where(ChunkRow.project == project)
        with self._database.read() as session:
            holders = set(session.scalars(query))
        hashes = [h.removeprefix(SNAPSHOT) for h in holders if h.startswith(SNAPSHOT)]
        found = self.snapshots(caller, project, hashes) if hashes else []
        is_job = caller.kind == "job"
        if any(may_export or is_job for _, may_export in found):
            return
        if not is_job and self._holds_whole(caller, project, holders):
            return
        if found:
            raise no_export(found[0][0].dataset)
        raise self.refusal(
            caller,
            project,
            f"There is no chunk {sha256[:12]}… that you can read.",
            code="no-such-chunk",
            hint="Ask for the snapshot again; it lists its chunks.",
        )

    def refusal(
        self, caller: Principal, project: str, detail: str, *, code: str, hint: str
    ) -> NotFound:
        """The same for what is not there and for what is not the caller's."""
        if project not in caller.rights:
            return no_such_project(project)
        return NotFound(detail, code=code, hint=hint)

    def _holds_whole(self, caller: Principal, project: str, holders: set[str]) -> bool:
        """Whether one of the holders is a dataset that the caller sees, and may take out, whole."""
        ids = {h.removeprefix(DATASET) for h in holders if h.startswith(DATASET)}
        if not ids:
            return False
        with self._database.read() as session:
            owned = _owned(session, ids)
        views = self._views_of(caller, project, owned).values()
        return any(view.whole and view.may_export for view in views)

    def _views_of(
        self, caller: Principal, project: str, owned: dict[str, Owned]
    ) -> dict[str, View]:
        """Views by dataset. A job of a project needs nobody's for what the project sees whole."""
        found: dict[str, View | None] = {}
        if caller.kind == "job":
            found = {
                id: View(project)
                for id, (dataset, policy) in owned.items()
                if policy is None and dataset.project == project
            }
        if len(found) < len(owned):
            reader = self._views.reader(caller)
            found |= {id: view_of(reader, *o) for id, o in owned.items() if id not in found}
        return {id: view for id, view in found.items() if view is not None}


def _owned(session: Session, ids: set[str]) -> dict[str, Owned]:
    rows = session.execute(with_policy().where(DatasetRow.id.in_(ids)))
    return {dataset.id: (dataset, policy) for dataset, policy in rows}
