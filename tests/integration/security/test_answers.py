"""What comes back: streams end with the right to read, answers are no pages, logs keep no token."""

from __future__ import annotations

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import httpx
import pytest

from tests.support.matrix.callers import HERE, bearer
from tests.support.matrix.leaks import leaked
from tests.support.matrix.world import ADMINISTRATOR, NEWCOMER, OTHER, World
from tests.support.raw import raw

pytestmark = [pytest.mark.integration, pytest.mark.slow]
API = "/api/v1"

# -- streams


def ended(world: World, user: str, path: str, withdraw: Any) -> float:
    """Seconds from a change of rights to the end of an open stream; it must come."""
    headers = {"Authorization": bearer(world.token(user))}
    timeout = httpx.Timeout(30, read=40)
    with world.http.stream("GET", path, headers=headers, timeout=timeout) as stream:
        assert stream.status_code == 200
        lines = stream.iter_lines()
        next(lines)
        withdraw()
        started = time.monotonic()
        for _ in lines:
            assert time.monotonic() - started < 40, "the stream goes on"
        return time.monotonic() - started


def test_an_open_stream_ends_with_the_right_to_read_it(world: World) -> None:
    members = f"/projects/{HERE}/members/user"
    for user in ("ina", "ted"):
        world.call(ADMINISTRATOR, "PUT", f"{members}/{user}", json={"role": "viewer"})
    job = world.thing("job", OTHER, HERE).fields["id"]

    def remove() -> None:
        world.call(ADMINISTRATOR, "DELETE", f"{members}/ina")

    def revoke() -> None:
        del world.hub.tokens[world.token("ted")]

    took: dict[str, float] = {}
    first = threading.Thread(
        target=lambda: took.__setitem__("left", ended(world, "ina", "/events", remove))
    )
    first.start()
    took["revoked"] = ended(world, "ted", f"/projects/{HERE}/jobs/{job}/events?stream=true", revoke)
    first.join(60)
    assert set(took) == {"left", "revoked"} and max(took.values()) < 40


# -- what answers are to a browser


def test_no_answer_is_a_page(world: World) -> None:
    job = world.thing("job", OTHER, HERE).fields["id"]
    for path, user in [
        ("/health", ""), ("/whoami", ""), ("/whoami", OTHER), ("/nothing/here", OTHER),
        (f"/projects/{HERE}/datasets", OTHER), (f"/projects/{HERE}/jobs/{job}/notebook", OTHER),
        ("/openapi.json", ""), (f"/projects/{HERE}/jobs/{job}/log", OTHER),
    ]:  # fmt: skip
        _, headers, _ = raw(world.platform.url, "GET", API + path, user and world.token(user))
        assert headers["x-content-type-options"] == "nosniff", path
        assert "sandbox" in headers["content-security-policy"], path
        assert "frame-ancestors 'none'" in headers["content-security-policy"], path
        assert "set-cookie" not in headers and "server" not in headers, path
        assert "access-control-allow-origin" not in headers, path
    assert world.http.get("/docs").status_code == 404, "its scripts come from another site"


# -- MLflow


class Listener:
    """Somebody in the network whom the platform must not be made to call."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        calls = self.calls

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                calls.append(self.path)
                self.send_response(200)
                self.end_headers()

            do_POST = do_PUT = do_HEAD = do_GET  # noqa: N815

            def log_message(self, *_: Any) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


def test_the_platform_is_not_made_to_call_others(world: World) -> None:
    listener = Listener()
    hook = {"name": "w", "url": f"{listener.url}/hook", "events": [
        {"entity": "REGISTERED_MODEL", "action": "CREATED"}]}  # fmt: skip
    version = {"name": world.thing("model", OTHER, HERE).fields["name"]}
    tries: list[tuple[str, dict[str, Any]]] = [
        ("api/2.0/mlflow/webhooks", hook),
        ("api/2.0/mlflow/webhooks/create", hook),
        ("api/2.0/mlflow/model-versions/create", {**version, "source": f"{listener.url}/m"}),
        ("api/2.0/mlflow/model-versions/create", {**version, "source": "file:///etc"}),
        ("api/2.0/mlflow/model-versions/create", {**version, "source": "s3://other/bucket"}),
        ("api/2.0/mlflow/experiments/create", {"name": "x1", "artifact_location": listener.url}),
        ("api/2.0/mlflow/experiments/create", {"name": "x2", "artifact_location": "file:///etc"}),
        ("api/2.0/mlflow/experiments/create", {"name": "x3", "artifact_location": "s3://b/p"}),
        ("ajax-api/2.0/mlflow/gateway-proxy", {"gateway_path": f"{listener.url}/p"}),
        ("api/3.0/mlflow/gateway/endpoints/create", {"name": "g", "url": listener.url}),
        ("gateway/proxy", {"url": listener.url}),
        ("api/3.0/mlflow/assistant/message", {"message": listener.url}),
    ]
    try:
        for call, body in tries:
            answer = world.http.post(
                f"{world.platform.url}/mlflow/{call}", json=body,
                headers={"Authorization": bearer(world.token(OTHER)), "X-MLFLOW-WORKSPACE": HERE},
            )  # fmt: skip
            assert answer.status_code >= 400, (call, body, answer.text[:300])
            assert answer.status_code not in (500, 502), (call, answer.text[:300])
        made = world.mlflow(OTHER, HERE, "registered-models/create", {"name": "after-the-hook"})
        assert made["registered_model"]["name"] == "after-the-hook"
        time.sleep(1)
        assert listener.calls == []
    finally:
        listener.close()


def test_somebody_without_a_project_gets_nothing_of_mlflow(world: World) -> None:
    headers = {"Authorization": bearer(world.token(NEWCOMER)), "X-MLFLOW-WORKSPACE": HERE}
    for call in ("registered-models/search", "experiments/search", "runs/search"):
        url = f"{world.platform.url}/mlflow/api/2.0/mlflow/{call}"
        assert world.http.post(url, json={}, headers=headers).status_code == 403


# -- last: what is left in the logs


def test_names_cannot_write_lines_of_the_log_and_no_token_is_in_it(world: World) -> None:
    evil = 'x"\n{"level": "error", "message": "all is lost"}\r\n\x1b[31m'
    headers = {"Authorization": bearer(world.token(OTHER)), "X-Request-ID": "a b"}
    body = {"source": {"path": "t.py", "content": "1"}, "name": evil}
    world.http.post(f"/projects/{HERE}/jobs", json=body, headers=headers)
    world.http.get(f"/projects/{HERE}/datasets", params={"cursor": evil}, headers=headers)
    raw(
        world.platform.url,
        "GET",
        f"{API}/projects/x%0a%7b%22level%22:1%7d/datasets",
        world.token(OTHER),
    )
    answer = world.http.get("/whoami", headers=headers)
    assert answer.headers["x-request-id"] != "a b"
    log = (world.platform.home / "platform.log").read_text()
    for line in log.splitlines():
        assert "all is lost" not in line or json.loads(line)["message"] != "all is lost"
        json.loads(line)
    assert leaked(world) == []
