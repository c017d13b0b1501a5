"""The one table of what each operation needs. A route whose operation is missing fails at import.

Vocabulary: an *operation* is `noun.verb`, the same words in the HTTP API (operation id), the SDK
and the command line. A *scope* is a right; on a hub it is the custom scope `custom:dlsys:<scope>`.
"""

from __future__ import annotations

from enum import Enum


class Scope(str, Enum):
    """Rights, from weak to strong. JOB is what a running job's own token holds; MANAGE is about one
    project (its members), ADMIN about the platform."""

    OPEN = "open"
    JOB = "job"
    READ = "read"
    PREDICT = "predict"
    WRITE = "write"
    SUBMIT = "submit"
    DEPLOY = "deploy"
    MANAGE = "manage"
    ADMIN = "admin"


IMPLIED: dict[Scope, frozenset[Scope]] = {
    Scope.OPEN: frozenset(),
    Scope.JOB: frozenset({Scope.OPEN}),
    Scope.READ: frozenset({Scope.OPEN}),
    Scope.PREDICT: frozenset({Scope.OPEN}),
    Scope.WRITE: frozenset({Scope.READ}),
    Scope.SUBMIT: frozenset({Scope.READ}),
    Scope.DEPLOY: frozenset({Scope.READ, Scope.PREDICT}),
    Scope.MANAGE: frozenset({Scope.WRITE, Scope.SUBMIT, Scope.DEPLOY}),
    Scope.ADMIN: frozenset({Scope.MANAGE}),
}

OPERATIONS: dict[str, Scope] = {
    "system.health": Scope.OPEN,
    "system.whoami": Scope.OPEN,
    "projects.list": Scope.READ,
    "projects.create": Scope.ADMIN,
    "projects.show": Scope.READ,
    "projects.permissions": Scope.READ,
    "projects.members": Scope.READ,
    "projects.add_member": Scope.MANAGE,
    "projects.remove_member": Scope.MANAGE,
    "tokens.list": Scope.READ,
    "tokens.issue": Scope.READ,
    "tokens.revoke": Scope.READ,
    "audit.list": Scope.MANAGE,
    "audit.export": Scope.MANAGE,
    "audit.verify": Scope.ADMIN,
    "quotas.list": Scope.READ,
    "quotas.set": Scope.ADMIN,
    "quotas.unset": Scope.ADMIN,
    "system.workers": Scope.READ,
    "system.events": Scope.READ,
    "system.shutdown": Scope.ADMIN,
    "uploads.create": Scope.WRITE,
    "uploads.send": Scope.WRITE,
    "uploads.show": Scope.WRITE,
    "uploads.remove": Scope.WRITE,
    "datasets.list": Scope.READ,
    "datasets.create": Scope.WRITE,
    "datasets.show": Scope.READ,
    "datasets.remove": Scope.WRITE,
    "datasets.history": Scope.READ,
    "datasets.commit": Scope.WRITE,
    "datasets.version": Scope.READ,
    "datasets.rows": Scope.READ,
    "datasets.export": Scope.READ,
    "datasets.diff": Scope.READ,
    "datasets.tag": Scope.WRITE,
    "datasets.untag": Scope.WRITE,
    "datasets.policy": Scope.READ,
    "datasets.set_policy": Scope.WRITE,
    "snapshots.create": Scope.READ,
    "snapshots.list": Scope.READ,
    "snapshots.show": Scope.READ,
    "snapshots.chunk": Scope.READ,
    "jobs.list": Scope.READ,
    "jobs.submit": Scope.SUBMIT,
    "jobs.inspect": Scope.READ,
    "jobs.preflight": Scope.READ,
    "jobs.queue": Scope.READ,
    "jobs.retry": Scope.SUBMIT,
    "jobs.usage": Scope.READ,
    "jobs.show": Scope.READ,
    "jobs.cancel": Scope.SUBMIT,
    "jobs.events": Scope.READ,
    "jobs.log": Scope.READ,
    "jobs.notebook": Scope.READ,
    "jobs.artifacts": Scope.READ,
    "jobs.artifact": Scope.READ,
    "agents.poll": Scope.SUBMIT,
    "agents.take": Scope.SUBMIT,
    "agents.read": Scope.SUBMIT,
    "agents.send": Scope.SUBMIT,
    "agents.finish": Scope.SUBMIT,
    "schedules.list": Scope.READ,
    "schedules.create": Scope.SUBMIT,
    "schedules.explain": Scope.READ,
    "schedules.show": Scope.READ,
    "schedules.update": Scope.SUBMIT,
    "schedules.remove": Scope.SUBMIT,
    "schedules.pause": Scope.SUBMIT,
    "schedules.resume": Scope.SUBMIT,
    "schedules.run": Scope.SUBMIT,
    "schedules.backfill": Scope.SUBMIT,
    "schedules.history": Scope.READ,
    "runs.list": Scope.READ,
    "runs.show": Scope.READ,
    "runs.metrics": Scope.READ,
    "models.list": Scope.READ,
    "models.show": Scope.READ,
    "models.version": Scope.READ,
    "models.promote": Scope.DEPLOY,
    "models.demote": Scope.DEPLOY,
    "lineage.show": Scope.READ,
    "deployments.list": Scope.READ,
    "deployments.deploy": Scope.DEPLOY,
    "deployments.show": Scope.READ,
    "deployments.rollback": Scope.DEPLOY,
    "deployments.undeploy": Scope.DEPLOY,
    "deployments.predict": Scope.PREDICT,
}

JOB_OPERATIONS = frozenset({"system.whoami", "snapshots.show", "snapshots.chunk"})
"""What a job's token may call besides MLflow; reads are limited to its bound snapshots."""

SHARED_OPERATIONS = frozenset(
    {
        "datasets.show",
        "datasets.history",
        "datasets.version",
        "datasets.rows",
        "datasets.export",
        "datasets.diff",
        "datasets.policy",
        "snapshots.create",
        "snapshots.list",
        "snapshots.show",
        "snapshots.chunk",
    }
)
"""What may be asked of a project that one is not in: about datasets of it that are shared."""


def expand(scopes: frozenset[Scope]) -> frozenset[Scope]:
    """The scopes and all that they imply."""
    found = set(scopes)
    pending = list(scopes)
    while pending:
        for implied in IMPLIED[pending.pop()] - found:
            found.add(implied)
            pending.append(implied)
    return frozenset(found)
