"""People with OS accounts of their own, a platform that is nobody, and the helper that is root.

The accounts are real ones, made with `useradd` and removed at the end. Who the people are to the
platform is answered in a hub's place, in the words of its REST API: `tests/hub` runs the real one.
"""

from __future__ import annotations

import json
import os
import pwd
import secrets
import shutil
import subprocess
import sys
import sysconfig
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

import dlsys_server
import jupyter_dlsys
from tests.support.platform import RunningPlatform

SCOPES = ["access:services!service=dlsys", *(f"custom:dlsys:{s}" for s in ("manage", "submit"))]
PROJECT = "lab"
LAUNCHER = "jupyter_dlsys.runtime.launcher"


@contextmanager
def accounts(*names: str) -> Iterator[list[str]]:
    """Login accounts with these beginnings, without homes; all that they run ends with them."""
    if os.geteuid() != 0 or shutil.which("useradd") is None:
        pytest.skip("not applicable: only root can make accounts")
    mark = secrets.token_hex(3)
    made = [f"{name}{mark}" for name in names]
    try:
        for name in made:
            subprocess.run(["useradd", "-M", "-s", "/bin/sh", name], check=True)
        yield made
    finally:
        for name in made:
            _remove(name)


def _remove(name: str) -> None:
    """`userdel` refuses while something runs as them."""
    with suppress(KeyError):
        running = []
        for pid in processes_of(name):
            with suppress(psutil.Error):
                running.append(psutil.Process(pid))
                running[-1].kill()
        psutil.wait_procs(running, 10)
        subprocess.run(["userdel", "--force", name], check=True, capture_output=True)


def python_for(account: str) -> tuple[str, dict[str, str]]:
    """An interpreter that the account can run too, and its environment: ours, or the system's of
    the same version with our libraries (ours may lie in a home folder)."""
    ours = {str(Path(m.__file__).parents[1]) for m in (jupyter_dlsys, dlsys_server)}
    libraries = os.pathsep.join([*sorted(ours), sysconfig.get_path("purelib")])
    for found in ((sys.executable, {}), ("/usr/bin/python3", {"PYTHONPATH": libraries})):
        if _runs(account, *found):
            return found
    pytest.skip("not applicable: no Python of our version that other accounts can run")


def _runs(account: str, python: str, environment: dict[str, str]) -> bool:
    code = f"import sys, jupyter_dlsys\nassert sys.version_info[:2] == {sys.version_info[:2]}"
    try:
        done = subprocess.run(
            [python, "-c", code],
            **as_account(account),
            cwd="/",
            env={**os.environ, **environment},
            capture_output=True,
            check=False,
        )
    except OSError:
        return False
    return done.returncode == 0


def as_account(name: str) -> dict[str, Any]:
    """Arguments of a subprocess that runs as somebody."""
    numbers = pwd.getpwnam(name)
    return {"user": numbers.pw_uid, "group": numbers.pw_gid, "extra_groups": []}


@contextmanager
def hub_api(people: list[str]) -> Iterator[str]:
    """What the platform asks a hub: whose token it is. Somebody's token is `of-NAME`."""

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            token = self.headers.get("Authorization", "").removeprefix("token ")
            name = self.path.rpartition("/users/")[2] if "/users/" in self.path else token[3:]
            known = name in people
            body = json.dumps({"kind": "user", "name": name, "groups": [], "scopes": SCOPES})
            self.send_response(200 if known else 404)
            self.end_headers()
            self.wfile.write(body.encode() if known else b"{}")

        def log_message(self, *_: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


class Helper:
    """The root helper of a platform's account."""

    def __init__(self, folder: Path, root: Path, account: str, python: str, env: Any) -> None:
        self.socket = folder / "launcher" / "socket"
        self._command = [python, "-m", LAUNCHER, "--root", str(root), "--account", account]
        self._command += ["--socket", str(self.socket)]
        self._env, self._log = {**os.environ, **env}, folder / "launcher.log"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                self._command, env=self._env, cwd="/", stdout=log, stderr=log
            )
        end = time.monotonic() + 20
        while not self.socket.exists():
            assert self.process.poll() is None and time.monotonic() < end, self._log.read_text()
            time.sleep(0.02)

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(10)
            self.process = None


class Team(RunningPlatform):
    """A platform of an unprivileged account behind a hub's identity."""

    def __init__(self, home: Path, people: list[str], account: str, **environment: str) -> None:
        self.people, self.account = people, account
        projects = {"projects": {PROJECT: {"users": dict.fromkeys(people, "maintainer")}}}
        file = home.parent / f"{home.name}.yaml"
        file.write_text(json.dumps(projects))
        file.chmod(0o644)
        self.root = home.parent / f"{home.name}-jobs"
        for folder in (home, self.root):
            folder.mkdir(exist_ok=True)
            shutil.chown(folder, account, pwd.getpwnam(account).pw_gid)
            folder.chmod(0o700)
        super().__init__(
            home,
            DLSYS_IDENTITY="hub",
            JUPYTERHUB_API_TOKEN="the-platforms-own",
            DLSYS_PROJECTS_FILE=str(file),
            DLSYS_ATTEMPTS_FOLDER=str(self.root),
            DLSYS_IDLE_SECONDS="0",
            HOME="/nonexistent",
            **environment,
        )
        self.popen = as_account(account)

    def of(self, person: str) -> httpx.Client:
        """The API as one of the people."""
        return httpx.Client(
            base_url=f"{self.url}/api/v1",
            headers={"Authorization": f"Bearer of-{person}"},
            timeout=60,
            verify=False,
            trust_env=False,
        )

    def run(self, person: str, source: Any, name: str = "t.py", **body: Any) -> Any:
        """Submit as somebody and wait for the end; the job."""
        job = self.begin(person, source, name, **body)
        return self.ended(person, job["id"])

    def begin(self, person: str, source: Any, name: str = "t.py", **body: Any) -> Any:
        content = source if isinstance(source, str) else json.dumps(source)
        with self.of(person) as api:
            sent = {"source": {"path": name, "content": content}, **body}
            answer = api.post(f"/projects/{PROJECT}/jobs", json=sent)
            assert answer.status_code == 201, answer.text
            return answer.json()

    def ended(self, person: str, job: str, *states: str, seconds: float = 90) -> Any:
        wanted = states or ("succeeded", "failed", "cancelled", "lost", "skipped")
        with self.of(person) as api:

            def look() -> Any:
                found = api.get(f"/projects/{PROJECT}/jobs/{job}").json()
                return found if found["state"] in wanted else None

            return self.wait(look, f"{job} to be {wanted}", seconds)

    def said(self, person: str, job: str) -> str:
        """What a script printed."""
        with self.of(person) as api:
            return api.get(f"/projects/{PROJECT}/jobs/{job}/log").text

    def running(self, person: str, source: Any, name: str = "t.py", **body: Any) -> str:
        """Submit as somebody and wait until it has printed `up`; the job's id."""
        job = str(self.begin(person, source, name, **body)["id"])
        states = ("running", "succeeded", "failed", "cancelled", "lost", "skipped")
        state = self.ended(person, job, *states)
        assert state["state"] == "running", state
        try:
            self.wait(lambda: "up" in self.said(person, job), "the job to be up")
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.ended(person, job, *states)}") from error
        return job


@dataclass
class Setting:
    """The platform, the helper and two people."""

    team: Team
    helper: Helper
    ann: str
    bob: str


@contextmanager
def helped(folder: Path) -> Iterator[Setting]:
    """All of it; the folder has to be passable for everybody."""
    with accounts("dlp", "ann", "bob") as (platform, ann, bob), hub_api([ann, bob]) as url:
        python, env = python_for(platform)
        team = Team(folder / "p", [ann, bob], platform, **env, JUPYTERHUB_API_URL=url)
        helper = Helper(folder, team.root, platform, python, env)
        team.environment |= {
            "DLSYS_LAUNCHER": "helper",
            "DLSYS_LAUNCHER_SOCKET": str(helper.socket),
            "DLSYS_CPUS": "2",
        }
        team.python = python
        helper.start()
        team.start()
        try:
            yield Setting(team, helper, ann, bob)
        finally:
            team.stop()
            helper.stop()


def processes_of(person: str) -> list[int]:
    """Processes with somebody's rights."""
    uid = pwd.getpwnam(person).pw_uid
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.uids().real == uid and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
    return found
