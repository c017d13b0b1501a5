"""Routers whose every route is guarded by the table in `scopes`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Annotated, Any
from urllib.parse import unquote

from fastapi import APIRouter, Depends, Header, Request
from fastapi.concurrency import run_in_threadpool

from dlsys_server.core.errors import Forbidden, Unauthenticated

from .audited import AuditedRoute
from .principals import Principal
from .scopes import OPERATIONS, Scope


def bearer(request: Request) -> str:
    """The bearer token of a request, or ''."""
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if kind.lower() in ("bearer", "token") else ""


ACTING = "x-dlsys-acting"
"""Header of a user's Jupyter server: who sits there, when it is not the server's owner."""


def acting(principal: Principal, request: Request) -> Principal:
    """The principal with who acts in their name, for the audit log; it changes no right."""
    said = unquote(request.headers.get(ACTING, "").strip())[:200]
    if principal.kind != "user" or not said.isprintable() or said in ("", principal.name):
        return principal
    return replace(principal, acting=said)


def identify(request: Request, fresh: bool = False) -> Principal:
    """The caller.

    Raises:
        Unauthenticated: no token, or one that is not valid.
        Unavailable: who the token belongs to cannot be found out now.
    """
    token = bearer(request)
    principal = request.app.state.identity.identify(token, fresh) if token else None
    if not isinstance(principal, Principal):
        raise Unauthenticated(
            "The token is missing or not valid." if not token else "The token is not valid.",
            hint="Send 'Authorization: Bearer <token>'; `dlsys doctor` shows your connection.",
        )
    return acting(principal, request)


def _caller(request: Request) -> Principal:
    principal = request.state.principal
    assert isinstance(principal, Principal)
    return principal


AT_ONCE = frozenset({Scope.MANAGE, Scope.ADMIN})
"""Rights that must not outlive their withdrawal, not even for a minute; nor do deletes."""
ADMINISTERS = frozenset({"datasets.set_policy"})
"""Operations of that kind that an owner may do too."""
Caller = Annotated[Principal, Depends(_caller)]
IdempotencyKey = Annotated[str | None, Header(alias="Idempotency-Key", max_length=200)]


def service(name: str) -> Any:
    """Dependency that gives the room's service built by create_app."""

    def find(request: Request) -> Any:
        return getattr(request.app.state, name)

    return Depends(find)


class GuardedRoute(AuditedRoute):
    """A route that looks at its caller first: a stranger's body is not even read."""

    async def admit(self, request: Request) -> None:
        """Refuse whom the table does not let through."""
        if self.operation_id != "system.health":
            await run_in_threadpool(_guard(str(self.operation_id)), request)


class RoomRouter(APIRouter):
    """An APIRouter that refuses routes without a scope; guards and records the others."""

    def add_api_route(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        """Add a route; its `operation_id` must be in the table."""
        operation = options.get("operation_id")
        if operation not in OPERATIONS:
            raise LookupError(f"{path}: operation {operation!r} is not in access/scopes.py")
        options["route_class_override"] = GuardedRoute
        super().add_api_route(path, endpoint, **options)


def _guard(operation: str) -> Callable[[Request], None]:
    needed = OPERATIONS[operation]

    def guard(request: Request) -> None:
        at_once = needed in AT_ONCE or operation in ADMINISTERS
        principal = identify(request, request.method == "DELETE" or at_once)
        request.state.principal = principal
        project = request.path_params.get("project")
        if project is not None and project not in principal.rights:
            if principal.may_look_into(operation):
                return
            principal.check_project(project)
        try:
            principal.check(operation, project)
        except Forbidden:
            if project is None or principal.kind != "user":
                raise
            raise request.app.state.projects.refusal(principal, operation, project) from None

    return guard
