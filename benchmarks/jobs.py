"""Two notebooks as jobs: ours from a warm and from a cold start, the `papermill` command,
jupyter-scheduler. In turns, in one run.

The notebook itself writes down when its first cell runs, so all are judged alike. A job begins with
the request that submits it (papermill's with the command) and is done when the API says so (when
the command has ended). What it costs is what all processes of a side spend from there until the
side is at rest again, less what they spend idle: for ours that is the platform, MLflow, the zygote,
supervisor, runner and kernel, and making the next parked kernel.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.figures import Figure, Sample, Target, compared, figure, missing
from benchmarks.jupyter_scheduler_peer import JupyterScheduler
from benchmarks.phases import PHASES, Seen, phases_of
from benchmarks.shares import SHARES, spent
from benchmarks.spending import Purse, idle_rates
from tests.support.platform import RunningPlatform, notebook

PAPERMILL, SCHEDULER = "papermill", "jupyter-scheduler"
GOALS = {"first cell": 1 / 6, "done": 1 / 10, "CPU": 1 / 5}
COLD_GOALS = {"done": 1.5}
NOTEBOOKS = {"3 cells": [], "torch, mlflow": ["import torch\nimport mlflow"]}
_PARKED_SECONDS = 120


@dataclass
class Side:
    """One way to run a notebook. `ready` is not timed; `run` returns when the job is done."""

    name: str
    purse: Purse
    run: Callable[[dict[str, Any]], None]
    ready: Callable[[], None] = lambda: None
    rest_seconds: float = 0.0
    """How long after the end it is sure to go on working."""
    parts: Callable[[], dict[str, float]] = dict
    """CPU seconds until now, by part."""
    trials: dict[str, list[Trial]] = field(default_factory=dict)


@dataclass(frozen=True)
class Trial:
    """Seconds from the submission; CPU seconds."""

    first: float
    done: float
    cpu: float
    parts: dict[str, float]

    def sample(self, what: str) -> Sample:
        """As one value of the table."""
        value = {"first cell": self.first, "done": self.done, "CPU": self.cpu}[what]
        return Sample(value, self.done, self.cpu)


def run(quick: bool) -> list[Figure]:
    """Seconds until the first cell runs and until all is done, and CPU seconds."""
    folder = Path(tempfile.mkdtemp(prefix="dlsys-bench-"))
    try:
        with ExitStack() as stack:
            platform, ours = stack.enter_context(_platform(folder))
            sides = [*_our_sides(platform, ours), stack.enter_context(_papermill(folder))]
            peer, trouble = _scheduler(folder, stack)
            sides += [peer] if peer else []
            rates = _measure(sides, folder / "first", quick)
            ours.check_parked()
            phases = [phases_of(platform, job) for job in ours.warm_jobs]
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    found = [f for name in NOTEBOOKS for f in _figures(name, sides)]
    if trouble:
        found.append(missing(f"jobs beside {SCHEDULER}", trouble))
    return [*found, *_idle_figures(rates), *_part_figures(sides[0]), *_phase_figures(phases)]


# ---- the sides -------------------------------------------------------------------------------
class _Ours:
    """Jobs of a running platform, through its HTTP API."""

    def __init__(self, platform: RunningPlatform) -> None:
        self.platform = platform
        self.warm_jobs: list[Seen] = []

    def submit(self, cells: dict[str, Any], cold: bool) -> None:
        """Submit it and follow its events until it has ended, as `dlsys submit --watch` does."""
        began = time.time()
        job = self.platform.submit(cells, "bench.ipynb", cold=cold)["id"]
        state = self._follow(job)
        ended = time.time()
        if state != "succeeded":
            raise RuntimeError(f"the job has {state}: {self.platform.job(job)['reason']}")
        if not cold:
            self.warm_jobs.append(Seen(job, began, ended))

    def _follow(self, job: str) -> str:
        path = f"/projects/default/jobs/{job}/events"
        with self.platform.api.stream("GET", path, params={"stream": "true"}) as answer:
            for line in answer.iter_lines():
                if line.startswith("data: ") and '"job.changed"' in line:
                    state = str(json.loads(line[6:])["payload"]["state"])
                    if state in ("succeeded", "failed", "cancelled", "lost", "skipped"):
                        return state
        raise RuntimeError("the event stream ended before the job")

    def parked(self) -> None:
        """Wait for a kernel that waits."""
        end = time.monotonic() + _PARKED_SECONDS
        while (warm := self.platform.api.get("/workers").json()[0]["warm"])["parked"] != 1:
            if time.monotonic() > end:
                raise RuntimeError(f"no kernel is parked: {warm}")
            time.sleep(0.2)

    def check_parked(self) -> None:
        """A warm job that went another way would be a figure of something else."""
        for seen in self.warm_jobs:
            start = self.platform.job(seen.job)["start"]
            if start["mode"] != "parked":
                raise RuntimeError(f"a warm job started {start['mode']}: {start['reason']}")


@contextmanager
def _platform(folder: Path) -> Iterator[tuple[RunningPlatform, _Ours]]:
    purse = Purse(folder / "ours")
    platform = RunningPlatform(folder / "home", DLSYS_IDLE_SECONDS="0", **purse.environment)
    platform.python, platform.purse = purse.python, purse  # type: ignore[attr-defined]
    try:
        yield platform.start(), _Ours(platform)
    finally:
        platform.stop()
        purse.close()


def _our_sides(platform: RunningPlatform, ours: _Ours) -> list[Side]:
    purse: Purse = platform.purse  # type: ignore[attr-defined]
    assert platform.process
    pid = platform.process.pid
    warm, cold = (
        Side(name, purse, submit, ours.parked, 2.0, lambda: spent(pid))
        for name, submit in (
            ("warm", lambda cells: ours.submit(cells, False)),
            ("cold", lambda cells: ours.submit(cells, True)),
        )
    )
    ours.submit(notebook("1"), cold=False)  # the zygote starts with the first job
    ours.warm_jobs.clear()
    ours.parked()
    return [warm, cold]


@contextmanager
def _papermill(folder: Path) -> Iterator[Side]:
    place = folder / "papermill"
    purse = Purse(place)
    source = place / "bench.ipynb"
    command = [purse.python, "-m", "papermill", str(source), str(place / "out.ipynb")]

    def work(cells: dict[str, Any]) -> None:
        source.write_text(json.dumps(cells))
        subprocess.run(
            [*command, "--no-progress-bar"],
            check=True,
            capture_output=True,
            env={**os.environ, **purse.environment},
        )

    try:
        yield Side(PAPERMILL, purse, work)
    finally:
        purse.close()


def _scheduler(folder: Path, stack: ExitStack) -> tuple[Side | None, str]:
    """jupyter-scheduler, or why it cannot be had."""
    server = JupyterScheduler(folder / "scheduler")
    stack.callback(server.stop)
    try:
        server.start()
    except (RuntimeError, OSError) as error:
        return None, str(error)[-300:]
    return Side(SCHEDULER, server.purse, server.run, rest_seconds=1.0), ""


# ---- measuring -------------------------------------------------------------------------------
def _measure(sides: list[Side], mark: Path, quick: bool) -> dict[str, float]:
    """Fills the sides' trials. Returns CPU seconds a second that each spends idle."""
    purses = {side.name: side.purse for side in sides if side.rest_seconds}
    for purse in purses.values():
        purse.rest(2.0)
    seconds = 5.0 if quick else 20.0
    before = idle_rates(list(purses.values()), seconds)
    for purse, rate in zip(purses.values(), before, strict=True):
        purse.idle = rate
    for number in range(2 if quick else 7):
        for name, more in NOTEBOOKS.items():
            for side in sides if number % 2 == 0 else reversed(sides):
                side.trials.setdefault(name, []).append(_trial(side, _cells(mark, more), mark))
    after = idle_rates(list(purses.values()), seconds)
    return {n: statistics.mean(r) for n, *r in zip(purses, before, after, strict=True)}


def _trial(side: Side, cells: dict[str, Any], mark: Path) -> Trial:
    side.ready()
    mark.unlink(missing_ok=True)
    parts, before = side.parts(), side.purse.seconds()
    stamp, began = time.time(), time.perf_counter()
    side.run(cells)
    done = time.perf_counter() - began
    if side.rest_seconds:
        side.purse.rest(side.rest_seconds)
    cpu = side.purse.charge(before, time.perf_counter() - began)
    used = {name: value - parts[name] for name, value in side.parts().items()}
    return Trial(float(mark.read_text()) - stamp, done, cpu, used)


def _cells(mark: Path, more: list[str]) -> dict[str, Any]:
    first = f"import pathlib, time\npathlib.Path({str(mark)!r}).write_text(str(time.time()))"
    return notebook(first, *(more or ["total = sum(range(1000))"]), "print(1)")


# ---- the table -------------------------------------------------------------------------------
def _figures(name: str, sides: list[Side]) -> list[Figure]:
    by_name = {side.name: side.trials[name] for side in sides}
    found = []
    for start, goals, peers in (
        ("warm", GOALS, (PAPERMILL, SCHEDULER)),
        ("cold", COLD_GOALS, (PAPERMILL,)),
    ):
        for what in GOALS:
            for peer in peers:
                if peer not in by_name:
                    continue
                both = [[t.sample(what) for t in by_name[side]] for side in (start, peer)]
                goal = goals.get(what) if peer == PAPERMILL else None
                target = Target("ratio", high=round(goal, 3)) if goal else None
                unit = "CPU s" if what == "CPU" else "s"
                note = _counted(sides, start) if what == "CPU" else ""
                title = f"job, {name}, {start}: {what}"
                found.append(compared(title, unit, both, peer, target, note))
    return found


def _counted(sides: list[Side], name: str) -> str:
    """How the CPU seconds of a side were counted."""
    return next(side.purse.how for side in sides if side.name == name)


def _idle_figures(rates: dict[str, float]) -> list[Figure]:
    ours = rates["warm"] * 100
    other = [rates[SCHEDULER] * 100] if SCHEDULER in rates else []
    note = "taken off the jobs' CPU"
    return [figure("job: CPU of all services when idle", "%", [ours], other, SCHEDULER, None, note)]


def _part_figures(warm: Side) -> list[Figure]:
    trials = [trial for trials in warm.trials.values() for trial in trials]
    note = "what it spends idle is in it"
    return [
        figure(f"job, warm: CPU of {name}", "ms", [1000 * t.parts[name] for t in trials], note=note)
        for name in SHARES
    ]


def _phase_figures(found: list[dict[str, float]]) -> list[Figure]:
    return [
        figure(f"job, warm: {name}", "ms", [1000 * phases[name] for phases in found])
        for name in PHASES
        if found and all(name in phases for phases in found)
    ]
