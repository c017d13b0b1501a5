"""The Jupyter server in front of a real platform: what a browser may and may not do."""

from __future__ import annotations

import json
import time
from pathlib import Path

import httpx
import pytest

from jupyter_dlsys.client import embedded
from tests.support.doors import Lab, end_platform, start_lab

pytestmark = pytest.mark.integration
API = "/dlsys/api/v1"


def settle(http: httpx.Client, path: str = f"{API}/whoami") -> httpx.Response:
    """Ask until the platform has started, as the panel does."""
    end = time.monotonic() + 120  # a loaded machine is slow
    while time.monotonic() < end:
        found = http.get(path)
        if found.status_code != 503:
            return found
        assert found.headers["content-type"] == "application/problem+json"
        # MLflow, a part of the platform, may be the one that is not there yet.
        assert found.json()["code"] in ("platform-starting", "mlflow-temporarily-unavailable")
        time.sleep(0.2)
    raise AssertionError("the platform does not start")


def test_a_start_of_lab_starts_nothing_and_the_first_request_starts_the_platform(
    lab: Lab, home: Path
) -> None:
    with lab.http() as http:
        status = http.get("/dlsys/local/status").json()
        assert status["state"] == "stopped"
        assert status["home"] == str(home)
        assert embedded.read(home) is None
        found = settle(http)
        assert found.status_code == 200
        assert found.json()["project"] == "default"
        assert http.get("/dlsys/local/status").json()["state"] == "running"


def test_who_is_not_logged_in_is_refused_without_a_redirect(lab: Lab) -> None:
    for path in (f"{API}/whoami", "/dlsys/mlflow/", "/dlsys/local/status"):
        found = httpx.get(lab.url + path, follow_redirects=False)
        assert found.status_code == 403, path
        assert found.headers["content-type"] == "application/problem+json"
        assert found.json()["hint"]


def test_a_page_needs_the_xsrf_header_to_write(lab: Lab) -> None:
    with lab.http() as http:
        settle(http)
    with lab.browser() as page:
        body = {"name": "from-a-page", "kind": "generic"}
        path = f"{API}/projects/default/datasets"
        assert page.get(path).status_code == 200
        assert page.post(path, json=body).status_code == 403
        xsrf = page.cookies["_xsrf"]
        made = page.post(path, json=body, headers={"X-XSRFToken": xsrf})
        assert made.status_code == 201, made.text
        assert made.json()["name"] == "from-a-page"


def test_the_platforms_token_and_the_browsers_cookies_stay_where_they_belong(
    lab: Lab, home: Path
) -> None:
    with lab.browser() as page:
        found = settle(page)
    secret = (home / "secret").read_text()
    assert secret not in found.text
    assert all(secret not in value for value in found.headers.values())
    assert "set-cookie" not in found.headers
    with lab.http() as http:
        # What a caller claims to be is not passed on.
        spoofed = {"X-DLSys-User": "root", "Authorization": f"token {lab.token}"}
        assert http.get(f"{API}/whoami", headers=spoofed).status_code == 200


def test_a_page_from_the_platform_cannot_act_as_jupyters_user(lab: Lab) -> None:
    with lab.http() as http:
        found = settle(http)
    assert "sandbox" in found.headers["content-security-policy"]
    assert found.headers["x-content-type-options"] == "nosniff"


def test_an_upload_streams_through(lab: Lab) -> None:
    data = b"text,label\n" + b"hello,happy\n" * 1_500_000  # 18 MB
    with lab.http() as http:
        settle(http)
        uploads = f"{API}/projects/default/uploads"
        made = http.post(uploads, params={"filename": "big.csv"}).json()

        def pieces() -> object:
            for at in range(0, len(data), 1 << 20):
                yield data[at : at + (1 << 20)]

        sent = http.put(f"{uploads}/{made['id']}", params={"offset": 0}, content=pieces())
        assert sent.status_code == 200, sent.text
        assert sent.json()["offset"] == len(data)
        again = http.put(f"{uploads}/{made['id']}", params={"offset": 5}, content=data)
        assert again.status_code == 409
        assert http.get(f"{API}/whoami").status_code == 200


def test_events_arrive_while_the_stream_is_open(lab: Lab) -> None:
    with lab.http() as http, lab.http() as other:
        settle(http)
        with http.stream("GET", f"{API}/events", params={"topics": "dataset."}) as stream:
            assert stream.headers["content-type"].startswith("text/event-stream")
            lines = stream.iter_lines()
            assert next(lines).startswith(":")
            body = {"name": f"live-{time.time_ns()}", "kind": "generic"}
            other.post(f"{API}/projects/default/datasets", json=body).raise_for_status()
            data = next(line for line in lines if line.startswith("data:"))
            assert json.loads(data[5:])["subject"] == f"dataset/{body['name']}"


def test_a_restarted_platform_is_found_again_without_restarting_lab(lab: Lab, home: Path) -> None:
    with lab.http() as http:
        settle(http)
        before = embedded.read(home)
        end_platform(home)
        assert settle(http).status_code == 200
        after = embedded.read(home)
        assert before is not None
        assert after is not None
        assert before.token != after.token


def test_a_killed_platform_is_found_again_too(lab: Lab, home: Path) -> None:
    import os
    import signal

    with lab.http() as http:
        settle(http)
        before = embedded.read(home)
        assert before is not None
        os.kill(before.pid, signal.SIGKILL)  # its files stay behind
        assert embedded.wait_until_gone(home, 10)
        assert settle(http).status_code == 200


def test_mlflows_own_page_may_write(lab: Lab) -> None:
    with lab.http() as http:
        settle(http)
    with lab.browser() as page:
        shown = settle(page, "/dlsys/mlflow/")
        assert shown.status_code == 200
        assert "<html" in shown.text.lower()
        # The page makes this cookie a header of all that it asks for.
        header = page.cookies["mlflow-request-header-X-XSRFToken"]
        search = "/dlsys/mlflow/ajax-api/2.0/mlflow/experiments/search"
        assert page.post(search, json={"max_results": 5}).status_code == 403
        found = page.post(search, json={"max_results": 5}, headers={"X-XSRFToken": header})
        assert found.status_code == 200, found.text


def test_only_the_api_and_mlflow_are_passed_on(lab: Lab) -> None:
    with lab.http() as http:
        assert http.get("/dlsys/other/thing").status_code == 404


def test_with_a_url_no_platform_is_started(
    environment: dict[str, str], home: Path, tmp_path: Path
) -> None:
    running = embedded.join(home)
    elsewhere = tmp_path / "elsewhere"
    shared = {"DLSYS_URL": running.url, "DLSYS_TOKEN": running.token, "DLSYS_HOME": str(elsewhere)}
    lab = start_lab({**environment, **shared}, tmp_path)
    try:
        with lab.http() as http:
            assert http.get("/dlsys/local/status").json()["mode"] == "shared"
            assert http.get(f"{API}/whoami").status_code == 200
            assert http.post("/dlsys/local/start").status_code == 202
        assert not elsewhere.exists()
    finally:
        lab.process.terminate()
        lab.process.wait(20)


def test_the_platform_outlives_lab(lab: Lab, home: Path) -> None:
    with lab.http() as http:
        settle(http)
    lab.process.terminate()
    lab.process.wait(20)
    assert embedded.running(home) is not None
