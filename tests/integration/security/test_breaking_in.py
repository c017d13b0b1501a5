"""Somebody who may sign in, and wants more: by headers, by paths, by bodies."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from urllib.parse import urlsplit

import httpx
import psutil
import pytest

from tests.support.matrix.callers import HERE, THERE, bearer
from tests.support.matrix.world import ADMINISTRATOR, GUEST, OTHER, World
from tests.support.raw import raw

pytestmark = [pytest.mark.integration, pytest.mark.slow]
API = "/api/v1"
MEGABYTE = 2**20


@pytest.fixture(scope="module")
def secret_name(world: World) -> str:
    """Of a dataset in `vision`, which eve must never see."""
    return world.thing("dataset", OTHER, HERE).fields["name"]


# -- headers

SPOOFED = {
    "X-Forwarded-User": OTHER,
    "X-Remote-User": OTHER,
    "Remote-User": OTHER,
    "X-Forwarded-For": "127.0.0.1",
    "X-Real-IP": "127.0.0.1",
    "X-Forwarded-Host": "localhost",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Prefix": "/services/dlsys",
    "Forwarded": "for=127.0.0.1;by=local",
    "X-Dlsys-User": OTHER,
    "X-Dlsys-Acting": OTHER,
    "X-Dlsys-Project": HERE,
    "X-Mlflow-Workspace": HERE,
    "X-MLFLOW-AUTHORIZATION": "Basic b3RvOm90bw==",
    "X-Original-URL": f"{API}/projects/{HERE}/datasets",
    "X-Rewrite-URL": f"{API}/projects/{HERE}/datasets",
    "X-HTTP-Method-Override": "DELETE",
    "Host": "localhost",
    "Cookie": "dlsys=x; jupyterhub-session-id=y",
}


@pytest.mark.parametrize("header", SPOOFED)
def test_no_header_makes_one_somebody_else(world: World, secret_name: str, header: str) -> None:
    headers = {"Authorization": bearer(world.token(GUEST)), header: SPOOFED[header]}
    assert world.http.get("/whoami", headers=headers).json()["name"] == GUEST
    for path in (f"/projects/{HERE}/datasets", f"/projects/{HERE}/datasets/{secret_name}"):
        assert world.http.get(path, headers=headers).status_code == 404
    own = f"/projects/{THERE}/datasets/{world.thing('dataset', GUEST, THERE).fields['name']}"
    world.http.post(own, headers=headers)
    assert world.http.get(own, headers=headers).status_code == 200, "POST stayed a POST"


def test_only_the_bearer_token_counts(world: World) -> None:
    token = world.token(OTHER)
    for params in ({"token": token}, {"access_token": token}, {"_xsrf": token}):
        assert world.http.get("/whoami", params=params).status_code == 401
    for cookies in ({"token": token}, {"Authorization": token}):
        with httpx.Client(base_url=world.platform.url, cookies=cookies, trust_env=False) as other:
            assert other.get(f"{API}/whoami").status_code == 401
    two = [("Authorization", bearer(world.token(GUEST))), ("Authorization", bearer(token))]
    found = world.http.get("/whoami", headers=two)
    assert found.status_code == 401 or found.json()["name"] == GUEST, "the first one, or none"


def test_who_says_to_act_for_another_is_written_down_with_the_owner_of_the_token(
    world: World,
) -> None:
    body = {"name": "framed", "kind": "generic"}
    world.call(
        GUEST, "POST", f"/projects/{THERE}/datasets", json=body, headers={"X-Dlsys-Acting": OTHER}
    )
    row = world.call(ADMINISTRATOR, "GET", "/audit", params={"limit": 1, "project": THERE})
    assert (row["items"][0]["actor"], row["items"][0]["behalf_of"]) == (OTHER, GUEST)


# -- paths

NAMES = [
    f"{THERE}/../{HERE}", f"{THERE}/%2e%2e/{HERE}", f"{THERE}%2f..%2f{HERE}", f"./{HERE}",
    f"{THERE}%252f..%252f{HERE}", f"{THERE}\\..\\{HERE}", f"{THERE}%5c..%5c{HERE}", f"/{HERE}",
    HERE.upper(), HERE.title(), f"{HERE}.", f"{HERE}%20", f"%20{HERE}", f"{HERE}%00",
    f"{HERE}%00{THERE}", f"{HERE}%0a", f"{HERE};{THERE}", f"{HERE}%23", f"{HERE}%3f",
    "v%D1%96sion", "%EF%BD%96ision", "vi%CD%8Fsion", f"{HERE}%E2%80%8B", "%76ision", "%2576ision",
    "*", "%25", "visio_", "null", "..", "%2e%2e", f"u-{OTHER}",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_no_spelling_leads_into_anothers_project(world: World, secret_name: str, name: str) -> None:
    for prefix in (API, "/services/dlsys" + API, "/" + API, f"{API}/projects/{THERE}/..{API}"):
        for rest in ("/datasets", f"/datasets/{secret_name}", "/members"):
            status, _, body = raw(
                world.platform.url, "GET", f"{prefix}/projects/{name}{rest}", world.token(GUEST)
            )
            assert status in (400, 404), (name, rest, status)
            told = body.replace(rest.encode(), b"").replace(name.encode(), b"")
            assert secret_name.encode() not in told.replace(f"'{secret_name}'".encode(), b"")


FILES = [
    "../../secret", "..%2f..%2fsecret", "%2e%2e/%2e%2e/secret", "/etc/passwd", "%2fetc%2fpasswd",
    "....//....//etc/passwd", "..%5c..%5csecret", "out.txt%00.png", "file:///etc/passwd",
]  # fmt: skip


@pytest.mark.parametrize("path", FILES)
def test_no_path_leads_to_another_file(world: World, path: str) -> None:
    job = world.thing("job", OTHER, HERE).fields["id"]
    below = f"{API}/projects/{HERE}"
    for target in (
        f"{below}/jobs/{job}/artifacts/{path}",
        f"{below}/jobs/{path}/log",
        f"{below}/uploads/{path}",
        f"{below}/chunks/{path}",
        f"{below}/snapshots/{path}",
        f"{below}/datasets/{path}/export",
        f"/mlflow/api/2.0/mlflow-artifacts/artifacts/{path}",
        f"/mlflow/get-artifact?path={path}&run_uuid=x",
        f"/mlflow/static-files/{path}",
    ):
        status, headers, body = raw(world.platform.url, "GET", target, world.token(OTHER))
        assert status in (400, 403, 404), (target, status, body[:200])
        assert b"root:" not in body and world.platform.secret.encode() not in body
        assert "location" not in headers


def test_nobody_is_sent_elsewhere(world: World) -> None:
    """A redirect to the Host that the caller named would be one to anywhere."""
    for path in (
        f"{API}/projects/",
        f"{API}/whoami/",
        "/mlflow",
        "//evil.example/",
        f"{API}/docs/",
    ):
        _, headers, _ = raw(
            world.platform.url, "GET", path, world.token(OTHER), host="evil.example"
        )
        assert "evil" not in headers.get("location", ""), path


# -- bodies


def memory(world: World) -> int:
    assert world.platform.process is not None
    return int(psutil.Process(world.platform.process.pid).memory_info().rss)


def test_a_stranger_is_refused_before_the_body_is_read(world: World) -> None:
    before = memory(world)
    started = time.monotonic()
    for token in ("", "wrong"):
        place = urlsplit(world.platform.url)
        with socket.create_connection((place.hostname, place.port), 30) as line:
            line.sendall(
                f"POST {API}/projects/{HERE}/jobs HTTP/1.1\r\nHost: x\r\n"
                f"Authorization: Bearer {token}x\r\nContent-Length: {10**12}\r\n\r\n".encode()
            )
            assert b" 401 " in line.recv(200).split(b"\r\n")[0]
    assert time.monotonic() - started < 20
    assert memory(world) - before < 50 * MEGABYTE


def test_a_body_that_is_too_long_is_refused_while_it_comes(world: World) -> None:
    before = memory(world)
    block = b"x" * MEGABYTE

    def endless() -> Iterator[bytes]:
        yield b'{"name": "'
        for _ in range(300):
            yield block

    headers = {"Authorization": bearer(world.token(OTHER)), "Content-Type": "application/json"}
    status = 0
    try:
        url = f"/projects/{HERE}/datasets"
        status = world.http.post(url, content=endless(), headers=headers).status_code
    except httpx.TransportError:  # it hung up on us, which will do
        pass
    assert status in (0, 413)
    assert memory(world) - before < 250 * MEGABYTE
    assert world.http.get("/health").status_code == 200


def test_json_as_deep_as_a_well_is_an_error_of_the_caller(world: World) -> None:
    headers = {"Authorization": bearer(world.token(OTHER)), "Content-Type": "application/json"}
    deep = "[" * 100_000 + "]" * 100_000
    source = {"path": "t.py", "content": "1"}
    name = world.thing("endpoint", OTHER, HERE).fields["name"]
    for path, body in {
        "datasets": deep,
        "jobs": json.dumps({"source": source, "parameters": {"p": 0}}).replace("0", deep),
        f"deployments/{name}/predict": f'{{"inputs": {{"x": {deep}}}}}',
        "jobs/preflight": json.dumps({"source": source, "environment": 0}).replace("0", deep),
        "schedules": f'{{"cron": {deep}}}',
    }.items():
        answer = world.http.post(f"/projects/{HERE}/{path}", content=body, headers=headers)
        assert 400 <= answer.status_code < 500, (path, answer.status_code, answer.text[:300])
    nested = "(" * 5000 + "a" + ")" * 5000
    rows = f"/projects/{HERE}/datasets/{world.thing('dataset', OTHER, HERE).fields['name']}/rows"
    answer = world.http.get(rows, params={"where": nested[:3999]}, headers=headers)
    assert answer.status_code == 400, answer.text


def test_floods_of_headers_and_slow_clients_stop_nobody(world: World) -> None:
    place = urlsplit(world.platform.url)
    lines = []
    try:
        for _ in range(200):  # half a request each, and then nothing more
            line = socket.create_connection((place.hostname, place.port), 10)
            line.sendall(f"POST {API}/whoami HTTP/1.1\r\nHost: x\r\nX-Slow: ".encode())
            lines.append(line)
        with socket.create_connection((place.hostname, place.port), 10) as line:
            line.sendall(f"GET {API}/whoami HTTP/1.1\r\nHost: x\r\n".encode())
            flood = b"".join(b"X-%d: %s\r\n" % (n, b"y" * 1000) for n in range(2000))
            first = b""
            with suppress(OSError):  # it may hang up at once
                line.sendall(flood + b"\r\n")
                first = line.recv(100)
            assert not first or b" 4" in first.split(b"\r\n")[0]
        started = time.monotonic()
        assert world.call(OTHER, "GET", "/whoami")["name"] == OTHER
        assert time.monotonic() - started < 10
    finally:
        for line in lines:
            line.close()
