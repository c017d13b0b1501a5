"""Two platforms with folders of their own on one PostgreSQL and one S3: a person sees one."""

from __future__ import annotations

import contextlib
import json
import secrets
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.support import processes
from tests.support.models import ready_made
from tests.support.platform import PROJECT, RunningPlatform

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.s3, pytest.mark.postgres]

LEASE_SECONDS = 15
RUNS = """
import os, time
def note(word):
    with open({marks!r}, "a") as out:
        out.write(os.environ["DLSYS_JOB_ID"] + " " + word + "\\n")
note("begin")
print("here", flush=True)
time.sleep({seconds})
note("end")
"""


@pytest.fixture(scope="module")
def pair(session_root: Path, postgres_server, seaweed_server):
    homes = [Path(tempfile.mkdtemp(prefix=name, dir=session_root)) for name in "ab"]
    key = secrets.token_hex(32)
    with postgres_server.database() as url, seaweed_server.bucket() as bucket:
        both = [
            RunningPlatform(
                home,
                DLSYS_DATABASE_URL=url.replace("postgresql+psycopg://", "postgresql://"),
                **bucket.settings("lab"),
                DLSYS_AUDIT_KEY=key,
                DLSYS_CPUS="1",
                DLSYS_WARM="false",
                DLSYS_IDLE_SECONDS="0",
                DLSYS_PROCESSES=str(number),
            )
            for number, home in enumerate(homes, 1)
        ]
        for one in both:
            one.start()
        both[0].wait(lambda: len(workers(both[0])) == 2, "both workers", 30)
        yield both
        for one in both:
            one.stop()
    for home in homes:
        left = processes.end_leftovers(home)
        assert not left, "a platform left processes behind:\n" + "\n".join(left)


def workers(one: RunningPlatform) -> dict[str, dict]:
    return {worker["name"]: worker for worker in one.api.get("/workers").json()}


def own_name(one: RunningPlatform) -> str:
    return (one.home / "attempts" / "worker").read_text().strip()


def runs(marks: Path, seconds: float = 1.0) -> str:
    return RUNS.format(marks=str(marks), seconds=seconds)


def where(one: RunningPlatform, job: str) -> str:
    held = (name for name, worker in workers(one).items() if job in worker["jobs"])
    return one.wait(lambda: next(held, None) or _where(one, job), "the job to be placed", 30)


def _where(one: RunningPlatform, job: str) -> str | None:
    return next((n for n, worker in workers(one).items() if job in worker["jobs"]), None)


def test_each_shows_all_workers_and_one_leads(pair):
    names = {own_name(one) for one in pair}
    for one in pair:
        found = workers(one)
        assert set(found) == names
        assert [worker["cpus"] for worker in found.values()] == [1, 1]
        assert all(worker["seen_at"] and worker["url"] for worker in found.values())
    pair[0].wait(lambda: sum(w["leads"] for w in workers(pair[0]).values()) == 1, "a leader", 30)


def test_jobs_run_on_both_and_can_be_looked_at_from_both(pair, tmp_path):
    a, b = pair
    marks = tmp_path / "marks"
    jobs = [one.submit(runs(marks, 20), "long.py")["id"] for one in pair]
    for job in jobs:
        a.wait_for(job, "running", seconds=60)
    assert {where(a, job) for job in jobs} == {own_name(a), own_name(b)}
    for one in pair:
        for job in jobs:
            log = one.wait(
                lambda j=job, o=one: o.api.get(f"{PROJECT}/jobs/{j}/log").text or None, "a log", 30
            )
            assert "here" in log
            assert one.get(f"/jobs/{job}/artifacts") == []
            assert one.get(f"/jobs/{job}/usage")["job"] == job
    for job in jobs:
        assert b.wait_for(job)["state"] == "succeeded"
    assert Counter(marks.read_text().splitlines()) == Counter(
        f"{job} {word}" for job in jobs for word in ("begin", "end")
    )
    assert "here" in a.api.get(f"{PROJECT}/jobs/{jobs[1]}/log").text


def test_an_upload_goes_on_at_the_other_and_is_committed_there(pair):
    a, b = pair
    assert a.api.post(f"{PROJECT}/datasets", json={"name": "mood"}).status_code == 201
    upload = a.api.post(f"{PROJECT}/uploads", params={"filename": "a.csv"}).json()["id"]
    path = f"{PROJECT}/uploads/{upload}"
    first, rest = b"text,label\n", b"t0,sad\nt1,happy\n"
    assert a.api.put(path, params={"offset": 0}, content=first).status_code == 200
    assert b.get(f"/uploads/{upload}")["offset"] == len(first)
    sent = b.api.put(path, params={"offset": len(first)}, content=iter([rest]))
    assert sent.status_code == 200, sent.text
    body = {"message": "first", "files": [{"upload": upload}]}
    made = b.api.post(
        f"{PROJECT}/datasets/mood/commits", json=body, headers={"X-Request-ID": "over-1"}
    )
    assert made.status_code == 201, made.text
    assert a.get("/datasets/mood")["name"] == "mood"
    rows = b.api.get("/audit", params={"limit": 50}).json()["items"]
    assert [row["status"] for row in rows if row["request_id"] == "over-1"] == [201]
    stranger = b.api.get(f"{PROJECT}/uploads/{upload[:26]}00000000")
    assert stranger.status_code == 404


def test_events_of_one_reach_streams_of_the_other_promptly(pair):
    a, b = pair
    seen: dict[str, float] = {}
    ready = threading.Event()

    def follow() -> None:
        with b.api.stream("GET", "/events", params={"topics": "dataset"}, timeout=30) as stream:
            for line in stream.iter_lines():
                if line.startswith("id:"):
                    ready.set()
                if line.startswith("data: "):
                    seen[json.loads(line[6:])["subject"]] = time.monotonic()
                    if len(seen) == 5:
                        return

    thread = threading.Thread(target=follow, daemon=True)
    thread.start()
    assert ready.wait(20)
    made = {}
    for number in range(5):
        assert a.api.post(f"{PROJECT}/datasets", json={"name": f"e{number}"}).status_code == 201
        made[f"dataset/e{number}"] = time.monotonic()
        time.sleep(0.3)
    thread.join(20)
    late = sorted(seen[subject] - at for subject, at in made.items())
    assert late[2] < 0.3, late


def test_the_token_of_one_counts_at_the_other_and_the_audit_log_is_one(pair):
    a, b = pair
    answer = b.api.get("/whoami", headers={"Authorization": f"Bearer {a.secret}"})
    assert answer.status_code == 200
    wrong = b.api.get("/whoami", headers={"Authorization": f"Bearer {a.secret}x"})
    assert wrong.status_code == 401
    for one in pair:
        assert one.api.get("/audit/verify").json()["ok"]


def _endpoint(one: RunningPlatform) -> None:
    end = time.monotonic() + 200
    while (found := one.get("/deployments/mood"))["state"] != "ready":
        assert found["state"] in ("starting", "updating"), found["message"]
        assert time.monotonic() < end, found
        time.sleep(0.5)


@pytest.mark.timeout(580)
def test_one_has_the_gateway_and_both_predict(pair):
    a, b = pair
    job = a.submit(ready_made(), "mood.py")
    done = b.wait_for(job["id"], seconds=240)
    assert done["state"] == "succeeded", done["reason"]
    answer = b.api.post(f"{PROJECT}/deployments", json={"model": "mood"})
    assert answer.status_code == 201, answer.text
    for one in pair:
        _endpoint(one)
        body = {"inputs": {"text": ["x"]}}
        said = one.api.post(f"{PROJECT}/deployments/mood/predict", json=body)
        assert said.status_code == 200, said.text
    assert a.get("/deployments/mood")["url"] == b.get("/deployments/mood")["url"]
    assert sorted(one.part("gateway") for one in pair) == ["off", "ok"]
    assert b.api.delete(f"{PROJECT}/deployments/mood").status_code == 204
    assert a.api.get(f"{PROJECT}/deployments/mood").status_code == 404


@pytest.mark.kill
def test_after_kill_9_of_the_leader_the_other_leads_and_nothing_runs_twice(pair, tmp_path):
    marks = tmp_path / "marks"
    leads = next(name for name, worker in workers(pair[0]).items() if worker["leads"])
    victim, other = sorted(pair, key=lambda one: own_name(one) != leads)
    running = [other.submit(runs(marks, 25), "long.py")["id"] for _ in pair]
    for job in running:
        other.wait_for(job, "running", seconds=60)
    on_victim = next(job for job in running if where(other, job) == leads)
    waiting = [victim.submit(runs(marks, 0.2), "short.py")["id"] for _ in range(4)]
    victim.kill()
    killed = time.monotonic()
    waiting += [other.submit(runs(marks, 0.2), "short.py")["id"] for _ in range(2)]
    other.wait(lambda: workers(other)[own_name(other)]["leads"], "the other to lead", 40)
    assert time.monotonic() - killed < LEASE_SECONDS + 8
    other.wait(lambda: leads not in workers(other), "the dead one to be missed", 30)
    away = other.api.get(f"{PROJECT}/jobs/{on_victim}/log")
    assert away.status_code == 503 and away.json()["code"] == "platform-away", away.text
    assert away.json()["hint"]
    for job in waiting:
        assert other.wait_for(job, seconds=180)["state"] == "succeeded"
    victim.start()
    for job in running:
        assert victim.wait_for(job, seconds=120)["state"] == "succeeded"
    expected = Counter(f"{job} {w}" for job in running + waiting for w in ("begin", "end"))
    assert Counter(marks.read_text().splitlines()) == expected
    with contextlib.suppress(KeyError):
        assert sum(worker["leads"] for worker in workers(victim).values()) == 1
    assert victim.api.get("/audit/verify").json()["ok"]
