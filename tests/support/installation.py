"""A team's installation in small: hub and its proxy, platform as a unit, PostgreSQL, S3."""

from __future__ import annotations

import contextlib
import os
import pwd
import secrets
import signal
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.integration.training.test_isolation import ACCOUNT, usable_python
from tests.support import postgres, seaweed
from tests.support.hub import ENTER, FOLDER, PATH, module
from tests.support.models import ready_made
from tests.support.platform import RunningPlatform
from tests.support.ports import free_port
from tests.support.stoppable import Stoppable

START_SECONDS = 120
PROJECT = "/projects/vision"
ENDED = ("succeeded", "failed", "cancelled", "lost", "skipped")
SCOPES = tuple(f"custom:dlsys:{name}" for name in ("read", "write", "submit", "deploy"))


@dataclass
class Proxy:
    """The hub's child: the hub itself starts it again."""

    state: Path
    url: str

    def stop(self) -> None:
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        self._signal(signal.SIGKILL)

    def start(self) -> None:
        wait_for(lambda: answers(f"{self.url}/hub/api/"), "the hub to start its proxy again")

    def _signal(self, number: signal.Signals) -> None:
        os.kill(int((self.state / "proxy.pid").read_text()), number)


@dataclass
class Team:
    """`platform` is its process; `api` where it listens, `public` the same through the proxy."""

    platform: RunningPlatform
    public: str
    api: str
    token: str
    parts: dict[str, Any] = field(default_factory=dict)
    endpoint: str = ""
    key: str = ""

    def client(self) -> httpx.Client:
        """As ann, straight to the platform."""
        headers = {"Authorization": f"Bearer {self.token}"}
        return httpx.Client(
            base_url=self.api, headers=headers, verify=False, trust_env=False, timeout=60
        )

    def deploy(self) -> None:
        """A model of ann's, an endpoint, and a program's key for it."""
        with self.client() as api:
            body = {"source": {"path": "mood.py", "content": ready_made()}}
            job = api.post(f"{PROJECT}/jobs", json=body)
            assert job.status_code == 201, job.text
            path = f"{PROJECT}/jobs/{job.json()['id']}"
            wait_for(lambda: api.get(path).json()["state"] in ENDED, "the model")
            assert api.get(path).json()["state"] == "succeeded", api.get(path).text
            assert api.post(f"{PROJECT}/deployments", json={"model": "mood"}).status_code == 201
            path = f"{PROJECT}/deployments/mood"
            wait_for(lambda: api.get(path).json()["state"] in ("ready", "failed"), "the endpoint")
            assert api.get(path).json()["state"] == "ready", api.get(path).text
            self.endpoint = api.get(path).json()["url"]
            made = api.post(f"{PROJECT}/tokens", json={"name": "shop", "endpoint": "mood"})
            assert made.status_code == 201, made.text
            self.key = made.json()["token"]


@contextmanager
def team_on(folder: Path) -> Iterator[Team]:
    """All of it, with ann's token."""
    with ExitStack() as stack:
        server, database = stack.enter_context(postgres.start_stoppable())
        store_server, store = stack.enter_context(seaweed.start_stoppable(folder / "s3"))
        url = server.new_database().replace("postgresql+psycopg://", "postgresql://")
        bucket = store_server.new_bucket()
        demo = module("demo").Demo(folder / "hub", 0)
        settings = _hub_settings(demo, folder)
        platform = RunningPlatform(
            folder / "platform",
            **_platform_settings(demo, settings),
            DLSYS_DATABASE_URL=url,
            **bucket.settings("lab"),
        )
        platform.python, account = job_account(folder)
        platform.environment["DLSYS_JOB_ACCOUNT"] = account
        platform.start(wait_for_mlflow=False)  # a hub waits 30 s for its service to answer
        stack.callback(platform.stop)
        hub = stack.enter_context(Stoppable(_hub_starter(demo, settings), signal.SIGTERM))
        stack.callback(_end_proxy, folder / "hub" / "proxy.pid")
        platform.wait(lambda: platform.part("mlflow") == "ok", "MLflow to start", START_SECONDS)
        wait_for(lambda: answers(f"{demo.platform}/api/v1/health"), "the platform behind the proxy")
        token = demo.token("ann", ENTER, *SCOPES, seconds=3600)
        parts = {"postgresql": database, "s3": store, "hub": hub}
        parts["proxy"] = Proxy(folder / "hub", demo.url)
        direct = f"{demo.platform_url}/services/dlsys/api/v1"
        team = Team(platform, f"{demo.platform}/api/v1", direct, token, parts)
        team.deploy()
        yield team


def _hub_settings(demo: Any, folder: Path) -> dict[str, str]:
    users = module("demo_users")
    for user in users.USERS:
        (folder / "hub" / "homes" / user).mkdir(parents=True, exist_ok=True)
    demo.passwords = users.write(folder / "hub" / "users.json", users.USERS)
    return {
        "DLSYS_HUB_DEMO": "1",
        "DLSYS_PLATFORM": "external",
        "DLSYS_SERVICE_TOKEN": secrets.token_hex(32),
        "DLSYS_HUB_URL": demo.url,
        "DLSYS_HUB_API": f"http://127.0.0.1:{free_port()}",
        "DLSYS_HUB_PROXY": f"node {module('demo').PROXY}",
        "DLSYS_HUB_PROXY_API": f"http://127.0.0.1:{free_port()}",
        "DLSYS_HUB_STATE": str(folder / "hub"),
        "DLSYS_PLATFORM_URL": demo.platform_url,
    }


def _hub_starter(demo: Any, settings: dict[str, str]) -> Callable[[], subprocess.Popen[bytes]]:
    state = Path(settings["DLSYS_HUB_STATE"])
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("JUPYTERHUB_", "DLSYS_H"))}

    def start() -> subprocess.Popen[bytes]:
        with (state / "hub.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "jupyterhub", "-f", str(FOLDER / "jupyterhub_config.py")],
                cwd=state,
                env={**kept, **settings, "PATH": PATH},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        wait_for(lambda: answers(f"{demo.url}/hub/api/"), "the hub to start")
        return process

    return start


def _platform_settings(demo: Any, settings: dict[str, str]) -> dict[str, str]:
    """As in hub-config/systemd/dlsys-platform.service."""
    return {
        "DLSYS_IDENTITY": "hub",
        "DLSYS_PROJECTS_FILE": str(FOLDER / "projects.yaml"),
        "DLSYS_IDLE_SECONDS": "0",
        "DLSYS_HUB_FRESH_SECONDS": "1",
        "JUPYTERHUB_API_URL": f"{settings['DLSYS_HUB_API']}/hub/api",
        "JUPYTERHUB_API_TOKEN": settings["DLSYS_SERVICE_TOKEN"],
        "JUPYTERHUB_SERVICE_NAME": "dlsys",
        "JUPYTERHUB_SERVICE_URL": demo.platform_url,
        "JUPYTERHUB_SERVICE_PREFIX": "/services/dlsys/",
    }


def job_account(folder: Path) -> tuple[str, str]:
    """An interpreter for jobs of people without an account here, and the account they run as."""
    if os.geteuid() != 0:
        return sys.executable, pwd.getpwuid(os.geteuid()).pw_name
    found = usable_python()
    if found is None:
        pytest.skip("not applicable: as root, jobs need an account that can run our Python")
    python, environment = found
    if environment:  # a worker of a model gets no PYTHONPATH
        return _environment_of(folder / "python", python, environment["PYTHONPATH"]), ACCOUNT
    return python, ACCOUNT


def _environment_of(folder: Path, python: str, libraries: str) -> str:
    """A virtual environment of an interpreter that finds these folders."""
    packages = Path(sysconfig.get_path("purelib", "venv", {"base": str(folder)}))
    packages.mkdir(parents=True)
    (folder / "bin").mkdir()
    (folder / "pyvenv.cfg").write_text(f"home = {Path(python).parent}\n", "utf-8")
    (folder / "bin" / "python").symlink_to(python)
    (packages / "libraries.pth").write_text("\n".join(libraries.split(os.pathsep)), "utf-8")
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() else 0o644)
    return str(folder / "bin" / "python")


def _end_proxy(pid_file: Path) -> None:
    with contextlib.suppress(OSError, ValueError):
        os.kill(int(pid_file.read_text()), signal.SIGKILL)


def answers(url: str) -> bool:
    """Whether something good comes from there."""
    with contextlib.suppress(httpx.TransportError):
        return httpx.get(url, verify=False, trust_env=False, timeout=5).status_code == 200
    return False


def wait_for(condition: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + START_SECONDS
    while not condition():
        assert time.monotonic() < end, f"waited for {what} in vain"
        time.sleep(0.1)
