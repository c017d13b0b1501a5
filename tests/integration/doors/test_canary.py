"""Pages with scripts that somebody left, opened in a real browser at the address of one's own Lab.

The canary, when it runs as a page of Lab, writes into the storage of Lab's origin and reads files.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress

import pytest
from playwright.sync_api import Error, Page

from tests.support import chromium
from tests.support.doors import Lab

from .test_proxy import API, settle

pytestmark = [pytest.mark.integration, pytest.mark.ui, pytest.mark.slow]
CANARY = (
    "<html><body>left here<script>document.title='it sang';localStorage.setItem('canary','sang');"
    "fetch('/x/api/contents',{credentials:'include'}).then(r=>r.text())"
    ".then(t=>localStorage.setItem('files',t))</script>"
    "<img src=x onerror=\"localStorage.setItem('canary','sang')\"></body></html>"
)
SVG = (
    "<svg xmlns='http://www.w3.org/2000/svg'>"
    "<script>localStorage.setItem('canary','sang')</script></svg>"
)
JOB = "import os\nfor n, t in {{'evil.html': {html!r}, 'evil.svg': {svg!r}}}.items():\n" \
      "    open(os.environ['DLSYS_OUTPUT_DIR'] + '/' + n, 'w').write(t)\n"  # fmt: skip


@pytest.fixture(scope="module")
def page(lab: Lab) -> Iterator[Page]:
    with chromium.started() as browser:
        found = browser.new_page()
        found.goto(f"{lab.url}/login?token={lab.token}")
        yield found


@pytest.fixture(scope="module")
def left(lab: Lab) -> list[str]:
    """Addresses, below Lab, of what a job and a run left."""
    with lab.http() as http:
        settle(http, "/dlsys/mlflow/")
        jobs = f"{API}/projects/default/jobs"
        source = {"path": "left.py", "content": JOB.format(html=CANARY, svg=SVG)}
        job = http.post(jobs, json={"source": source}).json()["id"]
        end = time.monotonic() + 240
        while (state := http.get(f"{jobs}/{job}").json()["state"]) != "succeeded":
            assert time.monotonic() < end and state not in ("failed", "lost"), state
            time.sleep(0.3)
        mlflow = "/dlsys/mlflow/ajax-api/2.0/mlflow"
        made = http.post(f"{mlflow}/experiments/create", json={"name": "canary"}).json()
        run = http.post(f"{mlflow}/runs/create", json=made).json()["run"]["info"]
        place = run["artifact_uri"].removeprefix("mlflow-artifacts:/")
        files = f"/dlsys/mlflow/ajax-api/2.0/mlflow-artifacts/artifacts/{place}"
        http.put(f"{files}/evil.html", content=CANARY.encode()).raise_for_status()
    artifacts = f"{jobs}/{job}/artifacts"
    got = f"/dlsys/mlflow/get-artifact?run_uuid={run['run_id']}&path=evil.html"
    return [f"{artifacts}/evil.html", f"{artifacts}/evil.svg", f"{files}/evil.html", got]


def test_what_others_left_does_not_act_as_me(lab: Lab, page: Page, left: list[str]) -> None:
    for path in left:
        with suppress(Error):  # a download is no page
            page.goto(lab.url + path)
            page.wait_for_timeout(500)
        assert page.title() != "it sang", path
    assert _sang(lab, page) == [None, None]


def test_the_canary_does_sing_where_nothing_holds_it(lab: Lab, page: Page) -> None:
    """Else the test above would prove nothing."""
    page.route("**/free", lambda route: route.fulfill(body=CANARY, content_type="text/html"))
    page.goto(f"{lab.url}/free")
    page.wait_for_function("localStorage.getItem('files')")
    assert page.title() == "it sang"
    assert _sang(lab, page)[0] == "sang"


def _sang(lab: Lab, page: Page) -> list[str | None]:
    page.goto(f"{lab.url}/api/status")
    found: list[str | None] = page.evaluate(
        "[localStorage.getItem('canary'), localStorage.getItem('files')]"
    )
    return found
