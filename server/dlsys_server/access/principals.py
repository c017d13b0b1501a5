"""Principals: who is calling, found from the token and from nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from dlsys_server.core.errors import Forbidden, NotFound
from jupyter_dlsys.contract.access import Role

from .roles import ROLES, strongest
from .scopes import JOB_OPERATIONS, OPERATIONS, SHARED_OPERATIONS, Scope

DEFAULT_PROJECT = "default"
NONE: frozenset[Scope] = frozenset()


@dataclass(frozen=True)
class Principal:
    """A caller. `name` owns what it makes; `project` is where it works by default.

    `scopes` is what the token may at most do; `rights` what the caller may do in each project.
    `acting` is who sits at the server that the token belongs to, as that server says, where it is
    somebody else, or the program that the token was made for: what they do is done with the rights,
    and in the name, of `name`.
    `roles` are those in projects where they are known; `groups` the caller's at the hub.
    """

    name: str
    kind: Literal["user", "job", "service"]
    project: str
    rights: Mapping[str, frozenset[Scope]]
    scopes: frozenset[Scope]
    job_id: str | None = None
    run_id: str | None = None
    deployment: str | None = None
    token_id: str | None = None
    acting: str | None = None
    roles: Mapping[str, frozenset[Role]] = field(default_factory=dict)
    groups: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        name: str,
        kind: Literal["user", "job", "service"],
        project: str,
        projects: Iterable[str],
        scopes: frozenset[Scope],
        **more: Any,
    ) -> Principal:
        """One with the same rights in all its projects."""
        return cls(name, kind, project, dict.fromkeys(projects, scopes), scopes, **more)

    @property
    def projects(self) -> tuple[str, ...]:
        """Projects that exist for the caller."""
        return tuple(self.rights)

    def projects_with(self, scope: Scope) -> tuple[str, ...]:
        """Projects in which the caller has this right."""
        return tuple(project for project in self.rights if self.may(scope, project))

    def may(self, scope: Scope, project: str | None = None) -> bool:
        """Whether the caller has a right, in a project or outside any."""
        held = self.scopes if project is None else self.rights.get(project, NONE)
        return scope is Scope.OPEN or scope in held

    def roles_in(self, project: str) -> frozenset[Role]:
        """The caller's roles in a project; where only rights are known, the role that they are."""
        if project in self.roles or project not in self.rights:
            return self.roles.get(project, frozenset())
        held = self.rights[project] | {Scope.OPEN}
        role = strongest(role for role, scopes in ROLES.items() if scopes <= held)
        return frozenset() if role is None else frozenset({role})

    def check(self, operation: str, project: str | None = None) -> None:
        """Refuse what the caller has no right to.

        Raises:
            Forbidden: the scope is missing.
        """
        needed = OPERATIONS[operation]
        if self.kind == "job" and operation in JOB_OPERATIONS:
            return
        if not self.may(needed, project):
            where = f" in {project}" if project else ""
            raise Forbidden(
                f"{operation} needs the right '{needed.value}'{where}, "
                f"which {self.name} does not have.",
                code="missing-scope",
                hint="Ask an administrator of the project for a role that includes it.",
            )

    def check_project(self, project: str) -> None:
        """A project one is not in does not exist for one."""
        if project not in self.rights:
            raise no_such_project(project)

    def may_look_into(self, operation: str) -> bool:
        """Whether an operation may go on in a project that the caller is not in.

        It answers `no_such_project` unless it finds a dataset that is shared with the caller.
        """
        return (
            operation in SHARED_OPERATIONS
            and self.kind == "user"
            and self.may(OPERATIONS[operation])
        )


def no_such_project(project: str) -> NotFound:
    """The same for one that is not there and one that the caller is not in."""
    return NotFound(
        f"There is no project '{project}' that you can see.",
        code="no-such-project",
        hint="`dlsys projects` lists yours.",
    )


class Identity(Protocol):
    """Turns a token into a principal. Embedded and hub mode implement it."""

    def identify(self, token: str, fresh: bool = False) -> Principal | None:
        """The token's principal; None when it is not valid.

        Args:
            token: as it came.
            fresh: nothing that was remembered will do (deletes, administration).

        Raises:
            Unavailable: who it belongs to cannot be found out now.
        """
        ...

    def person(self, name: str, fresh: bool = False) -> Principal | None:
        """What a user may do whose token is not here (a schedule's owner); None: nothing."""
        ...
