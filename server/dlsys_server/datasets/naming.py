"""Which names of datasets callers may hear, wherever else they are told: jobs, events, lineage."""

from __future__ import annotations

import time
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

from .tables import DatasetRow, PolicyRow, SnapshotRow
from .viewing import View, Views, view_of, with_policy

Name = tuple[str, str]
"""Project and name."""
Sight = Literal["whole", "part", "none"]
SUBJECT = "dataset/"
TOLD_OF_PARTS = frozenset({"version", "tag", "before", "kind"})
"""What events tell those from whom a policy hides something: no counts, no hashes."""
BATCH = 400
TOGETHER_SECONDS = 1.0
Policies = Sequence[tuple[DatasetRow, PolicyRow | None]]


class Names:
    """Answers by name: over removed datasets of that name too, and the strictest counts."""

    def __init__(self, database: Database, views: Views) -> None:
        self._database, self._views = database, views
        self._lately: dict[tuple[int, tuple[Name, ...]], tuple[float, Policies]] = {}

    def sights(
        self, session: Session, reader: Principal, wanted: Iterable[Name]
    ) -> dict[Name, Sight]:
        """How much the reader sees of each dataset."""
        names = list(dict.fromkeys(wanted))
        return _sights(reader, names, _policies(session, names))

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
        names = tuple(dict.fromkeys(wanted))
        sights = _sights(reader, names, self._policies_at(events[-1].seq, names))
        told = [
            _told(e, sights[_subject(e)]) if e.subject.startswith(SUBJECT) else e for e in events
        ]
        return [event for event in told if event is not None]

    def _policies_at(self, seq: int, names: tuple[Name, ...]) -> Policies:
        """Policies when an event was told.  Many hear of it at the same moment: one asks."""
        now = time.monotonic()
        held = self._lately.get((seq, names))
        if held is None or now - held[0] > TOGETHER_SECONDS:
            with self._database.read() as session:
                held = now, _policies(session, names)
            lately = list(self._lately.items())
            near = {key: one for key, one in lately if now - one[0] < TOGETHER_SECONDS}
            self._lately = {**near, (seq, names): held}
        return held[1]

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


def _policies(session: Session, names: Sequence[Name]) -> Policies:
    key = tuple_(DatasetRow.project, DatasetRow.name)
    found: list[tuple[DatasetRow, PolicyRow | None]] = []
    for start in range(0, len(names), BATCH):
        query = with_policy().where(key.in_(names[start : start + BATCH]))
        found += [(dataset, policy) for dataset, policy in session.execute(query)]
    return found


def _sights(reader: Principal, names: Sequence[Name], policies: Policies) -> dict[Name, Sight]:
    found: dict[Name, Sight] = {
        name: "whole" if name[0] in reader.rights else "none" for name in names
    }
    seen: dict[Name, list[View | None]] = {}
    for dataset, policy in policies:
        view = view_of(reader, dataset, policy)
        seen.setdefault((dataset.project, dataset.name), []).append(view)
    return found | {name: _strictest(views) for name, views in seen.items()}


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
