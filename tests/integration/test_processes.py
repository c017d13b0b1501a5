"""Several processes of one platform: whichever answers, the answer is the same."""

from __future__ import annotations

import json
import statistics
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import psutil
import pytest

from tests.support import processes
from tests.support.platform import PROJECT, RunningPlatform

pytestmark = pytest.mark.integration


def others(running: RunningPlatform) -> list[psutil.Process]:
    found = psutil.Process(running.process.pid).children()
    return [one for one in found if "--answering" in one.cmdline()]


def all_answer(running: RunningPlatform) -> None:
    running.wait(lambda: _state(running) == "ok", "the answering processes", 60)


def _state(running: RunningPlatform) -> str:
    try:
        return running.part("answering")
    except httpx.TransportError:
        return ""


@pytest.fixture(scope="module")
def many(session_root: Path):
    home = Path(tempfile.mkdtemp(prefix="m", dir=session_root))
    running = RunningPlatform(home, DLSYS_CPUS="2", DLSYS_PROCESSES="3").start()
    all_answer(running)
    yield running
    running.stop()
    left = processes.end_leftovers(home, grace=1)
    assert not left, "the platform left processes behind:\n" + "\n".join(left)


def test_health_is_whole_in_each(many):
    for _ in range(6):
        many.connect()  # a new connection: another process may answer
        health = many.api.get("/health").json()
        states = {part["name"]: part["state"] for part in health["parts"]}
        assert health["state"] == "ok"
        assert {"database", "mlflow", "scheduler", "warm start", "audit"} <= states.keys()
        assert states["answering"] == "ok"


def test_main_answers_no_longer_when_others_do(many):
    main = psutil.Process(many.process.pid)
    many.connect()
    many.api.get("/whoami")  # what was connected to it from the start goes away with an answer
    before = sum(main.cpu_times()[:2])
    for _ in range(300):
        many.api.get("/whoami")
    assert sum(main.cpu_times()[:2]) - before < 0.3


def test_a_submission_to_any_of_them_starts_at_once(many):
    waits = []
    for _ in range(4):
        many.connect()
        began = time.monotonic()
        job = many.submit("print(1)", "a.py", cold=True)["id"]
        many.wait_for(job, "starting", "running", "succeeded")
        waits.append(time.monotonic() - began)
        assert many.wait_for(job)["state"] == "succeeded"
    assert statistics.median(waits) < 1.5, waits  # an idle scheduler looks each two seconds


def test_cancel_log_and_use_of_a_running_job(many):
    code = "import time\nprint('here', flush=True)\ntime.sleep(60)"
    job = many.submit(code, "long.py")["id"]
    many.wait_for(job, "running")
    for _ in range(3):
        many.connect()
        log = many.wait(
            lambda: many.api.get(f"{PROJECT}/jobs/{job}/log").text or None, "the log", 20
        )
        assert "here" in log
        assert many.get(f"/jobs/{job}/usage")["job"] == job
    assert job in many.api.get("/workers").json()[0]["jobs"]
    many.api.post(f"{PROJECT}/jobs/{job}/cancel")
    assert many.wait_for(job, seconds=20)["state"] == "cancelled"


def test_events_reach_the_streams_of_all_promptly(many):
    seen: list[dict[str, float]] = [{} for _ in range(6)]
    ready = threading.Barrier(len(seen) + 1)
    count = 8

    def follow(mine: dict[str, float]) -> None:
        with _client(many) as api, api.stream("GET", "/events", params={"topics": "dataset"}) as s:
            lines = s.iter_lines()
            next(line for line in lines if line.startswith("id:"))
            ready.wait(20)
            for line in lines:
                if line.startswith("data: "):
                    mine[json.loads(line[6:])["subject"]] = time.monotonic()
                    if len(mine) == count:
                        return

    threads = [threading.Thread(target=follow, args=(mine,), daemon=True) for mine in seen]
    for thread in threads:
        thread.start()
    ready.wait(20)
    late = []
    made = {}
    for number in range(count):
        with _client(many) as api:
            answer = api.post(f"{PROJECT}/datasets", json={"name": f"told-{number}"})
        made[f"dataset/told-{number}"] = time.monotonic()
        assert answer.status_code == 201
        time.sleep(0.1)
    for thread in threads:
        thread.join(20)
    for mine in seen:
        late += [mine[subject] - at for subject, at in made.items()]
    assert statistics.median(late) < 0.1 and max(late) < 5, sorted(late)


def _client(running: RunningPlatform) -> httpx.Client:
    headers = {"Authorization": f"Bearer {running.secret}"}
    return httpx.Client(base_url=f"{running.url}/api/v1", headers=headers, timeout=30)


def test_the_audit_log_of_many_writers_is_whole(many):
    def make(number: int) -> None:
        with _client(many) as api:
            for one in range(5):
                name = f"audited-{number}-{one}"
                assert api.post(f"{PROJECT}/datasets", json={"name": name}).status_code == 201

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(make, range(6)))
    report = many.api.get("/audit/verify").json()
    assert report["ok"], report
    rows = many.api.get("/audit", params={"limit": 200}).json()["items"]
    assert len([row for row in rows if row["operation"] == "datasets.create"]) >= 30
    assert [row["seq"] for row in rows] == sorted({row["seq"] for row in rows}, reverse=True)


def test_what_only_main_can_do_is_passed_on_and_recorded_once(many):
    with _client(many) as api:
        nothing = f"{PROJECT}/deployments/nothing"
        refused = api.delete(nothing, headers={"X-Request-ID": "once-1"})
        assert refused.status_code == 404 and refused.json()["hint"]
        assert refused.headers.get_list("x-request-id") == ["once-1"]
        forged = {"X-DLSYS-Forwarded": "10.0.0.1;00"}
        assert api.delete(nothing, headers=forged).status_code == 404
        rows = api.get("/audit", params={"limit": 50}).json()["items"]
    mine = [row for row in rows if row["request_id"] == "once-1"]
    assert [(row["status"], row["source"]) for row in mine] == [(404, "127.0.0.1")]
    assert not [row for row in rows if row["source"] == "10.0.0.1"]


@pytest.mark.kill
def test_an_answering_process_that_is_killed_is_replaced(many):
    victims = others(many)
    assert len(victims) == 2
    for victim in victims:
        victim.kill()
    many.connect()
    assert many.api.get("/whoami").status_code == 200  # by the main process meanwhile
    all_answer(many)
    assert {one.pid for one in others(many)}.isdisjoint({one.pid for one in victims})


@pytest.mark.kill
def test_after_kill_9_of_main_nothing_is_left_and_the_port_stays(many):
    port, victims = many.url, others(many)
    job = many.submit("import time\ntime.sleep(4)\nprint('lived')", "lives.py")["id"]
    many.wait_for(job, "running")
    many.kill()
    _, alive = psutil.wait_procs(victims, 2)
    assert not alive
    many.start()
    assert many.url == port
    assert many.wait_for(job)["state"] == "succeeded"
    all_answer(many)


def test_shutdown_at_an_answering_process_ends_all(session_root):
    home = Path(tempfile.mkdtemp(prefix="l", dir=session_root))
    running = RunningPlatform(home, DLSYS_PROCESSES="2").start(wait_for_mlflow=False)
    all_answer(running)
    running.connect()
    assert running.api.post("/shutdown").status_code == 202
    running.api.close()
    assert running.process.wait(30) == 0
    assert not (home / "platform.json").exists() and not (home / "main.sock").exists()
    assert not processes.end_leftovers(home, grace=1)


def test_idle_counts_the_use_of_all(session_root):
    home = Path(tempfile.mkdtemp(prefix="l", dir=session_root))
    running = RunningPlatform(home, DLSYS_PROCESSES="2", DLSYS_IDLE_SECONDS="3")
    running.start(wait_for_mlflow=False)
    running.connect()
    with _client(running) as api, api.stream("GET", "/events", timeout=60) as stream:
        lines = stream.iter_lines()  # without a name it would end here, and the stream with it
        next(lines)
        time.sleep(7)
        assert running.process.poll() is None
    assert running.process.wait(30) == 0
    assert not processes.end_leftovers(home)
