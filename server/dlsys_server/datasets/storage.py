"""Bytes that datasets and snapshots keep: counted when they are written, added up when asked.

A chunk counts once in a project, and once for each user who brought it there, however many versions
have it. What only a removed dataset has does not count.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from sqlalchemy import func, or_, select, update
from sqlalchemy.orm import Session

from dlsys_server.access.quotas import QuotaService
from dlsys_server.core.database import Database
from dlsys_server.core.errors import Broken
from dlsys_server.core.loops import Loop
from dlsys_server.core.store import ObjectStore
from jupyter_dlsys.contract.quotas import QuotaKind

from .tables import ChunkRow, DatasetRow, SnapshotRow

PIECE = 500
DATASET, SNAPSHOT = "dataset/", "snapshot/"
REST_SECONDS = 3600.0


def stored(
    session: Session, kind: QuotaKind, names: Collection[str] | None = None
) -> Mapping[str, float]:
    """Bytes by project or user."""
    who = ChunkRow.owner if kind == "user" else ChunkRow.project
    once = (
        select(who.label("who"), func.max(ChunkRow.bytes).label("bytes"))
        .select_from(ChunkRow)
        .outerjoin(DatasetRow, DatasetRow.id == func.substr(ChunkRow.holder, len(DATASET) + 1))
        .where(
            or_(ChunkRow.holder.not_like(DATASET + "%"), DatasetRow.removed == ""),
            ChunkRow.bytes > 0,
        )
        .group_by(who, ChunkRow.project, ChunkRow.sha256)
    )
    if names is not None:
        once = once.where(who.in_(list(names)))
    each = once.subquery()
    query = select(each.c.who, func.sum(each.c.bytes)).group_by(each.c.who)
    return {name: float(count) for name, count in session.execute(query) if name}


def admit(
    session: Session, quotas: QuotaService, user: str, project: str, chunks: Mapping[str, int]
) -> None:
    """Refuse chunks that are new in the project and more than its, or the user's, quota.

    Raises:
        Forbidden: they are.
    """
    wanted, known = list(chunks), set[str]()
    for start in range(0, len(wanted), PIECE):
        piece = wanted[start : start + PIECE]
        query = select(ChunkRow.sha256).where(
            ChunkRow.project == project, ChunkRow.sha256.in_(piece)
        )
        known.update(session.scalars(query))
    more = sum(size for sha, size in chunks.items() if sha not in known)
    if more:
        quotas.check(session, user, project, "storage_bytes", more)


class Measuring(Loop):
    """Looks up the sizes of chunks that were kept before sizes were, once."""

    def __init__(self, database: Database, store: ObjectStore) -> None:
        super().__init__("measuring", pause=60.0)
        self.database, self.store = database, store

    def step(self, woken: bool) -> float:
        """One piece; at once again while there are more."""
        query = select(ChunkRow.sha256, ChunkRow.holder).where(ChunkRow.bytes.is_(None))
        with self.database.read() as session:
            rows = session.execute(query.limit(PIECE)).all()
            owners = {holder: _owner(session, holder) for _, holder in rows}
        sizes = {sha: self._size(sha) for sha in {row.sha256 for row in rows}}
        for sha, holder in rows:
            with self.database.write() as session:
                session.execute(
                    update(ChunkRow)
                    .where(ChunkRow.sha256 == sha, ChunkRow.holder == holder)
                    .values(bytes=sizes[sha], owner=owners[holder])
                )
        self.error = ""
        return 0.0 if rows else REST_SECONDS

    def _size(self, sha256: str) -> int:
        try:
            return self.store.size(sha256)
        except Broken:  # it is not there
            return 0


def _owner(session: Session, holder: str) -> str:
    if holder.startswith(DATASET):
        query = select(DatasetRow.owner).where(DatasetRow.id == holder.removeprefix(DATASET))
    else:
        query = select(SnapshotRow.created_by).where(
            SnapshotRow.hash == holder.removeprefix(SNAPSHOT)
        )
    return session.scalar(query.limit(1)) or ""
