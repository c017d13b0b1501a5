"""Lineage: nodes and edges written where the fact happens, walked up and down with caps.

Words as in W3C PROV and MLMD: artifacts (dataset versions, snapshots, models) and activities (runs)
in one directed graph; an edge points downstream.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal, get_args

from sqlalchemy import func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from dlsys_server.core import clock
from dlsys_server.core.database import Database
from dlsys_server.core.errors import InvalidInput, NotFound
from jupyter_dlsys.contract.runs import Lineage, LineageEdge, LineageNode

from .tables import EdgeRow, NodeRow, RunRow

NodeType = Literal[
    "dataset_version", "snapshot", "notebook", "environment", "run", "model_version", "deployment"
]
Direction = Literal["up", "down", "both"]
NEIGHBOURS = 50


def urn(project: str, type: str, name: str, version: str = "") -> str:
    """Identity of a node: dlsys://project/type/name@version."""
    return f"dlsys://{project}/{type}/{name}" + (f"@{version}" if version else "")


class LineageService:
    """Verbs on the lineage graph."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def record(
        self,
        session: Session,
        *,
        project: str,
        type: NodeType,
        name: str,
        version: str = "",
        actor: str,
        properties: dict[str, Any] | None = None,
    ) -> int:
        """The node's id; made in the caller's transaction when it is new, else left as it was."""
        insert = sqlite.insert if self.database.is_sqlite else postgresql.insert
        identity = urn(project, type, name, version)
        values = {
            "urn": identity,
            "type": type,
            "name": f"{name}@{version}" if version else name,
            "project": project,
            "actor": actor,
            "created_at": clock.now(),
            "properties": properties or {},
        }
        session.execute(
            insert(NodeRow).values(values).on_conflict_do_nothing(index_elements=["urn"])
        )
        return session.execute(select(NodeRow.id).where(NodeRow.urn == identity)).scalar_one()

    def find(
        self, session: Session, project: str, type: NodeType, name: str, version: str = ""
    ) -> int | None:
        """The id of a node, or None."""
        return session.scalar(
            select(NodeRow.id).where(NodeRow.urn == urn(project, type, name, version))
        )

    def link(self, session: Session, source: int, target: int, kind: str) -> None:
        """An edge `source` → `target`, once."""
        insert = sqlite.insert if self.database.is_sqlite else postgresql.insert
        values = {"source": source, "target": target, "kind": kind, "created_at": clock.now()}
        session.execute(insert(EdgeRow).values(values).on_conflict_do_nothing())

    def show(self, project: str, ref: str, direction: Direction, depth: int, limit: int) -> Lineage:
        """The graph around a thing, nearest first.

        Raises:
            NotFound: nothing is known of it.
        """
        with self.database.read() as session:
            root = self._resolve(session, project, ref)
            walk = _Walk(session, project, limit)
            if direction in ("up", "both"):
                walk.go(root.id, depth, up=True)
            if direction in ("down", "both"):
                walk.go(root.id, depth, up=False)
            return walk.result(root)

    def _resolve(self, session: Session, project: str, ref: str) -> NodeRow:
        node = session.scalar(
            select(NodeRow).where(
                NodeRow.urn.in_(list(_candidates(session, project, ref))),
                NodeRow.project == project,
            )
        )
        if node is None:
            raise NotFound(
                f"Nothing is known of the history of '{ref}'.",
                hint="Use dataset/name@v1, snapshot/sha256:…, job/ID, run/ID, model/name@v1 or "
                "deployment/name.",
            )
        return node


ALIASES = {"dataset": "dataset_version", "model": "model_version"}


def _candidates(session: Session, project: str, ref: str) -> Iterable[str]:
    if ref.startswith("dlsys://"):
        yield ref
        if not ref.startswith(f"dlsys://{project}/"):
            return
        ref = ref.removeprefix(f"dlsys://{project}/")
    kind, _, rest = ref.partition("/")
    kind = ALIASES.get(kind, kind)
    if kind == "job":
        for run_id in session.scalars(select(RunRow.run_id).where(RunRow.job_id == rest)):
            yield urn(project, "run", run_id)
        return
    if kind not in get_args(NodeType) or not rest:
        raise InvalidInput(
            f"'{ref}' is not a reference.",
            hint="Write type/name, e.g. dataset/tweets@v1 or model/intent@v2.",
        )
    name, at, version = rest.partition("@")
    if at and version.isdigit():
        version = f"v{version}"
    if not at and kind in ("dataset_version", "model_version"):
        newest = session.scalar(
            select(NodeRow.urn)
            .where(NodeRow.urn.startswith(urn(project, kind, name, "v"), autoescape=True))
            .order_by(NodeRow.id.desc())
        )
        if newest:
            yield newest
        return
    yield urn(project, kind, name, version)


class _Walk:
    """Breadth-first over edges; at most `limit` nodes, `NEIGHBOURS` of one node."""

    def __init__(self, session: Session, project: str, limit: int) -> None:
        self.session, self.project, self.limit = session, project, limit
        self.ids: dict[int, int] = {}
        self.edges: set[tuple[int, int, str]] = set()
        self.truncated = False

    def go(self, root: int, depth: int, *, up: bool) -> None:
        self.ids.setdefault(root, 0)
        near, far = (EdgeRow.target, EdgeRow.source) if up else (EdgeRow.source, EdgeRow.target)
        frontier, seen = [root], {root}
        for _ in range(depth):
            following: list[int] = []
            for node in frontier:
                following += self._neighbours(node, near, far, seen)
            frontier = following
            if not frontier:
                return
        self.truncated = self.truncated or bool(frontier)

    def _neighbours(self, node: int, near: Any, far: Any, seen: set[int]) -> list[int]:
        query = (
            select(EdgeRow.source, EdgeRow.target, EdgeRow.kind, NodeRow.id)
            .join(NodeRow, NodeRow.id == far)
            .where(near == node, NodeRow.project == self.project)
            .order_by(EdgeRow.created_at.desc())
        )
        found: list[int] = []
        for source, target, kind, other in self.session.execute(query.limit(NEIGHBOURS)):
            if other not in self.ids and len(self.ids) >= self.limit:
                self.truncated = True
                break
            self.ids.setdefault(other, 0)
            self.edges.add((source, target, kind))
            if other not in seen:
                seen.add(other)
                found.append(other)
        if len(found) == NEIGHBOURS:
            total = self.session.scalar(
                select(func.count()).select_from(EdgeRow).where(near == node)
            )
            self.ids[node] += max(0, (total or 0) - NEIGHBOURS)
        return found

    def result(self, root: NodeRow) -> Lineage:
        rows = self.session.scalars(
            select(NodeRow).where(NodeRow.id.in_(self.ids)).order_by(NodeRow.id)
        ).all()
        names = {row.id: row.urn for row in rows}
        return Lineage(
            root=root.urn,
            nodes=[_to_node(row, self.ids[row.id]) for row in rows],
            edges=[
                LineageEdge(source=names[s], target=names[t], kind=kind)
                for s, t, kind in sorted(self.edges)
            ],
            truncated=self.truncated,
        )


def _to_node(row: NodeRow, more: int) -> LineageNode:
    return LineageNode(
        id=row.urn,
        type=row.type,
        name=row.name,
        created_at=row.created_at,
        actor=row.actor,
        properties=row.properties,
        more=more,
    )
