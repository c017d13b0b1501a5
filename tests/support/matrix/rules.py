"""What holds besides the table of roles. A rule gives the expected status, or None: as the table.

Asked about a thing that is there, in the project, when the table lets the caller through.
"""

from __future__ import annotations

from dlsys_server.access.scopes import Scope

from .callers import HERE, Caller
from .things import Thing


def owner_alone(caller: Caller, thing: Thing) -> int | None:
    """An upload is its sender's alone: it does not exist for others."""
    return None if thing.owner == caller.user else 404


def owner_or_maintainer(caller: Caller, thing: Thing) -> int | None:
    """Jobs are cancelled, schedules changed and fired by their owner or a maintainer."""
    mine = thing.owner == caller.user
    return None if mine or Scope.MANAGE in caller.rights(HERE) else 403


def owner_or_maintainer_alone(caller: Caller, thing: Thing) -> int | None:
    """Tokens of programs: for others they are not there."""
    return 404 if owner_or_maintainer(caller, thing) else None


def bound_to_job(caller: Caller, thing: Thing) -> int | None:
    """A job reads what is bound to it (it is its owner's snapshot); others do not exist."""
    return None if caller.kind != "job" or thing.owner == caller.user else 404


def of_the_key(caller: Caller, thing: Thing) -> int | None:
    """A program's key opens one endpoint; nothing is said of others."""
    return 403 if caller.endpoint not in ("", thing.fields["name"]) else None
