"""Principals of the tokens that the platform issues itself: of jobs and of programs."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from sqlalchemy import update

from dlsys_server.core import clock
from dlsys_server.core.database import Database

from . import tokens
from .principals import Principal
from .scopes import Scope, expand
from .tables import TokenRow

USED = timedelta(minutes=1)
JOB = expand(frozenset({Scope.JOB}))
PREDICT = expand(frozenset({Scope.PREDICT}))


class Issued:
    """Reads them from their rows, and notes (to the minute) when they were last used."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def identify(self, token: str, owner: Callable[[str], Principal | None]) -> Principal | None:
        """The token's principal; None when it is not valid.

        A program's key is worth no more than its owner: `owner` says what that person may do now.
        """
        with self._database.read() as session:
            row = tokens.find(session, token)
        if row is None:
            return None
        if row.kind == "job":
            return _job(row)
        person = owner(row.owner)
        if person is None or not person.may(Scope.PREDICT, row.project):
            return None
        self._note_use(row)
        return _program(row)

    def _note_use(self, row: TokenRow) -> None:
        now = clock.now()
        if row.last_used_at is not None and now - row.last_used_at < USED:
            return
        with self._database.write() as session:
            session.execute(update(TokenRow).where(TokenRow.id == row.id).values(last_used_at=now))


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


def _program(row: TokenRow) -> Principal:
    return Principal.of(
        f"{row.name} ({row.owner})",
        "service",
        row.project,
        (row.project,),
        PREDICT,
        deployment=row.subject.removeprefix("deployment/"),
    )
