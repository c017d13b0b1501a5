"""Every operation of the API × everybody × own, shared, foreign and missing things.

The operations come from the running platform's OpenAPI document, what is expected from the table of
roles (access/roles.py, access/scopes.py) and a few rules (tests/support/matrix/rules.py), never
from what the platform answers. Refusals are asked for first: nothing may have changed after them.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from dlsys_server.access.roles import ROLES
from tests.support import hub_api, processes
from tests.support.matrix.callers import HERE, THERE
from tests.support.matrix.fuzzed import end_jobs
from tests.support.matrix.leaks import leaked
from tests.support.matrix.probes import Answer, Probe, all_probes, ask, unfit
from tests.support.matrix.world import ADMINISTRATOR, PEOPLE, World
from tests.support.platform import RunningPlatform

pytestmark = [pytest.mark.integration, pytest.mark.slow]
AT_ONCE = 8
Asked = list[tuple[Probe, Answer]]


@pytest.fixture(scope="module")
def world(session_root: Path) -> Iterator[World]:
    home = Path(tempfile.mkdtemp(prefix="m", dir=session_root))
    with hub_api.started() as hub:
        platform = RunningPlatform(home, DLSYS_CPUS="1", DLSYS_WARM="false", **hub.settings).start()
        found = World(platform, hub)
        try:
            found.build()
            yield found
        finally:
            end_jobs(found, HERE)
            found.http.close()
            platform.stop()
    left = processes.end_leftovers(home)
    assert not left, "the platform left processes behind:\n" + "\n".join(left)


@pytest.fixture(scope="module")
def probes(world: World) -> list[Probe]:
    return list(all_probes(world, world.callers()))


@pytest.fixture(scope="module")
def refused(world: World, probes: list[Probe]) -> Asked:
    """All that should change nothing, asked; and that it did change nothing."""
    before = state(world)
    asked = _ask(world, [probe for probe in probes if not probe.does])
    assert state(world) == before, "something that should be refused was done"
    return asked


@pytest.fixture(scope="module")
def done(world: World, probes: list[Probe], refused: Asked) -> Asked:
    return _ask(world, [probe for probe in probes if probe.does])


def _ask(world: World, probes: list[Probe]) -> Asked:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(zip(probes, pool.map(lambda probe: ask(world, probe), probes), strict=True))


def state(world: World) -> dict[str, Any]:
    """What probes could change, as an administrator sees it."""
    found: dict[str, Any] = {"projects": world.call(ADMINISTRATOR, "GET", "/projects")}
    for project in (HERE, THERE):
        for what in ("datasets", "jobs", "schedules", "models", "deployments", "members"):
            path = f"/projects/{project}/{what}"
            answer = world.call(ADMINISTRATOR, "GET", path, params={"limit": 500})
            items = answer["items"] if isinstance(answer, dict) else answer
            found[path] = [_without_time(item) for item in items]
        path = f"/projects/{project}/tokens"
        found[path] = [key["id"] for key in world.call(ADMINISTRATOR, "GET", path)]
    uploads = world.platform.home / "uploads"
    found["uploads"] = sorted((p.name, p.stat().st_size) for p in uploads.iterdir())
    return found


def _without_time(item: dict[str, Any]) -> dict[str, Any]:
    """Without what changes by itself."""
    itself = {"forecast", "queue_position", "reason", "progress", "state", "message", "statistics"}
    return {name: value for name, value in item.items() if name not in itself}


def test_every_operation_has_a_recipe(world: World) -> None:
    assert unfit(world.operations) == []
    assert set(PEOPLE.values()) == set(ROLES), "a role that nobody has"


def wrong(asked: Asked) -> list[str]:
    return [
        f"{probe}: {answer.status} {answer.code}, expected {probe.expected} {probe.refusal}"
        for probe, answer in asked
        if (answer.status, answer.code) != (probe.expected, probe.refusal or answer.code)
    ]


def shown(problems: list[str]) -> str:
    return f"{len(problems)} wrong:\n" + "\n".join(problems[:60])


def test_who_may_not_is_refused_and_nothing_changes(refused: Asked) -> None:
    assert len(refused) > 3000, "the probes themselves are gone"
    assert not (found := wrong(refused)), shown(found)


def test_who_may_is_let_through(done: Asked) -> None:
    assert len(done) > 500
    assert not (found := wrong(done)), shown(found)


ALIKE = {
    "of another project, asked for here": "not there",
    "of another project": "in no project",
    "in another project": "in no project",
    "in somebody's own project": "in no project",
}


def test_what_is_not_yours_is_answered_as_what_is_not_there(refused: Asked) -> None:
    """Status, code and all words of the two are the same, but for the names that were asked for."""
    answers = {(p.operation, p.number, p.caller, p.case): (p, answer) for p, answer in refused}
    compared, told = 0, []
    for (*who, case), (probe, answer) in answers.items():
        twin = answers.get((*who, ALIKE.get(case, "")))
        if twin is None or (probe.caller.rights(probe.project) and probe.project != HERE):
            continue
        compared += 1
        if twin[1] != answer:
            told.append(f"{probe}: {answer.text}\n  {twin[0]}: {twin[1].text}")
    assert compared > 1500
    assert not told, shown(told)


def test_nothing_failed_inside(refused: Asked, done: Asked) -> None:
    broken = [
        f"{p}: {a.status}" for p, a in [*refused, *done] if a.status >= 500 and a.status != 503
    ]
    assert not broken, shown(broken)


def test_no_token_is_in_a_log(world: World, refused: Asked, done: Asked) -> None:
    """All of them were used by now, the good and the bad."""
    assert leaked(world) == []
    sent = {p.caller: (p.caller.header or "").partition(" ")[2] for p, _ in refused}
    told = [str(p) for p, a in refused if len(sent[p.caller]) > 10 and sent[p.caller] in a.text]
    assert not told, shown(told)
