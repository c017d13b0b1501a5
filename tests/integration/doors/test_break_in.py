"""Pages of others, and what users left, against the door of a Jupyter server."""

from __future__ import annotations

import http.client
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from tests.support.doors import Lab
from tests.support.raw import raw

from .test_proxy import API, settle

pytestmark = pytest.mark.integration
WRITES = [
    ("POST", f"{API}/projects/default/datasets"),
    ("PUT", f"{API}/projects/default/datasets/x/tags/t"),
    ("PATCH", f"{API}/projects/default/schedules/x"),
    ("DELETE", f"{API}/projects/default/datasets/x"),
    ("POST", f"{API}/shutdown"),
    ("POST", "/dlsys/mlflow/ajax-api/2.0/mlflow/experiments/create"),
    ("DELETE", "/dlsys/mlflow/ajax-api/2.0/mlflow-artifacts/artifacts/x"),
    ("POST", "/dlsys/local/start"),
]


@pytest.mark.parametrize(("method", "path"), WRITES)
def test_a_page_of_another_site_writes_nothing(lab: Lab, method: str, path: str) -> None:
    """It has the person's cookies at most: not the XSRF token, neither as header nor as field."""
    with lab.http() as http:
        settle(http)
    with lab.browser() as page:
        for headers in (
            {"Origin": "https://evil.example", "Content-Type": "text/plain"},
            {"X-XSRFToken": "guessed"},
            {"X-HTTP-Method-Override": "GET"},
            {"Origin": "null", "Referer": ""},
        ):
            answer = page.request(method, path, content=b"{}", headers=headers)
            assert answer.status_code in (403, 404), (headers, answer.text)
            assert answer.json()["code"] == "jupyter-server", "the platform was not even asked"
    assert httpx.request(method, lab.url + path, content=b"{}").status_code == 403


def test_a_name_that_was_pointed_here_is_refused(lab: Lab) -> None:
    """DNS rebinding: the page's own name leads to 127.0.0.1, and the browser sends its cookies."""
    with lab.browser() as page:
        for host in ("evil.example", "evil.example:8888", "127.0.0.1.evil.example"):
            answer = page.get(f"{API}/whoami", headers={"Host": host})
            assert answer.status_code == 403, host


DOTS = ["..", "%2e%2e", ".%2e", "%2E.", "."]


@pytest.mark.parametrize("dots", DOTS)
def test_dots_lead_nowhere(lab: Lab, dots: str) -> None:
    """An answer is taken for MLflow's own page, or not, by the path that was asked for."""
    with lab.http() as http:
        settle(http)
    for path in (f"/x/dlsys/mlflow/{dots}{API.removeprefix('/dlsys')}/whoami",
                 f"/x{API}/{dots}/{dots}/mlflow/", f"/x{API}/projects/{dots}/whoami"):  # fmt: skip
        place = urlsplit(lab.url)
        with closing(http_line(place.hostname or "", place.port or 0)) as line:
            line.request("GET", path, headers={"Authorization": f"token {lab.token}"})
            assert line.getresponse().status in (400, 404), path


def http_line(host: str, port: int) -> http.client.HTTPConnection:
    return http.client.HTTPConnection(host, port, timeout=30)


def test_a_page_that_somebody_logged_to_mlflow_cannot_act_as_jupyters_user(lab: Lab) -> None:
    page = b"<script>fetch('/x/api/contents')</script>"
    with lab.http() as http:
        settle(http, "/dlsys/mlflow/")
        mlflow = "/dlsys/mlflow/ajax-api/2.0/mlflow"
        experiment = http.post(f"{mlflow}/experiments/create", json={"name": "pages"}).json()
        body = {"experiment_id": experiment["experiment_id"]}
        info = http.post(f"{mlflow}/runs/create", json=body).json()["run"]["info"]
        place = info["artifact_uri"].removeprefix("mlflow-artifacts:/")
        files = "/dlsys/mlflow/ajax-api/2.0/mlflow-artifacts/artifacts"
        assert http.put(f"{files}/{place}/evil.html", content=page).status_code == 200
        for path in (
            f"{files}/{place}/evil.html",
            f"/dlsys/mlflow/get-artifact?run_uuid={info['run_id']}&path=evil.html",
            f"/dlsys/mlflow/ajax-api/2.0/mlflow/runs/get?run_id={info['run_id']}",
        ):
            answer = http.get(path)
            assert answer.status_code == 200, (path, answer.text)
            assert "sandbox" in answer.headers["content-security-policy"], path
            assert answer.headers["x-content-type-options"] == "nosniff", path
        shown = http.get("/dlsys/mlflow/")
        assert shown.headers["content-security-policy"] == "frame-ancestors 'self'"


def test_cookies_say_where_they_belong(lab: Lab) -> None:
    with lab.http() as http:
        settle(http, "/dlsys/mlflow/")
    with lab.browser() as page:
        given = page.get("/dlsys/mlflow/").headers["set-cookie"]
    assert "SameSite=Strict" in given and "Path=/x/dlsys/mlflow" in given


def test_a_job_that_left_a_page_leaves_it_in_a_box(lab: Lab, home: Path) -> None:
    """Asked of the platform itself: the door adds to this, it does not make up for it."""
    with lab.http() as http:
        settle(http)
        url = http.get("/dlsys/local/status").json().get("url")
    secret = (home / "secret").read_text()
    state = (home / "platform.json").read_text()
    assert secret not in state
    import json

    _, headers, _ = raw(url or json.loads(state)["url"], "GET", "/api/v1/whoami", secret)
    assert "sandbox" in headers["content-security-policy"]
