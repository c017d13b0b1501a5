"""A notebook of three cells as a job of ours beside the `papermill` command, both cold.

The notebook itself writes down when its first cell runs, so both are judged alike. Ours starts with
the request that submits it, papermill's with the command. The platform runs before.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.figures import Figure, Sample, Target, compared
from benchmarks.measuring import Watch, take_turns
from tests.support.platform import RunningPlatform, notebook

PEER = "papermill"
_POLL = 0.02


def run(quick: bool) -> list[Figure]:
    """Seconds until the first cell runs and until all is done, and CPU seconds."""
    folder = Path(tempfile.mkdtemp(prefix="dlsys-bench-"))
    platform = RunningPlatform(folder / "home", DLSYS_IDLE_SECONDS="0")
    first_ours: list[Sample] = []
    first_peer: list[Sample] = []
    try:
        platform.start()
        ours, peer = take_turns(
            2 if quick else 5,
            lambda: _job(platform, folder, first_ours),
            lambda: _papermill(folder, first_peer),
        )
    finally:
        platform.stop()
        shutil.rmtree(folder, ignore_errors=True)
    cpu = [[Sample(s.cpu, s.wall, s.cpu) for s in side] for side in (ours, peer)]
    return [
        compared("job: first cell", "s", [first_ours, first_peer], PEER),
        compared("job: done", "s", [ours, peer], PEER, Target("ratio", high=1.5)),
        compared("job: CPU", "CPU s", cpu, PEER),
    ]


def _cells(mark: Path) -> dict[str, object]:
    return notebook(
        f"import pathlib, time\npathlib.Path({str(mark)!r}).write_text(str(time.time()))",
        "total = sum(range(1000))",
        "print(total)",
    )


def _job(platform: RunningPlatform, folder: Path, first: list[Sample]) -> Sample:
    mark = folder / "first"
    cells = _cells(mark)

    def work() -> None:
        job = platform.submit(cells, "three.ipynb")
        while (state := platform.job(job["id"])["state"]) not in ("succeeded", "failed", "lost"):
            time.sleep(_POLL)
        if state != "succeeded":
            raise RuntimeError(f"the job has {state}")

    return _timed(work, platform.home, mark, first)


def _papermill(folder: Path, first: list[Sample]) -> Sample:
    mark, place = folder / "first-peer", folder / "papermill"
    place.mkdir(exist_ok=True)
    source = place / "three.ipynb"
    source.write_text(json.dumps(_cells(mark)))
    command = [sys.executable, "-m", "papermill", str(source), str(place / "out.ipynb")]
    environment = {**os.environ, "DLSYS_BENCHMARK": str(place)}

    def work() -> None:
        subprocess.run(
            [*command, "--no-progress-bar"], check=True, capture_output=True, env=environment
        )

    return _timed(work, place, mark, first)


def _timed(work: Callable[[], None], place: Path, mark: Path, first: list[Sample]) -> Sample:
    with Watch(place) as watch:
        stamp, began = time.time(), time.perf_counter()
        work()
        wall = time.perf_counter() - began
    first.append(Sample(float(mark.read_text()) - stamp, wall, watch.cpu))
    mark.unlink()
    return Sample(wall, wall, watch.cpu)
