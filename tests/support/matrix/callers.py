"""Who asks, and what the table of roles says of them; nothing here is asked of the platform."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from dlsys_server.access.roles import ROLES
from dlsys_server.access.scopes import Scope, expand
from jupyter_dlsys.contract.access import Role

HERE, THERE = "vision", "language"
"""The project that the callers have their roles in, and one of other people."""
EVERYTHING = expand(frozenset({Scope.MANAGE}))
NOTHING: frozenset[Scope] = frozenset()
Kind = Literal["user", "job", "program", "nobody"]


@dataclass(frozen=True)
class Caller:
    """A token and whose it is.

    Args:
        label: for messages.
        header: what is sent as Authorization; None: no such header.
        user: whose it is.
        kind: nobody: the token opens nothing.
        role: of the user in the project `vision`.
        ceiling: what the token may at most do.
        guest: the user is a maintainer of `language`.
        endpoint: the one that a program's key is for.
        brief: only asks for what is here and what is elsewhere; others of its kind ask for all.
    """

    label: str
    header: str | None
    user: str = ""
    kind: Kind = "user"
    role: Role | None = None
    ceiling: frozenset[Scope] = EVERYTHING
    guest: bool = False
    endpoint: str = ""
    brief: bool = False

    @property
    def headers(self) -> dict[str, str]:
        return {} if self.header is None else {"Authorization": self.header}

    @property
    def administrates(self) -> bool:
        return Scope.ADMIN in self.ceiling

    def rights(self, project: str) -> frozenset[Scope]:
        """By the table of roles. Empty: the project does not exist for the caller."""
        if self.kind == "job":
            return frozenset({Scope.JOB, Scope.OPEN}) if project == HERE else NOTHING
        if self.kind == "program":
            return expand(frozenset({Scope.PREDICT})) if project == HERE else NOTHING
        roles: set[Role] = set()
        if project == HERE and self.role:
            roles.add(self.role)
        if (project == THERE and self.guest) or project == f"u-{self.user}":
            roles.add("maintainer")
        if self.administrates and project in (HERE, THERE):
            roles.add("maintainer")
        held = frozenset[Scope]().union(*(ROLES[role] for role in roles)) & self.ceiling
        return held if held - {Scope.OPEN} else NOTHING


def bearer(token: str) -> str:
    return f"Bearer {token}"
