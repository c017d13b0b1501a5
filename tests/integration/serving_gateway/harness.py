"""A real gateway process and a client that says what came back."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil

TOKEN = "secret-of-the-tests"
AUTH = {"authorization": f"Bearer {TOKEN}"}


def version(path: Path | str, **more: Any) -> dict[str, Any]:
    return {
        "path": str(path),
        "trust": "safe",
        "limits": {},
        "max_batch": 32,
        "slo_ms": None,
        **more,
    }


def deployment(
    active: str, versions: dict[str, Any], previous: str | None = None, project: str = "lab"
) -> dict[str, Any]:
    return {"project": project, "active": active, "previous": previous, "versions": versions}


def token(deployments: Any = "*", project: str = "lab", expires_at: float | None = None) -> Any:
    return {
        "subject": "tester",
        "project": project,
        "deployments": deployments,
        "expires_at": expires_at,
    }


@dataclass
class Gateway:
    folder: Path
    tokens: dict[str, Any] = field(default_factory=lambda: {TOKEN: token()})
    deployments: dict[str, Any] = field(default_factory=dict)
    revision: int = 0
    process: subprocess.Popen[bytes] | None = None
    spare: bool = False

    def start(self) -> Gateway:
        command = [
            sys.executable,
            "-m",
            "dlsys_server.serving.gateway",
            "--folder",
            str(self.folder),
        ]
        if not self.spare:
            command.append("--no-spare")
        with (self.folder.parent / "gateway.log").open("ab") as log:
            self.process = subprocess.Popen(
                command, stdout=log, stderr=log, start_new_session=True, env=environment()
            )
        self.wait_up(self.process.pid)
        return self

    def wait_up(self, pid: int, seconds: float = 15) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            with contextlib.suppress(OSError, ValueError):
                if self.about()["pid"] == pid:
                    return
            time.sleep(0.02)
        raise AssertionError((self.folder.parent / "gateway.log").read_text())

    def about(self) -> dict[str, Any]:
        return json.loads((self.folder / "gateway.json").read_text())

    @property
    def url(self) -> str:
        return self.about()["url"]

    def write(self) -> None:
        """Write routes.json as the platform does: atomically."""
        self.revision += 1
        tokens = {hashlib.sha256(s.encode()).hexdigest(): t for s, t in self.tokens.items()}
        content = {"revision": self.revision, "deployments": self.deployments, "tokens": tokens}
        part = self.folder / "routes.part"
        part.write_text(json.dumps(content))
        part.chmod(0o600)
        part.replace(self.folder / "routes.json")

    def control(self, method: str, path: str, content: Any = None) -> httpx.Response:
        transport = httpx.HTTPTransport(verify=False, uds=str(self.folder / "gateway.sock"))
        with httpx.Client(transport=transport, base_url="http://gateway", timeout=120) as client:
            return client.request(method, path, json=content)

    def apply(self, **deployments: Any) -> dict[str, Any]:
        self.deployments.update(deployments)
        self.write()
        answer = self.control("POST", "/apply")
        assert answer.status_code == 200, answer.text
        return answer.json()

    def status(self, name: str) -> dict[str, Any]:
        return self.control("GET", "/status").json()["deployments"][name]

    def client(self, **headers: str) -> httpx.Client:
        return httpx.Client(
            base_url=self.url, headers={**AUTH, **headers}, verify=False, timeout=60
        )

    def post(self, path: str, content: Any, **headers: str) -> httpx.Response:
        with self.client(**headers) as client:
            return client.post(path, json=content)

    def stop(self) -> None:
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(15)

    def workers(self, pid: int | None = None) -> list[psutil.Process]:
        assert self.process or pid
        parent = psutil.Process(pid or self.process.pid)  # type: ignore[union-attr]
        return parent.children(recursive=True)


def environment() -> dict[str, str]:
    root = Path(__file__).resolve().parents[3]
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(root), str(root / "server")])}


def texts(*values: Any) -> dict[str, Any]:
    """A v2 request for the text model."""
    return {
        "inputs": [
            {"name": "text", "datatype": "BYTES", "shape": [len(values)], "data": list(values)}
        ]
    }


def output(response: httpx.Response, name: str) -> Any:
    found = [o for o in response.json()["outputs"] if o["name"] == name]
    return found[0]["data"]


@dataclass
class Load:
    """Clients that keep asking; counts what they got."""

    url: str
    path: str
    content: Any
    clients: int = 6
    statuses: dict[int, int] = field(default_factory=dict)
    versions: list[str] = field(default_factory=list)
    bodies: list[Any] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    done: bool = False

    async def __aenter__(self) -> Load:
        self._client = httpx.AsyncClient(
            base_url=self.url,
            headers=AUTH,
            verify=False,
            timeout=60,
            limits=httpx.Limits(max_connections=None),
        )
        self._tasks = [asyncio.create_task(self._ask()) for _ in range(self.clients)]
        return self

    async def __aexit__(self, *exc: object) -> None:
        self.done = True
        await asyncio.gather(*self._tasks)
        await self._client.aclose()

    async def _ask(self) -> None:
        while not self.done:
            try:
                answer = await self._client.post(self.path, json=self.content)
            except httpx.HTTPError as error:
                self.failures.append(repr(error))
                continue
            self.statuses[answer.status_code] = self.statuses.get(answer.status_code, 0) + 1
            if answer.status_code == 200:
                self.versions.append(answer.headers["x-dlsys-version"])
                self.bodies.append(answer.json())
            else:
                self.failures.append(answer.text)

    async def reach(self, count: int) -> None:
        """Wait for `count` answers more."""
        goal = len(self.versions) + count
        while len(self.versions) < goal:
            await asyncio.sleep(0.02)
