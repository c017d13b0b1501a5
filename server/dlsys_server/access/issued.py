"""Principals of the tokens that the platform issues itself: of jobs and of programs."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from sqlalchemy import update

from dlsys_server.core import clock
from dlsys_server.core.database import Database

from . import tokens
from .principals import NONE, Principal
from .scopes import Scope, expand
from .tables import TokenRow

USED = timedelta(minutes=1)
JOB = expand(frozenset({Scope.JOB}))
ENDPOINT = "deployment/"
"""Before an endpoint's name: what a token is for that opens only this endpoint."""


class Issued:
    """Reads them from their rows, and notes (to the minute) when they were last used."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def identify(self, token: str, owner: Callable[[str], Principal | None]) -> Principal | None:
        """The token's principal; None when it is not valid.

        A program may no more than the token's owner: `owner` says what that person may do now.
        """
        with self._database.read() as session:
            row = tokens.find(session, token)
        if row is None:
            return None
        if row.kind == "job":
            return _job(row)
        rights = power(row, owner(row.owner))
        if not rights:
            return None
        self._note_use(row)
        return _program(row, rights)

    def _note_use(self, row: TokenRow) -> None:
        now = clock.now()
        if row.last_used_at is not None and now - row.last_used_at < USED:
            return
        with self._database.write() as session:
            session.execute(update(TokenRow).where(TokenRow.id == row.id).values(last_used_at=now))


def scopes_of(row: TokenRow) -> frozenset[Scope]:
    """What a program's token was made for."""
    return frozenset(Scope(name) for name in row.properties.get("scopes", ()))


def endpoint_of(row: TokenRow) -> str | None:
    """The one endpoint that a program's token opens; None: it is not bound to one."""
    return row.subject.removeprefix(ENDPOINT) if row.subject.startswith(ENDPOINT) else None


def power(row: TokenRow, owner: Principal | None) -> frozenset[Scope]:
    """What a program may do now: what its token was made for and its owner may do; maybe nothing.

    Args:
        row: of the token.
        owner: as what they are now; None: they have no account any more.
    """
    held = NONE if owner is None else owner.rights.get(row.project, NONE)
    return expand(scopes_of(row) & held) & held


def _job(row: TokenRow) -> Principal:
    return Principal.of(
        row.owner,
        "job",
        row.project,
        (row.project,),
        JOB,
        job_id=row.subject.removeprefix("job/"),
        run_id=row.properties.get("run_id"),
    )


def _program(row: TokenRow, rights: frozenset[Scope]) -> Principal:
    return Principal.of(
        row.owner,
        "service",
        row.project,
        (row.project,),
        rights,
        deployment=endpoint_of(row),
        token_id=row.id,
        acting=f"program {row.name}",
    )
