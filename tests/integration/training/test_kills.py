"""kill -9 of everything at random moments, while jobs run: what is promised holds for each job.

Victims are the platform, supervisors, the zygote, kernels and scripts, and (on PostgreSQL) the
database's connections. A run is told by its seed: DLSYS_KILL_SEED repeats one, DLSYS_KILL_JOBS
makes it longer. The scheduling of the machine is not repeated, so neither is the exact run.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import psycopg
import pytest

from tests.support import files, processes
from tests.support.platform import PROJECT, RunningPlatform, notebook

pytestmark = [pytest.mark.integration, pytest.mark.kill, pytest.mark.slow]

JOBS = int(os.environ.get("DLSYS_KILL_JOBS", "200"))
SEED = int(os.environ.get("DLSYS_KILL_SEED", "0")) or random.SystemRandom().randrange(1, 10**6)
AT_ONCE = 24
BLOWS = 0.5
"""Of all kinds, for each job."""
PATIENCE_SECONDS = 120
ENDED = ("succeeded", "failed", "cancelled", "lost", "skipped")
DECK = {
    "kill_platform": 2,
    "kill_supervisor": 6,
    "kill_process": 6,
    "kill_zygote": 2,
    "cut_database": 4,
}
LINES = 5
CODE = f"""
import os, time
def note(word):
    out = os.open(marks, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    job, attempt = os.environ["DLSYS_JOB_ID"], os.environ["DLSYS_ATTEMPT"]
    os.write(out, f"{{job}} {{attempt}} {{word}}\\n".encode())
    os.close(out)
note("begin")
for number in range({LINES}):
    print(f"line {{number}}", flush=True)
    time.sleep(seconds / {LINES})
if fails:
    raise RuntimeError("as it should")
note("end")
"""
READ = "import json, os\nglobals().update(json.loads(os.environ['DLSYS_PARAMETERS']))\n"


class Chaos:
    """Jobs that are submitted, and what is done to them and to the platform."""

    def __init__(self, running: RunningPlatform, marks: Path, chance: random.Random) -> None:
        self.running, self.marks, self.chance = running, marks, chance
        self.jobs: dict[str, dict[str, Any]] = {}
        self.open: set[str] = set()
        self.hit: set[tuple[str, int]] = set()
        self.done: Counter[str] = Counter()
        self.deck: list[str] = []

    # -- as a client that does not give up

    def ask(self, method: str, path: str, **more: Any) -> Any:
        """The answer, however often the platform is away or its database is."""
        end = time.monotonic() + PATIENCE_SECONDS
        while True:
            with contextlib.suppress(httpx.TransportError):
                answer = self.running.api.request(method, PROJECT + path, timeout=20, **more)
                if answer.status_code < 500:
                    assert answer.is_success, answer.text
                    return answer.json()
            assert time.monotonic() < end, f"{method} {path} was never answered"
            time.sleep(0.1)

    def submit(self) -> None:
        what = self.chance.choices(("ok", "fails", "stop"), (0.8, 0.1, 0.1))[0]
        parameters = {
            "marks": str(self.marks),
            "seconds": round(self.chance.uniform(0, 0.6), 2) if what != "stop" else 1.5,
            "fails": what == "fails",
        }
        if self.chance.random() < 0.25:
            cells = notebook(CODE, parameters="marks, seconds, fails = '', 0, False")
            source = {"path": "t.ipynb", "content": json.dumps(cells)}
        else:
            source = {"path": "t.py", "content": READ + CODE}
        retries = self.chance.choice((0, 3, 20, 20, 20))
        body = {"source": source, "parameters": parameters, "retries": retries, "environment": {}}
        key = f"kill-{SEED}-{len(self.jobs)}"
        made = self.ask("POST", "/jobs", json=body, headers={"Idempotency-Key": key})
        assert made["id"] not in self.jobs
        self.jobs[made["id"]] = {
            "what": what,
            "retries": retries,
            "notebook": "nb" in source["path"],
        }
        self.open.add(made["id"])

    def look(self) -> None:
        """Forget what has ended; stop what is to be stopped."""
        listed = self.ask("GET", "/jobs", params={"limit": 200})["items"]
        for job in listed:
            mine = self.jobs.get(job["id"])
            if mine is None:
                continue
            if job["state"] in ENDED:
                self.open.discard(job["id"])
            elif mine["what"] == "stop" and self.chance.random() < 0.3:
                self.ask("POST", f"/jobs/{job['id']}/cancel")

    # -- and as misfortune

    def strike(self) -> None:
        """The next of a shuffled deck, so that each kind has its turn."""
        if not self.deck:
            self.deck = [name for name, weight in DECK.items() for _ in range(weight)]
            self.chance.shuffle(self.deck)
        name = self.deck.pop()
        if getattr(self, name)():
            self.done[name] += 1

    def kill_platform(self) -> bool:
        self.running.kill()
        self.running.start(wait_for_mlflow=False)
        return True

    def kill_supervisor(self) -> bool:
        return bool(found := self._attempt()) and self._kill(*found)

    def kill_process(self) -> bool:
        if not (found := self._attempt()):
            return False
        key, supervisor = found
        with contextlib.suppress(psutil.Error):
            if below := supervisor.children(recursive=True):
                return self._kill(key, self.chance.choice(below))
        return False

    def kill_zygote(self) -> bool:
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if self._is_zygote(process):
                    process.kill()
                    return True
        return False

    def _is_zygote(self, process: psutil.Process) -> bool:
        line = process.cmdline()
        mine = "jupyter_dlsys.runtime.zygote" in line and str(self.running.home) in " ".join(line)
        parent = self.running.process
        return mine and parent is not None and process.ppid() == parent.pid

    def cut_database(self) -> bool:
        url = self.running.environment.get("DLSYS_DATABASE_URL", "")
        if not url.startswith("postgres"):
            return False
        others = "SELECT pid FROM pg_stat_activity WHERE datname = current_database()"
        others += " AND pid <> pg_backend_pid()"
        with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
            for (pid,) in connection.execute(others).fetchall():
                if self.chance.random() < 0.7:
                    connection.execute("SELECT pg_terminate_backend(%s)", (pid,))
        return True

    def _attempt(self) -> tuple[tuple[str, int], psutil.Process] | None:
        """An attempt that runs, and its supervisor."""
        folders = [
            path.parent
            for path in files.below(self.running.home / "attempts")
            if path.name == "pid" and not (path.parent / "result.json").exists()
        ]
        if not folders:
            return None
        folder = self.chance.choice(sorted(folders))
        with contextlib.suppress(OSError, ValueError, psutil.Error):
            supervisor = psutil.Process(int((folder / "pid").read_text().split()[0]))
            return (folder.parent.name, int(folder.name)), supervisor
        return None

    def _kill(self, key: tuple[str, int], process: psutil.Process) -> bool:
        with contextlib.suppress(psutil.Error):
            self.hit.add(key)
            process.send_signal(signal.SIGKILL)
            return True
        return False

    # -- the run

    def run(self, count: int) -> None:
        """As many blows as the jobs deserve, spread over all the time in which jobs run."""
        struck, wait_until = 0, 0.0
        while len(self.jobs) < count or self.open:
            while len(self.jobs) < count and len(self.open) < AT_ONCE:
                self.submit()
            ended = len(self.jobs) - len(self.open)
            if struck < BLOWS * (ended + 2) and time.monotonic() > wait_until:
                struck += 1
                self.strike()
                wait_until = time.monotonic() + self.chance.uniform(0, 1)
            self.look()
            time.sleep(0.05)


def check(chaos: Chaos, job_id: str, marks: Counter[tuple[str, int, str]]) -> None:
    """Everything that is promised of one job."""
    about = chaos.jobs[job_id]
    job = chaos.ask("GET", f"/jobs/{job_id}")
    story = f"{job['state']} {job['reason']!r} {about} attempts {job['attempts']}"
    tries = job["attempts"]
    unlucky = (job_id, job["attempt"]) in chaos.hit
    allowed = {"ok": {"succeeded"}, "fails": {"failed"}, "stop": {"cancelled", "succeeded"}}
    fine = job["state"] in allowed[about["what"]]
    if job["exit_reason"] in ("lost", "killed"):
        fine = unlucky and job["attempt"] == about["retries"] + 1
    elif about["what"] == "fails":
        fine = fine and job["exit_reason"] == "user-error"
    assert fine, f"a wrong state: {story}"
    assert job["attempt"] <= about["retries"] + 1, story
    assert [a["number"] for a in tries] == list(range(1, len(tries) + 1)), story
    for attempt in tries[:-1]:
        assert (job_id, attempt["number"]) in chaos.hit, f"tried again for nothing: {story}"
        assert attempt["state"] in ("lost", "failed"), story
        assert attempt["finished_at"], story
    for number in range(1, job["attempt"] + 1):
        assert marks[job_id, number, "begin"] <= 1, f"user code ran twice: {story}"
    if job["state"] == "succeeded":
        assert marks[job_id, job["attempt"], "end"] == 1, story
    check_events(chaos, job, story)


def check_events(chaos: Chaos, job: dict[str, Any], story: str) -> None:
    events = chaos.ask("GET", f"/jobs/{job['id']}/events", params={"limit": 5000})
    assert [e["seq"] for e in events] == sorted({e["seq"] for e in events}), story
    number, heard = 1, Counter[int]()
    text: dict[int, str] = {}
    for event in events:
        payload = event["payload"]
        if event["topic"] == "job.attempt":
            assert payload["number"] >= number, story
            number = payload["number"]
        if event["topic"] in ("job.log", "job.output"):
            assert payload.get("attempt", 1) == number, f"an event out of its attempt: {story}"
            output = payload.get("output") or payload
            if output.get("stream", output.get("name")) == "stdout":
                text[number] = text.get(number, "") + output["text"]
                heard[number] += 1
    for attempt, said in text.items():
        whole = "".join(f"line {n}\n" for n in range(LINES))
        assert whole.startswith(said), f"a gap or a repeat in attempt {attempt}: {said!r}; {story}"
    if job["state"] == "succeeded":
        assert text[job["attempt"]] == whole, story
    finals = [e for e in events if e["topic"] == "job.changed" and e["payload"]["state"] in ENDED]
    assert [e["payload"]["state"] for e in finals] == [job["state"]], story


@contextlib.contextmanager
def a_platform(root: Path, **environment: str) -> Iterator[RunningPlatform]:
    home = Path(tempfile.mkdtemp(prefix="k", dir=root))
    running = RunningPlatform(home, DLSYS_CPUS="4", **environment)
    try:
        yield running.start()
    finally:
        running.stop()
    left = processes.end_leftovers(home)
    assert not left, "processes outlived their jobs:\n" + "\n".join(left)


def storm(running: RunningPlatform, marks: Path, count: int) -> None:
    print(f"seed {SEED}: DLSYS_KILL_SEED={SEED} repeats these choices")
    chaos = Chaos(running, marks, random.Random(SEED))
    chaos.run(count)
    lines = Counter(tuple(line.split()) for line in marks.read_text().splitlines())
    noted = Counter({(job, int(number), word): n for (job, number, word), n in lines.items()})
    listed = {job["id"] for job in pages(chaos)}
    assert listed == set(chaos.jobs), "a job was lost, or one was made twice"
    for job_id in chaos.jobs:
        check(chaos, job_id, noted)
    running.wait(lambda: not folders(running), "the folders to be removed", 60)
    tried = sum(n > 1 for _, n in chaos.hit)
    print(f"blows {dict(chaos.done)}, attempts hit {len(chaos.hit)}, later ones {tried}")
    assert {"kill_platform", "kill_supervisor", "kill_process"} <= set(chaos.done), chaos.done


def pages(chaos: Chaos) -> Iterator[dict[str, Any]]:
    cursor: str | None = None
    while True:
        query = {"limit": 200, **({"cursor": cursor} if cursor else {})}
        page = chaos.ask("GET", "/jobs", params=query)
        yield from page["items"]
        cursor = page["next_cursor"]
        if not cursor:
            return


def folders(running: RunningPlatform) -> list[Path]:
    return [path for path in (running.home / "attempts").iterdir() if path.is_dir()]


@pytest.mark.timeout(60 + 6 * JOBS)
def test_a_storm_over_jobs_on_sqlite(session_root: Path, tmp_path: Path) -> None:
    with a_platform(session_root) as running:
        storm(running, tmp_path / "marks", JOBS // 2)


@pytest.mark.postgres
@pytest.mark.timeout(60 + 6 * JOBS)
def test_a_storm_over_jobs_on_postgresql(
    session_root: Path, tmp_path: Path, postgres_url: str
) -> None:
    with a_platform(session_root, DLSYS_DATABASE_URL=postgres_url) as running:
        storm(running, tmp_path / "marks", JOBS - JOBS // 2)
