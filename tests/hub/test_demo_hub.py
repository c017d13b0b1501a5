"""`make hub`: everybody gets what the table of roles says, and no more."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time

import pytest

from tests.support import files
from tests.support.hub import ENTER, RunningHub, module, scopes_of

pytestmark = [pytest.mark.integration, pytest.mark.slow]
Servers = dict[str, dict[str, str]]

ALL_OF = {
    "ann": {"read", "predict", "write", "submit", "deploy", "manage"},
    "dan": {"read", "write"},
    "vic": {"read"},
    "eve": set[str](),
    "pat": {"read", "predict", "write", "submit", "deploy", "manage", "admin"},
}


def test_the_users_log_in_with_what_was_printed(hub: RunningHub) -> None:
    assert set(hub.passwords) == set(ALL_OF)
    assert len(set(hub.passwords.values())) == len(ALL_OF)
    for user in ALL_OF:
        with hub.login(user) as browser:
            assert hub.let_in(browser), user
    for user, password in [("ann", hub.passwords["dan"]), ("ann", ""), ("root", "x")]:
        with hub.login(user, password) as browser:
            assert not hub.let_in(browser), (user, password)


def test_passwords_are_in_no_file(hub: RunningHub) -> None:
    assert hub.state.stat().st_mode & 0o077 == 0
    looked = 0
    for path in files.below(hub.state):
        with contextlib.suppress(FileNotFoundError):
            if path.is_file() and path.stat().st_size < 5_000_000:
                text = path.read_bytes()
                assert not [u for u, p in hub.passwords.items() if p.encode() in text], path
                looked += 1
    assert looked > 20


@pytest.mark.parametrize("user", list(ALL_OF))
def test_a_token_of_a_user_can_be_what_his_roles_are(hub: RunningHub, user: str) -> None:
    """A token without named scopes inherits what its owner may."""
    with hub.login(user) as browser:
        made = browser.post(
            f"/hub/api/users/{user}/tokens",
            json={"scopes": ["inherit"]},
            headers={"X-XSRFToken": module("demo").xsrf(browser)},
        )
        token = made.json()["token"]
    with hub.api(token) as api:
        told = api.get("/user").json()
    assert scopes_of(told) == ALL_OF[user]
    assert (ENTER in told["scopes"]) == (user != "eve")


def test_groups_are_as_printed(hub: RunningHub) -> None:
    with hub.api(hub.token("pat", "list:groups", "read:groups")) as api:
        groups = {g["name"]: set(g["users"]) for g in api.get("/groups").json()}
    assert groups["vision-scientists"] == {"ann"}
    assert groups["language-engineers"] == {"dan"}
    assert groups["product"] == {"vic"}
    assert groups["platform-engineers"] == {"pat"}
    assert groups["app-developers"] == set()
    assert not any("eve" in users for users in groups.values())


def test_a_servers_token_has_what_its_owner_has(hub: RunningHub, servers: Servers) -> None:
    """The role `server` lists everything; the hub cuts it."""
    for user, environment in servers.items():
        with hub.api(environment["JUPYTERHUB_API_TOKEN"]) as api:
            told = api.get("/user").json()
        assert told["name"] == user
        assert scopes_of(told) == ALL_OF[user], user
        others = [s for s in told["scopes"] if not s.startswith(("custom:", "access:services"))]
        assert all(user in s for s in others), others


def test_the_platform_gives_each_server_its_owners_rights(
    hub: RunningHub, servers: Servers
) -> None:
    body = {"name": "of-vic", "kind": "generic"}
    with hub.dlsys(servers["ann"]["JUPYTERHUB_API_TOKEN"]) as ann:
        assert ann.get("/whoami").json()["name"] == "ann"
        names = {p["name"]: p["role"] for p in ann.get("/projects").json()}
        assert names["vision"] == "maintainer"
        assert names["language"] == "data-scientist"
        assert ann.get("/projects/vision/datasets/digits").status_code == 200
    with hub.dlsys(servers["vic"]["JUPYTERHUB_API_TOKEN"]) as vic:
        assert vic.get("/projects/vision/datasets/digits").status_code == 200
        refused = vic.post("/projects/vision/datasets", json=body)
        assert refused.status_code == 403, refused.text
    with hub.dlsys(servers["eve"]["JUPYTERHUB_API_TOKEN"]) as eve:
        assert eve.get("/whoami").status_code in (401, 403)
        assert eve.get("/projects/vision/datasets").status_code in (401, 403, 404)


def test_the_sdk_in_a_users_server_needs_no_settings(servers: Servers) -> None:
    """DLSYS_URL and the server's token are in the environment of each kernel and terminal."""
    code = (
        "import json, jupyter_dlsys as d\n"
        "c = d.connect(project='vision')\n"
        "print(json.dumps([c.system.whoami().name, [s.name for s in c.datasets.list()]]))"
    )
    environment = {**servers["ann"]}
    assert "DLSYS_TOKEN" not in environment
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == ["ann", ["digits"]]


def test_the_panels_door_is_the_owners(hub: RunningHub, servers: Servers) -> None:
    """What the browser asks its own server for goes to the platform as the server's owner."""
    for user, allowed in [("ann", {200}), ("vic", {200}), ("eve", {401, 403})]:
        door = f"{hub.url}/user/{user}/dlsys"
        with hub.api(servers[user]["JUPYTERHUB_API_TOKEN"]) as api:
            told = api.get(f"{door}/api/v1/projects/vision/datasets/digits")
            assert told.status_code in allowed, (user, told.status_code, told.text)
            assert api.get(f"{door}/local/status").json()["state"] == "running"


def test_nobody_makes_a_token_that_has_more(hub: RunningHub) -> None:
    for user, scope in [
        ("eve", "custom:dlsys:read"),
        ("eve", ENTER),
        ("vic", "custom:dlsys:write"),
        ("dan", "custom:dlsys:submit"),
        ("ann", "custom:dlsys:admin"),
        ("ann", "admin:users"),
        ("pat", "tokens"),
        ("pat", "access:servers"),
    ]:
        with pytest.raises(Exception, match="400"):
            hub.token(user, scope)


def test_tokens_end(hub: RunningHub) -> None:
    short = hub.token("ann", ENTER, "custom:dlsys:read", seconds=1)
    with hub.api(short) as api:
        assert api.get("/user").status_code == 200
        time.sleep(1.2)
        assert api.get("/user").status_code == 403
    with hub.dlsys(short) as late:
        assert late.get("/whoami").status_code == 401
    with pytest.raises(Exception, match="400"):
        hub.token("ann", ENTER, seconds=31 * 24 * 3600)


def test_a_platform_engineer_enters_no_server_and_makes_nobodys_tokens(
    hub: RunningHub, servers: Servers
) -> None:
    with hub.login("pat") as browser:
        assert browser.get("/hub/admin").status_code == 200
        tree = browser.get("/user/ann/api/contents", follow_redirects=True)
        assert tree.status_code in (403, 404), tree.status_code
    with hub.api(hub.token("pat", "list:users", "read:users:activity", "read:servers")) as api:
        found = {u["name"]: u for u in api.get("/users").json()}
        assert found["ann"]["servers"]
        assert api.post("/users/ann/tokens", json={}).status_code == 403
        assert api.get("/users/ann/tokens").status_code in (403, 404)


def test_others_do_not_get_into_ones_server(hub: RunningHub, servers: Servers) -> None:
    with hub.api(servers["vic"]["JUPYTERHUB_API_TOKEN"]) as api:
        assert api.get(f"{hub.url}/user/ann/api/contents").status_code == 403
        assert api.get(f"{hub.url}/user/vic/api/contents").status_code == 200


def test_the_platforms_own_token_can_only_look_people_up(hub: RunningHub) -> None:
    with hub.api(hub.service_environment()["JUPYTERHUB_API_TOKEN"]) as api:
        assert set(api.get("/users/ann").json()["groups"]) >= {"vision-scientists"}
        assert api.get("/users/nobody").status_code == 404
        assert api.get("/users").status_code == 403
        assert api.get("/users/ann/tokens").status_code in (403, 404)
        assert api.post("/users/ann/tokens", json={}).status_code == 403
        assert api.delete("/users/ann/server").status_code in (403, 404)


def test_ctrl_c_ends_everything(hub: RunningHub) -> None:
    """Last in this file: users' servers, proxy, platform, MLflow, culler."""
    assert hub.stop() == []
