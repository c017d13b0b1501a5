"""How each operation is asked: ONE LINE AN OPERATION. The matrix does the rest.

A new operation needs a line here, or the test fails with its name. A line says:

    R(done, of=…)    the status that a caller gets who may do it, on a thing of that kind (world.py
                     makes them). The thing's fields fill `{…}` in path, query and body.

Choose a body with which a permitted caller is told from a refused one without harm: one that is
answered 409 or 400 by the verb itself, or that sets what is set already. Where that cannot be
(deletes), `fresh=True` makes a new thing for each caller who may do it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from dlsys_server.access.scopes import Scope

from .callers import Caller
from .rules import (
    bound_to_job,
    of_the_key,
    owner_alone,
    owner_or_maintainer,
    owner_or_maintainer_alone,
)
from .things import Thing

Rule = Callable[[Caller, Thing], int | None]
SOURCE = {"path": "t.py", "content": "print(1)"}
CRON = {"cron": "0 7 * * *", "timezone": "UTC"}
PAST = {"start": "2026-01-01T00:00:00Z", "end": "2026-01-01T00:00:01Z"}


@dataclass(frozen=True)
class R:
    """A recipe.

    Args:
        done: status for who may.
        of: kind of the thing that it is about.
        body, query, content: what is sent besides the path.
        fresh: each caller who may do it needs a new thing.
        missing: status for who may do it, when the thing is not there or is another project's.
        rule: what holds besides the table of roles.
        also: a right that it needs too, by what it is asked to do.
    """

    done: int
    of: str = ""
    body: Any = None
    query: dict[str, Any] | None = None
    content: bytes | None = None
    fresh: bool = False
    missing: int = 404
    rule: Rule | None = None
    also: Scope | None = None


def submission(**more: Any) -> dict[str, Any]:
    return {"source": SOURCE, "priority": -100, **more}


RECIPES: dict[str, R | tuple[R, ...]] = {
    # -- of the platform
    "system.health": R(200),
    "system.whoami": R(200),
    "system.workers": R(200),
    "system.events": R(200),
    "system.shutdown": R(409),  # a job runs
    "audit.list": R(200, query={"project": "{project}"}),
    "audit.export": R(200, query={"project": "{project}"}),
    "audit.verify": R(200),
    "quotas.list": R(200),
    "quotas.set": R(200, "member", body={}),
    "quotas.unset": R(404, "member", fresh=True),  # it has none of its own
    # -- projects
    "projects.list": R(200),
    "projects.create": R(409, body={"name": "u-nobody"}),
    "projects.show": R(200),
    "projects.members": R(200),
    "projects.add_member": R(200, "member", body={"role": "viewer"}, missing=200, fresh=True),
    "projects.remove_member": R(204, "member", fresh=True),
    "projects.permissions": R(200),
    "tokens.list": R(200),
    "tokens.issue": R(
        201,
        "endpoint",
        body={"name": "k", "scopes": ["predict"], "endpoint": "{name}"},
        also=Scope.PREDICT,
    ),
    "tokens.revoke": R(204, "key", rule=owner_or_maintainer_alone, fresh=True),
    # -- data
    "uploads.create": R(201, query={"filename": "x.csv"}),
    "uploads.send": R(409, "upload", query={"offset": 999}, content=b"x", rule=owner_alone),
    "uploads.show": R(200, "upload", rule=owner_alone),
    "uploads.remove": R(204, "upload", rule=owner_alone, fresh=True),
    "datasets.list": R(200),
    "datasets.create": R(409, body={"name": "taken"}),
    "datasets.show": R(200, "dataset"),
    "datasets.remove": R(204, "dataset", fresh=True),
    "datasets.history": R(200, "dataset"),
    "datasets.commit": (
        R(409, "dataset", body={"operation": "delete", "where": "a == 'x'", "parent": 99}),
        R(201, "upload", body={"files": [{"upload": "{upload}"}]}, rule=owner_alone, fresh=True),
    ),
    "datasets.version": R(200, "dataset"),
    "datasets.rows": R(200, "dataset"),
    "datasets.export": R(200, "dataset"),
    "datasets.diff": R(200, "dataset", query={"base": "v1", "target": "v1"}),
    "datasets.policy": R(200, "dataset"),
    "datasets.set_policy": R(200, "dataset", body={}, rule=owner_or_maintainer),
    "datasets.tag": R(200, "dataset", body={"version": 1}),
    "datasets.untag": R(200, "tag", fresh=True),
    "snapshots.create": R(201, "dataset", body={}),
    "snapshots.list": R(200, "dataset"),
    "snapshots.show": R(200, "snapshot", rule=bound_to_job),
    "snapshots.chunk": R(200, "chunk", rule=bound_to_job),
    # -- jobs
    "jobs.list": R(200),
    "jobs.queue": R(200),
    "jobs.submit": (
        R(201, "dataset", body=submission(inputs={"d": {"dataset": "{name}"}})),
        R(201, "job", body=submission(after=["{id}"]), missing=422),
    ),
    "jobs.inspect": R(200, body={"source": SOURCE}),
    "jobs.preflight": R(
        200, "dataset", body=submission(inputs={"d": {"dataset": "{name}"}}), missing=200
    ),
    "jobs.show": R(200, "job"),
    "jobs.cancel": R(200, "job", rule=owner_or_maintainer),  # it has ended, and stays as it is
    "jobs.retry": R(201, "job"),
    "jobs.usage": R(200, "job"),
    "jobs.events": R(200, "job"),
    "jobs.log": R(200, "job"),
    "jobs.notebook": R(200, "job"),
    "jobs.artifacts": R(200, "job"),
    "jobs.artifact": R(200, "job"),
    # -- agents: this platform starts jobs itself, and says so; one with agents is asked about the
    # jobs of others in tests/integration/training/test_agent.py
    "agents.poll": R(422, "job", body={"wait_seconds": 0}),
    "agents.take": R(422, "job"),
    "agents.read": R(422, "job"),
    "agents.send": R(422, "job", query={"offset": 0}, content=b"x"),
    "agents.finish": R(422, "job", body={"exit_code": 0, "finished_at": 0}),
    # -- schedules
    "schedules.list": R(200),
    "schedules.create": R(
        201, "dataset", body={**CRON, "submission": submission(inputs={"d": {"dataset": "{name}"}})}
    ),
    "schedules.explain": R(200, body=CRON),
    "schedules.show": R(200, "schedule"),
    "schedules.update": R(200, "schedule", body={"missed": "last"}, rule=owner_or_maintainer),
    "schedules.remove": R(204, "schedule", fresh=True),
    "schedules.pause": R(200, "schedule"),
    "schedules.resume": R(200, "schedule", rule=owner_or_maintainer),
    "schedules.run": R(201, "schedule", rule=owner_or_maintainer),
    "schedules.backfill": R(200, "schedule", body=PAST, rule=owner_or_maintainer),
    "schedules.history": R(200, "schedule"),
    # -- runs and models
    "runs.list": R(200),
    "runs.show": R(200, "run"),
    "runs.metrics": R(200, "run"),
    "models.list": R(200),
    "models.show": R(200, "model"),
    "models.version": R(200, "model"),
    "models.promote": R(200, "model", body={"version": 1}),
    "models.demote": R(200, "alias", fresh=True),
    "lineage.show": (
        R(200, "dataset", query={"ref": "dataset/{name}@v1"}),
        R(200, "run", query={"ref": "run/{run_id}"}),
        R(200, "model", query={"ref": "model/{name}@v1"}),
        R(200, "snapshot", query={"ref": "snapshot/{hash}"}),
    ),
    # -- endpoints
    "deployments.list": R(200),
    "deployments.deploy": R(201, "model", body={"model": "{name}@v1", "name": "by-{project}"}),
    "deployments.show": R(200, "endpoint"),
    "deployments.rollback": R(409, "endpoint"),  # it has served one version only
    "deployments.undeploy": R(204, "endpoint", fresh=True),
    "deployments.predict": R(503, "endpoint", body={"inputs": {"x": [1]}}, rule=of_the_key),
}
