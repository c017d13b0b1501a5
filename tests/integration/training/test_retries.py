"""Attempts, checkpoints and `jobs.retry`, through a real platform."""

from __future__ import annotations

import json
import os
import signal
import time

import httpx
import pytest

from tests.support.platform import PROJECT

pytestmark = [pytest.mark.integration, pytest.mark.kill]

TRAIN = """
import os, time
import jupyter_dlsys as dlsys
last = dlsys.last_checkpoint()
first = last.step + 1 if last else 0
print("token", os.environ["DLSYS_TOKEN"], flush=True)
print(f"from {first}", flush=True)
for step in range(first, 4):
    with dlsys.checkpoint(step=step) as folder:
        (folder / "state").write_text(str(step))
    print(f"did {step}", flush=True)
    if step == 2:
        time.sleep(600)
"""
STUBBORN = """
import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
code = "import os, signal, time; signal.signal(15, signal.SIG_IGN); os.setsid(); time.sleep(600)"
subprocess.Popen([sys.executable, "-c", code])
time.sleep(0.5)
print("up", flush=True)
time.sleep(600)
"""
GREEDY = """
import time
block = bytearray(200 * 2**20)
for at in range(0, len(block), 4096):
    block[at] = 1
time.sleep(2.5)
print("enough", flush=True)
"""


def text(platform, job):
    events = platform.get(f"/jobs/{job['id']}/events", limit=5000)
    return "".join(e["payload"]["text"] for e in events if e["topic"] == "job.log")


def until_it_says(platform, job, words):
    platform.wait(lambda: words in text(platform, job), f"the job to say {words!r}")


def kill_supervisor(platform, job, attempt=1):
    pid = platform.home / "attempts" / job["id"] / str(attempt) / "pid"
    os.kill(int(pid.read_text().split()[0]), signal.SIGKILL)


def cancel(platform, job):
    return platform.api.post(f"{PROJECT}/jobs/{job['id']}/cancel").json()


def retry(platform, job, key):
    path = f"{PROJECT}/jobs/{job['id']}/retry"
    return platform.api.post(path, headers={"Idempotency-Key": key})


def test_a_lost_attempt_is_tried_again_from_its_last_checkpoint(platform):
    job = platform.submit(TRAIN, "train.py", retries=1)
    until_it_says(platform, job, "did 2")
    secret = text(platform, job).split("token ")[1].split()[0]
    kill_supervisor(platform, job)
    waiting = platform.wait_for(job["id"], "queued", seconds=20)
    assert waiting["reason"] == "Attempt 2 of 2 in 2 s: the worker was lost"
    assert waiting["next_attempt_at"] > waiting["attempts"][0]["finished_at"]
    answer = httpx.get(
        f"{platform.url}/api/v1/whoami", headers={"Authorization": f"Bearer {secret}"}
    )
    assert answer.status_code == 401, "the token of a lost attempt still works"
    done = platform.wait_for(job["id"])
    assert (done["state"], done["attempt"]) == ("succeeded", 2), done["reason"]
    first, second = done["attempts"]
    assert (first["state"], first["exit_reason"], first["checkpoint"]) == ("lost", "lost", None)
    assert (second["state"], second["checkpoint"]) == ("succeeded", 2)
    assert second["created_at"] >= waiting["next_attempt_at"]
    events = platform.get(f"/jobs/{job['id']}/events", limit=5000)
    told = [e["payload"] for e in events if e["topic"] == "job.attempt"]
    assert [(t["number"], t["state"]) for t in told] == [
        (1, "starting"),
        (1, "running"),
        (1, "lost"),
        (2, "starting"),
        (2, "running"),
        (2, "succeeded"),
    ]
    logs = [e["payload"] for e in events if e["topic"] == "job.log"]
    later = "".join(p["text"] for p in logs if p.get("attempt") == 2)
    assert "from 3\ndid 3\n" in later


def test_a_cancel_during_back_off_ends_the_job_at_once(platform):
    job = platform.submit(TRAIN, "train.py", retries=5)
    until_it_says(platform, job, "did 0")
    kill_supervisor(platform, job)
    platform.wait_for(job["id"], "queued", seconds=20)
    assert cancel(platform, job)["state"] == "cancelled"
    time.sleep(3)
    done = platform.job(job["id"])
    assert (done["state"], done["attempt"], len(done["attempts"])) == ("cancelled", 2, 1)


def test_a_job_that_ended_can_be_run_again_and_finds_its_checkpoint(platform):
    job = platform.submit(TRAIN, "train.py", retries=0, parameters={"lr": 1})
    refused = retry(platform, job, "early")
    assert (refused.status_code, refused.json()["code"]) == (409, "job-not-ended")
    until_it_says(platform, job, "did 2")
    cancel(platform, job)
    platform.wait_for(job["id"], "cancelled")
    made, again = retry(platform, job, "k").json(), retry(platform, job, "k").json()
    assert made["id"] == again["id"] != job["id"]
    assert (made["retry_of"], made["parameters"]) == (job["id"], {"lr": 1})
    done = platform.wait_for(made["id"])
    assert (done["state"], done["attempts"][0]["checkpoint"]) == ("succeeded", 2), done["reason"]
    assert "from 3" in text(platform, made)


def test_a_cancel_ends_the_whole_tree_within_two_seconds(platform):
    job = platform.submit(STUBBORN, "stubborn.py")
    until_it_says(platform, job, "up")
    began = time.monotonic()
    cancel(platform, job)
    done = platform.wait_for(job["id"], seconds=20)
    took = time.monotonic() - began
    assert done["state"] == "cancelled"
    assert done["reason"].startswith("Cancelled by ")
    assert took < 2 * max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1)), f"{took:.1f} s"
    mark = f"DLSYS_JOB_ID={job['id']}".encode()
    assert not [pid for pid in os.listdir("/proc") if pid.isdigit() and mark in environment(pid)]


def environment(pid):
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            return file.read().split(b"\0")
    except OSError:
        return []


def test_out_of_memory_is_tried_again_with_more_where_that_is_allowed(platform):
    limits = {"memory_bytes": 150 * 2**20}
    job = platform.submit(
        GREEDY, "greedy.py", retries=3, resources=limits, max_memory_bytes=512 * 2**20
    )
    done = platform.wait_for(job["id"])
    assert done["state"] == "succeeded", json.dumps(done["attempts"])
    assert [(a["exit_reason"], a["memory_bytes"]) for a in done["attempts"]] == [
        ("out-of-memory", 150 * 2**20),
        (None, 300 * 2**20),
    ]
    assert done["resources"]["memory_bytes"] == 150 * 2**20
    final = platform.wait_for(platform.submit(GREEDY, "greedy.py", resources=limits)["id"])
    assert (final["state"], final["attempt"]) == ("failed", 1)


def test_an_error_of_the_user_is_final(platform):
    done = platform.wait_for(platform.submit("1 / 0", "bad.py", retries=5)["id"])
    assert (done["state"], done["exit_reason"], done["attempt"]) == ("failed", "user-error", 1)
