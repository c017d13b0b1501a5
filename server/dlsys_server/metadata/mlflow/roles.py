"""As whom, and with which role, MLflow knows a caller. Pure."""

from __future__ import annotations

from dlsys_server.access.principals import Principal
from dlsys_server.access.scopes import Scope


def role_from_scopes(principal: Principal, project: str) -> str | None:
    """MLflow role ("viewer", "member", "maintainer") of a principal in a project; None: no
    access.
    """
    if project not in principal.projects:
        return None
    if principal.kind == "job":
        return "member" if project == principal.project and principal.run_id else None
    held = principal.rights[project]
    if Scope.MANAGE in held:
        return "maintainer"
    if held & {Scope.WRITE, Scope.SUBMIT, Scope.DEPLOY}:
        return "member"
    return "viewer" if Scope.READ in held else None


def account_of(principal: Principal, role: str | None) -> str:
    """The user as whom MLflow knows a caller.

    Whoever only reads is another one than the same person when writing, and so is a program: what
    one token may must not depend on what another one does at the same time, and MLflow lets people
    write for ever to what they once made.
    """
    if principal.token_id:
        return f"{principal.name} (program {principal.token_id})"
    return f"{principal.name} (reading)" if role == "viewer" else principal.name
