"""Roles in a project: the one table of what each may do."""

from __future__ import annotations

from collections.abc import Iterable

from jupyter_dlsys.contract.access import Role

from .scopes import Scope, expand

ROLES: dict[Role, frozenset[Scope]] = {
    "viewer": expand(frozenset({Scope.READ})),
    "application-developer": expand(frozenset({Scope.READ, Scope.PREDICT})),
    "data-engineer": expand(frozenset({Scope.WRITE})),
    "data-scientist": expand(frozenset({Scope.WRITE, Scope.SUBMIT, Scope.DEPLOY})),
    "maintainer": expand(frozenset({Scope.MANAGE})),
}
"""From weak to strong."""


def strongest(roles: Iterable[Role]) -> Role | None:
    """The one that allows most."""
    order = list(ROLES)
    return max(roles, key=order.index, default=None)


def that_allow(scope: Scope) -> list[Role]:
    """Roles that include a right, the weakest first."""
    return [role for role, scopes in ROLES.items() if scope in scopes]
