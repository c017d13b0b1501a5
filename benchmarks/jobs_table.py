"""Does a long history slow the scheduler or the API: nothing in the job table beside 10,000 jobs.

The history is made of real jobs that ran before, copied with their attempts and events over ten
days. (Their MLflow runs and lineage are not copied: neither a round nor these answers read them.)
"""

from __future__ import annotations

import http.client
import json
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import func, insert, select, update

from benchmarks.figures import Figure, Sample, Target, compared
from benchmarks.measuring import take_turns
from benchmarks.spending import Purse
from dlsys_server.building import build
from dlsys_server.core import clock
from dlsys_server.core.database import Database
from dlsys_server.core.ids import new_id
from dlsys_server.core.settings import Settings
from dlsys_server.core.tables import EventRow
from dlsys_server.parts import Parts
from dlsys_server.training.tables import AttemptRow, JobRow
from tests.support.platform import RunningPlatform, notebook

JOBS, QUICK_JOBS, WAITING = 10_000, 500, 100
GOAL = Target("ratio", high=2.0)
DAYS = timedelta(days=10)
PEER = "an empty table"
_PIECE = 250
_BASE = "/api/v1/projects/default"


def run(quick: bool) -> list[Figure]:
    """Two platforms, one with a history; then a scheduler on each of their databases."""
    folder = Path(tempfile.mkdtemp(prefix="dlsys-bench-"))
    homes = [folder / "long", folder / "empty"]
    count = QUICK_JOBS if quick else JOBS
    try:
        shown = [_fill(home, jobs) for home, jobs in zip(homes, (count, 0), strict=True)]
        found = _answers(homes, shown, 20 if quick else 300)
        return [*found, *_rounds(homes, 20 if quick else 200, f"{count:,} ended jobs")]
    finally:
        shutil.rmtree(folder, ignore_errors=True)


# ---- the history -----------------------------------------------------------------------------
def _fill(home: Path, count: int) -> str:
    """A data folder with `count` ended jobs and a few that wait; the id of one that has ended."""
    platform = RunningPlatform(home, DLSYS_IDLE_SECONDS="0")
    try:
        platform.start()
        cells = notebook("import time\nfor i in range(3): print(i)", "[1, 2]", "1 + 1")
        sources: list[tuple[Any, str]] = [
            (cells, "train.ipynb"),
            ("print('a')\nprint('b')", "prepare.py"),
            ("print('a')\n1 / 0", "broken.py"),
        ]
        jobs = [platform.submit(source, name)["id"] for source, name in sources]
        for job in jobs:
            platform.wait_for(job)
    finally:
        platform.stop()
    database = Database(f"sqlite:///{home / 'db.sqlite'}")
    try:
        models = [_Model(database, job) for job in jobs]
        newest = str(jobs[0])
        for start in range(0, count, _PIECE):
            newest = _copy(database, models, range(start, min(start + _PIECE, count)), count)
        _queue(database, jobs[0])
    finally:
        database.close()
    return newest


class _Model:
    """A real job with what belongs to it, as rows."""

    def __init__(self, database: Database, job: str) -> None:
        self.id = job
        with database.read() as session:
            self.job = _rows(session, JobRow, JobRow.id == job)[0]
            self.attempts = _rows(session, AttemptRow, AttemptRow.job_id == job)
            self.events = _rows(session, EventRow, EventRow.subject == f"job/{job}")

    def moved(self, row: dict[str, Any], job: str, by: timedelta) -> dict[str, Any]:
        """A row of this job as one of another, at another time."""
        text = json.dumps(row, default=_keep).replace(self.id, job)
        found: dict[str, Any] = json.loads(text, object_hook=_found)
        return {k: v + by if isinstance(v, datetime) else v for k, v in found.items()}


def _rows(session: Any, table: Any, where: Any) -> list[dict[str, Any]]:
    columns = table.__table__.columns
    return [dict(row) for row in session.execute(select(*columns).where(where)).mappings()]


def _keep(value: Any) -> dict[str, str]:
    return {"$datetime": value.isoformat()}


def _found(value: dict[str, Any]) -> Any:
    return datetime.fromisoformat(value["$datetime"]) if "$datetime" in value else value


def _copy(database: Database, models: list[_Model], numbers: range, count: int) -> str:
    """Copies with these numbers of `count`, the first the oldest; the id of the last."""
    jobs, attempts, events = [], [], []
    job = ""
    for number in numbers:
        model, job = models[number % len(models)], new_id()
        by = -DAYS * (1 - number / count)
        jobs.append(model.moved(model.job, job, by))
        attempts += [model.moved(row, job, by) for row in model.attempts]
        moved = (model.moved(row, job, by) for row in model.events)
        events += [{k: v for k, v in row.items() if k != "seq"} for row in moved]
    with database.write() as session:
        for table, rows in ((JobRow, jobs), (AttemptRow, attempts), (EventRow, events)):
            session.execute(insert(table), rows)
    return job


def _queue(database: Database, model: str) -> None:
    """Jobs that wait, for now because of their back-off."""
    with database.write() as session:
        row = _rows(session, JobRow, JobRow.id == model)[0]
        later = {
            **row,
            "state": "queued",
            "attempt": 2,
            "run_id": None,
            "started_at": None,
            "finished_at": None,
            "cpus": float(os.cpu_count() or 2),
            "not_before": clock.now() + timedelta(days=1),
        }
        session.execute(insert(JobRow), [{**later, "id": new_id()} for _ in range(WAITING)])


# ---- the API ---------------------------------------------------------------------------------
def _answers(homes: list[Path], shown: list[str], times: int) -> list[Figure]:
    with ExitStack() as stack:
        platforms = []
        for home in homes:
            purse = Purse(home / "purse")
            stack.callback(purse.close)
            platform = RunningPlatform(home, DLSYS_IDLE_SECONDS="0", **purse.environment)
            platform.python = purse.python
            stack.callback(platform.stop)
            platforms.append((platform.start(), purse))
        for _, purse in platforms:
            purse.rest(5.0, 90.0)  # each imports libraries for its jobs
        found = []
        for name, path in (
            ("list", f"{_BASE}/jobs"),
            ("newest that failed", f"{_BASE}/jobs?state=failed&limit=1"),
            ("show", f"{_BASE}/jobs/%s"),
            ("queue", f"{_BASE}/queue"),
        ):
            asks = [_Ask(*one, job, path) for one, job in zip(platforms, shown, strict=True)]
            for ask in asks:
                ask()
            sides = take_turns(times, *asks)
            found.append(compared(f"job table: {name}", "ms", sides, PEER, GOAL, _cpu_note(sides)))
    return found


class _Ask:
    """One request of a platform, in milliseconds, on a connection that stays."""

    def __init__(self, platform: RunningPlatform, purse: Purse, job: str, path: str) -> None:
        self._purse = purse
        self._path = path.replace("%s", job)
        self._headers = {"Authorization": f"Bearer {platform.secret}"}
        self._connection = http.client.HTTPConnection(platform.url.removeprefix("http://"))

    def __call__(self) -> Sample:
        """Ask and read the answer."""
        spent, began = self._purse.seconds(), time.perf_counter()
        self._connection.request("GET", self._path, headers=self._headers)
        answer = self._connection.getresponse()
        body = answer.read()
        wall = time.perf_counter() - began
        if answer.status != 200:
            raise RuntimeError(f"{self._path}: {answer.status} {body[:200]!r}")
        return Sample(1000 * wall, wall, self._purse.seconds() - spent)


def _cpu_note(sides: list[list[Sample]]) -> str:
    """Seconds of processors move less than seconds of a clock when the machine is busy."""
    ours, theirs = (1000 * statistics.median(sample.cpu for sample in side) for side in sides)
    return f"CPU {ours:.1f} beside {theirs:.1f} ms"


# ---- the scheduler ---------------------------------------------------------------------------
def _rounds(homes: list[Path], times: int, history: str) -> list[Figure]:
    """A scheduler on each database, without the rest of its platform."""
    with ExitStack() as stack:
        schedulers = []
        for home in homes:
            parts = build(Settings(home=home), "", lambda: "", "")
            stack.callback(parts.database.close)
            schedulers.append(_Rounds(parts))
        found = []
        for name, note, side in (
            ("round, nothing changed", history, _Rounds.idle),
            (f"round, {WAITING} wait and one changed", history, _Rounds.deciding),
        ):
            sides = [_bound(side, scheduler) for scheduler in schedulers]
            for warm_up in sides:
                warm_up()
            samples = take_turns(times, *sides)
            words = f"{_cpu_note(samples)}; {note}"
            found.append(compared(f"scheduler: {name}", "ms", samples, PEER, GOAL, words))
    return found


def _bound(side: Callable[[_Rounds], Sample], scheduler: _Rounds) -> Callable[[], Sample]:
    return lambda: side(scheduler)


class _Rounds:
    """Rounds that find no room: a job of another worker holds a CPU and all others want all."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._scheduler = parts.room.scheduler
        self._scheduler.launcher.blocked = lambda: ""  # type: ignore[method-assign]
        with parts.database.write() as session:
            queued = JobRow.state == "queued"
            session.execute(update(JobRow).where(queued).values(not_before=None, attempt=1))
            row = _rows(session, JobRow, queued)[0]
            held = {**row, "id": new_id(), "state": "running", "cpus": 1.0, "worker": "elsewhere"}
            small = {**row, "id": new_id(), "cpus": 1.0, "memory_bytes": 2**60}
            session.execute(insert(JobRow), [{**held, "started_at": clock.now()}, small])
            self._touched = small["id"]
        self._waiting = self._count("queued")

    def _count(self, state: str) -> int:
        with self._parts.database.read() as session:
            query = select(func.count()).where(JobRow.state == state)
            return session.scalar(query) or 0

    def idle(self) -> Sample:
        """A round as it is several times a second while anything runs."""
        return self._timed()

    def deciding(self) -> Sample:
        """A round after a change: the whole queue is thought about."""
        with self._parts.database.write() as session:
            changed = update(JobRow).where(JobRow.id == self._touched)
            session.execute(changed.values(revision=JobRow.revision + 1))
        return self._timed()

    def _timed(self) -> Sample:
        began, spent = time.perf_counter(), time.thread_time()
        if not self._scheduler.tick():
            raise RuntimeError("the scheduler does not lead, or sees no queue")
        wall, cpu = time.perf_counter() - began, time.thread_time() - spent
        if self._count("queued") != self._waiting:
            raise RuntimeError("a job was started, which was not to be")
        return Sample(1000 * wall, wall, cpu)
