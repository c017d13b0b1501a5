"""Principals: who is calling, found from the token and from nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from dlsys_server.core.errors import Forbidden, NotFound

from .scopes import JOB_OPERATIONS, OPERATIONS, Scope

DEFAULT_PROJECT = "default"


@dataclass(frozen=True)
class Principal:
    """A caller. `name` owns what it makes; `project` is where it works by default."""

    name: str
    kind: Literal["user", "job", "service"]
    project: str
    projects: tuple[str, ...]
    scopes: frozenset[Scope]
    job_id: str | None = None
    run_id: str | None = None
    deployment: str | None = None

    def check(self, operation: str) -> None:
        """Refuse what the scopes do not allow.

        Raises:
            Forbidden: the scope is missing.
        """
        needed = OPERATIONS[operation]
        if self.kind == "job" and operation in JOB_OPERATIONS:
            return
        if needed not in self.scopes:
            raise Forbidden(
                f"{operation} needs the right '{needed.value}', which {self.name} does not have.",
                code="missing-scope",
                hint="Ask an administrator of the project for a role that includes it.",
            )

    def check_project(self, project: str) -> None:
        """A project one is not in does not exist for one."""
        if project not in self.projects:
            raise NotFound(
                f"There is no project '{project}' that you can see.",
                code="no-such-project",
                hint="`dlsys projects` lists yours.",
            )


class Identity(Protocol):
    """Turns a token into a principal. Embedded and hub mode implement it."""

    def identify(self, token: str) -> Principal | None:
        """The token's principal; None when it is not valid."""
        ...
