"""jupyterhub_config.py itself: safe by default, and what it makes of its variables."""

from __future__ import annotations

import os
import pwd
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from traitlets.config import Config
from traitlets.config.loader import PyFileConfigLoader

from tests.support.hub import FOLDER, PATH, module

pytest.importorskip("jupyterhub", reason="the extra `hub` is not installed: make install")
FILE = FOLDER / "jupyterhub_config.py"
ME = pwd.getpwuid(os.geteuid()).pw_name


@pytest.fixture(autouse=True)
def _real_use(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DLSYS_PROJECTS_FILE", str(FOLDER / "projects.yaml"))
    monkeypatch.setenv("DLSYS_HUB_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("DLSYS_ACCOUNT", "nobody")


class Anything(BaseHTTPRequestHandler):
    """Answers, which is all that the hub looks at when it starts."""

    def do_GET(self) -> None:
        self.send_response(404)
        self.end_headers()

    def log_message(self, *_: object) -> None: ...


def load(**environment: str) -> Config:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        return PyFileConfigLoader(FILE.name, str(FOLDER)).load_config()


def service(config: Config, name: str = "dlsys") -> dict[str, Any]:
    found = config.JupyterHub.services
    services = found.get_value([]) if hasattr(found, "get_value") else found
    return next(s for s in services if s["name"] == name)


@pytest.mark.parametrize(
    ("environment", "why"),
    [
        ({"DLSYS_HUB_URL": "http://0.0.0.0:8000"}, "without TLS"),
        ({"DLSYS_HUB_DEMO": "1", "DLSYS_HUB_URL": "http://0.0.0.0:8000"}, "without TLS"),
        (
            {
                "DLSYS_HUB_DEMO": "1",
                "DLSYS_HUB_URL": "https://0.0.0.0",
                "DLSYS_HUB_BEHIND_TLS": "1",
            },
            "this machine only",
        ),
        ({"DLSYS_HUB_DEMO": "1", "DLSYS_PLATFORM_URL": "http://0.0.0.0:1"}, "this machine only"),
        ({"DLSYS_HUB_SPAWNER": "simple"}, "only the demo"),
        ({"DLSYS_PROJECTS_FILE": ""}, "DLSYS_PROJECTS_FILE is missing"),
        ({"DLSYS_PLATFORM": "external"}, "DLSYS_SERVICE_TOKEN"),
    ],
)
def test_what_is_unsafe_does_not_start(environment: dict[str, str], why: str) -> None:
    with pytest.raises(SystemExit, match=why):
        load(**environment)


@pytest.mark.skipif(os.geteuid() != 0, reason="not applicable: not root")
def test_as_root_the_platform_needs_an_account() -> None:
    with pytest.raises(SystemExit, match="useradd"):
        load(DLSYS_ACCOUNT="no-such-account")
    with pytest.raises(SystemExit, match="must not be"):
        load(DLSYS_ACCOUNT="root")
    assert service(load())["user"] == "nobody"


def test_in_real_use_nobody_is_a_sample_user() -> None:
    config = load()
    assert config.JupyterHub.authenticator_class == "pam"
    assert config.LocalAuthenticator.allowed_groups == {"dlsys-users"}
    assert config.JupyterHub.spawner_class == "localprocess"
    assert "SampleUsers" not in config
    assert "allowed_users" not in config.Authenticator
    assert not config.Authenticator.admin_users
    native = load(DLSYS_HUB_LOGIN="native", DLSYS_HUB_ADMINS="zoe")
    assert native.JupyterHub.authenticator_class == "native"
    assert native.Authenticator.admin_users == {"zoe"}
    assert "open_signup" not in native.NativeAuthenticator


def test_the_platform_gets_its_settings_and_the_servers_get_none() -> None:
    config = load(
        DLSYS_DATABASE_URL="postgresql://secret",
        AWS_SECRET_ACCESS_KEY="k",
        DLSYS_HUB_DATABASE="postgresql://the-hubs",
        DLSYS_HUB_FRESH_SECONDS="30",
    )
    given = service(config)["environment"]
    assert given["DLSYS_DATABASE_URL"] == "postgresql://secret"
    assert given["AWS_SECRET_ACCESS_KEY"] == "k"
    assert given["DLSYS_IDENTITY"] == "hub"
    assert given["DLSYS_HUB_FRESH_SECONDS"] == "30"
    assert "postgresql://the-hubs" not in given.values()
    servers = config.Spawner.environment.to_dict()["update"]
    assert servers == {"DLSYS_URL": "http://127.0.0.1:8901/services/dlsys"}


def test_with_agents_the_servers_are_told() -> None:
    config = load(DLSYS_LAUNCHER="agent")
    assert service(config)["environment"]["DLSYS_LAUNCHER"] == "agent"
    assert config.Spawner.environment.to_dict()["update"]["DLSYS_AGENT"] == "1"


def test_a_prefix_of_the_hub_is_part_of_the_platforms_address() -> None:
    config = load(DLSYS_HUB_URL="http://127.0.0.1:8000/jupyter/")
    servers = config.Spawner.environment.to_dict()["update"]
    assert servers["DLSYS_URL"] == "http://127.0.0.1:8901/jupyter/services/dlsys"


def test_an_external_platform_is_not_started_here() -> None:
    found = service(load(DLSYS_PLATFORM="external", DLSYS_SERVICE_TOKEN="t" * 32))
    assert found["api_token"] == "t" * 32
    assert "command" not in found


def test_within_another_configuration_only_rights_are_added(tmp_path: Path) -> None:
    """As Zero to JupyterHub takes it in: `load_subconfig` in `hub.extraConfig`."""
    (tmp_path / "outer.py").write_text(
        "c.JupyterHub.services = [{'name': 'dlsys', 'url': 'http://x:1', 'api_token': 't'}]\n"
        "c.JupyterHub.load_roles = [{'name': 'theirs', 'scopes': []}]\n"
        "c.JupyterHub.spawner_class = 'kubespawner.KubeSpawner'\n"
        "c.Spawner.environment = {'THEIRS': '1'}\n"
        f"exec('load_subconfig(\"{FILE}\")')\n"
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DLSYS_PLATFORM", "chart")
        patch.setenv("DLSYS_HUB_GROUPS", "login")
        patch.setenv("DLSYS_PLATFORM_URL", "http://dlsys-platform:8901")
        config = PyFileConfigLoader("outer.py", str(tmp_path)).load_config()
    hub = config.JupyterHub
    assert [s["name"] for s in hub.services] == ["dlsys"]
    assert hub.spawner_class == "kubespawner.KubeSpawner"
    assert {r["name"] for r in hub.load_roles} >= {"theirs", "dlsys-data-scientist", "server"}
    assert "load_groups" not in hub
    assert "authenticator_class" not in hub
    assert config.Spawner.environment["THEIRS"] == "1"
    assert config.Spawner.environment["DLSYS_URL"].startswith("http://dlsys-platform:8901/")


def test_with_pam_a_name_without_an_account_does_not_stop_the_hub(tmp_path: Path) -> None:
    file = tmp_path / "projects.yaml"
    file.write_text(
        f"projects:\n  p:\n    users: {{no-such-person: maintainer, {ME}: maintainer}}\n"
    )

    def maintainers(login: str) -> list[str]:
        config = load(DLSYS_PROJECTS_FILE=str(file), DLSYS_HUB_LOGIN=login)
        roles = config.JupyterHub.load_roles.get_value([])
        return next(r["users"] for r in roles if r["name"] == "dlsys-maintainer")

    assert maintainers("pam") == [ME]
    assert maintainers("native") == sorted([ME, "no-such-person"])


@pytest.mark.integration
def test_a_hub_for_real_use_starts_and_knows_the_platform_by_its_token(
    tmp_path: Path, free_ports: Any
) -> None:
    """PAM, setuid spawner, a platform that is a unit of its own; not the demo's classes."""
    door, api, proxy_api, platform = (f"http://127.0.0.1:{port}" for port in free_ports(4))
    # The hub waits half a minute for whatever answers at the platform's address.
    address = ("127.0.0.1", int(platform.rpartition(":")[2]))
    listener = HTTPServer(address, Anything)
    threading.Thread(target=listener.serve_forever, daemon=True).start()
    token = "t" * 32
    environment = {
        **os.environ,
        "PATH": PATH,
        "DLSYS_PLATFORM": "external",
        "DLSYS_PLATFORM_URL": platform,
        "DLSYS_SERVICE_TOKEN": token,
        "DLSYS_HUB_URL": f"{door}/team",
        "DLSYS_HUB_API": api,
        "DLSYS_HUB_PROXY_API": proxy_api,
        "DLSYS_HUB_PROXY": f"node {module('demo').PROXY}",
    }
    command = [sys.executable, "-m", "jupyterhub", "-f", str(FILE)]
    with (tmp_path / "log").open("wb") as log:
        hub = subprocess.Popen(command, env=environment, cwd=tmp_path, stdout=log, stderr=log)
    try:
        url = f"{door}/team/hub/api/user"
        told = _asked_until_it_answers(hub, url, token)
        assert told.json()["name"] == "dlsys", (tmp_path / "log").read_text()
        assert httpx.get(f"{door}/team/hub/login", trust_env=False).status_code == 200
    finally:
        hub.terminate()
        hub.wait(30)
        listener.shutdown()
        listener.server_close()
    assert (tmp_path / "state").stat().st_mode & 0o077 == 0
    assert (tmp_path / "state" / "hub.sqlite").exists()


def _asked_until_it_answers(hub: subprocess.Popen[bytes], url: str, token: str) -> httpx.Response:
    headers = {"Authorization": f"token {token}"}
    for _ in range(300):
        assert hub.poll() is None, "the hub ended"
        try:
            answer = httpx.get(url, headers=headers, trust_env=False)
        except httpx.TransportError:
            time.sleep(0.2)
            continue
        if answer.status_code == 200:
            return answer
        time.sleep(0.2)
    raise AssertionError("the hub did not answer")
