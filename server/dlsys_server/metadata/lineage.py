"""Lineage: nodes and edges written where the fact happens, walked up and down with caps.

Words as in W3C PROV and MLMD: artifacts (dataset versions, snapshots, models) and activities (runs)
in one directed graph; an edge points downstream.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from dlsys_server.access.principals import Principal
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


@dataclass(frozen=True)
class LineageNames:
    """The dataset that a node is of, and the snapshot if it is one."""

    project: str
    dataset: str
    snapshot: str = ""


LineageSight = Callable[[Session, Sequence[tuple[int, LineageNames]]], dict[int, bool]]
"""Of nodes of datasets those that a caller may see, and whether with all that is known of them."""


def all_seen(_caller: Principal) -> LineageSight:
    """Nothing is hidden."""
    return lambda _session, nodes: {id: True for id, _ in nodes}


class LineageService:
    """Verbs on the lineage graph. `seen` says which nodes of datasets a caller may see."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.seen: Callable[[Principal], LineageSight] = all_seen

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

    def show(
        self,
        caller: Principal,
        project: str,
        ref: str,
        direction: Direction,
        depth: int,
        limit: int,
    ) -> Lineage:
        """The graph around a thing, nearest first; what the caller may not see is not there.

        Raises:
            NotFound: nothing is known of it.
        """
        seen = self.seen(caller)
        with self.database.read() as session:
            sight = _Sight(session, seen)
            root = self._resolve(session, project, ref, sight)
            walk = _Walk(session, project, limit, sight)
            if direction in ("up", "both"):
                walk.go(root.id, depth, up=True)
            if direction in ("down", "both"):
                walk.go(root.id, depth, up=False)
            return walk.result(root)

    def _resolve(self, session: Session, project: str, ref: str, sight: _Sight) -> NodeRow:
        node = session.scalar(
            select(NodeRow).where(
                NodeRow.urn.in_(list(_candidates(session, project, ref))),
                NodeRow.project == project,
            )
        )
        if node is None or not sight.of([node]):
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


class _Sight:
    """Which nodes the caller sees, asked once for each."""

    def __init__(self, session: Session, seen: LineageSight) -> None:
        self._session, self._seen = session, seen
        self._known: dict[int, bool | None] = {}

    def of(self, nodes: Sequence[Any]) -> list[Any]:
        """The nodes (of id, type, name, project, properties) that are seen."""
        new = [node for node in nodes if node.id not in self._known]
        named = [(node.id, names) for node in new if (names := _names(node)) is not None]
        self._known |= {node.id: True for node in new}
        self._known |= {id: None for id, _ in named}
        if named:
            self._known |= self._seen(self._session, named)
        return [node for node in nodes if self._known[node.id] is not None]

    def whole(self, node: NodeRow) -> bool:
        """Whether all that is known of a seen node may be told."""
        return bool(self._known.get(node.id, True))


def _names(node: Any) -> LineageNames | None:
    """The dataset that a node is of; None when it is of none."""
    if node.type == "dataset_version":
        return LineageNames(node.project, node.name.partition("@")[0])
    if node.type != "snapshot":
        return None
    project, _, dataset = str(node.properties.get("dataset", "")).rpartition("/")
    return LineageNames(project or node.project, dataset, node.name)


class _Walk:
    """Breadth-first over edges; at most `limit` nodes, `NEIGHBOURS` of one node."""

    def __init__(self, session: Session, project: str, limit: int, sight: _Sight) -> None:
        self.session, self.project, self.limit, self.sight = session, project, limit, sight
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
            select(
                EdgeRow.source,
                EdgeRow.target,
                EdgeRow.kind,
                NodeRow.id,
                NodeRow.type,
                NodeRow.name,
                NodeRow.project,
                NodeRow.properties,
            )
            .join(NodeRow, NodeRow.id == far)
            .where(near == node, NodeRow.project == self.project)
            .order_by(EdgeRow.created_at.desc())
        )
        found: list[int] = []
        neighbours = self.sight.of(self.session.execute(query).all())
        for edge in neighbours[:NEIGHBOURS]:
            if edge.id not in self.ids and len(self.ids) >= self.limit:
                self.truncated = True
                break
            self.ids.setdefault(edge.id, 0)
            self.edges.add((edge.source, edge.target, edge.kind))
            if edge.id not in seen:
                seen.add(edge.id)
                found.append(edge.id)
        if len(found) == NEIGHBOURS:
            self.ids[node] += len(neighbours) - NEIGHBOURS
        return found

    def result(self, root: NodeRow) -> Lineage:
        rows = self.session.scalars(
            select(NodeRow).where(NodeRow.id.in_(self.ids)).order_by(NodeRow.id)
        ).all()
        names = {row.id: row.urn for row in rows}
        return Lineage(
            root=root.urn,
            nodes=[_to_node(row, self.ids[row.id], self.sight.whole(row)) for row in rows],
            edges=[
                LineageEdge(source=names[s], target=names[t], kind=kind)
                for s, t, kind in sorted(self.edges)
            ],
            truncated=self.truncated,
        )


def _to_node(row: NodeRow, more: int, whole: bool) -> LineageNode:
    return LineageNode(
        id=row.urn,
        type=row.type,
        name=row.name,
        created_at=row.created_at,
        actor=row.actor,
        properties=row.properties if whole else {},
        more=more,
    )
