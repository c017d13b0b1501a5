"""Projects: what exists, who is in them and as what."""

from __future__ import annotations

import builtins
import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import and_, or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from dlsys_server.core import clock
from dlsys_server.core.database import Database
from dlsys_server.core.errors import Conflict, Forbidden, NotFound
from dlsys_server.core.events import EventLog
from jupyter_dlsys.contract.access import (
    CreateProjectRequest,
    Member,
    MemberKind,
    Permission,
    Project,
    Role,
)

from .principals import Principal, no_such_project
from .roles import ROLES, strongest
from .scopes import Scope
from .standing import Standing
from .tables import MemberRow, ProjectRow

HASHED = re.compile(r"-[0-9a-f]{10}$")
PLAIN = re.compile(r"^[a-z0-9]([-a-z0-9]{0,48}[a-z0-9])?$")
Rights = Mapping[str, frozenset[Scope]]
Held = Mapping[str, frozenset[Role]]


class ProjectService:
    """Verbs on projects."""

    def __init__(self, database: Database, events: EventLog) -> None:
        self.database, self.events = database, events

    def ensure(self, name: str, owner: str, kind: str = "shared") -> None:
        """Make the project unless it is there."""
        with self.database.read() as session:
            if session.get(ProjectRow, name) is not None:
                return
        try:
            with self.database.write() as session:
                session.add(_row(name, owner, kind))
        except IntegrityError:
            return  # another request was first

    # -- rights

    def rights(self, user: str, groups: Iterable[str], ceiling: frozenset[Scope]) -> Rights:
        """What a user may do in each project, at most the ceiling."""
        return rights_of(self.held(user, groups, ceiling), ceiling)

    def held(self, user: str, groups: Iterable[str], ceiling: frozenset[Scope]) -> Held:
        """The roles of a user in each project.

        An administrator of the platform is a maintainer of every shared project; the personal
        project of somebody else exists for nobody.
        """
        with self.database.read() as session:
            held = _roles_of(session, user, groups)
            shared: list[str] = []
            if Scope.ADMIN in ceiling:
                query = select(ProjectRow.name).where(ProjectRow.kind == "shared")
                shared = list(session.scalars(query))
        for project in shared:
            held.setdefault(project, set()).add("maintainer")
        held[personal(user)] = {"maintainer"}
        return {project: frozenset(roles) for project, roles in held.items()}

    def permissions(self, caller: Principal, project: str) -> builtins.list[Permission]:
        """What the caller may do in a project, and why not the rest."""
        return self._standing(caller, project).permissions()

    def refusal(self, caller: Principal, operation: str, project: str) -> Forbidden:
        """Why not, and whom to ask: 'needs role data-scientist in vision: ask ann'."""
        return self._standing(caller, project).refusal(operation)

    def _standing(self, caller: Principal, project: str) -> Standing:
        return Standing(caller, project, self.maintainers(project))

    def maintainers(self, project: str) -> Sequence[str]:
        """Users who can give roles in a project; groups only where there is nobody by name."""
        query = (
            select(MemberRow.name)
            .where(MemberRow.project == project, MemberRow.role == "maintainer")
            .order_by(MemberRow.kind.desc(), MemberRow.name)
        )
        with self.database.read() as session:
            return session.scalars(query).all()

    # -- look

    def list(self, caller: Principal) -> list[Project]:
        """Projects of the caller, by name."""
        with self.database.read() as session:
            rows = session.scalars(
                select(ProjectRow)
                .where(ProjectRow.name.in_(caller.projects))
                .order_by(ProjectRow.name)
            )
            return [_view(row, caller) for row in rows]

    def show(self, caller: Principal, project: str) -> Project:
        """One project.

        Raises:
            NotFound: there is none that the caller can see.
        """
        with self.database.read() as session:
            return _view(_find(session, project), caller)

    def members(self, project: str) -> Sequence[Member]:
        """Who is in a project: groups, then users, by name."""
        query = (
            select(MemberRow)
            .where(MemberRow.project == project)
            .order_by(MemberRow.kind, MemberRow.name)
        )
        with self.database.read() as session:
            return [_member(row) for row in session.scalars(query)]

    # -- change

    def create(self, caller: Principal, body: CreateProjectRequest) -> Project:
        """A new shared project with the caller as its maintainer.

        Raises:
            Conflict: the name is taken.
        """
        if body.name.startswith("u-"):
            raise Conflict(
                "Names that begin with 'u-' are those of personal projects.",
                code="project-exists",
                hint="Choose another name.",
            )
        try:
            with self.database.write() as session:
                row = _row(body.name, caller.name, "shared", body.title)
                session.add(row)
                session.add(_member_row(body.name, "user", caller.name, "maintainer", caller.name))
                self._tell(session, caller, body.name, "project.created")
        except IntegrityError:
            raise Conflict(
                f"There is a project '{body.name}' already.",
                code="project-exists",
                hint="Choose another name.",
            ) from None
        rights = {**caller.rights, body.name: ROLES["maintainer"] & caller.scopes}
        return _view(row, caller, rights)

    def add_member(
        self, caller: Principal, project: str, kind: MemberKind, name: str, role: Role
    ) -> Member:
        """Give a user or a group a role, instead of the one it had.

        Raises:
            Conflict: it would leave the project without a maintainer, or is a personal one.
        """
        with self.database.write() as session:
            _sharable(session, project)
            row = session.get(MemberRow, (project, kind, name))
            if row is None:
                row = _member_row(project, kind, name, role, caller.name)
                session.add(row)
            elif row.role != role:
                _keep_a_maintainer(session, row)
                row.role, row.added_by, row.added_at = role, caller.name, clock.now()
            self._tell_member(session, caller, project, kind, name, role)
        return _member(row)

    def remove_member(self, caller: Principal, project: str, kind: MemberKind, name: str) -> None:
        """Take a member out.

        Raises:
            NotFound: it is not a member.
            Conflict: it is the last maintainer.
        """
        with self.database.write() as session:
            row = session.get(MemberRow, (project, kind, name))
            if row is None:
                raise NotFound(
                    f"{name} is not a {kind} of {project}.",
                    code="no-such-member",
                    hint=f"`dlsys projects members {project}` shows them.",
                )
            _keep_a_maintainer(session, row)
            session.delete(row)
            self._tell_member(session, caller, project, kind, name, None)

    def _tell_member(
        self,
        session: Session,
        caller: Principal,
        project: str,
        kind: MemberKind,
        name: str,
        role: Role | None,
    ) -> None:
        """To the project, and to the person, who may not hear of the project before or after."""
        told = {"member": name, "role": role}
        self._tell(session, caller, project, "project.member", told)
        if kind == "user":
            self._tell(session, caller, project, "project.member", told, to=personal(name))

    def _tell(
        self,
        session: Session,
        caller: Principal,
        project: str,
        topic: str,
        payload: Mapping[str, str | None] | None = None,
        to: str = "",
    ) -> None:
        self.events.append(
            session,
            topic,
            project=to or project,
            subject=f"project/{project}",
            actor=caller.name,
            payload=dict(payload or {}),
        )


def rights_of(held: Held, ceiling: frozenset[Scope]) -> Rights:
    """What roles allow, at most the ceiling; projects without any right are left out."""
    found = {
        project: frozenset().union(*(ROLES[role] for role in roles)) & ceiling
        for project, roles in sorted(held.items())
    }
    return {project: scopes for project, scopes in found.items() if scopes - {Scope.OPEN}}


def personal(user: str) -> str:
    """Name of a user's own project: a slug, another one for each user name.

    A name that is a slug itself is kept; of others, and of those that look as if they had been
    made this way, a hash is added.
    """
    if PLAIN.match(user) and not HASHED.search(user):
        return f"u-{user}"
    slug = re.sub(r"[^a-z0-9]+", "-", user.lower()).strip("-")[:40].strip("-")
    return f"u-{slug or 'x'}-{hashlib.sha256(user.encode()).hexdigest()[:10]}"


def _roles_of(session: Session, user: str, groups: Iterable[str]) -> dict[str, set[Role]]:
    mine = and_(MemberRow.kind == "user", MemberRow.name == user)
    ours = and_(MemberRow.kind == "group", MemberRow.name.in_(list(groups)))
    held: dict[str, set[Role]] = {}
    for row in session.scalars(select(MemberRow).where(or_(mine, ours))):
        if row.role in ROLES:
            held.setdefault(row.project, set()).add(row.role)
    return held


def _row(name: str, owner: str, kind: str, title: str = "") -> ProjectRow:
    return ProjectRow(name=name, owner=owner, kind=kind, title=title, created_at=clock.now())


def _member_row(project: str, kind: str, name: str, role: str, by: str) -> MemberRow:
    return MemberRow(
        project=project, kind=kind, name=name, role=role, added_by=by, added_at=clock.now()
    )


def _find(session: Session, project: str) -> ProjectRow:
    row = session.get(ProjectRow, project)
    if row is None:
        raise no_such_project(project)
    return row


def _sharable(session: Session, project: str) -> None:
    if _find(session, project).kind == "personal":
        raise Conflict(
            "A personal project has no members but its owner.",
            code="personal-project",
            hint="Work in a shared project: `dlsys projects` lists yours.",
        )


def _keep_a_maintainer(session: Session, row: MemberRow) -> None:
    others = select(MemberRow.name).where(
        MemberRow.project == row.project,
        MemberRow.role == "maintainer",
        or_(MemberRow.kind != row.kind, MemberRow.name != row.name),
    )
    if row.role == "maintainer" and session.scalar(others.limit(1)) is None:
        raise Conflict(
            f"{row.name} is the last maintainer of {row.project}.",
            code="last-maintainer",
            hint="Make somebody else a maintainer first.",
        )


def _view(row: ProjectRow, caller: Principal, rights: Rights | None = None) -> Project:
    held = (rights or caller.rights).get(row.name, frozenset())
    return Project(
        name=row.name,
        title=row.title,
        kind="personal" if row.kind == "personal" else "shared",
        owner=row.owner,
        created_at=row.created_at,
        role=strongest(role for role, scopes in ROLES.items() if scopes <= held | {Scope.OPEN}),
        rights=sorted(scope.value for scope in held),
    )


def _member(row: MemberRow) -> Member:
    return Member(
        kind="group" if row.kind == "group" else "user",
        name=row.name,
        role=row.role,
        added_by=row.added_by,
        added_at=row.added_at,
    )
