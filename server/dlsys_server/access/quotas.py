"""Quotas: how much users and projects may use. The one owner of limits.

What is used is measured by the rooms that know it: each gives a meter. They ask `check` in the
transaction of their change, so that of two that race for the last of something one is refused.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from dlsys_server.core import clock
from dlsys_server.core.database import Database
from dlsys_server.core.errors import Forbidden, NotFound
from dlsys_server.core.settings import Settings
from jupyter_dlsys.contract.quotas import (
    Limits,
    LimitsRequest,
    Quota,
    QuotaKind,
    Resource,
    Use,
)

from .principals import Principal
from .quota_words import Standing, amount, level, month_after, use_words
from .scopes import Scope
from .tables import ProjectRow, QuotaRow

RESOURCES: tuple[Resource, ...] = ("gpu_hours", "jobs", "storage_bytes", "endpoints")
KINDS: tuple[QuotaKind, ...] = ("user", "project")
ALL = "*"
FRESH_SECONDS = 1.0
WORTH = 20.0
"""A look at all positions is kept so many times longer than it took: 5 % of a CPU at most."""
FIELDS = tuple(LimitsRequest.model_fields)


class Meter(Protocol):
    """What users or projects use of a resource; who is not in the answer uses nothing."""

    def __call__(
        self, session: Session, kind: QuotaKind, names: Collection[str] | None
    ) -> Mapping[str, float]:
        """Use by name, of these names or of all."""
        ...


@dataclass(frozen=True)
class Given:
    """Limits that hold for somebody."""

    limits: Limits
    inherited: bool = False
    set_by: str = ""
    set_at: datetime | None = None

    def of(self, resource: Resource) -> float | None:
        """The limit of one resource; None: none."""
        found: float | None = getattr(self.limits, resource)
        return found


@dataclass(frozen=True)
class LimitTable:
    """All limits at one moment."""

    defaults: Mapping[QuotaKind, Given] = field(default_factory=dict)
    rows: Mapping[tuple[QuotaKind, str], Given] = field(default_factory=dict)

    def of(self, kind: QuotaKind, name: str) -> Given:
        """Own limits, else those of '*', else those of the settings."""
        own = self.rows.get((kind, name))
        if own is not None:
            return own
        found = self.rows.get((kind, ALL)) or self.defaults.get(kind, Given(Limits()))
        return Given(found.limits, name != ALL, found.set_by, found.set_at)

    def limited(self, resource: Resource) -> bool:
        """Whether anybody has a limit of it."""
        given = (*self.defaults.values(), *self.rows.values())
        return any(one.of(resource) is not None for one in given)


class QuotaService:
    """Verbs on quotas, and the question whether there is room."""

    def __init__(self, database: Database, defaults: Mapping[QuotaKind, Limits]) -> None:
        self.database = database
        self.defaults = {kind: Given(limits) for kind, limits in defaults.items()}
        self.meters: dict[Resource, list[Meter]] = {resource: [] for resource in RESOURCES}
        self._table, self._read_at = LimitTable(self.defaults), float("-inf")
        self._positions: dict[Resource, tuple[float, Sequence[Standing]]] = {}

    # -- verbs

    def list(self, caller: Principal) -> list[Quota]:
        """Own limits and those of one's projects; of all, for administrators of the platform."""
        with self.database.read() as session:
            table = self._load(session)
            names = self._all_names(session, caller, table) if _rules(caller) else _own(caller)
            return [
                quota for kind in KINDS for quota in self._quotas(session, table, kind, names[kind])
            ]

    def set(self, caller: Principal, kind: QuotaKind, name: str, body: LimitsRequest) -> Quota:
        """Limits instead of those it had.

        Raises:
            NotFound: no such project that the caller can see.
        """
        _known(caller, kind, name)
        with self.database.write() as session:
            row = session.get(QuotaRow, (kind, name))
            if row is None:
                row = QuotaRow(kind=kind, name=name)
                session.add(row)
            for resource in FIELDS:
                setattr(row, resource, getattr(body, resource))
            row.set_by, row.set_at = caller.name, clock.now()
            session.flush()
            answer = self._quotas(session, self._load(session), kind, [name])[0]
        self._forget()
        return answer

    def unset(self, caller: Principal, kind: QuotaKind, name: str) -> None:
        """Back to the limits of '*', or of the settings.

        Raises:
            NotFound: it has none of its own.
        """
        _known(caller, kind, name)
        with self.database.write() as session:
            row = session.get(QuotaRow, (kind, name))
            if row is None:
                raise NotFound(
                    f"The {kind} {name} has no limits of its own.",
                    code="no-such-quota",
                    hint="`dlsys quotas list` shows who has; '*' is for all others.",
                )
            session.delete(row)
        self._forget()

    # -- for the rooms above

    def table(self) -> LimitTable:
        """All limits, at most a second old. Not while a session is open."""
        if time.monotonic() - self._read_at > FRESH_SECONDS:
            with self.database.read() as session:
                self._table = self._load(session)
            self._read_at = time.monotonic()
        return self._table

    def ask(self, resource: Resource, user: str, project: str) -> None:
        """Refuse when nothing is left. Not while a session is open.

        Raises:
            Forbidden: a limit is reached.
        """
        with self.database.read() as session:
            self.check(session, user, project, resource, 0)

    def check(
        self, session: Session, user: str, project: str, resource: Resource, more: float
    ) -> None:
        """Refuse what goes over a limit of the user or the project, in the caller's transaction.

        `more` 0 asks whether anything is left.

        Raises:
            Forbidden: it does; says how much is used, and whom to ask.
        """
        for standing in self.standings(session, user, project, resource):
            if not standing.holds(more) or (not more and standing.level == "full"):
                adds = f"; this adds {amount(resource, more)}" if _counts(resource, more) else ""
                raise exceeded(standing, f"{standing.words()}{adds}.")

    def standings(
        self, session: Session, user: str, project: str, resource: Resource
    ) -> Sequence[Standing]:
        """Where the user and the project stand, as far as they have a limit.

        In a transaction that writes nobody else can ask the same before it ends.
        """
        table, found = self._load(session), []
        who: tuple[tuple[QuotaKind, str], ...] = (("user", user), ("project", project))
        for kind, name in who:
            given = table.of(kind, name)
            limit = given.of(resource)
            if limit is None:
                continue
            _alone(session, f"{resource} {kind} {name}")
            used = self._used(session, resource, kind, [name]).get(name, 0.0)
            found.append(Standing(kind, name, resource, used, limit, given.set_by, clock.now()))
        return found

    def positions(self, resource: Resource) -> Sequence[Standing]:
        """Where all stand who use something and have a limit, a second ago. Not while a session is
        open."""
        if not self.table().limited(resource):
            return ()
        until, found = self._positions.get(resource, (float("-inf"), []))
        if time.monotonic() > until:
            begun = time.monotonic()
            found = self._measure(resource)
            ended = time.monotonic()
            until = ended + max(FRESH_SECONDS, WORTH * (ended - begun))
            self._positions[resource] = until, found
        return found

    def _measure(self, resource: Resource) -> Sequence[Standing]:
        now = clock.now()
        with self.database.read() as session:
            table = self._load(session)
            used = {kind: self._used(session, resource, kind, None) for kind in KINDS}
        given = [(kind, name, table.of(kind, name)) for kind in KINDS for name in used[kind]]
        given += [
            (kind, name, one)
            for (kind, name), one in table.rows.items()
            if name != ALL and name not in used[kind]
        ]
        return [
            Standing(kind, name, resource, used[kind].get(name, 0.0), limit, one.set_by, now)
            for kind, name, one in given
            if (limit := one.of(resource)) is not None
        ]

    # -- inside

    def _forget(self) -> None:
        self._read_at = float("-inf")
        self._positions.clear()

    def _load(self, session: Session) -> LimitTable:
        rows: dict[tuple[QuotaKind, str], Given] = {
            ("user" if row.kind == "user" else "project", row.name): Given(
                Limits(**{name: getattr(row, name) for name in FIELDS}),
                set_by=row.set_by,
                set_at=row.set_at,
            )
            for row in session.scalars(select(QuotaRow))
        }
        return LimitTable(self.defaults, rows)

    def _used(
        self, session: Session, resource: Resource, kind: QuotaKind, names: Collection[str] | None
    ) -> dict[str, float]:
        used: dict[str, float] = {}
        for meter in self.meters[resource]:
            for name, value in meter(session, kind, names).items():
                used[name] = used.get(name, 0.0) + value
        return used

    def _quotas(
        self, session: Session, table: LimitTable, kind: QuotaKind, names: Sequence[str]
    ) -> Sequence[Quota]:
        used = {resource: self._used(session, resource, kind, names) for resource in RESOURCES}
        now = clock.now()
        found = []
        for name in names:
            given = table.of(kind, name)
            use = [_use(one, used[one].get(name, 0.0), given.of(one), now) for one in RESOURCES]
            found.append(
                Quota(
                    kind=kind,
                    name=name,
                    limits=given.limits,
                    inherited=given.inherited,
                    use=[] if name == ALL else use,
                    renews_at=month_after(now),
                    set_by=given.set_by,
                    set_at=given.set_at,
                )
            )
        return found

    def _all_names(
        self, session: Session, caller: Principal, table: LimitTable
    ) -> dict[QuotaKind, Sequence[str]]:
        """Everybody who has limits, uses something or was here; projects that the caller sees."""
        query = select(ProjectRow.owner).where(ProjectRow.kind == "personal")
        users = set(session.scalars(query)) | {caller.name}
        users |= {name for kind, name in table.rows if kind == "user"}
        for resource in RESOURCES:
            users |= self._used(session, resource, "user", None).keys()
        return {
            "user": [ALL, *sorted(users - {ALL})],
            "project": [ALL, *sorted(caller.projects)],
        }


def exceeded(standing: Standing, detail: str) -> Forbidden:
    """The refusal of something that goes over a limit."""
    return Forbidden(detail, code="quota-exceeded", hint=standing.remedy())


def defaults_of(settings: Settings) -> dict[QuotaKind, Limits]:
    """What the settings give to those who have nothing else."""
    return {
        "user": Limits(jobs=settings.user_max_jobs or None),
        "project": Limits(jobs=settings.project_max_jobs or None),
    }


def _use(resource: Resource, used: float, limit: float | None, now: datetime) -> Use:
    return Use(
        resource=resource,
        used=round(used, 6),
        limit=limit,
        level=level(used, limit),
        words=use_words(resource, used, limit, now),
    )


def _rules(caller: Principal) -> bool:
    return caller.may(Scope.ADMIN)


def _own(caller: Principal) -> dict[QuotaKind, Sequence[str]]:
    users = [caller.name] if caller.kind == "user" else []
    return {"user": users, "project": sorted(caller.projects_with(Scope.READ))}


def _known(caller: Principal, kind: QuotaKind, name: str) -> None:
    if kind == "project" and name != ALL:
        caller.check_project(name)


def _counts(resource: Resource, more: float) -> bool:
    """Whether the amount says more than 'one more'."""
    return resource == "storage_bytes" and more > 0


def _alone(session: Session, what: str) -> None:
    """SQLite has one writer at a time anyway; on PostgreSQL a lock until the transaction ends."""
    if session.get_bind().dialect.name == "postgresql":
        number = int.from_bytes(hashlib.sha256(what.encode()).digest()[:8], "big", signed=True)
        session.execute(select(func.pg_advisory_xact_lock(number)))
