"""Schedules through the real platform: the API, the command, kill -9 and what comes after."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from dlsys_server.core.database import Database
from dlsys_server.workflows.tables import ScheduleRow
from jupyter_dlsys.client.client import connect
from tests.support import processes
from tests.support.doors import answer, run_cli
from tests.support.platform import PROJECT, RunningPlatform, notebook

pytestmark = [pytest.mark.integration, pytest.mark.kill]
SCRIPT = "import os, time\nopen(os.environ['MARK'], 'a').write('ran\\n')\ntime.sleep({})\n"


@pytest.fixture(scope="module")
def running(session_root: Path) -> Iterator[RunningPlatform]:
    """A platform that the tests kill, and that would end soon if nothing kept it."""
    home = Path(tempfile.mkdtemp(prefix="w", dir=session_root))
    found = RunningPlatform(home, DLSYS_CPUS="4", DLSYS_IDLE_SECONDS="4")
    found.start(wait_for_mlflow=False)
    yield found
    found.stop()
    left = processes.end_leftovers(home)
    assert not left, "the platform left processes behind:\n" + "\n".join(left)


def create(running: RunningPlatform, mark: Path, seconds: float = 0, **more: Any) -> Any:
    source = {"path": "t.py", "content": SCRIPT.format(seconds)}
    submission = {"source": source, "variables": {"MARK": str(mark)}}
    body = {"cron": "0 0 1 1 *", "submission": submission, **more}
    answer = running.api.post(f"{PROJECT}/schedules", json=body)
    assert answer.status_code == 201, answer.text
    return answer.json()


def make_due(running: RunningPlatform, schedule: Any, cron: str, when: datetime) -> None:
    """As if the schedule had been made before `when` and nobody had looked since."""
    database = Database(f"sqlite:///{running.home / 'db.sqlite'}")
    with database.write() as session:
        values = {"cron": cron, "next_at": when}
        session.execute(
            update(ScheduleRow).where(ScheduleRow.id == schedule["id"]).values(**values)
        )
    database.close()


def settled(running: RunningPlatform, schedule: Any, count: int) -> Any:
    """History, oldest first, once it has so many jobs and all have ended."""

    def look() -> Any:
        found = running.get(f"/schedules/{schedule['id']}/history")["items"][::-1]
        ended = [f for f in found if f["job_state"] == "succeeded"]
        return found if len(ended) == len(found) >= count else None

    return running.wait(look, f"{count} jobs of the schedule to end", 90)


def test_a_platform_killed_at_due_times_fires_each_once(running, tmp_path) -> None:
    mark = tmp_path / "mark"
    made = create(running, mark, missed="all", overlap="queue")
    due = datetime.now(timezone.utc).replace(second=0, microsecond=0) - timedelta(minutes=4)
    make_due(running, made, "*/2 * * * *", due)
    for delay in (0.0, 0.5):
        time.sleep(delay)
        running.kill()
        running.start(wait_for_mlflow=False)
    first = due + timedelta(minutes=due.minute % 2)
    history = settled(running, made, 2)
    running.api.post(f"{PROJECT}/schedules/{made['id']}/pause")
    times = [datetime.fromisoformat(f["due_at"]) for f in history]
    assert times == [first + n * timedelta(minutes=2) for n in range(len(times))]
    jobs = [j for j in running.get("/jobs", limit=500)["items"] if j["schedule"] == made["id"]]
    assert sorted(j["id"] for j in jobs) == sorted(f["job"] for f in history)
    assert mark.read_text() == "ran\n" * len(times)


def test_it_fires_on_the_minute_and_keeps_the_platform_up(running, tmp_path) -> None:
    """Longer than the idle time, with nobody asking."""
    mark = tmp_path / "mark"
    made = create(running, mark, cron="* * * * *", name="each minute")
    due = datetime.fromisoformat(made["next_times"][0])
    time.sleep(max(7.0, (due - datetime.now(timezone.utc)).total_seconds() + 1))
    assert running.process is not None and running.process.poll() is None
    fired = settled(running, made, 1)[0]
    running.api.delete(f"{PROJECT}/schedules/{made['id']}")
    job = running.job(fired["job"])
    assert datetime.fromisoformat(fired["due_at"]) == due and fired["state"] == "submitted"
    assert (job["name"], job["schedule"]) == ("each minute", made["id"])
    late = datetime.fromisoformat(job["created_at"]) - due
    assert timedelta(0) <= late < timedelta(seconds=3)


def test_replace_stops_a_running_job(running, tmp_path) -> None:
    made = create(running, tmp_path / "mark", seconds=600, overlap="replace")
    where = f"{PROJECT}/schedules/{made['id']}"
    first = running.api.post(f"{where}/run").json()
    running.wait_for(first["job"], "running")
    assert running.api.post(f"{where}/run").json()["reason"].startswith("Stopping the last job")
    done = running.wait_for(first["job"])
    assert (done["state"], done["exit_reason"]) == ("cancelled", "cancelled")

    def second() -> Any:
        return running.get(f"/schedules/{made['id']}/history")["items"][0]["job"]

    job = running.wait(second, "the second job", 20)
    assert job != first["job"]
    running.api.delete(where)
    running.api.post(f"{PROJECT}/jobs/{job}/cancel")
    running.wait_for(job)


def test_mistakes_are_named(running, tmp_path) -> None:
    source = {"path": "t.py", "content": ""}
    for wrong, code in (
        ({"cron": "0 25 * * *"}, "bad-cron"),
        ({"timezone": "Berln"}, "bad-timezone"),
    ):
        body = {"cron": "@daily", "submission": {"source": source}, **wrong}
        said = running.api.post(f"{PROJECT}/schedules", json=body)
        assert (said.status_code, said.json()["code"]) == (400, code)
        assert said.json()["hint"] and said.json()["errors"][0]["field"] == next(iter(wrong))
    assert running.api.get(f"{PROJECT}/schedules/nothing").json()["code"] == "no-such-schedule"


def test_the_command_from_create_to_rm(running, tmp_path: Path) -> None:
    (tmp_path / "report.ipynb").write_text(json.dumps(notebook("x = 1", parameters="lr = 0.1")))
    environment = {"DLSYS_HOME": str(running.home), "COLUMNS": "160", "TZ": "Europe/Berlin"}

    def dlsys(*arguments: str) -> Any:
        return run_cli(environment, "schedules", *arguments)

    path = str(tmp_path / "report.ipynb")
    done = dlsys("create", path, "--every", "weekday", "--at", "7", "-p", "lr=0.5", "--follow")
    assert done.returncode == 0, done.stderr
    assert "At 07:00 on every weekday, Europe/Berlin. The next times:" in done.stdout
    assert done.stdout.count(" 07:00\n") == 5
    (made,) = [s for s in answer(dlsys("list", "--json")) if s["name"] == "report"]
    assert made["path"] == path and made["parameters"] == {"lr": 0.5}
    for verb, words in (
        ("show", "report.ipynb"), ("pause", "is paused"), ("resume", "is on. Next: "),
        ("run", "Follow it: dlsys jobs watch"), ("history", "job "),
    ):  # fmt: skip
        done = dlsys(verb, made["id"])
        assert done.returncode == 0 and words in done.stdout, (verb, done.stdout, done.stderr)
    changed = dlsys("update", made["id"], "--cron", "0 8 * * *", "--tz", "UTC")
    assert "At 08:00 every day, UTC" in changed.stdout
    replaced = dlsys("replace", made["id"], path, "-p", "lr=0.25")
    assert "runs " in replaced.stdout and "as it is then" in replaced.stdout, replaced.stderr
    assert answer(dlsys("show", made["id"], "--json"))["parameters"] == {"lr": 0.25}
    with connect(home=running.home) as client:
        job = client.schedules.history(made["id"])[0].job
        assert client.jobs.wait(job, 90).parameters == {"lr": 0.5}
    yesterday = f"{datetime.now(timezone.utc) - timedelta(days=1):%Y-%m-%d}"
    filled = dlsys(
        "backfill", made["id"], "--from", yesterday, "--to", f"{yesterday}T23:00", "--json"
    )
    assert [f["due_at"] for f in answer(filled)] == [f"{yesterday}T08:00:00Z"]
    refused = dlsys("create", path, "--cron", "0 0 7 * * *")
    assert refused.returncode == 2 and "Without the first: '0 7 * * *'" in refused.stderr
    (tmp_path / "wrong.ipynb").write_text(json.dumps(notebook("print(undefined_name)")))
    wrong = dlsys("create", str(tmp_path / "wrong.ipynb"), "--every", "day")
    assert wrong.returncode == 4 and "undefined_name" in wrong.stderr, wrong.stderr
    assert "wrong" not in dlsys("list").stdout
    kept = dlsys("create", str(tmp_path / "wrong.ipynb"), "--every", "day", "--no-preflight")
    assert "is on" in kept.stdout
    assert "every weekday" in dlsys("explain", "0 7 * * 1-5", "--tz", "Asia/Tokyo").stdout
    assert dlsys("rm", made["id"]).returncode == 0
    assert dlsys("show", made["id"]).returncode == 3
