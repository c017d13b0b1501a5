"""Quotas: whose limits count, who sees them, what a refusal says, and that nobody overshoots."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone

import pytest
from sqlalchemy import func, select

from dlsys_server.access.principals import Principal
from dlsys_server.access.projects import ProjectService, personal
from dlsys_server.access.quota_words import Standing, month_after, number, shares, use_words
from dlsys_server.access.quotas import QuotaService, defaults_of
from dlsys_server.access.scopes import Scope, expand
from dlsys_server.core import clock
from dlsys_server.core.database import Database
from dlsys_server.core.errors import Forbidden, NotFound
from dlsys_server.core.events import EventLog
from dlsys_server.core.settings import Settings
from dlsys_server.serving.service import ServingService
from dlsys_server.serving.tables import DeploymentRow
from jupyter_dlsys.contract.access import CreateProjectRequest
from jupyter_dlsys.contract.quotas import LimitsRequest

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=timezone.utc)
EVERYTHING = expand(frozenset({Scope.ADMIN}))
PERSON = expand(frozenset({Scope.MANAGE}))


class House:
    """Projects and quotas on a database; what is used is what a test says."""

    def __init__(self, url: str) -> None:
        self.database = Database(url, 8)
        self.database.migrate()
        self.projects = ProjectService(self.database, EventLog(self.database))
        settings = Settings(home="/nowhere", user_max_jobs=3)
        self.quotas = QuotaService(self.database, defaults_of(settings))
        self.used: dict[tuple[str, str], float] = {}
        self.quotas.meters["gpu_hours"].append(self._meter)

    def _meter(self, _session, kind, names):
        found = {name: v for (k, name), v in self.used.items() if k == kind}
        return {n: v for n, v in found.items() if names is None or n in names}

    def principal(self, name, scopes=PERSON):
        rights = self.projects.rights(name, (), scopes)
        return Principal(name, "user", personal(name), rights, scopes)

    def check(self, resource="gpu_hours", more=1.0, user="ann", project="vision"):
        with self.database.write() as session:
            self.quotas.check(session, user, project, resource, more)

    def of(self, who, kind, name):
        found = {(q.kind, q.name): q for q in self.quotas.list(who)}
        return found.get((kind, name))


@pytest.fixture
def house(tmp_path, monkeypatch):
    monkeypatch.setattr(clock, "now", lambda: NOW)
    house = House(f"sqlite:///{tmp_path / 'x.sqlite'}")
    root = house.principal("ada", EVERYTHING)
    house.projects.create(root, CreateProjectRequest(name="vision"))
    house.projects.add_member(root, "vision", "user", "ann", "data-scientist")
    house.ada = house.principal("ada", EVERYTHING)
    yield house
    house.database.close()


def refusal(house, **asked):
    with pytest.raises(Forbidden) as caught:
        house.check(**asked)
    assert caught.value.code == "quota-exceeded"
    return f"{caught.value.detail} {caught.value.hint}"


def test_own_limits_replace_those_of_all_which_replace_the_settings(house):
    ann = house.principal("ann")
    limits = house.of(ann, "user", "ann").limits
    assert (limits.jobs, limits.gpu_hours) == (3, None)  # DLSYS_USER_MAX_JOBS
    house.quotas.set(house.ada, "user", "*", LimitsRequest(gpu_hours=5))
    found = house.of(ann, "user", "ann")
    assert (found.limits.gpu_hours, found.limits.jobs, found.inherited) == (5, None, True)
    house.quotas.set(house.ada, "user", "ann", LimitsRequest(gpu_hours=7, endpoints=0))
    found = house.of(ann, "user", "ann")
    assert (found.limits.gpu_hours, found.inherited, found.set_by) == (7, False, "ada")
    assert found.limits.endpoints == 0
    house.quotas.unset(house.ada, "user", "ann")
    house.quotas.unset(house.ada, "user", "*")
    assert house.of(ann, "user", "ann").limits.jobs == 3
    with pytest.raises(NotFound):
        house.quotas.unset(house.ada, "user", "ann")


def test_people_see_themselves_and_their_projects_administrators_all(house):
    house.used[("user", "eve")] = 1.0
    house.quotas.set(house.ada, "user", "bob", LimitsRequest(jobs=1))
    ann = house.principal("ann")
    names = [(q.kind, q.name) for q in house.quotas.list(ann)]
    assert names == [("user", "ann"), ("project", "u-ann"), ("project", "vision")]
    everybody = {(q.kind, q.name) for q in house.quotas.list(house.ada)}
    users = {name for kind, name in everybody if kind == "user"}
    assert users == {"*", "ada", "bob", "eve"}
    assert ("project", "vision") in everybody
    assert ("project", "u-ann") not in everybody  # hers alone


def test_the_limits_of_a_project_that_one_cannot_see_cannot_be_set(house):
    house.projects.ensure(personal("ann"), "ann", "personal")
    for name in ("nothing", "u-ann"):
        with pytest.raises(NotFound) as caught:
            house.quotas.set(house.ada, "project", name, LimitsRequest(jobs=1))
        assert caught.value.code == "no-such-project"


def test_a_refusal_says_what_is_used_whom_to_ask_and_until_when(house):
    house.quotas.set(house.ada, "user", "ann", LimitsRequest(gpu_hours=10))
    house.used[("user", "ann")] = 9.5
    house.check(more=0.5)
    assert refusal(house, more=0.6) == (
        "ann has used 9.5 of 10 GPU-hours in November. Ask ada for more, or wait until 1 December."
    )
    house.quotas.set(house.ada, "project", "vision", LimitsRequest(gpu_hours=0.5))
    house.used[("project", "vision")] = 0.5
    assert refusal(house, more=0).startswith("vision has used 0.5 of 0.5 GPU-hours in November.")
    house.check(more=0, project="other")


def test_who_set_a_limit_for_himself_need_not_ask_himself(house):
    house.quotas.set(house.ada, "user", "ada", LimitsRequest(gpu_hours=1))
    house.used[("user", "ada")] = 2
    assert "`dlsys quotas set user ada" in refusal(house, user="ada")


def test_use_is_told_in_words_with_how_near_it_is(house):
    house.quotas.set(house.ada, "user", "ann", LimitsRequest(gpu_hours=10))
    for used, level in ((7.5, "ok"), (8, "near"), (10, "full"), (12, "full")):
        house.used[("user", "ann")] = used
        use = house.of(house.principal("ann"), "user", "ann").use[0]
        assert (use.resource, use.used, use.limit, use.level) == ("gpu_hours", used, 10, level)
    assert use.words == "12 of 10 GPU-hours; anew on 1 December"
    assert house.of(house.ada, "user", "ann").renews_at == month_after(NOW)


def test_words_and_numbers():
    assert use_words("jobs", 1, 1, NOW) == "1 of 1 job at once"
    assert use_words("endpoints", 2, None, NOW) == "2 endpoints, no limit"
    assert shares("storage_bytes", 1.25e9, 2e9) == "1.25 of 2 GB"
    assert shares("storage_bytes", 5e6, 2e12) == "0.000005 of 2 TB"
    assert [number(v) for v in (0, 0.00444, 9.5, 100, 1234.5)] == [
        "0", "0.00444", "9.5", "100", "1,234",
    ]  # fmt: skip
    december = datetime(2026, 12, 31, 23, 59, tzinfo=timezone.utc)
    assert month_after(december) == datetime(2027, 1, 1, tzinfo=timezone.utc)
    standing = Standing("user", "ann", "gpu_hours", 1, 1, "", december)
    assert standing.remedy() == (
        "Ask an administrator of the platform for more, or wait until 1 January."
    )


def endpoint(session, house, name):
    """What a deploy does: ask, then add."""
    house.quotas.check(session, "ann", "vision", "endpoints", 1)
    session.add(
        DeploymentRow(
            project="vision", name=name, owner="ann", model="m", model_ref="m@v1",
            target_version=1, state="starting", trust="safe", max_batch=1,
            created_at=NOW, updated_at=NOW,
        )
    )  # fmt: skip


def overshoot(house):
    ServingService(house.database, None, None, None, None, house.quotas, None)  # type: ignore[arg-type]
    ada = house.principal("ada", EVERYTHING)
    house.quotas.set(ada, "user", "ann", LimitsRequest(endpoints=4))
    house.quotas.set(ada, "user", "*", LimitsRequest(endpoints=1))

    def deploy(n: int) -> bool:
        try:
            with house.database.write() as session:
                endpoint(session, house, f"e{n}")
        except Forbidden as error:
            return error.detail != "ann has 4 of 4 endpoints."
        return True

    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(deploy, range(24)))
    with house.database.read() as session:
        there = session.scalar(select(func.count()).select_from(DeploymentRow))
    return sum(won), there


def test_many_at_once_do_not_overshoot(house):
    assert overshoot(house) == (4, 4)


@pytest.mark.postgres
@pytest.mark.integration
def test_nor_on_postgresql(postgres_url):
    house = House(postgres_url)
    try:
        assert overshoot(house) == (4, 4)
    finally:
        house.database.close()
