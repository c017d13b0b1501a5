"""`make hub` for tests: the demo as a process, and the people who log in to it."""

from __future__ import annotations

import importlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import psutil
import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "hub-config"
PATH = os.pathsep.join(
    [str(Path(sys.executable).parent), os.environ["PATH"], str(Path(sys.prefix) / "nodejs")]
)
"""With the Node.js that scripts/node.sh installs where the machine has none."""
ENTER = "access:services!service=dlsys"


def need_hub() -> None:
    """Skip where a part of a hub is missing."""
    pytest.importorskip("jupyterhub", reason="the extra `hub` is not installed: make install")
    if not (FOLDER / "node_modules" / "configurable-http-proxy").exists():
        pytest.skip("the hub's proxy is not installed: make hub")
    if shutil.which("node", path=PATH) is None:
        pytest.skip("there is no Node.js on PATH")


def module(name: str) -> ModuleType:
    """A file of hub-config, which is a folder of programs and not a package."""
    sys.path.insert(0, str(FOLDER))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(str(FOLDER))


class RunningHub:
    """What a person who started `make hub` has: an address, users and their passwords."""

    def __init__(self, state: Path, said: str, process: subprocess.Popen[str]) -> None:
        self.state, self.said, self.process = state, said, process
        self.url = re.search(r"^http://\S+", said, re.MULTILINE).group()  # type: ignore[union-attr]
        self.passwords = dict(re.findall(r"^  (\w{3})   (\S+)  ", said, re.MULTILINE))
        self._demo = module("demo").Demo(state, 0)
        self._demo.url, self._demo.passwords = self.url, self.passwords

    @property
    def platform(self) -> str:
        return f"{self.url}/services/dlsys"

    @contextmanager
    def login(self, user: str, password: str | None = None) -> Iterator[httpx.Client]:
        """A browser; `let_in` says whether the hub let it in."""
        given = self.passwords if password is None else {user: password}
        self._demo.passwords = given
        with self._demo.login(user) as browser:
            self._demo.passwords = self.passwords
            yield browser

    def let_in(self, browser: httpx.Client) -> bool:
        return browser.get("/hub/home").status_code == 200

    def token(self, user: str, *scopes: str, seconds: int = 600) -> str:
        return str(self._demo.token(user, *scopes, seconds=seconds))

    def api(self, token: str) -> httpx.Client:
        """The hub's REST API with a token."""
        headers = {"Authorization": f"token {token}"}
        return httpx.Client(
            base_url=f"{self.url}/hub/api", headers=headers, verify=False, trust_env=False
        )

    def dlsys(self, token: str) -> httpx.Client:
        """The platform's API with a token, through the hub's proxy."""
        headers = {"Authorization": f"Bearer {token}"}
        base = f"{self.platform}/api/v1"
        return httpx.Client(
            base_url=base, headers=headers, verify=False, trust_env=False, timeout=30
        )

    def spawn(self, *users: str) -> dict[str, dict[str, str]]:
        """Start the users' servers, all at once; the environment of each one's process."""
        for user in users:
            with self.login(user) as browser:
                browser.get("/hub/spawn")
        return {user: self._environment(user) for user in users}

    def service_environment(self) -> dict[str, str]:
        """The platform's own."""
        return next(e for e in self._environments() if e.get("JUPYTERHUB_SERVICE_NAME") == "dlsys")

    def _environment(self, user: str) -> dict[str, str]:
        end = time.monotonic() + 90
        while time.monotonic() < end:
            for found in self._environments():
                named = found.get("JUPYTERHUB_USER") == user
                if named and self._up(user):
                    return found
            time.sleep(0.2)
        raise AssertionError(f"{user}'s server did not come up: {self.state / 'hub.log'}")

    def _up(self, user: str) -> bool:
        """The hub knows that the server is there only a while after the server does."""
        return (
            httpx.get(f"{self.url}/user/{user}/api", verify=False, trust_env=False).status_code
            == 200
        )

    def _environments(self) -> Iterator[dict[str, str]]:
        for process in psutil.Process(self.process.pid).children(recursive=True):
            try:
                yield process.environ()
            except psutil.Error:
                continue

    def stop(self) -> list[int]:
        """Ctrl-C; processes that were there and still are."""
        before = psutil.Process(self.process.pid).children(recursive=True)
        self.process.send_signal(signal.SIGINT)
        self.process.wait(40)
        assert before
        end = time.monotonic() + 5
        while (left := [p.pid for p in before if _lives(p)]) and time.monotonic() < end:
            time.sleep(0.1)
        return left


def _lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


@contextmanager
def started(state: Path, *options: str, **environment: str) -> Iterator[RunningHub]:
    """`make hub`, but for what make installs."""
    command = [sys.executable, str(FOLDER / "demo.py"), "--state", str(state), "--port", "0"]
    process = subprocess.Popen(
        [*command, *options],
        cwd=state,
        env={**os.environ, "PATH": PATH, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    said = ""
    for line in process.stdout:
        said += line
        if line.startswith("Ctrl-C"):
            break
    try:
        assert process.poll() is None, said
        assert "Ctrl-C" in said, said
        yield RunningHub(state, said, process)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            process.wait(60)
        process.stdout.close()


def scopes_of(model: dict[str, Any]) -> set[str]:
    """Our own rights in what the hub says about a token."""
    prefix = "custom:dlsys:"
    return {s.removeprefix(prefix) for s in model["scopes"] if s.startswith(prefix)}
