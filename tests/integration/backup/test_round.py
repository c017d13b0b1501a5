"""A platform that works is backed up, and another one goes on from the backup."""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support import processes
from tests.support.doors import answer, run_cli_process
from tests.support.models import ready_made
from tests.support.platform import PROJECT, RunningPlatform
from tests.support.postgres import binaries

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(600)]

TEAM = pytest.param("postgres+s3", marks=[pytest.mark.s3, pytest.mark.postgres])
SLEEP = """
import os, time
print("attempt", os.environ["DLSYS_ATTEMPT"], flush=True)
time.sleep(600 if os.environ["DLSYS_ATTEMPT"] == "1" else 0)
"""


@dataclass
class Two:
    """The platform that is backed up, and the settings of the one that goes on."""

    old: RunningPlatform
    new: RunningPlatform
    folder: Path
    secrets: list[str]

    def operate(self, which: RunningPlatform, *arguments: str) -> Any:
        """A command of the operator; what it says with --json."""
        return answer(self.command(which, *arguments))

    def command(self, which: RunningPlatform, *arguments: str) -> Any:
        environment = {**os.environ, **which.environment, "DLSYS_HOME": str(which.home)}
        return run_cli_process(environment, *arguments, "--json")


@pytest.fixture(scope="module", params=["sqlite+folder", TEAM])
def two(request, session_root: Path) -> Iterator[Two]:
    with ExitStack() as stack:
        settings = [{"DLSYS_CPUS": "3", "DLSYS_WARM": "false"} for _ in range(2)]
        secrets: list[str] = []
        if request.param == "postgres+s3":
            secrets = _on_servers(request, stack, settings)
        homes = [Path(tempfile.mkdtemp(prefix="b", dir=session_root)) for _ in settings]
        old, new = (
            RunningPlatform(home, **more) for home, more in zip(homes, settings, strict=True)
        )
        folder = Path(tempfile.mkdtemp(prefix="k", dir=session_root)) / "backup"
        yield Two(old, new, folder, secrets)
        for running in (old, new):
            running.stop()
        left = [line for home in homes for line in processes.end_leftovers(home)]
    assert not left, "the platforms left processes behind:\n" + "\n".join(left)


def _on_servers(request, stack: ExitStack, settings: list[dict[str, str]]) -> list[str]:
    postgres, seaweed = map(request.getfixturevalue, ("postgres_server", "seaweed_server"))
    for number, more in enumerate(settings):
        url, bucket = (stack.enter_context(s) for s in (postgres.database(), seaweed.bucket()))
        more |= {
            "PATH": f"{binaries()}{os.pathsep}{os.environ['PATH']}",
            "DLSYS_DATABASE_URL": url.replace("postgresql+psycopg://", "postgresql://"),
            **bucket.settings(f"lab{number}"),
        }
    return [postgres.password, seaweed.secret_key]


def commit(running: RunningPlatform, name: str, text: str) -> Any:
    upload = running.api.post(f"{PROJECT}/uploads", params={"filename": "a.csv"}).json()["id"]
    running.api.put(f"{PROJECT}/uploads/{upload}", params={"offset": 0}, content=text.encode())
    body = {"message": "more", "files": [{"upload": upload}]}
    made = running.api.post(f"{PROJECT}/datasets/{name}/commits", json=body)
    assert made.status_code == 201, made.text
    return made.json()


def csv(word: str, rows: int) -> str:
    labels = ("sad", "happy")
    return "text,label\n" + "".join(f"{word} {i},{labels[i % 2]}\n" for i in range(rows))


class Writer:
    """Commits without end, and notes what was acknowledged."""

    def __init__(self, running: RunningPlatform) -> None:
        self._running, self._stopping = running, threading.Event()
        self.acknowledged: dict[int, str] = {}
        self._thread = threading.Thread(target=self._write)

    def __enter__(self) -> Writer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()

    def _write(self) -> None:
        while not self._stopping.is_set():
            made = commit(self._running, "live", csv(f"w{len(self.acknowledged)}", 20))
            self.acknowledged[made["version"]] = made["hash"]


@pytest.fixture(scope="module")
def facts(two: Two) -> dict[str, Any]:
    """What was true of the old platform when the backup began; then the restore of it."""
    old = two.old.start()
    for name in ("mood", "live"):
        old.api.post(f"{PROJECT}/datasets", json={"name": name, "kind": "text-classification"})
    commit(old, "mood", csv("t", 30))
    trained = old.submit(ready_made(), "mood.py")
    trained = old.wait_for(trained["id"])
    assert trained["state"] == "succeeded", trained["reason"]
    alias = old.api.put(f"{PROJECT}/models/mood/aliases/champion", json={"version": 1})
    assert alias.status_code == 200, alias.text
    lost, again = (old.submit(SLEEP, f"sleep{n}.py", retries=n) for n in (0, 1))
    for job in (lost, again):
        old.wait_for(job["id"], "running")
    with Writer(old) as writer:
        old.wait(lambda: len(writer.acknowledged) > 3, "a few commits")
        before = dict(writer.acknowledged)
        made = two.operate(old, "backup", str(two.folder))
        old.wait(lambda: len(writer.acknowledged) > len(before), "commits to go on")
    secrets = [*two.secrets, old.secret]
    facts = {
        "mood": old.get("/datasets/mood"),
        "rows": old.get("/datasets/mood/rows", limit=100),
        "run": old.get(f"/runs/{trained['run_id']}"),
        "job": trained,
        "lost": lost["id"],
        "again": again["id"],
        "before": before,
        "after": writer.acknowledged,
        "made": made,
        "secrets": secrets,
    }
    running = two.command(two.old, "restore", str(two.folder), "--replace")
    facts["while running"] = running.returncode, running.stderr
    old.api.post("/shutdown", params={"jobs": "cancel"})
    assert old.process is not None
    old.process.wait(60)
    facts["restored"] = two.operate(two.new, "restore", str(two.folder))
    two.new.start()
    return facts


def test_the_backup_has_no_secret(two: Two, facts) -> None:
    files = [path for path in two.folder.rglob("*") if path.is_file()]
    assert len(files) >= facts["made"]["files"] > 10
    assert facts["secrets"]
    for path in files:
        data = path.read_bytes()
        assert not [s for s in facts["secrets"] if s.encode() in data], path
        assert path.stat().st_mode & 0o077 == 0, path


def test_a_platform_that_runs_is_not_written_over(facts) -> None:
    status, said = facts["while running"]
    assert status == 4 and '"code": "platform-runs"' in said, said


def test_data_is_the_same(two: Two, facts) -> None:
    assert two.new.get("/datasets/mood") == facts["mood"]
    assert two.new.get("/datasets/mood/rows", limit=100) == facts["rows"]


def test_what_was_acknowledged_before_is_there_and_can_be_read(two: Two, facts) -> None:
    found = {v["version"]: v for v in two.new.get("/datasets/live/commits", limit=500)["items"]}
    assert set(facts["before"]) <= set(found) <= set(facts["after"]) | {max(facts["after"]) + 1}
    for version, hash in facts["before"].items():
        assert found[version]["hash"] == hash
    for version in found:
        rows = two.new.get("/datasets/live/rows", ref=f"v{version}", limit=1)["rows"]
        assert len(rows) == 1


def test_the_run_its_metrics_and_the_alias_are_there(two: Two, facts) -> None:
    assert two.new.get(f"/runs/{facts['job']['run_id']}") == facts["run"]
    assert facts["run"]["metrics"]["accuracy"] == 0.75
    assert two.new.get("/models/mood")["aliases"] == {"champion": 1}


def test_jobs_that_ran_are_lost_or_tried_again(two: Two, facts) -> None:
    assert facts["restored"]["jobs"] == 2
    lost = two.new.wait_for(facts["lost"])
    assert lost["state"] == "lost" and "backup" in lost["reason"]
    again = two.new.wait_for(facts["again"])
    assert (again["state"], again["attempt"]) == ("succeeded", 2), again["reason"]


def test_new_work_goes_on_where_the_old_ended(two: Two, facts) -> None:
    versions = [v["version"] for v in two.new.get("/datasets/live/commits")["items"]]
    assert commit(two.new, "live", csv("new", 3))["version"] == max(versions) + 1
    job = two.new.wait_for(two.new.submit("print('hello')\n", "h.py")["id"])
    assert job["state"] == "succeeded", job["reason"]


def test_the_model_answers(two: Two, facts) -> None:
    answer = two.new.api.post(f"{PROJECT}/deployments", json={"model": "mood@champion"})
    assert answer.status_code == 201, answer.text
    two.new.wait(lambda: two.new.get("/deployments/mood")["state"] == "ready", "the endpoint", 120)
    body = {"inputs": {"text": ["so sad"]}}
    said = two.new.api.post(f"{PROJECT}/deployments/mood/predict", json=body)
    assert said.status_code == 200, said.text


def test_a_second_restore_is_refused_and_replaces_only_when_told_to(two: Two, facts) -> None:
    two.new.api.post("/shutdown", params={"jobs": "cancel"})
    assert two.new.process is not None
    two.new.process.wait(60)
    refused = two.command(two.new, "restore", str(two.folder))
    assert refused.returncode == 4 and '"code": "target-not-empty"' in refused.stderr
    done = two.operate(two.new, "restore", str(two.folder), "--replace")
    assert done["aside"].startswith("replaced-")
    two.new.start(wait_for_mlflow=False)
    assert two.new.get("/datasets/mood/rows", limit=100) == facts["rows"]
    versions = [v["version"] for v in two.new.get("/datasets/live/commits")["items"]]
    assert max(versions) <= max(facts["after"])  # without the commit after the first restore
    again = two.operate(two.new, "backup", str(two.folder))
    assert again["copied_bytes"] < again["bytes"]
    assert two.operate(two.new, "restore", str(two.folder), "--check")["files"] == again["files"]
