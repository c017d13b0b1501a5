"""A small platform around the MLflow proxy, run as its own process: ``python host.py FOLDER PORT``.

Tokens name the principal: "alice", "bob" (one project each, "ws-a" and "ws-b"), "carol" (reads
ws-a), "dave" (writes in ws-a), "dave-reads" (with a token for reading), "frank" (in ws-c), "root"
(maintainer of "default"), "eve" (in no project), "job:RUN_ID" (a job of alice), "program-a"
(predicts in ws-a), "program-b" (writes in ws-b).
Facts heard by the tap go to FOLDER/facts.jsonl.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import signal
import sys
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route

from dlsys_server.access.principals import Principal
from dlsys_server.access.scopes import Scope, expand
from dlsys_server.metadata.mlflow.child import MlflowChild
from dlsys_server.metadata.mlflow.client import MlflowClient
from dlsys_server.metadata.mlflow.proxy import MlflowProxy
from dlsys_server.metadata.mlflow.taps import facts_of, tells

PEOPLE = {
    "alice": ("ws-a", {Scope.WRITE, Scope.SUBMIT, Scope.DEPLOY}),
    "bob": ("ws-b", {Scope.WRITE, Scope.SUBMIT, Scope.DEPLOY}),
    "carol": ("ws-a", {Scope.READ}),
    "dave": ("ws-a", {Scope.WRITE}),
    "dave-reads": ("ws-a", {Scope.READ}),
    "frank": ("ws-c", {Scope.WRITE, Scope.SUBMIT, Scope.DEPLOY}),
    "root": ("default", {Scope.ADMIN}),
    "eve": ("u-eve", set()),
}
PROGRAMS = {"program-a": ("ws-a", Scope.PREDICT), "program-b": ("ws-b", Scope.WRITE)}


def principal_of(token: str) -> Principal | None:
    if token.startswith("job:"):
        scopes = frozenset({Scope.JOB})
        run_id = token.removeprefix("job:")
        mine = {"job_id": "job-1", "run_id": run_id}
        return Principal.of("alice", "job", "ws-a", ("ws-a",), scopes, **mine)
    if token in PROGRAMS:
        project, scope = PROGRAMS[token]
        held = expand(frozenset({scope}))
        return Principal.of("alice", "service", project, (project,), held, token_id=token)
    if token not in PEOPLE:
        return None
    project, scopes = PEOPLE[token]
    projects = (project,) if scopes else ()
    name = token.removesuffix("-reads")
    return Principal.of(name, "user", project, projects, expand(frozenset(scopes)))


class FileTap:
    def __init__(self, file: Path) -> None:
        self._file = file

    def matches(self, method: str, call: str) -> bool:
        self._method = method
        return tells(method, call)

    async def observed(self, principal, project, call, request, response) -> None:
        method = "DELETE" if "version" not in request and call.endswith("/alias") else "POST"
        with self._file.open("a") as out:
            for fact in facts_of(method, call, request, response):
                line = {"fact": type(fact).__name__, "by": principal.name, "project": project}
                out.write(json.dumps({**line, **dataclasses.asdict(fact)}) + "\n")


async def main(folder: Path, port: int) -> None:
    child = MlflowChild(folder / "mlflow", str(folder / "artifacts"))
    client = MlflowClient(lambda: child.socket, child.secret)

    def identify(request: Request) -> Principal | None:
        return principal_of(request.headers.get("authorization", "").removeprefix("Bearer "))

    proxy = MlflowProxy(
        child, client, identify, taps=[FileTap(folder / "facts.jsonl")], patience=0.5
    )

    async def state(_: Request) -> JSONResponse:
        facts = {"state": child.state, "pid": child.pid, "seconds": child.seconds_to_ready}
        return JSONResponse({**facts, "socket": str(child.socket), "secret": child.secret})

    async def run(request: Request) -> JSONResponse:
        run_id = await client.create_run("ws-a", "alice", "intents", request.query_params["name"])
        return JSONResponse({"run_id": run_id})

    async def download(request: Request) -> JSONResponse:
        asked = request.query_params
        target = await client.download_version(
            asked["project"], asked["name"], asked["version"], Path(asked["target"])
        )
        files = sorted(str(f.relative_to(target)) for f in target.rglob("*") if f.is_file())
        return JSONResponse({"files": files})

    routes = [
        Route("/state", state), Route("/run", run, methods=["POST"]),
        Route("/download", download, methods=["POST"]), Route("/mlflow", proxy),
        Mount("/mlflow", proxy),
    ]  # fmt: skip
    await child.start()
    server = uvicorn.Server(
        uvicorn.Config(Starlette(routes=routes), port=port, log_level="warning", lifespan="off")
    )
    try:
        await server.serve()
    finally:
        await proxy.close()
        await client.close()
        await child.stop()


if __name__ == "__main__":
    # uvicorn raises the signal again when it is done; as SystemExit it lets the child be stopped.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
