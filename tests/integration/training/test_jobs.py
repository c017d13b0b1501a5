"""Jobs through the HTTP API: what a person who submits a notebook sees."""

from __future__ import annotations

import json
import time

import pytest

from tests.support.platform import PROJECT, RunningPlatform, notebook

pytestmark = pytest.mark.integration

TRAIN = """
import mlflow, helper
for step in range(epochs):
    mlflow.log_metric("loss", helper.loss(step), step=step)
print("lr is", lr)
"""


@pytest.fixture(scope="module")
def trained(platform: RunningPlatform) -> dict:
    job = platform.submit(
        notebook(TRAIN, parameters="lr = 0.1  # learning rate\nepochs: int = 3"),
        "train.ipynb",
        modules=[{"path": "helper.py", "content": "def loss(step):\n    return 1 / (step + 1)\n"}],
        parameters={"epochs": 5},
        environment={"packages": ["numpy==2"]},
    )
    return platform.wait_for(job["id"])


def test_a_notebook_runs_with_its_parameters_and_modules(platform, trained):
    assert trained["state"] == "succeeded", trained["reason"]
    assert trained["owner"] and trained["parameters"] == {"epochs": 5}
    assert trained["progress"] == {"done": 3, "total": 3}
    assert trained["started_at"] < trained["finished_at"]
    executed = platform.get(f"/jobs/{trained['id']}/notebook")
    assert "lr is 0.1" in json.dumps(executed)


def test_plain_mlflow_metrics_are_live_events_and_curves(platform, trained):
    events = platform.get(f"/jobs/{trained['id']}/events", since=0)
    points = [e["payload"] for e in events if e["topic"] == "job.metric"]
    assert [(p["key"], p["step"]) for p in points] == [("loss", s) for s in range(5)]
    cells = [e for e in events if e["topic"] == "job.cell"]
    last_end = max(e["seq"] for e in cells if e["payload"]["phase"] == "end")
    assert events.index(next(e for e in events if e["topic"] == "job.metric")) < len(events) - 1
    assert all(e["seq"] < last_end for e in events if e["topic"] == "job.metric")
    [series] = platform.get(f"/runs/{trained['run_id']}/metrics")
    assert series["key"] == "loss"
    assert [p["value"] for p in series["points"]] == [1, 0.5, pytest.approx(1 / 3), 0.25, 0.2]
    assert trained["metrics"] == {"loss": 0.2}


def test_the_run_is_in_mlflow_with_its_parameters_and_ended(platform, trained):
    run = platform.get(f"/runs/{trained['run_id']}")
    assert run["experiment"] == "train" and run["job"] == trained["id"]
    assert run["parameters"]["epochs"] == "5"
    platform.wait(
        lambda: platform.get(f"/runs/{trained['run_id']}")["status"] == "FINISHED", "the run to end"
    )


def test_lineage_knows_notebook_and_environment(platform, trained):
    graph = platform.get("/lineage", ref=f"job/{trained['id']}", direction="up")
    kinds = {node["type"] for node in graph["nodes"]}
    assert kinds == {"run", "notebook", "environment"}
    assert {edge["kind"] for edge in graph["edges"]} == {"executed", "used_env"}


def test_events_can_be_resumed_without_gap_or_repeat(platform, trained):
    path = f"/jobs/{trained['id']}/events"
    everything = platform.get(path, since=0)
    pieces, since = [], 0
    while piece := platform.get(path, since=since, limit=3):
        pieces += piece
        since = piece[-1]["seq"]
    assert pieces == everything
    states = [e["payload"]["state"] for e in everything if e["topic"] == "job.changed"]
    assert states[0] == "queued" and states[-1] == "succeeded"


def test_a_failing_cell_says_which_and_why(platform):
    job = platform.submit(notebook("print('before')", "1 / 0"))
    job = platform.wait_for(job["id"])
    assert (job["state"], job["exit_reason"]) == ("failed", "user-error")
    assert "ZeroDivisionError" in job["reason"] and "division by zero" in job["reason"]
    assert "before" in json.dumps(platform.get(f"/jobs/{job['id']}/notebook"))
    platform.wait(
        lambda: platform.get(f"/runs/{job['run_id']}")["status"] == "FAILED", "the run to fail"
    )


def test_a_script_is_a_job_too_and_leaves_files(platform):
    script = (
        "import os, json, pathlib\n"
        "parameters = json.loads(os.environ['DLSYS_PARAMETERS'])\n"
        "out = pathlib.Path(os.environ['DLSYS_OUTPUT_DIR'])\n"
        "(out / 'sub').mkdir()\n"
        "(out / 'sub' / 'n.txt').write_text(str(parameters['n']))\n"
        "print('written')\n"
    )
    job = platform.wait_for(platform.submit(script, "s.py", parameters={"n": 7})["id"])
    assert job["state"] == "succeeded", job["reason"]
    assert platform.get(f"/jobs/{job['id']}/artifacts") == [{"path": "sub/n.txt", "bytes": 1}]
    answer = platform.api.get(f"{PROJECT}/jobs/{job['id']}/artifacts/sub/n.txt")
    assert answer.text == "7"
    outputs = platform.get(f"/jobs/{job['id']}/events")
    assert "written" in json.dumps(outputs)


def test_cancel_ends_a_running_job_soon(platform):
    job = platform.submit(notebook("import time\nprint('up', flush=True)\ntime.sleep(600)"))
    platform.wait(
        lambda: any(e["topic"] == "job.output" for e in platform.get(f"/jobs/{job['id']}/events")),
        "the cell to run",
    )
    started = time.monotonic()
    platform.api.post(f"{PROJECT}/jobs/{job['id']}/cancel")
    job = platform.wait_for(job["id"], seconds=30)
    assert job["state"] == "cancelled" and job["exit_reason"] == "cancelled"
    assert time.monotonic() - started < 12
    again = platform.api.post(f"{PROJECT}/jobs/{job['id']}/cancel")
    assert again.json()["state"] == "cancelled"


def test_jobs_wait_for_slots_and_say_so(platform):
    sleeper = notebook("import time\ntime.sleep(600)")
    first = platform.submit(sleeper, resources={"cpus": 2})
    platform.wait_for(first["id"], "starting", "running")
    second = platform.submit(notebook("1"))
    waiting = platform.wait(
        lambda: (
            j
            if "Waiting for" in (j := platform.job(second["id"]))["reason"] and j["queue_position"]
            else None
        ),
        "a reason",
    )
    assert waiting["reason"] == "Waiting for a free CPU" and waiting["queue_position"] == 1
    assert platform.api.get("/workers").json()[0]["cpus_used"] == 2
    platform.api.post(f"{PROJECT}/jobs/{second['id']}/cancel")
    assert platform.job(second["id"])["state"] == "cancelled"
    platform.api.post(f"{PROJECT}/jobs/{first['id']}/cancel")
    platform.wait_for(first["id"])


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({"source": {"path": "a.txt", "content": ""}}, 400, "neither a notebook nor"),
        ({"source": {"path": "a.ipynb", "content": "{"}}, 400, "is not a notebook"),
        ({"source": {"path": "a.py", "content": "1"}, "resources": {"gpus": 9}}, 422, "9 GPUs"),
        ({"source": {"path": "a.py", "content": "1"}, "resources": {"cpus": 99}}, 422, "99 CPUs"),
        ({"source": {"path": "a.py", "content": "1"}, "wrong": 1}, 400, "wrong"),
        (
            {
                "source": {"path": "a.py", "content": "1"},
                "modules": [{"path": "../b.py", "content": ""}],
            },
            400,
            "leaves the job's folder",
        ),
        (
            {"source": {"path": "a.py", "content": "1"}, "inputs": {"x": {"dataset": "no@v1"}}},
            404,
            "no",
        ),
    ],
)
def test_bad_submissions_are_refused_in_plain_words(platform, body, status, words):
    before = platform.get("/jobs")["items"]
    answer = platform.api.post(f"{PROJECT}/jobs", json=body)
    assert answer.status_code == status, answer.text
    problem = answer.json()
    assert words in problem["detail"] and problem["hint"]
    assert answer.headers["content-type"] == "application/problem+json"
    assert platform.get("/jobs")["items"] == before


def test_a_misspelt_parameter_is_noted_in_the_log_with_the_nearest_name(platform):
    job = platform.submit(
        notebook("print(1)", parameters="learning_rate = 0.1"), parameters={"learning_rat": 1}
    )
    platform.wait_for(job["id"])
    logged = [
        e["payload"]["text"]
        for e in platform.get(f"/jobs/{job['id']}/events")
        if e["topic"] == "job.log"
    ]
    assert "no parameter 'learning_rat'. Did you mean 'learning_rate'?" in logged[0]


def test_a_repeated_submission_is_one_job(platform):
    body = {"source": {"path": "once.py", "content": "print(1)"}}
    key = {"Idempotency-Key": "once-1"}
    first = platform.api.post(f"{PROJECT}/jobs", json=body, headers=key).json()
    again = platform.api.post(f"{PROJECT}/jobs", json=body, headers=key).json()
    assert first["id"] == again["id"]
    other = platform.api.post(f"{PROJECT}/jobs", json={**body, "name": "other"}, headers=key)
    assert other.status_code == 409 and other.json()["code"] == "idempotency-key-reused"
    platform.wait_for(first["id"])


def test_a_job_token_opens_only_its_own_doors(platform):
    script = (
        "import os, urllib.request, urllib.error\n"
        "def ask(path):\n"
        "    request = urllib.request.Request(os.environ['DLSYS_URL'] + path,\n"
        "        headers={'Authorization': 'Bearer ' + os.environ['DLSYS_TOKEN']})\n"
        "    try:\n"
        "        return urllib.request.urlopen(request).status\n"
        "    except urllib.error.HTTPError as error:\n"
        "        return error.code\n"
        "base = '/api/v1/projects/default'\n"
        "print([ask('/api/v1/whoami'), ask(base + '/jobs'), ask(base + '/datasets'),\n"
        "       ask(base + '/snapshots/sha256:' + '0' * 64)])\n"
        "print('SECRETS', [k for k in os.environ if 'SECRET' in k or 'DATABASE' in k])\n"
    )
    job = platform.wait_for(platform.submit(script, "probe.py")["id"])
    assert job["state"] == "succeeded", job["reason"]
    text = json.dumps(platform.get(f"/jobs/{job['id']}/events"))
    assert "[200, 403, 403, 404]" in text
    assert "SECRETS []" in text


def test_without_a_token_nothing_but_health_answers(platform):
    import httpx

    for path in ("/whoami", "/projects/default/jobs", "/events", "/workers"):
        answer = httpx.get(f"{platform.url}/api/v1{path}")
        assert answer.status_code == 401 and answer.json()["code"] == "unauthenticated", path
    assert httpx.get(f"{platform.url}/api/v1/health").status_code == 200
    wrong = httpx.get(f"{platform.url}/api/v1/whoami", headers={"Authorization": "Bearer x"})
    assert wrong.status_code == 401
