"""An idle platform: memory, CPU, time to the first answer and until MLflow is ready.

MLflow runs as a child of the platform and is counted apart.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from pathlib import Path

import psutil

from benchmarks.figures import Figure, Sample, Target, figure
from benchmarks.measuring import cpu_seconds, rss, tree
from tests.support.platform import RunningPlatform

MEGABYTES, PERCENT = 150.0, 1.0
_MLFLOW = "dlsys_server.metadata.mlflow"
_POLL = 0.01


def run(quick: bool) -> list[Figure]:
    """Start it, let it come to rest, and look at it for half a minute."""
    rounds = [_once(5 if quick else 30, 2 if quick else 10) for _ in range(1 if quick else 3)]
    answer, ready, memory, share, mlflow_memory, mlflow_share = zip(*rounds, strict=True)
    return [
        figure("platform: first answer after start", "s", answer),
        figure("platform: MLflow ready after start", "s", ready),
        figure("platform idle, memory", "MB", memory, [MEGABYTES], "limit",
               Target("ours", high=MEGABYTES)),
        figure("platform idle, CPU", "%", share, [PERCENT], "limit", Target("ours", high=PERCENT)),
        figure("its MLflow, memory", "MB", mlflow_memory),
        figure("its MLflow, CPU", "%", mlflow_share),
    ]  # fmt: skip


def _once(seconds: float, rest: float) -> tuple[Sample, ...]:
    home = Path(tempfile.mkdtemp(prefix="dlsys-bench-"))
    platform = RunningPlatform(home / "home", DLSYS_IDLE_SECONDS="0")
    began = time.perf_counter()
    try:
        platform.start(wait_for_mlflow=False)
        _until(platform, lambda: platform.api.get("/health").status_code == 200)
        answer = time.perf_counter() - began
        assert platform.process
        cost = cpu_seconds(tree(platform.process.pid))
        _until(platform, lambda: platform.part("mlflow") == "ok")
        ready = time.perf_counter() - began
        everything = cpu_seconds(tree(platform.process.pid))
        time.sleep(rest)
        ours, mlflow = _split(platform.process.pid)
        return (
            Sample(answer, answer, cost),
            Sample(ready, ready, everything),
            *_idle(ours, mlflow, seconds),
        )
    finally:
        platform.stop()
        shutil.rmtree(home, ignore_errors=True)


def _idle(
    ours: list[psutil.Process], mlflow: list[psutil.Process], seconds: float
) -> tuple[Sample, ...]:
    """Memory and CPU of both groups; nobody asks anything meanwhile."""
    groups = (ours, mlflow)
    before = [cpu_seconds(group) for group in groups]
    began = time.perf_counter()
    time.sleep(seconds)
    wall = time.perf_counter() - began
    found: list[Sample] = []
    for group, used in zip(groups, before, strict=True):
        cpu = cpu_seconds(group) - used
        found += [Sample(rss(group) / 1e6, wall, cpu), Sample(100 * cpu / wall, wall, cpu)]
    return tuple(found)


def _split(pid: int) -> tuple[list[psutil.Process], list[psutil.Process]]:
    """The platform's processes without MLflow and what MLflow started, and those."""
    everything = tree(pid)
    tops = [p for p in everything if any(_MLFLOW in part for part in p.cmdline())]
    mlflow = {process.pid for top in tops for process in tree(top.pid)}
    return (
        [p for p in everything if p.pid not in mlflow],
        [p for p in everything if p.pid in mlflow],
    )


def _until(platform: RunningPlatform, condition: object) -> None:
    end = time.monotonic() + 120
    while not condition():  # type: ignore[operator]
        if time.monotonic() > end or (platform.process and platform.process.poll() is not None):
            raise RuntimeError((platform.home / "platform.log").read_text()[-2000:])
        time.sleep(_POLL)
