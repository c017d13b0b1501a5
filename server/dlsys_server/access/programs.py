"""Tokens of programs: people make them for what they may do themselves, and take them back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Select, delete, func, or_, select, update
from sqlalchemy.orm import Session

from dlsys_server.core import clock
from dlsys_server.core.database import Database
from dlsys_server.core.errors import Conflict, Forbidden, InvalidInput, NotFound
from jupyter_dlsys.contract.base import FieldProblem
from jupyter_dlsys.contract.tokens import IssuedServiceToken, ServiceToken, ServiceTokenRequest

from . import tokens
from .issued import ENDPOINT, endpoint_of, power, scopes_of
from .principals import Identity, Principal
from .projects import ProjectService
from .roles import that_allow
from .scopes import Scope
from .tables import TokenRow

PROGRAM = "program"
MOST = 100
EXPIRED_KEPT = timedelta(days=30)


class ProgramTokens:
    """Verbs on them.

    The rooms above know endpoints, must hear when a key opens more or less than before, and which
    process can tell the gateway; `know` tells of them.
    """

    def __init__(self, database: Database, projects: ProjectService, identity: Identity) -> None:
        self.database, self._projects, self._identity = database, projects, identity
        self.has_endpoint: Callable[[str, str], bool] = lambda _project, _name: False
        self.changed: Callable[[], None] = lambda: None
        self.need_gateway: Callable[[], None] = lambda: None

    def know(
        self,
        has_endpoint: Callable[[str, str], bool],
        changed: Callable[[], None],
        need_gateway: Callable[[], None],
    ) -> None:
        """What the rooms above do."""
        self.has_endpoint, self.changed = has_endpoint, changed
        self.need_gateway = need_gateway

    # -- verbs

    def list(self, caller: Principal, project: str, endpoint: str | None) -> list[ServiceToken]:
        """The caller's own tokens in a project; a maintainer's list has everybody's."""
        _person(caller)
        query = _of(caller, project).order_by(TokenRow.id.desc())
        if endpoint is not None:
            query = query.where(TokenRow.subject == f"{ENDPOINT}{endpoint}")
        with self.database.read() as session:
            rows: Sequence[TokenRow] = session.scalars(query).all()
        people = {name: self._identity.person(name) for name in {row.owner for row in rows}}
        return [_view(row, people[row.owner]) for row in rows]

    def issue(
        self, caller: Principal, project: str, body: ServiceTokenRequest
    ) -> IssuedServiceToken:
        """A new token of the caller; the secret is in this answer and nowhere else.

        Raises:
            InvalidInput: an endpoint's key that should do more than predict.
            Forbidden: the caller lacks a scope that the token should have.
            NotFound: there is no such endpoint.
            Conflict: the caller has too many.
        """
        _person(caller)
        self.need_gateway()
        _sensible(body)
        self._held(caller, project, body)
        if body.endpoint is not None and not self.has_endpoint(project, body.endpoint):
            raise NotFound(
                f"There is no endpoint '{body.endpoint}' in {project}.",
                hint="`dlsys endpoints list` shows them.",
            )
        lifetime = timedelta(days=body.lifetime_days) if body.lifetime_days else None
        with self.database.write() as session:
            _make_room(session, caller, project)
            row, secret = tokens.issue(
                session,
                PROGRAM,
                name=body.name,
                owner=caller.name,
                project=project,
                subject=f"{ENDPOINT}{body.endpoint}" if body.endpoint else f"project/{project}",
                properties={"scopes": sorted(set(body.scopes))},
                lifetime=lifetime,
            )
        self.changed()
        return IssuedServiceToken.model_validate(
            {**_view(row, caller).model_dump(), "token": secret}
        )

    def revoke(self, caller: Principal, project: str, token: str) -> None:
        """Make a token worthless at once.

        Raises:
            NotFound: there is none that the caller may see.
        """
        _person(caller)
        self.need_gateway()
        with self.database.write() as session:
            row = session.scalar(_of(caller, project).where(TokenRow.id == token))
            if row is None:
                raise NotFound(
                    f"There is no token '{token}' of yours in {project}.",
                    code="no-such-token",
                    hint="`dlsys tokens` lists yours; a maintainer sees everybody's.",
                )
            session.delete(row)
        self.changed()

    # -- for those who answer programs without asking each time

    def predicting(self) -> Iterable[TokenRow]:
        """Tokens that have not expired and that were made for predictions too."""
        live = or_(TokenRow.expires_at.is_(None), TokenRow.expires_at > clock.now())
        with self.database.read() as session:
            rows = session.scalars(select(TokenRow).where(TokenRow.kind == PROGRAM, live)).all()
        return [row for row in rows if scopes_of(row) & {Scope.PREDICT, Scope.DEPLOY}]

    def may_predict(self, row: TokenRow) -> bool:
        """Whether its owner may still what it is for.

        Raises:
            Unavailable: that cannot be found out now.
        """
        return Scope.PREDICT in power(row, self._identity.person(row.owner))

    def note_uses(self, uses: Mapping[str, datetime]) -> None:
        """When tokens, by their digest, were used elsewhere."""
        with self.database.write() as session:
            for sha256, at in uses.items():
                earlier = or_(TokenRow.last_used_at.is_(None), TokenRow.last_used_at < at)
                session.execute(
                    update(TokenRow)
                    .where(TokenRow.sha256 == sha256, earlier)
                    .values(last_used_at=at)
                )

    def _held(self, caller: Principal, project: str, body: ServiceTokenRequest) -> None:
        for name in body.scopes:
            scope = Scope(name)
            if caller.may(scope, project):
                continue
            ask = self._projects.maintainers(project)
            raise Forbidden(
                f"A token with the scope '{name}' needs that you have it in {project}: the role "
                f"{that_allow(scope)[0]}.",
                code="missing-scope",
                hint=f"Ask {' or '.join(ask[:3]) or 'an administrator of the platform'}, or leave "
                "it out.",
            )


def _person(caller: Principal) -> None:
    """A token must not live on in tokens that it made itself."""
    if caller.kind != "user":
        raise Forbidden(
            "Only a person may list, make or revoke tokens of programs.",
            code="only-people",
            hint="Sign in yourself; a program's or a job's token cannot do it.",
        )


def _sensible(body: ServiceTokenRequest) -> None:
    problems = []
    if not body.name.isprintable() or not body.name.strip():
        problems.append(FieldProblem(field="name", message="has characters that cannot be shown"))
    if body.endpoint is not None and set(body.scopes) != {"predict"}:
        problems.append(
            FieldProblem(field="scopes", message="a token for one endpoint can only predict")
        )
    if problems:
        raise InvalidInput(
            f"{problems[0].field}: {problems[0].message}.",
            hint="Leave out `endpoint` for a token that may do more in the project.",
            errors=problems,
        )


def _of(caller: Principal, project: str) -> Select[Any]:
    query = select(TokenRow).where(TokenRow.kind == PROGRAM, TokenRow.project == project)
    if caller.may(Scope.MANAGE, project):
        return query
    return query.where(TokenRow.owner == caller.name)


def _make_room(session: Session, caller: Principal, project: str) -> None:
    ours = (TokenRow.kind == PROGRAM, TokenRow.project == project, TokenRow.owner == caller.name)
    session.execute(delete(TokenRow).where(*ours, TokenRow.expires_at < clock.now() - EXPIRED_KEPT))
    count = session.scalar(select(func.count()).select_from(TokenRow).where(*ours)) or 0
    if count >= MOST:
        raise Conflict(
            f"You have {count} tokens in {project}; more are not possible.",
            code="too-many-tokens",
            hint="Revoke those that no program uses: `dlsys tokens` shows when each was used last.",
        )


def _view(row: TokenRow, owner: Principal | None) -> ServiceToken:
    expired = row.expires_at is not None and row.expires_at < clock.now()
    state: Literal["active", "powerless"] = "active" if power(row, owner) else "powerless"
    return ServiceToken(
        id=row.id,
        name=row.name,
        owner=row.owner,
        project=row.project,
        scopes=row.properties["scopes"],
        endpoint=endpoint_of(row),
        created_at=row.created_at,
        expires_at=row.expires_at,
        last_used_at=row.last_used_at,
        state="expired" if expired else state,
    )
