"""What a caller sees of a dataset: the one place that decides. Every read goes through a `View`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import exists, or_, select
from sqlalchemy.orm import Session
from sqlalchemy.sql.elements import ColumnElement

from dlsys_server.access.principals import Principal, no_such_project
from dlsys_server.access.scopes import Scope
from dlsys_server.core.errors import NotFound
from jupyter_dlsys.contract.access import Role
from jupyter_dlsys.contract.policies import MaskMethod, PolicyRequest

from .tables import DatasetRow, PolicyRow

GUEST: frozenset[Role] = frozenset({"viewer"})
"""Who reads from another project counts as one of its viewers."""
TELLS: dict[str, int] = {"null": 0, "redact": 1, "hash": 2}
"""How much of a value each method tells."""
Person = Callable[[str], Principal | None]


@dataclass(frozen=True)
class View:
    """What somebody may see of a dataset.

    `masks` are columns whose values are hidden, and how; of the rows only those that one of
    `filters` selects are there (all without any). `guest` is somebody who is not in the project.
    """

    project: str
    masks: tuple[tuple[str, MaskMethod], ...] = ()
    filters: tuple[str, ...] = ()
    may_export: bool = True
    guest: bool = False

    @property
    def whole(self) -> bool:
        """Whether nothing is masked or left out."""
        return not self.masks and not self.filters

    @property
    def near(self) -> bool:
        """Whether to tell where the store keeps its files: to those who might take them anyway."""
        return self.may_export and not self.guest

    def spec(self) -> dict[str, Any]:
        """What is masked and left out, to be kept with what is made through the view."""
        if self.whole:
            return {}
        return {"masks": [list(mask) for mask in self.masks], "filters": list(self.filters)}

    def covers(self, made: Mapping[str, Any]) -> bool:
        """Whether what was made through a view with this `spec` shows no more than this one."""
        hidden: dict[str, str] = dict(made.get("masks", ()))
        masked = all(
            column in hidden and TELLS[hidden[column]] <= TELLS[method]
            for column, method in self.masks
        )
        return masked and (not self.filters or list(self.filters) == made.get("filters"))


class Views:
    """Finds out what callers see.

    Args:
        person: what a user may do now, by name: jobs and programs see what their owner sees.
    """

    def __init__(self, person: Person) -> None:
        self.person = person

    def reader(self, caller: Principal) -> Principal:
        """The person whose view a caller has. Never called with an open session."""
        if caller.kind == "user" or caller.roles:
            return caller
        return self.person(caller.name) or Principal.of(caller.name, "user", "", (), frozenset())

    def find(
        self, session: Session, reader: Principal, project: str, name: str
    ) -> tuple[DatasetRow, View]:
        """The dataset of this name, as the reader sees it.

        Raises:
            NotFound: there is none, or none that the reader may see: the same for both.
        """
        found = session.execute(
            with_policy().where(
                DatasetRow.project == project, DatasetRow.name == name, DatasetRow.removed == ""
            )
        ).first()
        view = None if found is None else view_of(reader, *found)
        if found is None or view is None:
            raise no_such_dataset(reader, project, name)
        return found[0], view

    def of(self, session: Session, reader: Principal, ids: Iterable[str]) -> dict[str, View]:
        """The views of datasets by id, removed ones too; without those that may not be seen."""
        found = session.execute(with_policy().where(DatasetRow.id.in_(list(ids))))
        views = {dataset.id: view_of(reader, dataset, policy) for dataset, policy in found}
        return {id: view for id, view in views.items() if view is not None}


def with_policy() -> Any:
    """Datasets, each with its policy or None."""
    return select(DatasetRow, PolicyRow).outerjoin(PolicyRow, PolicyRow.dataset_id == DatasetRow.id)


def visible_in(reader: Principal, project: str) -> ColumnElement[bool]:
    """Which datasets of a project a member sees, for queries."""
    private = (
        exists()
        .where(PolicyRow.dataset_id == DatasetRow.id, PolicyRow.visibility == "private")
        .correlate(DatasetRow)
    )
    if "maintainer" in reader.roles_in(project):
        return DatasetRow.project == project
    return (DatasetRow.project == project) & or_(~private, DatasetRow.owner == reader.name)


def view_of(reader: Principal, dataset: DatasetRow, row: PolicyRow | None) -> View | None:
    """What a reader sees of a dataset; None: not even that it is there."""
    project = dataset.project
    member = reader.may(Scope.READ, project)
    if row is None:
        return View(project) if member else None
    policy = policy_of(row)
    if not member:
        if not _is_guest(reader, policy):
            return None
        return _view(project, policy, GUEST, guest=True)
    roles = reader.roles_in(project)
    if dataset.owner == reader.name or "maintainer" in roles:
        return View(project, may_export=_may_export(policy, roles))
    return None if policy.visibility == "private" else _view(project, policy, roles)


def policy_of(row: PolicyRow) -> PolicyRequest:
    """The policy as it was set."""
    return PolicyRequest.model_validate(row.policy)


def no_such_dataset(reader: Principal, project: str, name: str) -> NotFound:
    """The same for a dataset that is not there and for one that the reader may not see."""
    if project not in reader.rights:
        return no_such_project(project)
    return NotFound(
        f"There is no dataset '{name}' in project '{project}'.",
        code="no-such-dataset",
        hint="`dlsys datasets list` shows what there is; `dlsys datasets create` makes one.",
    )


def _is_guest(reader: Principal, policy: PolicyRequest) -> bool:
    if reader.kind != "user" or not reader.may(Scope.READ):
        return False
    shared = policy.visibility == "groups" and not set(policy.groups).isdisjoint(reader.groups)
    return shared or policy.visibility == "organisation"


def _view(project: str, policy: PolicyRequest, roles: frozenset[Role], guest: bool = False) -> View:
    masks = [(m.column, m.method) for m in policy.masks if roles.isdisjoint(m.roles)]
    filtered = {role for f in policy.filters for role in f.roles}
    texts = {f.where for f in policy.filters if not roles.isdisjoint(f.roles)}
    return View(
        project,
        masks=tuple(sorted(masks)),
        filters=tuple(sorted(texts)) if roles <= filtered else (),
        may_export=_may_export(policy, roles),
        guest=guest,
    )


def _may_export(policy: PolicyRequest, roles: frozenset[Role]) -> bool:
    return policy.export is None or not roles.isdisjoint(policy.export)
