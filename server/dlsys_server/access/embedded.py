"""Identity on a laptop: the per-start secret is the OS user; job and program tokens are rows."""

from __future__ import annotations

import hmac

from dlsys_server.core.database import Database

from . import tokens
from .principals import DEFAULT_PROJECT, Principal
from .scopes import Scope, expand
from .tables import TokenRow

ALL = expand(frozenset({Scope.ADMIN}))


class EmbeddedIdentity:
    """Knows one person: who may read the data folder."""

    def __init__(self, database: Database, secret: str, user: str) -> None:
        self._database, self._secret, self._user = database, secret.encode(), user

    def identify(self, token: str) -> Principal | None:
        """The token's principal; None when it is not valid."""
        if hmac.compare_digest(token.encode(), self._secret):
            return Principal(self._user, "user", DEFAULT_PROJECT, (DEFAULT_PROJECT,), ALL)
        if not token.startswith("dlsys_"):
            return None
        with self._database.read() as session:
            row = tokens.find(session, token)
            return None if row is None else principal_of(row)


def principal_of(row: TokenRow) -> Principal:
    """The principal that a token row stands for."""
    if row.kind == "job":
        return Principal(
            row.owner,
            "job",
            row.project,
            (row.project,),
            expand(frozenset({Scope.JOB})),
            job_id=row.subject.removeprefix("job/"),
            run_id=row.properties.get("run_id"),
        )
    return Principal(
        f"{row.name} ({row.owner})",
        "service",
        row.project,
        (row.project,),
        expand(frozenset({Scope.PREDICT})),
        deployment=row.subject.removeprefix("deployment/"),
    )
