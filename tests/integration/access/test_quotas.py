"""Quotas on a running platform: each resource through HTTP and the command line; GPU-hours run out
during a job; a platform that is killed forgets nothing. The GPUs are slots only."""

from __future__ import annotations

import getpass
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support import processes
from tests.support.doors import answer, run_cli
from tests.support.platform import PROJECT, RunningPlatform, notebook

pytestmark = pytest.mark.integration
ME = getpass.getuser()
GPU = {"gpus": 1, "cpus": 1}
COUNTS = """
import time
import jupyter_dlsys as dlsys
last = dlsys.last_checkpoint()
step = last.step if last else 0
print("began at", step)
try:
    while True:
        time.sleep(0.1)
        step += 1
except KeyboardInterrupt:
    with dlsys.checkpoint(step=step) as folder:
        (folder / "step").write_text(str(step))
    print("saved", step)
"""


@pytest.fixture(scope="module")
def platform(session_root: Path) -> Iterator[RunningPlatform]:
    home = Path(tempfile.mkdtemp(prefix="p", dir=session_root))
    options = {"DLSYS_CPUS": "4", "DLSYS_GPUS": "0,1", "DLSYS_USER_MAX_JOBS": "3"}
    running = RunningPlatform(home, **options).start()
    yield running
    running.stop()
    left = processes.end_leftovers(home)
    assert not left, "the platform left processes behind:\n" + "\n".join(left)


@pytest.fixture(autouse=True)
def no_limits(platform: RunningPlatform) -> Iterator[None]:
    yield
    for kind, name in (("user", ME), ("project", "default")):
        platform.api.delete(f"/quotas/{kind}/{name}")


def limit(platform: RunningPlatform, kind: str = "user", **limits: Any) -> None:
    name = ME if kind == "user" else "default"
    done = platform.api.put(f"/quotas/{kind}/{name}", json=limits)
    assert done.status_code == 200, done.text


def use(platform: RunningPlatform, resource: str, kind: str = "user") -> Any:
    for quota in platform.api.get("/quotas").json():
        if quota["kind"] == kind and quota["name"] in (ME, "default"):
            return next(u for u in quota["use"] if u["resource"] == resource)
    raise AssertionError("no quota of mine")


def exceeded(done: httpx.Response) -> str:
    assert done.status_code == 403, done.text
    problem = done.json()
    assert problem["code"] == "quota-exceeded"
    return f"{problem['detail']} {problem['hint']}"


def submission(source: str = "1", **body: Any) -> dict[str, Any]:
    return {"source": {"path": "t.py", "content": source}, **body}


def commit(platform: RunningPlatform, dataset: str, rows: range) -> httpx.Response:
    """A dataset with these rows."""
    api = platform.api
    api.post(f"{PROJECT}/datasets", json={"name": dataset, "kind": "generic"})
    made = api.post(f"{PROJECT}/uploads", params={"filename": "a.csv"})
    assert made.status_code == 201, made.text
    upload = made.json()["id"]
    content = "n\n" + "\n".join(str(n * 7919 % 10007) for n in rows)
    api.put(f"{PROJECT}/uploads/{upload}", params={"offset": 0}, content=content.encode())
    body = {"operation": "append", "files": [{"upload": upload}], "message": "m"}
    return api.post(f"{PROJECT}/datasets/{dataset}/commits", json=body)


def test_set_list_and_unset_at_the_command_line(platform: RunningPlatform) -> None:
    environment = {"DLSYS_HOME": str(platform.home), "COLUMNS": "120", "HOME": str(platform.home)}

    def run(*arguments: str) -> Any:
        return run_cli(environment, "quotas", *arguments)

    found = answer(run("set", "user", "ann", "--gpu-hours", "10", "--storage", "2G", "--json"))
    assert found["limits"] == {  # type: ignore[index]
        "gpu_hours": 10, "jobs": 3, "storage_bytes": 2_000_000_000, "endpoints": None,
    }  # fmt: skip
    found = answer(run("set", "user", "ann", "--storage", "none", "--jobs", "2", "--json"))
    assert found["limits"] == {  # type: ignore[index]
        "gpu_hours": 10, "jobs": 2, "storage_bytes": None, "endpoints": None,
    }  # fmt: skip
    shown = run("list").stdout
    assert "user ann" in shown
    assert "0 of 10" in shown
    assert "··········" in shown
    assert run("unset", "user", "ann").returncode == 0
    assert run("unset", "user", "ann").returncode == 3
    assert run("set", "user", "ann").returncode == 2
    assert run("set", "user", "ann", "--jobs", "many").returncode == 2
    assert run("set", "project", "nothing", "--jobs", "1").returncode == 3
    operations = {row["operation"] for row in platform.api.get("/audit").json()["items"]}
    assert {"quotas.set", "quotas.unset"} <= operations


@pytest.mark.parametrize("body", [{"jobs": -1}, {"gpu_hours": "a"}, {"cpus": 1}, {"jobs": 1.5}])
def test_limits_that_make_no_sense_are_refused(
    platform: RunningPlatform, body: dict[str, Any]
) -> None:
    assert platform.api.put(f"/quotas/user/{ME}", json=body).status_code in (400, 422)
    assert platform.api.put("/quotas/team/a", json={}).status_code in (400, 422)


def test_jobs_over_the_limit_wait_and_say_why(platform: RunningPlatform) -> None:
    limit(platform, "project", jobs=1)
    first = platform.submit("import time; time.sleep(60)", "a.py")["id"]
    platform.wait_for(first, "running")
    second = platform.submit("1", "b.py")["id"]
    waits = platform.wait(
        lambda: (j := platform.job(second))["reason"].startswith("The project") and j, "a reason"
    )
    assert waits["reason"] == "The project already runs 1 of the 1 jobs it may run at once"
    assert use(platform, "jobs", "project")["words"] == "1 of 1 job at once"
    limit(platform, "project", jobs=0)
    assert "may run no jobs" in exceeded(platform.api.post(f"{PROJECT}/jobs", json=submission()))
    limit(platform, "project", jobs=2)  # heard within seconds
    assert platform.wait_for(second)["state"] == "succeeded"
    platform.api.post(f"{PROJECT}/jobs/{first}/cancel")
    platform.wait_for(first)


def test_storage_counts_each_chunk_once_and_is_refused_before(platform: RunningPlatform) -> None:
    before = use(platform, "storage_bytes", "project")["used"]
    assert commit(platform, "a", range(5000)).status_code == 201
    used = use(platform, "storage_bytes", "project")["used"]
    assert used > before + 1000
    assert use(platform, "storage_bytes")["used"] == used
    limit(platform, "project", storage_bytes=int(used) + 500)
    told = exceeded(commit(platform, "b", range(6000)))
    assert "default keeps" in told
    assert "; this adds " in told
    assert commit(platform, "c", range(5000)).status_code == 201  # the same bytes: nothing new
    assert use(platform, "storage_bytes", "project")["used"] == used
    limit(platform, "project", storage_bytes=int(used))
    exceeded(platform.api.post(f"{PROJECT}/uploads", params={"filename": "a.csv"}))
    exceeded(platform.api.post(f"{PROJECT}/jobs", json=submission()))
    platform.api.delete(f"{PROJECT}/datasets/c")
    assert use(platform, "storage_bytes", "project")["used"] == used
    platform.api.delete(f"{PROJECT}/datasets/a")
    assert use(platform, "storage_bytes", "project")["used"] == before
    assert platform.api.post(f"{PROJECT}/uploads").status_code == 201


def test_two_deploys_for_the_last_endpoint(platform: RunningPlatform) -> None:
    script = (
        "import mlflow\n"
        "with mlflow.start_run():\n"
        "    client = mlflow.MlflowClient()\n"
        "    client.create_registered_model('quota')\n"
        "    run = mlflow.active_run().info\n"
        "    client.create_model_version('quota', run.artifact_uri, run.run_id)\n"
    )
    job = platform.wait_for(platform.submit(script, "m.py")["id"])
    assert job["state"] == "succeeded", job
    limit(platform, endpoints=1)

    def deploy(name: str) -> httpx.Response:
        body = {"model": "quota@v1", "name": name}
        return platform.api.post(f"{PROJECT}/deployments", json=body)

    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(deploy, ["q1", "q2", "q3", "q4"]))
    assert sorted(d.status_code for d in done) == [201, 403, 403, 403]
    refused = next(d for d in done if d.status_code == 403)
    assert f"{ME} has 1 of 1 endpoint." in exceeded(refused)
    (there,) = platform.get("/deployments")["items"]
    assert deploy(there["name"]).status_code == 201  # moving it takes no more
    platform.api.delete(f"{PROJECT}/deployments/{there['name']}")
    assert deploy("q9").status_code == 201
    platform.api.delete(f"{PROJECT}/deployments/q9")


def test_gpu_hours_run_out_during_a_job_and_a_killed_platform_remembers(
    platform: RunningPlatform,
) -> None:
    used = use(platform, "gpu_hours")["used"]
    limit(platform, gpu_hours=used + 20 / 3600)
    job_id = platform.submit(notebook(COUNTS), resources=GPU)["id"]
    job = platform.wait_for(job_id)
    assert (job["state"], job["exit_reason"]) == ("cancelled", "quota")
    assert job["reason"].startswith(f"Stopped: {ME} has used ")
    assert job["attempts"][-1]["exit_reason"] == "quota"
    events = platform.get(f"/jobs/{job_id}/events")
    topics = [e["topic"] for e in events if e["topic"].startswith("quota.")]
    assert topics == ["quota.near", "quota.exceeded"]
    told = "".join(e["payload"].get("text", "") for e in events if e["topic"] == "job.log")
    assert "at the limit this job is stopped" in told
    assert f"`dlsys jobs retry {job_id}`" in told

    before = use(platform, "gpu_hours")
    assert before["level"] == "full"
    platform.kill()
    platform.start()
    assert use(platform, "gpu_hours")["used"] == pytest.approx(before["used"], abs=1e-6)

    body = submission(resources=GPU)
    assert "or wait until 1 " in exceeded(platform.api.post(f"{PROJECT}/jobs", json=body))
    look = platform.api.post(f"{PROJECT}/jobs/preflight", json=body).json()
    assert not look["ok"]
    assert [f["severity"] for f in look["findings"] if f["code"] == "quota"] == ["error"]
    exceeded(platform.api.post(f"{PROJECT}/jobs/{job_id}/retry"))
    limit(platform, gpu_hours=1)
    again = platform.api.post(f"{PROJECT}/jobs/{job_id}/retry").json()["id"]
    platform.wait_for(again, "running")
    job = platform.wait(lambda: (j := platform.job(again))["attempts"][0]["checkpoint"] and j, "it")
    assert job["attempts"][0]["checkpoint"] > 10
    platform.api.post(f"{PROJECT}/jobs/{again}/cancel")
    platform.wait_for(again)


def test_what_waits_when_the_hours_run_out_waits_until_there_are_more(
    platform: RunningPlatform,
) -> None:
    limit(platform, gpu_hours=1)
    first = platform.submit("import time; time.sleep(90)", "a.py", resources={"gpus": 2})["id"]
    second = platform.submit("1", "b.py", resources=GPU)["id"]
    platform.wait_for(first, "running")
    limit(platform, gpu_hours=use(platform, "gpu_hours")["used"] / 2)
    assert platform.wait_for(first)["exit_reason"] == "quota"
    job = platform.wait(
        lambda: "it starts on 1 " in (j := platform.job(second))["reason"] and j, "a reason"
    )
    assert job["state"] == "queued"
    assert job["reason"].startswith(f"{ME} has used ")
    assert platform.submit("1", "c.py")["warnings"] == []  # without a GPU one may go on
    limit(platform, gpu_hours=1)
    assert platform.wait_for(second)["state"] == "succeeded"


def test_a_job_that_may_not_get_to_its_end_is_warned_of(platform: RunningPlatform) -> None:
    source = "import time; time.sleep(2)"
    done = platform.wait_for(platform.submit(source, "w.py", resources=GPU)["id"])
    assert done["state"] == "succeeded"
    limit(platform, gpu_hours=use(platform, "gpu_hours")["used"] + 2.2 / 3600)
    body = {"source": {"path": "w.py", "content": source}, "resources": GPU}

    def look() -> Any:  # what jobs took is known to everybody a second later
        report = platform.api.post(f"{PROJECT}/jobs/preflight", json=body).json()
        assert report["ok"]
        return next((f for f in report["findings"] if f["code"] == "quota"), None)

    finding = platform.wait(look, "a warning", 10)
    assert finding["severity"] == "warning"
    assert "this job is expected to need 0.000" in finding["message"]
    job = platform.submit(source, "w.py", resources=GPU)
    assert job["warnings"] == [finding["message"]]
    platform.api.post(f"{PROJECT}/jobs/{job['id']}/cancel")
    platform.wait_for(job["id"])
