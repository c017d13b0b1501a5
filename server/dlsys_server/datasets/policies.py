"""The verbs on policies: who may see which datasets, columns and rows."""

from __future__ import annotations

from sqlalchemy.orm import Session

from dlsys_server.access.principals import Principal
from dlsys_server.access.scopes import Scope
from dlsys_server.core import clock
from dlsys_server.core.database import Database
from dlsys_server.core.errors import Forbidden, InvalidInput
from dlsys_server.core.events import EventLog
from dlsys_server.core.store import ObjectStore
from jupyter_dlsys.contract.policies import Policy, PolicyRequest

from . import versions
from .tables import DatasetRow, PolicyRow
from .viewing import View, Views, policy_of


class PolicyService:
    """Policies of datasets."""

    def __init__(
        self, database: Database, events: EventLog, store: ObjectStore, views: Views
    ) -> None:
        self._database, self._events, self._store = database, events, store
        self._views = views

    def show(self, caller: Principal, project: str, name: str) -> Policy:
        """The policy of a dataset, and what it means for the caller.

        Who may not change it sees neither its filters nor the groups of others: they could name
        values and people that the caller is not to know.

        Raises:
            NotFound: there is no such dataset that the caller can see.
        """
        reader = self._views.reader(caller)
        with self._database.read() as session:
            dataset, view = self._views.find(session, reader, project, name)
            return self._answer(session, caller, dataset, view)

    def set(self, caller: Principal, project: str, name: str, body: PolicyRequest) -> Policy:
        """Put a policy in the place of the one that the dataset has; it counts at once.

        Raises:
            NotFound: there is no such dataset that the caller can see.
            Forbidden: the caller is neither its owner nor a maintainer.
            InvalidInput: it makes no sense for this dataset.
        """
        reader = self._views.reader(caller)
        _check(body)
        with self._database.read() as session:
            dataset, _ = self._views.find(session, reader, project, name)
            if not _may_change(caller, dataset):
                raise _not_yours(dataset)
            state = versions.head(session, self._store, dataset)
        _check_fit(body, state)
        with self._database.write() as session:
            dataset, _ = self._views.find(session, reader, project, name)
            row = session.get(PolicyRow, dataset.id)
            if row is None:
                row = PolicyRow(dataset_id=dataset.id)
                session.add(row)
            row.visibility, row.policy = body.visibility, body.model_dump(mode="json")
            row.set_by, row.set_at = caller.name, clock.now()
            session.flush()
            self._tell(session, caller, dataset)
            dataset, view = self._views.find(session, reader, project, name)
            return self._answer(session, caller, dataset, view)

    def _answer(
        self, session: Session, caller: Principal, dataset: DatasetRow, view: View
    ) -> Policy:
        row = session.get(PolicyRow, dataset.id)
        policy = PolicyRequest() if row is None else policy_of(row)
        may_change = _may_change(caller, dataset)
        said = policy.model_dump()
        if not may_change:
            said |= {"filters": [], "groups": sorted({*policy.groups} & {*caller.groups})}
        return Policy(
            **said,
            dataset=dataset.name,
            owner=dataset.owner,
            set_by=row.set_by if row else "",
            set_at=row.set_at if row else None,
            masked=[column for column, _ in view.masks],
            filtered=bool(view.filters),
            may_export=view.may_export,
            may_change=may_change,
        )

    def _tell(self, session: Session, caller: Principal, dataset: DatasetRow) -> None:
        self._events.append(
            session,
            "dataset.policy",
            project=dataset.project,
            subject=f"dataset/{dataset.name}",
            actor=caller.name,
        )


def _may_change(caller: Principal, dataset: DatasetRow) -> bool:
    owner = caller.name == dataset.owner and caller.may(Scope.WRITE, dataset.project)
    return owner or caller.may(Scope.MANAGE, dataset.project)


def _not_yours(dataset: DatasetRow) -> Forbidden:
    return Forbidden(
        f"The policy of '{dataset.name}' is changed by {dataset.owner}, who owns it, and by "
        f"maintainers of {dataset.project}.",
        code="not-your-dataset",
        hint=f"Ask {dataset.owner} or a maintainer.",
    )


def _check(body: PolicyRequest) -> None:
    """What is wrong whatever the dataset is."""
    if bool(body.groups) != (body.visibility == "groups"):
        raise InvalidInput(
            "Groups are named when, and only when, the visibility is 'groups'.",
            code="bad-policy",
            hint="For example: --visibility groups --group marketing",
        )
    columns = [mask.column for mask in body.masks]
    if len(set(columns)) < len(columns):
        raise InvalidInput(
            "A column is masked twice.", code="bad-policy", hint="Name each column once."
        )


def _check_fit(body: PolicyRequest, state: versions.State) -> None:
    """What does not fit the newest version. Before the first one only names of masks can be told.

    Raises:
        InvalidInput: a column is not there, a text is not a filter, or data is missing.
    """
    if state.version is None:
        if body.filters:
            raise InvalidInput(
                "A dataset without data has no rows to filter.",
                code="bad-policy",
                hint="Make it private, commit the first data, then set its filters.",
            )
        return
    types = {c.name: c.type for c in state.columns}
    for mask in body.masks:
        if mask.column not in types:
            raise InvalidInput(
                f"There is no column '{mask.column}' to mask.",
                code="bad-policy",
                hint=f"There are: {', '.join(list(types)[:20])}.",
            )
        if mask.method == "redact" and types[mask.column] not in ("string", "large_string"):
            raise InvalidInput(
                f"Column '{mask.column}' is {types[mask.column]}; only texts can be redacted.",
                code="bad-policy",
                hint="Use the method null or hash.",
            )
    if body.filters:
        from . import kinds
        from .expressions import Filter

        schema = kinds.unpack_schema(state.root.arrow)
        for item in body.filters:
            Filter(item.where, schema)
