"""A platform with some of everything, to send anything to."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support import hub_api
from tests.support.platform import RunningPlatform

from .callers import HERE, bearer
from .recipes import RECIPES, R
from .world import ADMINISTRATOR, GUEST, KINDS, OTHER, SLOW_KINDS, THERE, World

PARAMETER = re.compile(r"{(\w+)}")


@dataclass
class Fuzzed:
    """A running platform, and as whom it is asked, in which project."""

    identity: str
    world: World
    user: str
    project: str

    @property
    def url(self) -> str:
        return self.world.platform.url

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": bearer(self.world.token(self.user))}

    def paths_of(self, operation: str) -> list[dict[str, str]]:
        """Path parameters of real things, by the operation's recipes."""
        needed = PARAMETER.findall(self.world.operations[operation][1])
        found = RECIPES.get(operation, R(0))
        kinds = {r.of for r in (found if isinstance(found, tuple) else (found,))}
        paths = []
        for kind in sorted(kinds) if needed else ():
            known = {"project": self.project}
            if kind:
                known |= self.world.thing(kind, self.user, self.project).fields
            with contextlib.suppress(KeyError):
                paths.append({name: known[name] for name in needed})
        return paths


@contextmanager
def started(home: Path, identity: str, **settings: str) -> Iterator[Fuzzed]:
    """A platform with that identity."""
    options = {"DLSYS_CPUS": "1", "DLSYS_WARM": "false", **settings}
    with hub_api.started() as hub:
        if identity == "hub":
            options |= hub.settings
        platform = RunningPlatform(home, **options).start()
        world = World(platform, hub)
        try:
            yield _filled(world, identity)
        finally:
            _end(world, identity)
            world.http.close()
            platform.stop()


def _filled(world: World, identity: str) -> Fuzzed:
    if identity == "hub":
        for project in (HERE, THERE):
            world.call(ADMINISTRATOR, "POST", "/projects", json={"name": project})
            owner = OTHER if project == HERE else GUEST
            world.call(
                ADMINISTRATOR, "PUT", f"/projects/{project}/members/user/{owner}",
                json={"role": "maintainer"},
            )  # fmt: skip
        found = Fuzzed(identity, world, OTHER, HERE)
    else:
        for user in (OTHER, ADMINISTRATOR):
            world.know(user, world.platform.secret)
        found = Fuzzed(identity, world, OTHER, "default")
    world.keep_the_worker_busy(found.user, found.project)
    for kind in ("dataset", *KINDS, *SLOW_KINDS, "tag"):
        world.thing(kind, found.user, found.project)
    return found


def _end(world: World, identity: str) -> None:
    for project in (HERE, THERE) if identity == "hub" else ("default",):
        end_jobs(world, project)


def end_jobs(world: World, project: str) -> None:
    """All of them: a platform that stops lets the running ones go on."""
    jobs = f"/projects/{project}/jobs"
    alive = {"state": ["queued", "starting", "running", "cancelling"], "limit": 500}
    while found := world.call(ADMINISTRATOR, "GET", jobs, params=alive)["items"]:
        for job in found:
            if job["state"] in ("queued", "running"):
                world.call(ADMINISTRATOR, "POST", f"{jobs}/{job['id']}/cancel")
        time.sleep(0.2)
