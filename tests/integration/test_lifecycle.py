"""Start, stop, idle end, and the manners of the HTTP API."""

from __future__ import annotations

import json
import tempfile
import threading
import time
from pathlib import Path

import httpx
import pytest

from tests.support import processes
from tests.support.platform import PROJECT, RunningPlatform

pytestmark = pytest.mark.integration


def own_platform(root: Path, **environment: str) -> RunningPlatform:
    return RunningPlatform(Path(tempfile.mkdtemp(prefix="l", dir=root)), **environment)


def test_it_ends_by_itself_when_nobody_needs_it(session_root):
    running = own_platform(session_root, DLSYS_IDLE_SECONDS="3").start(wait_for_mlflow=False)
    assert running.process.wait(30) == 0
    assert not (running.home / "platform.json").exists()
    assert not (running.home / "secret").exists()
    assert not processes.end_leftovers(running.home)


def test_an_open_event_stream_keeps_it_alive(session_root):
    running = own_platform(session_root, DLSYS_IDLE_SECONDS="2").start(wait_for_mlflow=False)
    with running.api.stream("GET", "/events", timeout=60) as stream:
        lines = stream.iter_lines()
        assert [next(lines), next(lines), next(lines)] == [": connected", "", "id: 0"]
        time.sleep(6)
        assert running.process.poll() is None
    assert running.process.wait(30) == 0
    assert not processes.end_leftovers(running.home)


def test_a_stop_ends_open_streams_and_all_processes(session_root):
    running = own_platform(session_root).start()
    ended = threading.Event()

    def follow():
        with running.api.stream("GET", "/events", timeout=60) as stream:
            for _ in stream.iter_lines():
                pass
        ended.set()

    thread = threading.Thread(target=follow)
    thread.start()
    time.sleep(0.5)
    started = time.monotonic()
    running.stop()
    thread.join(10)
    assert ended.is_set() and time.monotonic() - started < 15
    assert not processes.end_leftovers(running.home, grace=1)


@pytest.mark.kill
def test_it_starts_again_after_kill_9_with_all_that_was_acknowledged(session_root):
    running = own_platform(session_root).start(wait_for_mlflow=False)
    made = running.api.post(f"{PROJECT}/datasets", json={"name": "kept"})
    assert made.status_code == 201
    running.kill()
    running.start(wait_for_mlflow=False)
    assert running.get("/datasets/kept")["name"] == "kept"
    running.stop()
    assert not processes.end_leftovers(running.home)


def test_a_database_of_a_newer_version_is_refused_in_plain_words(session_root):
    import sqlite3
    import subprocess
    import sys

    running = own_platform(session_root).start(wait_for_mlflow=False)
    running.stop()
    with sqlite3.connect(running.home / "db.sqlite") as database:
        database.execute("UPDATE alembic_version SET version_num = 'future'")
    database.close()
    ended = subprocess.run(
        [sys.executable, "-m", "dlsys_server", "--home", str(running.home)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ended.returncode != 0
    assert "schema revision future" in ended.stderr
    assert not (running.home / "platform.json").exists()


class TestManners:
    """Errors, ids and streams of the API."""

    def test_unknown_routes_and_methods_are_problems(self, platform):
        for method, path, status in [
            ("GET", "/nothing", 404),
            ("GET", f"{PROJECT}/jobs/unknown", 404),
            ("GET", "/projects/other/jobs", 404),
            ("DELETE", "/health", 405),
        ]:
            answer = platform.api.request(method, path)
            assert answer.status_code == status, path
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.json()["code"] and answer.json()["hint"], answer.text

    def test_request_ids_come_back(self, platform):
        answer = platform.api.get("/whoami", headers={"X-Request-ID": "abc-1"})
        assert answer.headers["x-request-id"] == "abc-1"
        strange = platform.api.get("/whoami", headers={"X-Request-ID": "a b\tc"})
        assert len(strange.headers["x-request-id"]) == 26
        missing = platform.api.get("/nothing")
        assert missing.json()["request_id"] == missing.headers["x-request-id"]

    def test_a_stream_goes_on_where_it_was_cut(self, platform):
        platform.api.post(f"{PROJECT}/datasets", json={"name": "streamed"})
        platform.api.post(f"{PROJECT}/datasets", json={"name": "streamed-too"})
        first = self._events(platform, 1, since=0)
        rest = self._events(platform, 1, headers={"Last-Event-ID": str(first[0]["seq"])})
        assert [e["subject"] for e in first + rest] == ["dataset/streamed", "dataset/streamed-too"]
        assert rest[0]["seq"] > first[0]["seq"]

    def _events(self, platform, count, headers=None, **params):
        found = []
        params = {"topics": "dataset", **params}
        with platform.api.stream(
            "GET", "/events", params=params, headers=headers or {}, timeout=20
        ) as stream:
            for line in stream.iter_lines():
                if line.startswith("data: "):
                    found.append(json.loads(line[6:]))
                    if len(found) == count:
                        return found
        return found

    def test_openapi_and_docs_are_served(self, platform):
        document = platform.api.get("/openapi.json").json()
        assert document["openapi"].startswith("3.1")
        assert platform.api.get("/docs").status_code == 200

    def test_mlflow_needs_a_token_too(self, platform):
        assert httpx.get(f"{platform.url}/mlflow/").status_code == 401
        answer = httpx.get(
            f"{platform.url}/mlflow/", headers={"Authorization": f"Bearer {platform.secret}"}
        )
        assert answer.status_code == 200 and "html" in answer.headers["content-type"]

    def test_secrets_are_in_no_log(self, platform):
        logs = [platform.home / "platform.log", *(platform.home / "logs").glob("*.log")]
        for log in logs:
            assert platform.secret not in log.read_text(), log
