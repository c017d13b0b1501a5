"""A thousand trivial jobs through the queue, half notebooks and half scripts: are all there, how
fast, and how does the API answer meanwhile."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.figures import Figure, Sample, Target, figure
from benchmarks.probing import Prober
from benchmarks.spending import Purse
from tests.support.platform import RunningPlatform, notebook

ANSWER_MS = 50.0
COUNT, QUICK_COUNT = 1000, 50
_PROCESSES = os.environ.get("DLSYS_PROCESSES", "1")
_LOOK_SECONDS = 1.0
_STUCK_SECONDS = 300.0


def run(quick: bool) -> list[Figure]:
    """Submit as fast as one client can, wait, count."""
    folder = Path(tempfile.mkdtemp(prefix="dlsys-bench-"))
    purse = Purse(folder / "ours")
    platform = RunningPlatform(folder / "home", DLSYS_IDLE_SECONDS="0", **purse.environment)
    platform.python = purse.python
    try:
        platform.start()
        first = platform.submit(notebook("1"))["id"]  # the zygote starts with it
        platform.wait_for(first)
        _warm(platform)
        platform.connect()  # to a process that answers, where there are several
        return _through(platform, purse, folder / "ran", first, QUICK_COUNT if quick else COUNT)
    finally:
        platform.stop()
        purse.close()
        shutil.rmtree(folder, ignore_errors=True)


def _through(
    platform: RunningPlatform, purse: Purse, ran: Path, first: str, count: int
) -> list[Figure]:
    base = "/api/v1/projects/default"
    paths = {"list": f"{base}/jobs", "show": f"{base}/jobs/{first}", "queue": f"{base}/queue"}
    prober = Prober(platform.url, platform.secret, {**paths, "health": "/api/v1/health"})
    spent, began = purse.seconds(), time.perf_counter()
    jobs = [_submit(platform, ran, number) for number in range(count)]
    submitted = time.perf_counter() - began
    _wait(platform)
    wall = time.perf_counter() - began
    answers = prober.end()
    purse.rest(3.0)
    cpu = purse.seconds() - spent
    _check(platform, jobs, ran)
    return [
        figure("queue: jobs", "", [Sample(len(jobs), wall, cpu)],
               note=f"all succeeded, each ran exactly once; processes={_PROCESSES}"),
        figure("queue: jobs a second", "/s", [Sample(count / wall, wall, cpu)]),
        figure("queue: submissions a second", "/s", [Sample(count / submitted, submitted)],
               note="one client, while jobs run"),
        figure("queue: CPU a job, all processes", "CPU s", [cpu / count], note=purse.how),
        *_latencies(answers),
    ]  # fmt: skip


def _submit(platform: RunningPlatform, ran: Path, number: int) -> str:
    wrote = "f.write(os.environ['DLSYS_JOB_ID'] + '\\n')"
    code = f"import os\nwith open({str(ran)!r}, 'a') as f: {wrote}"
    source: Any = notebook(code) if number % 2 else code
    name = "trivial.ipynb" if number % 2 else "trivial.py"
    return str(platform.submit(source, name)["id"])


def _wait(platform: RunningPlatform) -> None:
    """Until nothing waits or runs."""
    moved, before = time.monotonic(), -1
    states = ["queued", "starting", "running", "cancelling"]
    while True:
        page = platform.get("/jobs", state=states, limit=200)["items"]
        if not page:
            return
        newest = hash(tuple((job["id"], job["state"]) for job in page))
        if newest != before:
            moved, before = time.monotonic(), newest
        if time.monotonic() - moved > _STUCK_SECONDS:
            raise RuntimeError(f"nothing moves any more; {page[0]['id']} is {page[0]['state']}")
        time.sleep(_LOOK_SECONDS)


def _check(platform: RunningPlatform, jobs: list[str], ran: Path) -> None:
    """Every job is there, has succeeded, and its code ran once."""
    rows = {job["id"]: job for job in _all(platform)}
    lost = [job for job in jobs if job not in rows]
    bad = [rows[job] for job in jobs if job in rows and rows[job]["state"] != "succeeded"]
    lines = ran.read_text().split()
    if lost or bad or sorted(lines) != sorted(jobs):
        what = f"{bad[0]['state']}: {bad[0]['reason']}" if bad else ""
        raise RuntimeError(
            f"{len(lost)} jobs lost, {len(bad)} not succeeded ({what}), {len(lines)} runs "
            f"of {len(set(lines))} jobs for {len(jobs)}"
        )


def _all(platform: RunningPlatform) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while True:
        page = platform.get("/jobs", limit=200, **cursor)
        found += page["items"]
        if not page["next_cursor"]:
            return found
        cursor = {"cursor": page["next_cursor"]}


def _warm(platform: RunningPlatform) -> None:
    platform.wait(
        lambda: platform.api.get("/workers").json()[0]["warm"]["parked"] == 1,
        "a parked kernel",
        120,
    )


def _latencies(answers: dict[str, list[float]]) -> list[Figure]:
    everything = [value for values in answers.values() for value in values]
    found = []
    for name, values in {"all": everything, **answers}.items():
        target = Target("ours", high=ANSWER_MS)
        low, high, top = (_percentile(values, q) for q in (50, 95, 99))
        note = f"median {low:.1f}, 99 % {top:.1f}, most {max(values):.0f} ms; {len(values)} asked"
        title = f"API while jobs run, 95 %: {name}"
        found.append(figure(title, "ms", [high], [ANSWER_MS], "limit", target, note))
    return found


def _percentile(values: Sequence[float], percent: float) -> float:
    return sorted(values)[round(percent / 100 * (len(values) - 1))]
