"""Around a commit: what it may ask, who holds its chunks, its place in lineage."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from dlsys_server.core.database import Database
from dlsys_server.core.errors import Conflict, InvalidInput
from dlsys_server.metadata.lineage import LineageService
from jupyter_dlsys.contract.datasets import CommitRequest

from .tables import ChunkRow, DatasetRow, VersionRow
from .versions import State

BATCH = 500


def check_commit(body: CommitRequest) -> None:
    """Refuse a commit that cannot mean anything.

    Raises:
        InvalidInput: files and `where` do not fit the operation.
    """
    if body.operation == "delete":
        if body.files or not body.where:
            raise InvalidInput(
                "A delete takes `where` and no files.",
                hint="Name the rows to delete, e.g. label == 'spam'.",
            )
    elif body.where or not body.files:
        raise InvalidInput(
            f"An operation '{body.operation}' takes files and no `where`.",
            hint="Upload a file first, then name the upload in `files`.",
        )
    if len({f.upload for f in body.files}) < len(body.files):
        raise InvalidInput("An upload is named twice.", hint="Name each file once.")


def check_parent(body: CommitRequest, state: State) -> None:
    """Refuse a commit that expects another newest version.

    Raises:
        Conflict: it is not the newest.
        InvalidInput: there is nothing to delete from.
    """
    if body.parent is not None and body.parent != state.number:
        raise Conflict(
            f"The newest version of '{state.dataset.name}' is v{state.number}, not v{body.parent}.",
            code="parent-moved",
            hint="Look at what changed, then commit again on the newest version.",
        )
    if body.operation == "delete" and state.version is None:
        raise InvalidInput(
            f"Dataset '{state.dataset.name}' has no rows to delete.",
            hint="Commit data first.",
        )


def hold(
    session: Session,
    database: Database,
    project: str,
    holder: str,
    owner: str,
    chunks: Mapping[str, int],
) -> None:
    """Note that `holder` has these chunks (with their sizes), in the caller's transaction."""
    insert = sqlite.insert if database.is_sqlite else postgresql.insert
    same = {"project": project, "holder": holder, "owner": owner}
    rows = [{**same, "sha256": sha, "bytes": size} for sha, size in chunks.items()]
    for start in range(0, len(rows), BATCH):
        statement = insert(ChunkRow).values(rows[start : start + BATCH])
        session.execute(statement.on_conflict_do_nothing())


def record_version(
    lineage: LineageService, session: Session, dataset: DatasetRow, row: VersionRow
) -> int:
    """The lineage node of a version, with an edge from its parent."""
    node = version_node(lineage, session, dataset, row)
    if row.parent is not None:
        parent = lineage.record(
            session,
            project=dataset.project,
            type="dataset_version",
            name=dataset.name,
            version=f"v{row.parent}",
            actor=row.author,
        )
        lineage.link(session, parent, node, "derived_from")
    return node


def version_node(
    lineage: LineageService, session: Session, dataset: DatasetRow, row: VersionRow
) -> int:
    """The lineage node of a version."""
    return lineage.record(
        session,
        project=dataset.project,
        type="dataset_version",
        name=dataset.name,
        version=f"v{row.version}",
        actor=row.author,
        properties={"hash": f"sha256:{row.manifest}", "rows": row.rows, "message": row.message},
    )
