"""Jobs by the root helper: a platform that is nobody, people who are themselves."""

from __future__ import annotations

import os
import pwd
import time

import pytest

from tests.support.people import PROJECT, Setting, processes_of
from tests.support.platform import notebook

pytestmark = [pytest.mark.integration, pytest.mark.slow]


WHO = """
import os, pathlib, sys
print("I am", os.getuid(), os.geteuid(), os.getgid(), sorted(os.getgroups()))
out = pathlib.Path(os.environ["DLSYS_OUTPUT_DIR"])
(out / "open.txt").write_text("open")
(out / "closed.txt").write_text("closed")
(out / "closed.txt").chmod(0o600)
(out / "deep").mkdir(mode=0o700)
(out / "deep" / "x.txt").write_text("deep")
os.symlink("/etc/passwd", out / "link")
print("parent", os.stat(f"/proc/{os.getppid()}").st_uid)
"""


def test_a_job_is_the_person_who_submitted_it(setting: Setting) -> None:
    for person in (setting.ann, setting.bob):
        job = setting.team.run(person, WHO)
        said = setting.team.said(person, job["id"])
        assert job["state"] == "succeeded", (job["reason"], said)
        numbers = pwd.getpwnam(person)
        me = f"I am {numbers.pw_uid} {numbers.pw_uid} {numbers.pw_gid} [{numbers.pw_gid}]"
        assert me in said
        assert job["account"] == person
        assert job["start"]["mode"] == "cold" and "platform's rights" in job["start"]["reason"]
        with setting.team.of(person) as api:
            found = api.get(f"/projects/{PROJECT}/jobs/{job['id']}/artifacts").json()
        assert [a["path"] for a in found] == ["closed.txt", "deep/x.txt", "open.txt"]


def test_a_notebook_runs_with_its_run_and_leaves_nothing(setting: Setting) -> None:
    cells = ["import getpass, mlflow\nprint(getpass.getuser())", "mlflow.log_metric('m', 2)"]
    job = setting.team.run(setting.ann, notebook(*cells), "t.ipynb")
    assert job["state"] == "succeeded", job["reason"]
    assert job["metrics"] == {"m": 2.0}
    with setting.team.of(setting.ann) as api:
        done = api.get(f"/projects/{PROJECT}/jobs/{job['id']}/notebook").json()
    assert setting.ann in "".join(done["cells"][0]["outputs"][0]["text"])
    gone = setting.team.root / job["id"]
    setting.team.wait(lambda: not gone.exists(), "the folder to go", 20)


SLEEP = """
import subprocess, sys, time
subprocess.Popen(["sleep", "77"], start_new_session=True)
print("up", flush=True)
time.sleep(77)
"""


def test_a_cancel_ends_all_of_it_within_two_seconds(setting: Setting) -> None:
    job = setting.team.running(setting.ann, SLEEP)
    began = time.monotonic()
    with setting.team.of(setting.ann) as api:
        api.post(f"/projects/{PROJECT}/jobs/{job}/cancel")
    setting.team.wait(lambda: not processes_of(setting.ann), "its processes to end", 10)
    took = time.monotonic() - began
    assert setting.team.ended(setting.ann, job)["state"] == "cancelled"
    assert took < 4, took  # two, and two for a busy machine


def test_a_job_outlives_the_platform_and_the_helper(setting: Setting) -> None:
    source = "import time\nprint('up', flush=True)\ntime.sleep(8)\nprint('still here')"
    job = setting.team.running(setting.bob, source)
    setting.team.kill()
    setting.helper.stop()
    assert processes_of(setting.bob)
    setting.helper.start()
    setting.team.start()
    done = setting.team.ended(setting.bob, job)
    assert done["state"] == "succeeded", done["reason"]
    assert done["attempt"] == 1
    assert "still here" in setting.team.said(setting.bob, job)


def test_a_dead_supervisor_takes_its_job_along_and_it_is_tried_again(setting: Setting) -> None:
    source = SLEEP.replace(
        "print(", "if os.environ['DLSYS_ATTEMPT'] == '2':\n    sys.exit(0)\nprint("
    )
    job = setting.team.running(setting.ann, "import os\n" + source, retries=1)
    supervisor = int((setting.team.root / job / "1" / "pid").read_text())
    os.kill(supervisor, 9)
    done = setting.team.ended(setting.ann, job)
    assert done["state"] == "succeeded", done["reason"]
    assert done["attempt"] == 2
    assert not processes_of(setting.ann)


def test_too_much_memory_and_disk_are_stopped(setting: Setting) -> None:
    hungry = "x = []\nwhile True:\n    x.append(bytearray(10_000_000))"
    resources = {"cpus": 1, "memory_bytes": 300 * 2**20}
    job = setting.team.run(setting.ann, hungry, resources=resources)
    assert (job["state"], job["exit_reason"]) == ("failed", "out-of-memory"), job["reason"]


def test_jobs_wait_for_a_helper_that_is_away(setting: Setting) -> None:
    setting.helper.stop()
    try:
        time.sleep(3.5)
        job = setting.team.begin(setting.ann, "print(1)")
        with setting.team.of(setting.ann) as api:
            path = f"/projects/{PROJECT}/jobs/{job['id']}"
            setting.team.wait(lambda: "dlsys-launcher" in api.get(path).json()["reason"], "words")
            parts = {p["name"]: p for p in api.get("/health").json()["parts"]}
            assert parts["launcher"]["state"] == "degraded"
    finally:
        setting.helper.start()
    assert setting.team.ended(setting.ann, job["id"])["state"] == "succeeded"


def test_health_and_workers_say_who_starts_jobs_and_as_whom(setting: Setting) -> None:
    with setting.team.of(setting.ann) as api:
        [worker] = api.get("/workers").json()
        assert worker["isolation"]["launcher"] == "helper"
        assert "submitter" in worker["isolation"]["account"]
        parts = {p["name"]: p for p in api.get("/health").json()["parts"]}
    assert parts["launcher"]["state"] == "ok", parts["launcher"]
