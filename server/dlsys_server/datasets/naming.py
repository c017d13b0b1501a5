"""Which names of datasets callers may hear, wherever else they are told: jobs, events, lineage."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from functools import partial
from typing import Literal

from sqlalchemy import select, tuple_
from sqlalchemy.orm import Session

from dlsys_server.access.principals import Principal
from dlsys_server.core.database import Database
from dlsys_server.metadata.lineage import LineageNames, LineageSight
from jupyter_dlsys.contract.base import Event
from jupyter_dlsys.contract.jobs import Job, JobInput

from .tables import DatasetRow, SnapshotRow
from .viewing import View, Views, view_of, with_policy

Name = tuple[str, str]
"""Project and name."""
Sight = Literal["whole", "part", "none"]
SUBJECT = "dataset/"
TOLD_OF_PARTS = frozenset({"version", "tag", "before", "kind"})
"""What events tell those from whom a policy hides something: no counts, no hashes."""
BATCH = 400


class Names:
    """Answers by name: over removed datasets of that name too, and the strictest counts."""

    def __init__(self, database: Database, views: Views) -> None:
        self._database, self._views = database, views

    def sights(
        self, session: Session, reader: Principal, wanted: Iterable[Name]
    ) -> dict[Name, Sight]:
        """How much the reader sees of each dataset."""
        names = list(dict.fromkeys(wanted))
        found: dict[Name, Sight] = dict.fromkeys(names, "none")
        for name in names:
            if name[0] in reader.rights:
                found[name] = "whole"
        key = tuple_(DatasetRow.project, DatasetRow.name)
        for start in range(0, len(names), BATCH):
            query = with_policy().where(key.in_(names[start : start + BATCH]))
            seen: dict[Name, list[View | None]] = {}
            for dataset, policy in session.execute(query):
                view = view_of(reader, dataset, policy)
                seen.setdefault((dataset.project, dataset.name), []).append(view)
            found |= {name: _strictest(views) for name, views in seen.items()}
        return found

    def heard(self, caller: Principal, wanted: Collection[Name]) -> frozenset[Name]:
        """Of these names those of datasets that the caller sees."""
        if not wanted:
            return frozenset()
        reader = self._views.reader(caller)
        with self._database.read() as session:
            sights = self.sights(session, reader, wanted)
        return frozenset(name for name, sight in sights.items() if sight != "none")

    def jobs(self, caller: Principal, jobs: Sequence[Job]) -> list[Job]:
        """The jobs without the inputs whose dataset the caller does not see."""
        names = [(i.project or job.project, i.dataset) for job in jobs for i in job.inputs.values()]
        heard = self.heard(caller, names)
        return [job.model_copy(update={"inputs": _told_inputs(job, heard)}) for job in jobs]

    def events(self, caller: Principal, events: list[Event]) -> list[Event]:
        """The events that the caller may hear of, with what they may hear."""
        wanted = [_subject(e) for e in events if e.subject.startswith(SUBJECT)]
        if not wanted:
            return events
        reader = self._views.reader(caller)
        with self._database.read() as session:
            sights = self.sights(session, reader, wanted)
        told = [
            _told(e, sights[_subject(e)]) if e.subject.startswith(SUBJECT) else e for e in events
        ]
        return [event for event in told if event is not None]

    def public(self, project: str, names: Iterable[str]) -> frozenset[str]:
        """Datasets whose name every member of the project may hear."""
        wanted = list(names)
        with self._database.read() as session:
            query = with_policy().where(DatasetRow.project == project, DatasetRow.name.in_(wanted))
            private = {
                dataset.name
                for dataset, policy in session.execute(query)
                if policy is not None and policy.visibility == "private"
            }
        return frozenset(wanted) - private

    def nodes(self, caller: Principal) -> LineageSight:
        """How to find out which nodes of the lineage a caller sees."""
        return partial(self._nodes, self._views.reader(caller))

    def _nodes(
        self, reader: Principal, session: Session, nodes: Sequence[tuple[int, LineageNames]]
    ) -> dict[int, bool]:
        sights = self.sights(session, reader, [(n.project, n.dataset) for _, n in nodes])
        found: dict[int, bool] = {}
        hashes: dict[int, LineageNames] = {}
        for id, node in nodes:
            sight = sights[node.project, node.dataset]
            if sight == "whole":
                found[id] = True
            elif sight == "part" and not node.snapshot:
                found[id] = False
            elif sight == "part":
                hashes[id] = node
        if hashes:
            readable = self._readable(session, reader, {n.snapshot for n in hashes.values()})
            found |= {id: False for id, n in hashes.items() if (n.project, n.snapshot) in readable}
        return found

    def _readable(self, session: Session, reader: Principal, hashes: set[str]) -> set[Name]:
        query = select(SnapshotRow).where(SnapshotRow.hash.in_(hashes))
        rows = session.scalars(query).all()
        views = self._views.of(session, reader, {row.dataset_id for row in rows})
        return {
            (row.project, row.hash)
            for row in rows
            if row.dataset_id in views and views[row.dataset_id].covers(row.view)
        }


def _strictest(views: Sequence[View | None]) -> Sight:
    if any(view is None for view in views):
        return "none"
    return "whole" if all(view is not None and view.whole for view in views) else "part"


def _told_inputs(job: Job, heard: frozenset[Name]) -> dict[str, JobInput]:
    return {
        name: bound
        for name, bound in job.inputs.items()
        if (bound.project or job.project, bound.dataset) in heard
    }


def _subject(event: Event) -> Name:
    return event.project, event.subject.removeprefix(SUBJECT)


def _told(event: Event, sight: Sight) -> Event | None:
    if sight == "none":
        return None
    if sight == "whole":
        return event
    payload = {key: value for key, value in event.payload.items() if key in TOLD_OF_PARTS}
    return event.model_copy(update={"payload": payload})
