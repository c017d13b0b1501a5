"""Projects: roles give rights up to the token's, refusals say whom to ask, nobody is locked out."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlsys_server.access.principals import Principal
from dlsys_server.access.projects import ProjectService, personal, rights_of
from dlsys_server.access.roles import ROLES, strongest, that_allow
from dlsys_server.access.scopes import OPERATIONS, Scope, expand
from dlsys_server.core.database import Database
from dlsys_server.core.errors import Conflict, NotFound
from dlsys_server.core.events import EventFilter, EventLog
from jupyter_dlsys.contract.access import PROJECT_PATTERN, CreateProjectRequest

EVERYTHING = expand(frozenset({Scope.ADMIN}))
PERSON = expand(frozenset({Scope.MANAGE}))


@pytest.fixture
def projects(tmp_path):
    database = Database(f"sqlite:///{tmp_path / 'x.sqlite'}", 1)
    database.migrate()
    yield ProjectService(database, EventLog(database))
    database.close()


def principal(projects, name, groups=(), scopes=PERSON):
    held = projects.held(name, groups, scopes)
    rights = rights_of(held, scopes)
    return Principal(name, "user", personal(name), rights, scopes, roles=held)


@pytest.fixture
def root(projects):
    root = principal(projects, "root", scopes=EVERYTHING)
    projects.create(root, CreateProjectRequest(name="vision", title="Computer vision"))
    return principal(projects, "root", scopes=EVERYTHING)


def test_a_stranger_sees_nothing_of_a_project(projects, root):
    eve = principal(projects, "eve")
    assert eve.projects == ("u-eve",)
    assert [p.name for p in projects.list(eve)] == []  # hers is made when she comes
    with pytest.raises(NotFound) as there:
        eve.check_project("vision")
    with pytest.raises(NotFound) as not_there:
        eve.check_project("no-such")
    assert there.value.detail.replace("vision", "no-such") == not_there.value.detail


def test_a_role_of_a_group_counts_as_long_as_one_is_in_it(projects, root):
    projects.add_member(root, "vision", "group", "scientists", "data-scientist")
    assert principal(projects, "ann", ["scientists"]).may(Scope.SUBMIT, "vision")
    assert not principal(projects, "ann").may(Scope.READ, "vision")
    projects.remove_member(root, "vision", "group", "scientists")
    assert not principal(projects, "ann", ["scientists"]).may(Scope.READ, "vision")


def test_the_token_is_the_ceiling(projects, root):
    projects.add_member(root, "vision", "user", "vic", "maintainer")
    vic = principal(projects, "vic", scopes=expand(frozenset({Scope.READ})))
    assert vic.may(Scope.READ, "vision") and not vic.may(Scope.WRITE, "vision")
    assert not vic.may(Scope.WRITE, "u-vic")


def test_the_strongest_role_counts(projects, root):
    projects.add_member(root, "vision", "user", "ann", "viewer")
    projects.add_member(root, "vision", "group", "g", "data-scientist")
    ann = principal(projects, "ann", ["g"])
    assert ann.rights["vision"] == ROLES["viewer"] | ROLES["data-scientist"]
    assert projects.show(ann, "vision").role == "data-scientist"


def test_a_refusal_says_which_role_and_whom_to_ask(projects, root):
    projects.add_member(root, "vision", "user", "ann", "maintainer")
    projects.add_member(root, "vision", "user", "vic", "viewer")
    refused = projects.refusal(principal(projects, "vic"), "datasets.commit", "vision")
    assert refused.detail == "datasets.commit needs role data-engineer in vision: ask ann or root."
    assert "dlsys projects permissions vision" in refused.hint


def test_a_viewer_on_the_hub_is_told_the_role_though_the_token_lacks_the_right_too(projects, root):
    projects.add_member(root, "vision", "user", "ann", "maintainer")
    projects.add_member(root, "vision", "group", "product", "viewer")
    only_reads = expand(frozenset({Scope.READ}))
    vic = principal(projects, "vic", ["product"], only_reads)
    assert "needs role data-scientist" in projects.refusal(vic, "jobs.submit", "vision").detail


def test_permissions_say_of_every_operation_what_a_refusal_would(projects, root):
    projects.add_member(root, "vision", "user", "ann", "maintainer")
    projects.add_member(root, "vision", "group", "engineers", "data-engineer")
    dan = principal(projects, "dan", ["engineers"])
    found = {p.operation: p for p in projects.permissions(dan, "vision")}
    assert set(found) == set(OPERATIONS)
    for operation, told in found.items():
        assert told.allowed == dan.may(OPERATIONS[operation], "vision"), operation
        if told.allowed:
            assert told.words == ""
        else:
            assert told.words in projects.refusal(dan, operation, "vision").detail
    assert found["datasets.commit"].allowed and found["datasets.commit"].needs == "data-engineer"
    assert found["jobs.submit"].words == "needs role data-scientist in vision: ask ann or root"
    assert found["projects.create"].words == "needs an administrator of the platform"
    mine = {p.operation: p.allowed for p in projects.permissions(dan, "u-dan")}
    assert mine["jobs.submit"] and not mine["projects.create"]


def test_an_administrator_may_everything_in_a_shared_project(projects, root):
    assert all(p.allowed for p in projects.permissions(root, "vision"))


def test_a_refusal_for_the_tokens_sake_says_so(projects, root):
    projects.add_member(root, "vision", "user", "vic", "maintainer")
    weak = principal(projects, "vic", scopes=expand(frozenset({Scope.READ})))
    assert "your token" in projects.refusal(weak, "datasets.commit", "vision").detail
    projects.add_member(root, "vision", "group", "engineers", "data-engineer")
    by_group = principal(projects, "dan", ["engineers"], expand(frozenset({Scope.READ})))
    assert "your token" in projects.refusal(by_group, "datasets.commit", "vision").detail


def test_an_administrator_maintains_shared_projects_only(projects, root):
    projects.ensure(personal("ann"), "ann", "personal")
    assert root.may(Scope.MANAGE, "vision")
    assert "u-ann" not in principal(projects, "root", scopes=EVERYTHING).projects


def test_a_new_member_hears_of_it_in_their_own_project(projects, root):
    before = projects.events.last()
    projects.add_member(root, "vision", "user", "ann", "viewer")
    projects.remove_member(root, "vision", "user", "ann")
    heard = projects.events.read(before, EventFilter(("u-ann",)))
    assert [(e.topic, e.subject, e.payload["role"]) for e in heard] == [
        ("project.member", "project/vision", "viewer"),
        ("project.member", "project/vision", None),
    ]


def test_the_last_maintainer_stays(projects, root):
    with pytest.raises(Conflict, match="last maintainer"):
        projects.remove_member(root, "vision", "user", "root")
    with pytest.raises(Conflict, match="last maintainer"):
        projects.add_member(root, "vision", "user", "root", "viewer")
    projects.add_member(root, "vision", "user", "ann", "maintainer")
    projects.remove_member(root, "vision", "user", "root")
    assert [m.name for m in projects.members("vision")] == ["ann"]


def test_a_personal_project_is_not_shared(projects, root):
    projects.ensure(personal("ann"), "ann", "personal")
    with pytest.raises(Conflict, match="personal"):
        projects.add_member(root, "u-ann", "user", "root", "maintainer")


def test_a_taken_name_is_refused(projects, root):
    for name in ("vision", "u-ann"):
        with pytest.raises(Conflict):
            projects.create(root, CreateProjectRequest(name=name))


@given(st.text(min_size=1, max_size=80), st.text(min_size=1, max_size=80))
def test_each_user_has_a_project_of_a_name_of_their_own(one, other):
    assert re.match(PROJECT_PATTERN, personal(one))
    assert (personal(one) == personal(other)) == (one == other)


def test_a_name_cannot_be_chosen_to_be_somebody_elses():
    made = personal("Ann Müller")
    assert personal(made.removeprefix("u-")) != made
    assert personal("ann") == "u-ann"


def test_roles_grow():
    order = list(ROLES)
    assert strongest(["viewer", "maintainer", "data-engineer"]) == "maintainer"
    assert strongest([]) is None
    assert that_allow(Scope.SUBMIT) == ["data-scientist", "maintainer"]
    assert order[0] == "viewer" and all(Scope.ADMIN not in held for held in ROLES.values())
