"""Whatever is sent to submit, preflight and inspect is answered in plain words: no 5xx."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.platform import PROJECT, RunningPlatform, notebook

pytestmark = pytest.mark.integration

numbers = st.one_of(
    st.integers(), st.floats(), st.sampled_from([10**30, 10**400, -1, 0.0, 1e308, 2**63])
)
texts = st.one_of(st.text(max_size=20), st.sampled_from(["\ud800", "\0", "a\0b", "__proto__", "ⅷ"]))
plain = st.one_of(st.none(), st.booleans(), numbers, texts)
anything = st.recursive(
    plain, lambda x: st.lists(x, max_size=4) | st.dictionaries(texts, x, max_size=4), max_leaves=8
)
CODE = [
    "import os\nx = 1", "%%bash\nls", "!pip install x", "x = = 1", "'\ud800'", "x = '\\ud800'",
    "def f(:\n", "dlsys.input('a\\0')", "lr = 1e999\nn = 0x" + "f" * 5000, "open('\\0')", "é = 'ü'",
    "import " + ".".join("abc"), "from . import x", "\tx", "await f()", "return 1",
    "\f\nx", "\r\rx",
]  # fmt: skip
sources = st.one_of(st.sampled_from(CODE), texts, st.lists(st.sampled_from(CODE)), anything)
tags = st.one_of(st.just(["parameters"]), anything)
cells = st.one_of(
    anything,
    st.fixed_dictionaries(
        {
            "cell_type": st.one_of(st.sampled_from(["code", "markdown", "raw"]), anything),
            "source": sources,
            "metadata": st.one_of(st.fixed_dictionaries({"tags": tags}), anything),
        },
        optional={"outputs": anything, "id": anything, "execution_count": anything},
    ),
)
kernels = st.fixed_dictionaries(
    {}, optional={"name": st.one_of(st.just("python3"), anything), "language": anything}
)
notebooks = st.fixed_dictionaries(
    {
        "nbformat": st.one_of(st.just(4), anything),
        "cells": st.one_of(st.lists(cells, max_size=4), anything),
    },
    optional={
        "nbformat_minor": anything,
        "metadata": st.one_of(
            st.fixed_dictionaries(
                {}, optional={"kernelspec": kernels | anything, "language_info": anything}
            ),
            anything,
        ),
    },
)
contents = st.one_of(notebooks.map(json.dumps), anything.map(json.dumps), texts)
bodies = st.fixed_dictionaries(
    {
        "source": st.fixed_dictionaries(
            {
                "path": st.sampled_from(["n.ipynb", "n.py", "a/n.ipynb", "\0.py"]),
                "content": contents,
            }
        )
    },
    optional={
        "parameters": st.dictionaries(texts, anything, max_size=3) | anything,
        "name": texts,
        "inputs": st.dictionaries(
            st.sampled_from(["a", "b c", "\ud800"]),
            st.fixed_dictionaries({"dataset": texts | st.just("x@v1")}, optional={"where": texts}),
            max_size=2,
        ),
        "resources": st.fixed_dictionaries({}, optional={"cpus": numbers, "gpus": numbers}),
        "timeout_seconds": numbers,
        "after": st.lists(texts, max_size=2),
        "variables": st.dictionaries(texts, texts, max_size=2),
        "environment": st.dictionaries(texts, anything, max_size=2),
        "modules": st.lists(
            st.fixed_dictionaries({"path": texts | st.just("m.py"), "content": texts}), max_size=2
        ),
        "max_memory_bytes": numbers,
    },
)
fuzz = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture(scope="module")
def busy(platform: RunningPlatform) -> Iterator[RunningPlatform]:
    """All slots are taken, so that what is submitted by chance does not run."""
    holder = platform.submit("import time\ntime.sleep(900)", "hold.py", resources={"cpus": 2})
    platform.wait_for(holder["id"], "running", "starting")
    yield platform
    for job in platform.get("/jobs", limit=200)["items"]:
        platform.api.post(f"{PROJECT}/jobs/{job['id']}/cancel")
    platform.wait_for(holder["id"])


def send(platform: RunningPlatform, path: str, body: Any) -> Any:
    """The answer as JSON; a 5xx, an answer that is no JSON or a refusal without words fails."""
    answer = platform.api.post(
        PROJECT + path,
        content=json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
    )
    assert answer.status_code < 500, (answer.status_code, answer.text, body)
    found = answer.json()
    if answer.status_code >= 400:
        assert found["detail"] and found["hint"] and found["code"], found
    return found


@fuzz
@given(body=bodies)
def test_preflight_answers_anything(busy: RunningPlatform, body: Any) -> None:
    send(busy, "/jobs/preflight", body)


@fuzz
@given(body=bodies)
def test_submit_answers_anything(busy: RunningPlatform, body: Any) -> None:
    made = send(busy, "/jobs", body)
    if "id" in made:
        shown = busy.job(made["id"])
        assert shown["state"] in ("queued", "starting", "running", "cancelled", "failed")


@fuzz
@given(content=contents)
def test_inspect_answers_anything(busy: RunningPlatform, content: str) -> None:
    send(busy, "/notebooks/inspect", {"source": {"path": "n.ipynb", "content": content}})


@pytest.mark.parametrize("raw", [b"\xff\xfe{}", b"{", b"[" * 100_000, b'"\xc3\x28"', b""])
@pytest.mark.parametrize("path", ["/jobs", "/jobs/preflight", "/notebooks/inspect"])
def test_bodies_that_are_no_json(busy: RunningPlatform, path: str, raw: bytes) -> None:
    answer = busy.api.post(
        PROJECT + path, content=raw, headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 400, answer.text
    assert answer.json()["hint"]


def test_preflight_knows_the_project_and_keeps_nothing(busy: RunningPlatform) -> None:
    before = busy.get("/jobs")["items"]
    code = "import jupyter_dlsys as dlsys\nd = dlsys.input('data')\nprint(nowhere)"
    body = {
        "source": {"path": "n.ipynb", "content": json.dumps(notebook(code))},
        "inputs": {"other": {"dataset": "gone@v1"}},
        "resources": {"gpus": 9},
        "after": ["01NOTHING"],
    }
    report = send(busy, "/jobs/preflight", body)
    found = {finding["code"] for finding in report["findings"]}
    assert not report["ok"] and report["seconds"] < 1
    assert {
        "undefined-name",
        "unbound-input",
        "no-such-dataset",
        "impossible-resources",
        "no-such-job",
    } <= found
    assert busy.get("/jobs")["items"] == before


def test_a_good_notebook_has_a_forecast(busy: RunningPlatform) -> None:
    made = notebook("print(lr)", parameters="lr = 1")
    report = send(
        busy, "/jobs/preflight", {"source": {"path": "n.ipynb", "content": json.dumps(made)}}
    )
    assert report["ok"] and report["findings"] == []
    assert report["forecast"]["words"]
