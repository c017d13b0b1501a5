"""A running platform behind a hub with people in all roles, and things of each of them."""

from __future__ import annotations

import itertools
import json
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import httpx

from dlsys_server.access import tokens
from dlsys_server.access.scopes import Scope, expand
from dlsys_server.core.database import Database
from jupyter_dlsys.contract.access import Role
from tests.support.hub_api import HubApi
from tests.support.platform import RunningPlatform, notebook

from .callers import HERE, NOTHING, THERE, Caller, bearer
from .things import Thing

PEOPLE: dict[str, Role] = {
    "vic": "viewer",
    "app": "application-developer",
    "dan": "data-engineer",
    "sue": "data-scientist",
    "max": "maintainer",
}
ADMINISTRATOR, GUEST, NEWCOMER, LEAVER, OTHER = "pat", "eve", "new", "lea", "oto"
IN_A_GROUP = "gus"
KINDS = ("upload", "dataset", "snapshot", "chunk", "job", "schedule")
SLOW_KINDS = ("run", "model", "endpoint", "key", "alias")
"""Only of some: making users known to MLflow takes a while, and these have no owner's rules."""


class World:
    """The platform, who calls it, and what there is."""

    def __init__(self, platform: RunningPlatform, hub: HubApi) -> None:
        self.platform, self.hub = platform, hub
        self.http = httpx.Client(
            base_url=f"{platform.url}/api/v1",
            timeout=60,
            trust_env=False,
            limits=httpx.Limits(max_connections=32, max_keepalive_connections=32),
        )
        self.things: dict[tuple[str, str, str], Thing] = {}
        self.keys: dict[str, str] = {}
        self._numbers = itertools.count()
        self._tokens: dict[str, str] = {}
        self._experiments: dict[str, str] = {}
        self.operations = _operations(self.http.get("/openapi.json").json())

    # -- calls

    def token(self, user: str) -> str:
        """A user's token with all rights that the hub gives to anybody."""
        if user not in self._tokens:
            right = "admin" if user == ADMINISTRATOR else "manage"
            self._tokens[user] = self.hub.token(user, right)
        return self._tokens[user]

    def know(self, user: str, token: str) -> None:
        """This is the user's token."""
        self._tokens[user] = token

    def call(self, user: str, method: str, path: str, **more: Any) -> Any:
        """A call that has to work; its JSON."""
        headers = {"Authorization": bearer(self.token(user)), **more.pop("headers", {})}
        answer = self.http.request(method, path, headers=headers, **more)
        assert answer.status_code < 300, (user, method, path, answer.status_code, answer.text)
        is_json = answer.headers.get("content-type", "").startswith("application/json")
        return answer.json() if is_json and answer.content else answer.content

    def mlflow(self, user: str, project: str, call: str, body: dict[str, Any]) -> Any:
        url = f"{self.platform.url}/mlflow/api/2.0/mlflow/{call}"
        return self.call(
            user, "POST", url, json=body, headers={"X-MLFLOW-WORKSPACE": project}
        )  # fmt: skip

    # -- things

    def make(self, kind: str, user: str, project: str) -> Thing:
        """A new thing of a user."""
        maker: Callable[[str, str], dict[str, str]] = getattr(self, f"_{kind}")
        return Thing(kind, user, maker(user, project))

    def thing(self, kind: str, user: str, project: str) -> Thing:
        """The user's one; made when it is first asked for."""
        key = (kind, user, project)
        if key not in self.things:
            self.things[key] = self.make(kind, user, project)
        return self.things[key]

    def _name(self, user: str) -> str:
        return f"{user}-{next(self._numbers)}"

    def _project(self, user: str, project: str) -> dict[str, str]:
        return {"project": project}

    def _member(self, user: str, project: str) -> dict[str, str]:
        name = f"m{next(self._numbers)}"
        self.call(
            ADMINISTRATOR, "PUT", f"/projects/{project}/members/user/{name}",
            json={"role": "viewer"},
        )  # fmt: skip
        return {"kind": "user", "name": name}

    def _upload(self, user: str, project: str, rows: str = "a\nx\n") -> dict[str, str]:
        uploads = f"/projects/{project}/uploads"
        made = self.call(user, "POST", uploads, params={"filename": "x.csv"})
        params = {"offset": 0}
        self.call(user, "PUT", f"{uploads}/{made['id']}", params=params, content=rows)
        owner = GUEST if project == THERE else OTHER
        return {"upload": made["id"], "name": self.thing("dataset", owner, project).fields["name"]}

    def _dataset(self, user: str, project: str) -> dict[str, str]:
        name = self._name(user)
        datasets = f"/projects/{project}/datasets"
        self.call(user, "POST", datasets, json={"name": name, "kind": "generic"})
        uploads = f"/projects/{project}/uploads"
        upload = self.call(user, "POST", uploads, params={"filename": "x.csv"})["id"]
        rows = f"a\n{user} in {project} {name}\n"
        self.call(user, "PUT", f"{uploads}/{upload}", params={"offset": 0}, content=rows)
        body = {"files": [{"upload": upload}]}
        self.call(user, "POST", f"{datasets}/{name}/commits", json=body)
        tag = f"tag-of-{name}"
        self.call(user, "PUT", f"{datasets}/{name}/tags/{tag}", json={"version": 1})
        return {"name": name, "ref": "v1", "tag": tag}

    def _tag(self, user: str, project: str) -> dict[str, str]:
        fields = dict(self.thing("dataset", user, project).fields)
        fields["tag"] = f"t{next(self._numbers)}"
        path = f"/projects/{project}/datasets/{fields['name']}/tags/{fields['tag']}"
        self.call(user, "PUT", path, json={"version": 1})
        return fields

    def _snapshot(self, user: str, project: str) -> dict[str, str]:
        name = self.thing("dataset", user, project).fields["name"]
        path = f"/projects/{project}/datasets/{name}/snapshots"
        made = self.call(user, "POST", path, json={})
        return {"hash": made["hash"], "sha256": made["splits"][0]["chunks"][0]["sha256"]}

    def _chunk(self, user: str, project: str) -> dict[str, str]:
        return {"sha256": self.thing("snapshot", user, project).fields["sha256"]}

    def _job(self, user: str, project: str) -> dict[str, str]:
        """One that has ended."""
        source = {"path": "t.ipynb", "content": json.dumps(notebook("print(1)"))}
        inputs = {"d": {"dataset": self.thing("dataset", user, project).fields["name"]}}
        jobs = f"/projects/{project}/jobs"
        made = self.call(user, "POST", jobs, json={"source": source, "inputs": inputs})
        self.call(user, "POST", f"{jobs}/{made['id']}/cancel")
        agent = {"job": made["id"], "attempt": "1", "agent": "a" * 32}
        return {"id": made["id"], "path": "out.txt", **agent}

    def _leave_files(self) -> None:
        """As if each of the jobs had left one: none of them has run."""
        with sqlite3.connect(self.platform.home / "db.sqlite", timeout=30) as database:
            for (kind, user, project), job in self.things.items():
                if kind == "job":
                    kept = self.things["chunk", user, project].fields["sha256"]
                    left = json.dumps([{"path": "out.txt", "bytes": 1, "sha256": kept}])
                    row = (left, job.fields["id"])
                    database.execute("UPDATE job SET artifacts = ? WHERE id = ?", row)

    def _schedule(self, user: str, project: str) -> dict[str, str]:
        schedules = f"/projects/{project}/schedules"
        body = {"cron": "0 7 1 1 *", "submission": {"source": {"path": "t.py", "content": "1"}}}
        made = self.call(user, "POST", schedules, json=body)
        self.call(user, "POST", f"{schedules}/{made['id']}/pause")
        return {"id": made["id"]}

    def _run(self, user: str, project: str) -> dict[str, str]:
        experiment = self._experiment(user, project)
        made = self.mlflow(user, project, "runs/create", {"experiment_id": experiment})
        run = made["run"]["info"]["run_id"]
        point = {"run_id": run, "key": "loss", "value": 1, "timestamp": 1}
        self.mlflow(user, project, "runs/log-metric", point)
        return {"run_id": run}

    def _experiment(self, user: str, project: str) -> str:
        if project not in self._experiments:
            made = self.mlflow(user, project, "experiments/create", {"name": "e"})
            self._experiments[project] = made["experiment_id"]
        return self._experiments[project]

    def _model(self, user: str, project: str) -> dict[str, str]:
        run = self.thing("run", user, project).fields["run_id"]
        name = self._name(user)
        body = {"experiment_id": self._experiment(user, project), "name": "m"}
        made = self.mlflow(user, project, "logged-models", {**body, "source_run_id": run})
        logged = made["model"]["info"]["model_id"]
        url = f"{self.platform.url}/mlflow/api/2.0/mlflow/logged-models/{logged}"
        workspace = {"X-MLFLOW-WORKSPACE": project}
        self.call(
            user, "PATCH", url, json={"model_id": logged, "status": 2}, headers=workspace
        )  # fmt: skip
        self.mlflow(user, project, "registered-models/create", {"name": name})
        version = {"name": name, "source": f"models:/{logged}", "model_id": logged, "run_id": run}
        self.mlflow(user, project, "model-versions/create", version)
        path = f"/projects/{project}/models/{name}/aliases/champion"
        self.call(user, "PUT", path, json={"version": 1})
        return {"name": name, "version": "1", "alias": "champion"}

    def _alias(self, user: str, project: str) -> dict[str, str]:
        fields = dict(self.thing("model", user, project).fields)
        fields["alias"] = f"a{next(self._numbers)}"
        path = f"/projects/{project}/models/{fields['name']}/aliases/{fields['alias']}"
        self.call(user, "PUT", path, json={"version": 1})
        return fields

    def _endpoint(self, user: str, project: str) -> dict[str, str]:
        model = self.thing("model", user, project).fields["name"]
        body = {"model": f"{model}@v1", "name": self._name(user)}
        made = self.call(user, "POST", f"/projects/{project}/deployments", json=body)
        return {"name": made["name"]}

    def _key(self, user: str, project: str) -> dict[str, str]:
        name = self.thing("endpoint", user, project).fields["name"]
        place, body = f"/projects/{project}/tokens", {"scopes": ["predict"], "endpoint": name}
        made = self.call(user, "POST", place, json={"name": "k", **body})
        self.keys[made["id"]] = made["token"]
        return {"name": name, "token": made["id"]}

    # -- people

    def build(self) -> None:
        """Projects, and things of everybody, who are all maintainers meanwhile; then the roles."""
        for project in (HERE, THERE):
            self.call(ADMINISTRATOR, "POST", "/projects", json={"name": project})
        people = [*PEOPLE, IN_A_GROUP, OTHER]
        for user in people:
            self._member_of(HERE, "user", user, "maintainer")
        self._member_of(THERE, "user", GUEST, "maintainer")
        body = {"name": "taken", "kind": "generic"}
        for project, user in ((HERE, OTHER), (THERE, GUEST)):
            self.call(user, "POST", f"/projects/{project}/datasets", json=body)
        self.keep_the_worker_busy(OTHER, HERE)
        for user, project in ((OTHER, HERE), (GUEST, THERE)):
            self.thing("dataset", user, project)
        self.thing("run", OTHER, HERE)  # one at first: the experiment is made with it
        self.thing("run", GUEST, THERE)
        owners = [*((user, HERE) for user in [*people, ADMINISTRATOR]), (GUEST, THERE)]
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda owner: self._all_of(*owner), owners))
        self._leave_files()
        for user, role in PEOPLE.items():
            self._member_of(HERE, "user", user, role)
        self._member_of(HERE, "group", "scientists", "data-scientist")
        self.call(ADMINISTRATOR, "DELETE", f"/projects/{HERE}/members/user/{IN_A_GROUP}")
        self.hub.user(IN_A_GROUP, "scientists")

    def _all_of(self, user: str, project: str) -> None:
        for kind in (*KINDS, *(SLOW_KINDS if user in ("sue", OTHER, GUEST) else ())):
            self.thing(kind, user, project)

    def _member_of(self, project: str, kind: str, name: str, role: str) -> None:
        path = f"/projects/{project}/members/{kind}/{name}"
        self.call(ADMINISTRATOR, "PUT", path, json={"role": role})

    def keep_the_worker_busy(self, user: str, project: str) -> None:
        """With one CPU no other job starts."""
        source = {"path": "busy.py", "content": "import time; time.sleep(600)"}
        body = {"source": source, "priority": 100}
        self.call(user, "POST", f"/projects/{project}/jobs", json=body)

    def callers(self) -> list[Caller]:
        """Everybody, by what their tokens and roles are."""
        weak = {"reads": Scope.READ, "writes": Scope.WRITE, "predicts": Scope.PREDICT}
        here = [
            Caller(role, bearer(self.token(user)), user, role=role) for user, role in PEOPLE.items()
        ]
        in_group = bearer(self.token(IN_A_GROUP))
        key = self.thing("key", "sue", HERE)
        return [
            *here,
            Caller("member by group", in_group, IN_A_GROUP, role="data-scientist"),
            *(
                Caller(
                    f"maintainer whose token {label}", bearer(self.hub.token("max", scope.value)),
                    "max", role="maintainer", ceiling=expand(frozenset({scope})),
                    brief=scope is not Scope.READ,
                )
                for label, scope in weak.items()
            ),
            Caller("maintainer whose token has no right", bearer(self.hub.token("max")), "max",
                   role="maintainer", ceiling=NOTHING, brief=True),
            Caller("administrator", bearer(self.token(ADMINISTRATOR)), ADMINISTRATOR,
                   ceiling=expand(frozenset({Scope.ADMIN}))),
            Caller("maintainer of another project", bearer(self.token(GUEST)), GUEST, guest=True),
            Caller("user in no project", bearer(self.token(NEWCOMER)), NEWCOMER),
            Caller("a job", bearer(self._job_token()), "sue", "job", ceiling=NOTHING),
            Caller("a program", bearer(self.keys[key.fields["token"]]), "sue", "program",
                   ceiling=expand(frozenset({Scope.PREDICT})), endpoint=key.fields["name"]),
            *self._nobodies(),
        ]  # fmt: skip

    def _nobodies(self) -> list[Caller]:
        """Tokens that open nothing."""
        revoked = self.make("key", "sue", HERE).fields
        path = self.operations["tokens.revoke"][1].format(project=HERE, **revoked)
        self.call("sue", "DELETE", path)
        gone = self.hub.token("max", "manage")
        del self.hub.tokens[gone]
        headers = {
            "nobody": None,
            "an empty token": "Bearer",
            "a wrong token": "Bearer not-a-token",
            "a wrong token of a job": "Bearer dlsys_job_" + "x" * 43,
            "another way to log in": "Basic bWF4Om1heA==",
            "two words": "Bearer x y",
            "a token that ended": bearer(gone),
            "a token without the service": bearer(self.hub.token("max", "manage", enter=False)),
            "a revoked key": bearer(self.keys[revoked["token"]]),
            "a key of somebody who left": bearer(self._key_of_leaver()),
            "a job's token that ended": bearer(self._job_token(timedelta(seconds=-1))),
        }
        return [
            Caller(label, header, kind="nobody", brief=label != "nobody")
            for label, header in headers.items()
        ]

    def _key_of_leaver(self) -> str:
        name = self.thing("endpoint", OTHER, HERE).fields["name"]
        return self._issue("endpoint", f"deployment/{name}", LEAVER, None)

    def _job_token(self, lifetime: timedelta | None = None) -> str:
        job = self.thing("job", "sue", HERE).fields["id"]
        return self._issue("job", f"job/{job}", "sue", lifetime)

    def _issue(self, kind: str, subject: str, owner: str, lifetime: timedelta | None) -> str:
        database = Database(f"sqlite:///{self.platform.home / 'db.sqlite'}")
        with database.write() as session:
            _, secret = tokens.issue(
                session, kind, name="t", owner=owner, project=HERE, subject=subject,
                properties={"run_id": "r"}, lifetime=lifetime,
            )  # fmt: skip
        database.close()
        return secret


def _operations(document: dict[str, Any]) -> dict[str, tuple[str, str]]:
    """Method and path below the API of each operation of the running platform."""
    return {
        verb["operationId"]: (method.upper(), path.removeprefix("/api/v1"))
        for path, verbs in document["paths"].items()
        for method, verb in verbs.items()
    }
