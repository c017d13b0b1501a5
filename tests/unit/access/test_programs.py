"""Tokens of programs: never more than their owner, seen and revoked by whom it concerns."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from dlsys_server.access import programs as room
from dlsys_server.access.issued import Issued
from dlsys_server.access.principals import Principal
from dlsys_server.access.programs import ProgramTokens
from dlsys_server.access.projects import ProjectService
from dlsys_server.access.scopes import Scope, expand
from dlsys_server.access.tables import TokenRow
from dlsys_server.core import clock
from dlsys_server.core.database import Database
from dlsys_server.core.errors import Conflict, Forbidden, InvalidInput, NotFound, Unavailable
from dlsys_server.core.events import EventLog
from dlsys_server.serving.keys import Keys
from jupyter_dlsys.contract.access import CreateProjectRequest
from jupyter_dlsys.contract.tokens import ServiceTokenRequest

ALL = expand(frozenset({Scope.ADMIN}))


class Lab:
    """Projects, people in them, and their programs. `away`: nobody knows who is who."""

    def __init__(self, database: Database) -> None:
        self.database, self.away = database, False
        self.projects = ProjectService(database, EventLog(database))
        self.programs = ProgramTokens(database, self.projects, self)
        self.programs.has_endpoint = lambda project, name: (project, name) == ("vision", "intent")
        self.issued = Issued(database)
        self.projects.create(self.person("ann"), CreateProjectRequest(name="vision"))

    def person(self, name: str, fresh: bool = False) -> Principal:
        if self.away:
            raise Unavailable("away", hint="wait")
        rights = dict(self.projects.rights(name, (), expand(frozenset({Scope.MANAGE}))))
        return Principal(name, "user", f"u-{name}", rights, ALL)

    def identify(self, token: str, fresh: bool = False) -> Principal | None:
        return self.issued.identify(token, self.person)

    def role(self, name: str, role: Any) -> None:
        self.projects.add_member(self.person("ann"), "vision", "user", name, role)

    def issue(self, who: str, *scopes: Any, **more: Any) -> Any:
        body = ServiceTokenRequest(name="shop", scopes=list(scopes) or ["predict"], **more)
        return self.programs.issue(self.person(who), "vision", body)

    def list(self, who: str, endpoint: str | None = None) -> list[Any]:
        return self.programs.list(self.person(who), "vision", endpoint)


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    database = Database(f"sqlite:///{tmp_path / 'x.sqlite'}")
    database.migrate()
    yield Lab(database)
    database.close()


def test_a_program_has_its_scopes_in_its_project_and_acts_for_its_owner(lab: Lab) -> None:
    lab.role("sam", "data-scientist")
    made = lab.issue("sam", "submit")
    program = lab.identify(made.token)
    assert program is not None
    assert (program.name, program.kind, program.acting) == ("sam", "service", "program shop")
    assert program.projects == ("vision",)
    held = {s for s in Scope if program.may(s, "vision")}
    assert held == {Scope.OPEN, Scope.READ, Scope.SUBMIT}
    assert timedelta(days=89) < made.expires_at - clock.now() <= timedelta(days=90)


def test_nobody_gives_what_he_does_not_have(lab: Lab) -> None:
    lab.role("dev", "application-developer")
    assert lab.issue("dev", endpoint="intent").endpoint == "intent"
    with pytest.raises(Forbidden, match="data-engineer") as refused:
        lab.issue("dev", "predict", "write")
    assert "ann" in refused.value.hint
    with pytest.raises(NotFound):
        lab.issue("dev", endpoint="other")
    with pytest.raises(InvalidInput, match="only predict"):
        lab.issue("ann", "predict", "read", endpoint="intent")
    body = ServiceTokenRequest(name="a\nb")
    with pytest.raises(InvalidInput, match="name"):
        lab.programs.issue(lab.person("ann"), "vision", body)


def test_rights_go_with_the_owners_at_once(lab: Lab) -> None:
    lab.role("sam", "data-scientist")
    made = lab.issue("sam", "read", "submit")
    lab.role("sam", "viewer")
    program = lab.identify(made.token)
    assert program is not None and not program.may(Scope.SUBMIT, "vision")
    assert program.may(Scope.READ, "vision")
    lab.projects.remove_member(lab.person("ann"), "vision", "user", "sam")
    assert lab.identify(made.token) is None
    assert [t.state for t in lab.list("ann")] == ["powerless"]


def test_a_scope_that_the_owner_lost_leaves_nothing_of_it(lab: Lab) -> None:
    """What 'submit' brings along goes with it, though the owner may still read."""
    lab.role("sam", "data-scientist")
    made = lab.issue("sam", "submit")
    lab.role("sam", "viewer")
    assert lab.identify(made.token) is None


def test_lists_show_ones_own_and_a_maintainer_sees_all(lab: Lab) -> None:
    for name in ("sam", "dev"):
        lab.role(name, "data-scientist")
        lab.issue(name, endpoint="intent" if name == "dev" else None)
    assert [t.owner for t in lab.list("sam")] == ["sam"]
    assert {t.owner for t in lab.list("ann")} == {"sam", "dev"}
    assert [t.owner for t in lab.list("ann", "intent")] == ["dev"]
    assert "token" not in lab.list("sam")[0].model_dump()
    of_dev = lab.list("dev")[0].id
    with pytest.raises(NotFound) as foreign:
        lab.programs.revoke(lab.person("sam"), "vision", of_dev)
    with pytest.raises(NotFound) as absent:
        lab.programs.revoke(lab.person("sam"), "vision", "0" * 26)
    assert foreign.value.detail.replace(of_dev, "0" * 26) == absent.value.detail
    lab.programs.revoke(lab.person("ann"), "vision", of_dev)
    assert lab.list("dev") == []


def test_revoked_and_expired_tokens_are_nobody(lab: Lab) -> None:
    told: list[int] = []
    lab.programs.changed = lambda: told.append(1)
    one, other = lab.issue("ann", "read"), lab.issue("ann", "read", lifetime_days=None)
    assert other.expires_at is None
    lab.programs.revoke(lab.person("ann"), "vision", one.id)
    assert lab.identify(one.token) is None and len(told) == 3
    with lab.database.write() as session:
        late = clock.now() - timedelta(seconds=1)
        session.execute(update(TokenRow).values(expires_at=late))
    assert lab.identify(other.token) is None
    assert [t.state for t in lab.list("ann")] == ["expired"]


def test_a_program_cannot_make_list_or_revoke_tokens(lab: Lab) -> None:
    made = lab.issue("ann", "read", "write", "submit", "deploy")
    program = lab.identify(made.token)
    assert program is not None
    with pytest.raises(Forbidden, match="person"):
        lab.programs.list(program, "vision", None)
    with pytest.raises(Forbidden):
        lab.programs.issue(program, "vision", ServiceTokenRequest(name="x", scopes=["read"]))
    with pytest.raises(Forbidden):
        lab.programs.revoke(program, "vision", made.id)


def test_there_is_a_limit_and_old_ones_make_room(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "MOST", 2)
    lab.issue("ann", "read")
    lab.issue("ann", "read")
    with pytest.raises(Conflict, match="2 tokens"):
        lab.issue("ann", "read")
    with lab.database.write() as session:
        session.execute(update(TokenRow).values(expires_at=clock.now() - timedelta(days=31)))
    lab.issue("ann", "read")
    assert len(lab.list("ann")) == 1


def test_the_gateway_hears_of_whoever_may_predict_now(lab: Lab) -> None:
    lab.role("dev", "application-developer")
    bound = lab.issue("dev", endpoint="intent")
    lab.issue("dev", "read")
    lab.role("sam", "data-scientist")
    lab.issue("sam", "deploy")
    keys = Keys(lab.programs, unsure_seconds=900)
    found = sorted(keys.current({}).values(), key=lambda entry: str(entry["deployments"]))
    assert [entry["deployments"] for entry in found] == ["*", ["intent"]]
    lab.role("dev", "viewer")
    lab.role("sam", "data-engineer")
    assert keys.current({}) == {}
    assert bound.token not in str(found)


def test_while_nobody_knows_who_is_who_keys_that_worked_go_on_for_a_while(lab: Lab) -> None:
    lab.issue("ann", endpoint="intent")
    patient, strict = Keys(lab.programs, 900), Keys(lab.programs, 0)
    told = patient.current({})
    assert len(told) == 1
    lab.away = True
    assert patient.current(told) == told
    assert patient.current({}) == {}
    assert strict.current(told) == {}
    lab.away = False
    assert patient.current({}) == told


def test_uses_at_the_gateway_are_noted_and_never_go_back(lab: Lab) -> None:
    lab.issue("ann", endpoint="intent")
    keys = Keys(lab.programs)
    [digest] = keys.current({})
    now = clock.now()
    for ago in (120, 600):
        keys.used({digest: (now - timedelta(seconds=ago)).timestamp()})
    [shown] = lab.list("ann")
    assert abs(now - timedelta(seconds=120) - shown.last_used_at) < timedelta(seconds=1)
