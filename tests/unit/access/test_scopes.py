"""Rights: every route has one, jobs and programs have few."""

from __future__ import annotations

from datetime import timedelta

import pytest

from dlsys_server.access import tokens
from dlsys_server.access.embedded import EmbeddedIdentity
from dlsys_server.access.issued import Issued
from dlsys_server.access.principals import Principal
from dlsys_server.access.routing import RoomRouter
from dlsys_server.access.scopes import IMPLIED, OPERATIONS, Scope, expand
from dlsys_server.app import ROUTERS
from dlsys_server.core.database import Database
from dlsys_server.core.errors import Forbidden, NotFound


def test_every_operation_has_a_route_and_the_other_way_round():
    routes = [r.operation_id for router in ROUTERS for r in router.routes]
    assert sorted(routes) == sorted(OPERATIONS)


def test_a_route_without_a_scope_fails_at_import():
    router = RoomRouter()
    with pytest.raises(LookupError, match="not in access/scopes"):

        @router.get("/x", operation_id="x.y")
        def nobody() -> None: ...

    with pytest.raises(LookupError):

        @router.get("/x")
        def nameless() -> None: ...


def test_admin_holds_everything_but_jobs():
    assert expand(frozenset({Scope.ADMIN})) == set(Scope) - {Scope.JOB}
    assert set(IMPLIED) == set(Scope)


@pytest.fixture
def identity(tmp_path):
    database = Database(f"sqlite:///{tmp_path / 'x.sqlite'}")
    database.migrate()
    found = EmbeddedIdentity(Issued(database), "the-secret", "ann")
    found.database = database
    yield found
    database.close()


def issue(identity, kind, **values):
    with identity.database.write() as session:
        fields = {"name": "n", "owner": "ann", "project": "default", "subject": f"{kind}/1"}
        return tokens.issue(session, kind, **{**fields, **values})


def test_the_secret_is_the_os_user_and_nothing_else_is(identity):
    assert identity.identify("the-secret").name == "ann"
    for wrong in ("", "the-secre", "the-secret ", "dlsys_job_x", "ünïcode"):
        assert identity.identify(wrong) is None


def test_a_job_token_may_only_look_at_itself(identity):
    _, secret = issue(identity, "job", properties={"run_id": "r1"})
    job = identity.identify(secret)
    assert (job.kind, job.job_id, job.run_id) == ("job", "1", "r1")
    allowed = [op for op in OPERATIONS if _may(job, op)]
    assert sorted(allowed) == [
        "snapshots.chunk",
        "snapshots.show",
        "system.health",
        "system.whoami",
    ]


def test_an_endpoint_token_may_only_predict(identity):
    scopes = {"scopes": ["predict"]}
    _, secret = issue(identity, "program", subject="deployment/intent", properties=scopes)
    program = identity.identify(secret)
    assert (program.name, program.kind, program.acting) == ("ann", "service", "program n")
    assert program.deployment == "intent"
    assert [op for op in OPERATIONS if _may(program, op)] == [
        "system.health",
        "system.whoami",
        "deployments.predict",
    ]


def test_expired_and_revoked_tokens_are_nobody(identity):
    _, old = issue(identity, "job", lifetime=timedelta(seconds=-1))
    assert identity.identify(old) is None
    _, secret = issue(identity, "job", subject="job/2")
    assert identity.identify(secret)
    with identity.database.write() as session:
        assert tokens.revoke(session, "default", "job/2") == 1
    assert identity.identify(secret) is None


def test_only_the_hash_of_a_token_is_kept(identity):
    row, secret = issue(identity, "endpoint")
    assert secret not in repr(vars(row)) and len(secret) > 40


def test_a_project_one_is_not_in_does_not_exist():
    ann = Principal.of("ann", "user", "default", ("default",), frozenset())
    with pytest.raises(NotFound):
        ann.check_project("other")


def _may(principal: Principal, operation: str) -> bool:
    try:
        principal.check(operation)
    except Forbidden:
        return False
    return True
